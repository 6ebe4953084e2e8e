"""How kernels find their buffers, share out their work and wait for each other."""

from __future__ import annotations

from fastrnn.kernels.machine.atomics import give_way, load_acquire, relax, store_release
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.vector import offset, pointer_to

_EAGER = 32
"""Looks before the first pause, which is longer than the way of a cache line."""
_SPINS = 4096
"""Pauses before a waiting thread lets others run: some 50 us, longer than what threads of a step differ by, and short
beside a time slice, for which a thread that is not running is waited for."""


@helper
def at(address, real, place=0):
    """The buffer at ``address`` as a pointer to numbers, ``place`` numbers on."""
    return offset(pointer_to(address, real), place)


@helper
def share(items, unit, thread, threads):
    """The range ``[start, stop)`` of ``items`` that falls to ``thread``: whole units, as even as can be."""
    if threads == 1:  # without the divisions, of which a minibatch of one short row would feel those of each operation
        return 0, items
    units = (items + unit - 1) // unit
    return min(items, units * thread // threads * unit), min(items, units * (thread + 1) // threads * unit)


@helper
def meet(barrier, thread, threads):
    """Wait until all threads are here. ``barrier`` (8 threads) int64: how often each has come, a cache line apart.

    Each writes to a line of its own and looks at those of the others: a line goes from one processor to another once.
    """
    if threads > 1:
        arrive(barrier, thread)
        await_all(barrier, thread, threads)


@helper
def arrive(barrier, thread):
    """The first half of :func:`meet`: tell the others that this thread has come so far."""
    own = barrier + 64 * thread
    store_release(own, load_acquire(own) + 1)


@helper
def await_all(barrier, thread, threads):
    """The other half: wait until the others have come as far."""
    times = load_acquire(barrier + 64 * thread)
    for other in range(threads):
        spins = 0
        while load_acquire(barrier + 64 * other) < times:
            spins += 1
            if spins > _EAGER:
                relax()
            if spins > _SPINS:
                give_way()
