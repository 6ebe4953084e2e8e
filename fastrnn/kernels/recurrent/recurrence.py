"""The time loop of every recurrent layer, forward and backward; a cell brings one step of each."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.layers.signals import d_input_place, d_output_place, is_held, rows_at
from fastrnn.kernels.machine.helper import helper, spliced
from fastrnn.kernels.machine.operation import at, operation, share
from fastrnn.kernels.machine.rows import add, copy, fill, padded_width
from fastrnn.kernels.machine.vector import fields, lanes, load, offset, splat, store
from fastrnn.kernels.products.product import ROW_UNIT, call_product
from fastrnn.kernels.recurrent.buffers import (
    RECURRENT,
    earliest_step,
    gate_rows,
    own_part,
    place_after,
    place_before,
    synchronise,
    time_of,
)
from fastrnn.kernels.recurrent.products import read_inputs

STEP_ROWS = 128
"""Rows times steps whose inputs are multiplied at a time: their gates stay in the second cache level."""


@spliced
def run_forward(step, real, call, spec):
    """Run the window's steps: block by block the products with the inputs, then ``step`` after step."""
    s, c = fields(spec), fields(call)
    low, rows, first, count = own_part(real, s, c)
    if rows == 0:
        return
    most = max(1, STEP_ROWS // (rows if s.keeps != 0 else c.rows))
    for begin in range(c.first, c.last, most):
        steps = min(most, c.last - begin)
        earliest = begin if s.reads_backwards == 0 else s.steps - begin - steps
        z = gate_rows(real, s, c, earliest if s.keeps != 0 else c.origin, low)
        if s.packed_joined == 0:
            read_inputs(real, s, c, earliest, steps, z, low, rows, first, count)
        for i in range(steps):
            ahead = i if s.reads_backwards == 0 else steps - 1 - i
            step(real, s, c, earliest + ahead, offset(z, ahead * c.rows * s.z_stride), low, rows, first, count)
            synchronise(s, c)


@helper
def state_read(real, s, c, t, low, rows, first, count):
    """The state that the products of step ``t`` read: the one before it, times the mask of recurrent dropout."""
    width = padded_width(s.units, real)
    before = rows_at(s.h, real, c, place_before(s, c, t), low, width)
    if s.mask == 0:
        return before
    masked = rows_at(s.masked, real, c, t - c.origin, low, width)
    mask = at(s.mask, real, low * width)
    for row in range(rows):
        for j in range(row * width + first, row * width + first + count, lanes(real)):
            store(masked, j, load(before, j) * load(mask, j))
    synchronise(s, c)
    return masked


@helper
def hold(real, s, c, tape, t, row, first, count):
    """Leave a row's state as it is over step ``t``."""
    width = padded_width(s.units, real)
    before = rows_at(tape, real, c, place_before(s, c, t), row, width)
    after = rows_at(tape, real, c, place_after(s, c, t), row, width)
    copy(offset(before, first), offset(after, first), count)


@operation(RECURRENT)
@njit
def recurrent_begin_pass(real, call, spec):
    """Before a backward pass: no error comes from beyond its last step."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    zero = splat(real, 0.0)
    fill(rows_at(s.carry, real, c, _half(s, time_of(s, c.last - 1)), low, width), (high - low) * width, zero)
    if s.carry_cell != 0:
        fill(at(s.carry_cell, real, low * width), (high - low) * width, zero)


@helper
def _half(s, t):
    """Which half of ``carry`` step ``t`` reads; it writes the other."""
    return t & 1


@spliced
def run_backward(step, real, call, spec):
    """Carry the errors back through the window's steps (back-propagation through time), then to the input.

    ``step`` turns the carried error plus that of the output into ``d_z`` and the error carried on.
    """
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, rows, first, count = own_part(real, s, c)
    window = max(c.first, c.pass_first)
    if rows == 0 or window >= c.last:
        return
    for place in range(c.last - 1, window - 1, -1):
        t = time_of(s, place)
        carry = rows_at(s.carry, real, c, _half(s, t), low, width)
        earlier = rows_at(s.carry, real, c, 1 - _half(s, t), low, width)
        has_error = (place >= c.errors_from or s.is_top == 0) and (s.return_sequences != 0 or place == s.steps - 1)
        if has_error:
            d_output = rows_at(s.d_output, real, c, _error_place(s, c, t), low, width)
            for row in range(rows):
                add(offset(d_output, row * width + first), offset(carry, row * width + first), count)
        goes_on = place > c.pass_first or s.wants_d_initial != 0
        step(real, s, c, t, window, carry, earlier, goes_on, low, rows, first, count)
        if goes_on and s.has_lengths != 0:
            for row in range(rows):
                if is_held(s, t, low + row):
                    copy(offset(carry, row * width + first), offset(earlier, row * width + first), count)
        if place == 0 and s.wants_d_initial != 0:
            for row in range(rows):
                begin = row * width + first
                add(offset(earlier, begin), at(s.d_initial, real, low * width + begin), count)
                if s.carry_cell != 0:
                    begin += low * width
                    add(at(s.carry_cell, real, begin), at(s.d_initial_cell, real, begin), count)
    synchronise(s, c)
    if s.wants_d_input != 0:
        _pass_to_input(real, s, c, window)


@helper
def _error_place(s, c, t):
    return d_output_place(s, c, t) if s.return_sequences != 0 else 0


@helper
def _pass_to_input(real, s, c, window):
    """``d_input = d_z W^T`` (or ``+=``) for the window; the threads share out rows."""
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    t = earliest_step(s, c, window)
    d_z = rows_at(s.d_z, real, c, 0, low, s.d_stride)
    back = padded_width(s.input_size, real)
    d_input = rows_at(s.d_input, real, c, d_input_place(s, c, t), low, back)
    call_product(
        s.product, d_z, s.d_stride, c.rows * s.d_stride, at(s.packed_kernel_back, real), at(s.nothing, real),
        d_input, back, c.rows * back, high - low, c.last - window, s.input_size,
        s.gates * s.units, s.whole_d_input,
    )  # fmt: skip


@helper
def mask_carry(real, s, earlier, low, rows, first, count):
    """Recurrent dropout: the error carried on through the masked state."""
    if s.mask == 0:
        return
    width = padded_width(s.units, real)
    mask = at(s.mask, real, low * width)
    for row in range(rows):
        for j in range(row * width + first, row * width + first + count, lanes(real)):
            store(earlier, j, load(earlier, j) * load(mask, j))
