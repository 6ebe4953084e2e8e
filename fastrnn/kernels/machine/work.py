"""How kernels find their buffers, share out their work and wait for each other."""

from __future__ import annotations

from fastrnn.kernels.machine.atomics import atomic_add, atomic_load, atomic_store, give_way, relax
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.vector import offset, pointer_to

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
def meet(barrier, threads):
    """Wait until all threads are here. ``barrier`` (16) int64: arrivals at 0, rounds at 8 (cache lines apart)."""
    if threads == 1:
        return
    rounds = barrier + 64
    now = atomic_load(rounds)
    if atomic_add(barrier, 1) == threads - 1:
        atomic_store(barrier, 0)
        atomic_add(rounds, 1)
        return
    spins = 0
    while atomic_load(rounds) == now:
        relax()
        spins += 1
        if spins > _SPINS:
            give_way()
