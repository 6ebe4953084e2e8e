"""Which rows of a matrix a minibatch of ids reads: all that its gradient touches, and all that a plain update must."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.machine.operation import operation
from fastrnn.kernels.machine.records import record
from fastrnn.kernels.machine.vector import fields, integers_at

USED_ROWS = record(
    "used rows",
    """
    steps               size     T
    x                   array~   (N, T) int64 ids
    order               array~   as in BATCH
    rows                array    the ids of the minibatch, each once in the order of their first use
    count               array    (1) how many
    stamps              array    (V) number of the minibatch that used a row last
    """,
)


@operation(USED_ROWS)
@njit
def used_rows_begin(real, call, spec):
    """List the rows that the minibatch uses; one thread's work."""
    s, c = fields(spec), fields(call)
    if c.thread != 0:
        return
    rows, stamps = integers_at(s.rows), integers_at(s.stamps)
    count = 0
    for row in range(c.rows):
        place = integers_at(s.order)[c.sequence + row] if s.order != 0 else c.sequence + row
        for t in range(s.steps):
            used = integers_at(s.x)[place * s.steps + t]
            if stamps[used] != c.draw + 1:
                stamps[used] = c.draw + 1
                rows[count] = used
                count += 1
    integers_at(s.count)[0] = count
