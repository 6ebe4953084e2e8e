"""Which rows of a matrix a minibatch of ids reads: all that its gradient touches, and all that a plain update must."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.machine.vector import fields, integers_at


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
