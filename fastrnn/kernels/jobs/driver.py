"""The driver: walks minibatch after minibatch through a model's operations, in every thread alike.

All threads run :func:`drive` with a :data:`~fastrnn.operations.call.CALL` of their own and meet at barriers;
what a thread computes depends on the minibatch alone, never on how many threads there are.
"""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.machine.calls import routine_caller
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.subnormals import flush_subnormals, restore_control
from fastrnn.kernels.machine.vector import doubles_at, fields, integers_at
from fastrnn.kernels.machine.work import meet, share
from fastrnn.operations.batch import LONGEST, SHORTEST
from fastrnn.operations.job import EACH, FIRST
from fastrnn.operations.products import ROW_UNIT

_STAGE_WORDS = 7

_call_operation = routine_caller("iii")


@helper
def _run(table, start, stop, call, barrier, thread, threads):
    """Run the operations ``start`` ... ``stop`` of a table."""
    for i in range(start, stop):
        _call_operation(integers_at(table)[3 * i], 0, call, integers_at(table)[3 * i + 1])
        if integers_at(table)[3 * i + 2] != 0:
            meet(barrier, thread, threads)


@helper
def _shared(j, c, call, start, stop, batch_rows):
    """Run operations of the minibatch as a whole; all threads take part."""
    c.place, c.rows, c.sequence = 0, batch_rows, c.batch * j.batch_size
    c.thread, c.threads = c.member, c.team
    _run(j.shared, start, stop, call, j.barrier, c.member, c.team)


@helper
def _take(j, c, shard, batch_rows):
    """Turn to a shard: its rows, its table; returns the table's address."""
    low, high = share(batch_rows, ROW_UNIT, shard, j.shards)
    c.place, c.rows, c.sequence = low, high - low, c.batch * j.batch_size + low
    c.thread, c.threads = (c.member, c.team) if j.shards == 1 else (0, 1)
    return j.table + shard * j.operations * 24


@helper
def _field(j, stage, place):
    """A field of a stage, by its place in ``STAGE_FIELDS``."""
    return integers_at(j.stages)[stage * _STAGE_WORDS + place]


@helper
def _back_pass(j, c, call, table, stage, errors_from, end, k2):
    """One pass of a stage from ``end`` down through ``k2`` steps, with the errors of steps from ``errors_from`` on.

    Williams and Peng 1990, BPTT(h; h'). A row that ends before ``end`` counts its ``k2`` steps from its own end.
    """
    c.errors_from, c.pass_end, c.depth, c.last = errors_from, end, k2, end
    ends = min(end, int(doubles_at(j.totals)[SHORTEST])) if _field(j, stage, 3) != 0 else end
    c.pass_first = max(0, ends - k2)
    _run(table, _field(j, stage, 0), _field(j, stage, 1), call, j.barrier, c.thread, c.threads)
    _windows(
        j, c, call, table, stage, c.pass_first if _field(j, stage, 5) != 0 else min(errors_from, c.pass_first), end
    )


@helper
def _windows(j, c, call, table, stage, lowest, last):
    """The steps ``[lowest, last)`` of a pass, window by window, so that gradients before the activations are few."""
    while last > lowest:
        c.last = last
        c.first = max(lowest, last - _field(j, stage, 6))
        _run(table, _field(j, stage, 1), _field(j, stage, 2), call, j.barrier, c.thread, c.threads)
        last = c.first


@helper
def _back_stage(j, c, call, table, stage):
    """All passes of a stage: one for every ``k1`` steps that bring errors."""
    k1, k2 = (j.k1, j.k2) if _field(j, stage, 4) != 0 else (j.steps, j.steps)
    start = 0
    while start < j.steps:
        end = min(j.steps, start + k1)
        if _field(j, stage, 5) == 0 or end == j.steps:
            _back_pass(j, c, call, table, stage, start, end, k2)
        start = end


@helper
def _forward(j, c, call, table, start, end):
    """Forward over the steps ``[start, end)`` and their errors."""
    c.first, c.last, c.errors_from = start, end, start
    _run(table, j.forward, j.begin_back, call, j.barrier, c.thread, c.threads)


@helper
def _begin(j, c, call, table):
    """Begin a shard's minibatch."""
    c.origin, c.first, c.last = 0, 0, j.steps
    _run(table, 0, j.keep, call, j.barrier, c.thread, c.threads)


@helper
def _whole(j, c, call, table):
    """A shard's minibatch with at most one update: forward, then all the way back."""
    _begin(j, c, call, table)
    if j.segment < j.steps:
        _in_segments(j, c, call, table)
        return
    _run(table, j.read, j.forward, call, j.barrier, c.thread, c.threads)
    _forward(j, c, call, table, 0, j.steps)
    for stage in range(j.stage_count):
        _back_stage(j, c, call, table, stage)


@helper
def _in_segments(j, c, call, table):
    """A shard's minibatch that keeps a segment's states only: forward to the last, then each again on the way back.

    Chen, Xu, Zhang and Guestrin (2016), Training deep nets with sublinear memory cost.
    """
    last_segment = (j.steps - 1) // j.segment * j.segment
    for start in range(0, j.steps, j.segment):
        c.origin, c.first, c.last = start, start, min(j.steps, start + j.segment)
        _run(table, j.keep, j.recall, call, j.barrier, c.thread, c.threads)
        _run(table, j.read, j.error, call, j.barrier, c.thread, c.threads)
    for start in range(last_segment, -1, -j.segment):
        end = min(j.steps, start + j.segment)
        c.origin, c.first, c.last, c.errors_from = start, start, end, start
        if start < last_segment:
            _run(table, j.recall, j.error, call, j.barrier, c.thread, c.threads)
        _run(table, j.error, j.begin_back, call, j.barrier, c.thread, c.threads)
        if end == j.steps:
            c.errors_from, c.pass_end, c.pass_first, c.depth = 0, end, 0, end
            _run(table, _field(j, 0, 0), _field(j, 0, 1), call, j.barrier, c.thread, c.threads)
        c.errors_from = 0
        _windows(j, c, call, table, 0, start, end)


@helper
def _online(j, c, call, batch_rows, first_shard, last_shard):
    """A minibatch with an update after every piece of ``k1`` steps."""
    start = 0
    last_only = _field(j, 0, 5) != 0
    while start < j.steps:
        end = min(j.steps, start + j.k1)
        for shard in range(first_shard, last_shard):
            table = _take(j, c, shard, batch_rows)
            if start == 0:
                _begin(j, c, call, table)
                _run(table, j.read, j.forward, call, j.barrier, c.thread, c.threads)
            else:
                _run(table, j.clear, j.keep, call, j.barrier, c.thread, c.threads)
            _forward(j, c, call, table, start, end)
            if not last_only or end == j.steps:
                _back_pass(j, c, call, table, 0, start, end, j.k2)
        meet(j.barrier, c.member, c.team)
        if (not last_only or end == j.steps) and start < doubles_at(j.totals)[LONGEST]:
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
    control = flush_subnormals()
    c.step = j.first_step
    first_shard, last_shard = 0, 1
    if j.shards > 1:
        first_shard, last_shard = share(j.shards, 1, c.member, c.team)
    for batch in range(j.first_batch, j.last_batch):
        c.batch, c.draw = batch, j.first_draw + batch - j.first_batch
        batch_rows = min(j.batch_size, j.samples - batch * j.batch_size)
        _shared(j, c, address, 0, j.pack, batch_rows)
        if j.packs == EACH or (j.packs == FIRST and batch == j.first_batch):
            _shared(j, c, address, j.pack, j.change, batch_rows)
        if j.online != 0:
            _online(j, c, address, batch_rows, first_shard, last_shard)
        else:
            for shard in range(first_shard, last_shard):
                table = _take(j, c, shard, batch_rows)
                _whole(j, c, address, table)
            meet(j.barrier, c.member, c.team)
            if j.updates != 0 and doubles_at(j.totals)[0] != 0.0:
                c.step += 1
                _shared(j, c, address, j.change, j.end, batch_rows)
        _shared(j, c, address, j.end, j.stop, batch_rows)
    restore_control(control)


@helper
def _close(j, c, call, table):
    """Close a stream's piece: a pass back through ``k2`` steps, and an update."""
    _back_pass(j, c, call, table, 0, j.piece, j.next, j.k2)
    c.step += 1
    _shared(j, c, call, j.change, j.end, j.batch_size)
    _shared(j, c, call, j.pack, j.change, j.batch_size)
    j.piece = j.next


@njit
def drive_on(job, call, address):
    """Take the next ``count`` steps of a stream; a piece closes where it has ``k1`` steps."""
    j, c = fields(job), fields(call)
    control = flush_subnormals()
    c.batch, c.draw, c.elapsed = 0, j.first_draw, j.elapsed
    if j.packs == FIRST:
        _shared(j, c, address, j.pack, j.change, j.batch_size)
    table = _take(j, c, 0, j.batch_size)
    if j.begins != 0:
        _begin(j, c, address, table)
        j.begins = 0
    for t in range(j.next, j.next + j.count):
        c.first, c.last = t, t + 1
        if t == j.piece:
            _run(table, j.clear, j.keep, address, j.barrier, c.thread, c.threads)
        _run(table, j.read, j.forward, address, j.barrier, c.thread, c.threads)
        _forward(j, c, address, table, t, t + 1)
        j.next = t + 1
        if j.next - j.piece == j.k1:
            _close(j, c, address, table)
            c.place, c.rows, c.sequence = 0, j.batch_size, 0
    if j.closes != 0 and j.next > j.piece:
        _close(j, c, address, table)
    restore_control(control)
