"""The error that flows back through a recurrent layer's steps: what joins it on the way, and what it leaves."""

from __future__ import annotations

from fastrnn.kernels.layers.signals import d_output_place, is_held, rows_at
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.rows import add, copy, padded_width
from fastrnn.kernels.machine.vector import offset
from fastrnn.kernels.machine.work import at
from fastrnn.kernels.recurrent.buffers import carry_rows, earlier_rows, other_carry_rows, time_of


@helper
def each_row(s, c, width, source, target, is_added):
    """Add to, or copy to, this thread's units of each row."""
    for row in range(c.row_count):
        begin = row * width + c.unit
        if is_added != 0:
            add(offset(source, begin), offset(target, begin), c.unit_count)
        else:
            copy(offset(source, begin), offset(target, begin), c.unit_count)


@helper
def goes_on(s, c, t):
    """Whether step ``t`` hands its errors on."""
    return time_of(s, t) > c.pass_first or s.wants_d_initial != 0


@helper
def has_errors(s, c):
    """Whether the window has steps whose outputs may bring errors."""
    return s.return_sequences != 0 or c.last == s.steps


@helper
def take_error(real, s, c, t):
    """Let the error of the layer's output join what step ``t`` is handed."""
    place = time_of(s, t)
    if (place >= c.errors_from or s.is_top == 0) and (s.return_sequences != 0 or place == s.steps - 1):
        width = padded_width(s.units, real)
        own = d_output_place(s, c, t) if s.return_sequences != 0 else 0
        each_row(s, c, width, rows_at(s.d_output, real, c, own, c.row, width), carry_rows(real, s, c, t), 1)


@helper
def hold_errors(real, s, c, t):
    """Hand on the errors of rows that step ``t`` leaves as they are."""
    if not goes_on(s, c, t):
        return
    width = padded_width(s.units, real)
    carry, earlier = carry_rows(real, s, c, t), earlier_rows(real, s, c, t)
    for row in range(c.row_count):
        if is_held(s, t, c.row + row):
            copy(offset(carry, row * width + c.unit), offset(earlier, row * width + c.unit), c.unit_count)


@helper
def give_errors(real, s, c):
    """Give what the first step hands on to the gradients by the initial states."""
    width = padded_width(s.units, real)
    each_row(s, c, width, earlier_rows(real, s, c, time_of(s, 0)), at(s.d_initial, real, c.row * width), 1)
    for k in range(s.others):
        target = at(s.d_initial, real, ((k + 1) * c.rows + c.row) * width)
        each_row(s, c, width, other_carry_rows(real, s, c, k), target, 1)
