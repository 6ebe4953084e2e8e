"""The driver: walks minibatch after minibatch through a model's operations, in every thread alike.

All threads run :func:`drive` with a :data:`~fastrnn.kernels.operation.CALL` of their own and meet at barriers; what a thread
computes depends on the minibatch alone, never on how many threads there are.
"""

from __future__ import annotations

import ctypes

from numba import from_dtype, njit, types

from fastrnn.kernels.batch import LONGEST
from fastrnn.kernels.operation import CALL, compiled, record
from fastrnn.kernels.vector import atomic_add, atomic_load, atomic_store, doubles_at, fields, give_way, integers_at, relax, routine_caller

JOB = record(
    "first_batch last_batch batch_size samples steps shortest first_step k1 k2 window last_step_only online trains updates barrier totals table "
    "prepare forward error begin_pass back change end stop"
)
"""The plan of a job. ``table`` (operations, 3) int64: address of code, address of spec, whether all threads meet after it.

The phases in the table, each ending where the next begins: gather (from 0), ``prepare`` (zero gradients, pack weights), ``forward``,
``error``, ``begin_pass`` and ``back`` (a backward pass), ``change`` (the update), ``end`` (sums and results) to ``stop``. ``first_step`` is the
number of updates done before ``first_batch``; ``shortest`` the least length of a row.
"""

_call_operation = routine_caller("iii")
_SPINS = 4096


@njit
def _meet(barrier, threads):
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


@njit
def _run(table, start, stop, call, barrier, threads):
    """Run the operations ``start`` ... ``stop`` of the table."""
    for i in range(start, stop):
        _call_operation(integers_at(table)[3 * i], 0, call, integers_at(table)[3 * i + 1])
        if integers_at(table)[3 * i + 2] != 0:
            _meet(barrier, threads)


@njit
def _backward(j, c, call, errors_from, end):
    """One backward pass from step ``end`` down through ``k2`` steps, with the errors of the steps from ``errors_from`` on.

    Williams and Peng 1990, BPTT(h; h'). A row that ends before ``end`` counts its ``k2`` steps from its own end. Window by window, so that
    the gradients before the activation need little memory.
    """
    c.errors_from, c.pass_end, c.depth, c.last = errors_from, end, j.k2, end
    c.pass_first = max(0, min(end, j.shortest) - j.k2)
    _run(j.table, j.begin_pass, j.back, call, j.barrier, c.threads)
    lowest = c.pass_first if j.last_step_only != 0 else min(errors_from, c.pass_first)
    last = end
    while last > lowest:
        c.last = last
        c.first = max(lowest, last - j.window)
        _run(j.table, j.back, j.change, call, j.barrier, c.threads)
        last = c.first


@njit
def _piece(j, c, call, start, end):
    """Forward over the steps ``[start, end)`` and their errors."""
    c.first, c.last, c.errors_from = start, end, start
    _run(j.table, j.forward, j.begin_pass, call, j.barrier, c.threads)


@njit
def drive(job, call, address):
    """Run the minibatches ``first_batch`` ... ``last_batch`` of a job as one of its threads.

    ``job`` points to a :data:`JOB`, ``call`` to this thread's :data:`CALL`, whose address is ``address``.
    """
    j, c = fields(job), fields(call)
    c.step = j.first_step
    for batch in range(j.first_batch, j.last_batch):
        c.batch = batch
        c.sequence = batch * j.batch_size
        c.rows = min(j.batch_size, j.samples - c.sequence)
        _run(j.table, 0, j.prepare, address, j.barrier, c.threads)
        _run(j.table, j.prepare, j.forward, address, j.barrier, c.threads)
        if j.online == 0:
            _piece(j, c, address, 0, j.steps)
        start = 0
        while j.trains != 0 and start < j.steps:
            end = min(j.steps, start + j.k1)
            if j.online != 0:
                _piece(j, c, address, start, end)
            if j.last_step_only == 0 or end == j.steps:
                _backward(j, c, address, start, end)
                counts = end == j.steps if j.online == 0 else start < doubles_at(j.totals)[LONGEST]
                if j.updates != 0 and counts:
                    c.step += 1
                    _run(j.table, j.change, j.end, address, j.barrier, c.threads)
                    if j.online != 0 and end < j.steps:
                        _run(j.table, j.prepare, j.forward, address, j.barrier, c.threads)
            start = end
        _run(j.table, j.end, j.stop, address, j.barrier, c.threads)


class Driver:
    """The compiled :func:`drive`; calling it releases the interpreter's lock."""

    def __init__(self) -> None:
        pointers = [types.CPointer(from_dtype(JOB)), types.CPointer(from_dtype(CALL))]
        self._code = compiled(drive, [*pointers, types.int64], "driver")
        self._call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(self._code.address)

    def __call__(self, job: int, call: int) -> None:
        """Run the job at address ``job`` with the thread's record at address ``call``."""
        self._call(job, call, call)
