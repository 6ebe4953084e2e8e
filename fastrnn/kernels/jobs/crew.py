"""Crew: threads that stay in compiled code for a moment after a job, so that the next one finds them awake.

Every thread has a *mail*, ``WORDS`` int64 numbers: its state, then a job's code, its record and the thread's own. The
first is the calling thread's, who needs none.
"""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.machine.atomics import atomic_load, atomic_store, atomic_swap_if, give_way, relax
from fastrnn.kernels.machine.calls import routine_caller
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.vector import integers_at
from fastrnn.operations.crew import AWAKE, CALLED, CLAIMED, GONE, PATIENCE, SPINS, WORDS

_BYTES = 8 * WORDS

_run = routine_caller("iii")


@helper
def _wait(spins):
    """Let a moment pass: at first spinning, then giving way."""
    if spins < SPINS:
        relax()
    else:
        give_way()
    return spins + 1


@njit
def attend(mail):
    """Run the jobs that `lead` hands over, until none has come for a while."""
    words = integers_at(mail)
    atomic_store(mail, AWAKE)
    spins = 0
    while spins < PATIENCE or not atomic_swap_if(mail, AWAKE, GONE):
        if atomic_load(mail) == CALLED:
            _run(words[1], words[2], words[3], words[3])
            atomic_store(mail, AWAKE)
            spins = 0
        spins = _wait(spins)


@njit
def lead(crew, threads, patience, code, job, calls):
    """Run a job in all threads, this one the first, if they are awake or come before ``patience`` ends; whether it was.

    Once a thread has been promised a job it stays until it has run it or is let off: a thread that meets the others
    within the job finds all of them there.
    """
    for i in range(1, threads):
        spins = 0
        while not atomic_swap_if(crew + i * _BYTES, AWAKE, CLAIMED):
            if spins >= patience:
                for j in range(1, i):
                    atomic_store(crew + j * _BYTES, AWAKE)
                return 0
            spins = _wait(spins)
    for i in range(1, threads):
        words = integers_at(crew + i * _BYTES)
        words[1], words[2], words[3] = code, job, integers_at(calls)[i]
        atomic_store(crew + i * _BYTES, CALLED)
    own = integers_at(calls)[0]
    _run(code, job, own, own)
    for i in range(1, threads):
        spins = 0
        while atomic_load(crew + i * _BYTES) == CALLED:
            spins = _wait(spins)
    return 1
