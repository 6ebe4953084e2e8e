"""The driver: walks minibatch after minibatch through a model's operations, in every thread alike.

All threads run :func:`drive` with a :data:`~fastrnn.kernels.operation.CALL` of their own and meet at barriers; what a
thread computes depends on the minibatch alone, never on how many threads there are.
"""

from __future__ import annotations

import ctypes

from numba import from_dtype, njit, types

from fastrnn.kernels.batch import LONGEST
from fastrnn.kernels.operation import CALL, compiled, record, share
from fastrnn.kernels.product import ROW_UNIT
from fastrnn.kernels.vector import (
    atomic_add,
    atomic_load,
    atomic_store,
    doubles_at,
    fields,
    give_way,
    integers_at,
    relax,
    routine_caller,
)

JOB = record(
    "first_batch last_batch batch_size samples steps shortest first_step k1 k2 window last_step_only online "
    "trains updates shards barrier totals shared table operations "
    "pack change end stop clear forward error begin_pass back done"
)
"""The plan of a job.

A minibatch is cut into ``shards``, each with buffers of its own, that one thread takes from the data to the gradients;
a single shard is worked on by all threads together. A table lists operations as (address of code, address of spec,
whether all threads meet after it).

``shared`` is the table of what a minibatch needs once: weigh it, from ``pack`` on lay out the weights, from ``change``
on update them, from ``end`` to ``stop`` add up. ``table`` (shards, operations) lists what every shard needs: gather its
rows, from ``clear`` on zero its gradients, from ``forward``, ``error``, ``begin_pass`` and ``back`` to ``done`` run the
model and go back through it. ``first_step`` is the number of updates done before ``first_batch``; ``shortest`` the
least length of a row.
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
    """Run the operations ``start`` ... ``stop`` of a table."""
    for i in range(start, stop):
        _call_operation(integers_at(table)[3 * i], 0, call, integers_at(table)[3 * i + 1])
        if integers_at(table)[3 * i + 2] != 0:
            _meet(barrier, threads)


@njit
def _shared(j, c, call, start, stop, batch_rows):
    """Run operations of the minibatch as a whole; all threads take part."""
    c.place, c.rows, c.sequence = 0, batch_rows, c.batch * j.batch_size
    c.thread, c.threads = c.member, c.team
    _run(j.shared, start, stop, call, j.barrier, c.team)


@njit
def _take(j, c, shard, batch_rows):
    """Turn to a shard: its rows, its table; returns the table's address."""
    low, high = share(batch_rows, ROW_UNIT, shard, j.shards)
    c.place, c.rows, c.sequence = low, high - low, c.batch * j.batch_size + low
    c.thread, c.threads = (c.member, c.team) if j.shards == 1 else (0, 1)
    return j.table + shard * j.operations * 24


@njit
def _backward(j, c, call, table, errors_from, end):
    """One backward pass from step ``end`` down through ``k2`` steps, with the errors of steps from ``errors_from`` on.

    Williams and Peng 1990, BPTT(h; h'). A row that ends before ``end`` counts its ``k2`` steps from its own end. Window
    by window, so that the gradients before the activation need little memory.
    """
    c.errors_from, c.pass_end, c.depth, c.last = errors_from, end, j.k2, end
    c.pass_first = max(0, min(end, j.shortest) - j.k2)
    _run(table, j.begin_pass, j.back, call, j.barrier, c.threads)
    lowest = c.pass_first if j.last_step_only != 0 else min(errors_from, c.pass_first)
    last = end
    while last > lowest:
        c.last = last
        c.first = max(lowest, last - j.window)
        _run(table, j.back, j.done, call, j.barrier, c.threads)
        last = c.first


@njit
def _forward(j, c, call, table, start, end):
    """Forward over the steps ``[start, end)`` and their errors."""
    c.first, c.last, c.errors_from = start, end, start
    _run(table, j.forward, j.begin_pass, call, j.barrier, c.threads)


@njit
def _whole(j, c, call, table):
    """A shard's minibatch with at most one update: forward, then all backward passes."""
    _run(table, 0, j.forward, call, j.barrier, c.threads)
    _forward(j, c, call, table, 0, j.steps)
    start = 0
    while j.trains != 0 and start < j.steps:
        end = min(j.steps, start + j.k1)
        if j.last_step_only == 0 or end == j.steps:
            _backward(j, c, call, table, start, end)
        start = end


@njit
def _online(j, c, call, batch_rows, first_shard, last_shard):
    """A minibatch with an update after every piece of ``k1`` steps."""
    start = 0
    while start < j.steps:
        end = min(j.steps, start + j.k1)
        for shard in range(first_shard, last_shard):
            table = _take(j, c, shard, batch_rows)
            _run(table, 0 if start == 0 else j.clear, j.forward, call, j.barrier, c.threads)
            _forward(j, c, call, table, start, end)
            if j.last_step_only == 0 or end == j.steps:
                _backward(j, c, call, table, start, end)
        _meet(j.barrier, c.team)
        if (j.last_step_only == 0 or end == j.steps) and start < doubles_at(j.totals)[LONGEST]:
            c.step += 1
            _shared(j, c, call, j.change, j.end, batch_rows)
            _shared(j, c, call, j.pack, j.change, batch_rows)
        start = end


@njit
def drive(job, call, address):
    """Run the minibatches ``first_batch`` ... ``last_batch`` of a job as one of its threads.

    ``job`` points to a :data:`JOB`, ``call`` to this thread's :data:`CALL`, whose address is ``address``.
    """
    j, c = fields(job), fields(call)
    c.step = j.first_step
    first_shard, last_shard = 0, 1
    if j.shards > 1:
        first_shard, last_shard = share(j.shards, 1, c.member, c.team)
    for batch in range(j.first_batch, j.last_batch):
        c.batch = batch
        batch_rows = min(j.batch_size, j.samples - batch * j.batch_size)
        _shared(j, c, address, 0, j.change, batch_rows)
        if j.online != 0:
            _online(j, c, address, batch_rows, first_shard, last_shard)
        else:
            for shard in range(first_shard, last_shard):
                table = _take(j, c, shard, batch_rows)
                _whole(j, c, address, table)
            _meet(j.barrier, c.team)
            if j.updates != 0:
                c.step += 1
                _shared(j, c, address, j.change, j.end, batch_rows)
        _shared(j, c, address, j.end, j.stop, batch_rows)


class Driver:
    """The compiled :func:`drive`; calling it releases the interpreter's lock."""

    def __init__(self) -> None:
        pointers = [types.CPointer(from_dtype(JOB)), types.CPointer(from_dtype(CALL))]
        self._code = compiled(drive, [*pointers, types.int64], "driver")
        self._call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(self._code.address)

    def __call__(self, job: int, call: int) -> None:
        """Run the job at address ``job`` with the thread's record at address ``call``."""
        self._call(job, call, call)
