"""What joins or turns sequences: the halves of a bidirectional layer, and outputs in a backward reader's own order."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.layers.signals import (
    d_output_place,
    error_steps,
    input_place,
    is_held,
    output_place,
    own_steps,
    rows_at,
)
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.rows import copy_numbers, fill, padded_width
from fastrnn.kernels.machine.vector import fields, integers_at, lanes, load, offset, splat, store
from fastrnn.kernels.machine.work import share
from fastrnn.operations.products import ROW_UNIT

_CONCAT, _SUM, _MUL, _AVE = 0, 1, 2, 3


@njit
def merge_forward(real, call, spec):
    """Both directions side by side, or their sum, product or mean; 0 beyond a row's length."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    across = padded_width(2 * s.units, real) if s.mode == _CONCAT else width
    first, last = own_steps(s, c.first, c.last)
    for t in range(first, last):
        for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
            one = rows_at(s.input, real, c, input_place(s, c, t), row, width)
            other = rows_at(s.backward, real, c, s.backward_first + t, row, width)
            out = rows_at(s.output, real, c, output_place(s, c, t), row, across)
            if s.sequences != 0 and is_held(s, t, row):
                fill(out, across, splat(real, 0.0))
                continue
            if s.mode == _CONCAT:
                copy_numbers(one, out, s.units)
                copy_numbers(other, offset(out, s.units), s.units)
                continue
            for j in range(0, width, lanes(real)):
                a, b = load(one, j), load(other, j)
                store(out, j, a * b if s.mode == _MUL else a + b if s.mode == _SUM else (a + b) * 0.5)


@njit
def merge_backward(real, call, spec):
    """Hand the errors to both directions."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    across = padded_width(2 * s.units, real) if s.mode == _CONCAT else width
    first, last = error_steps(s, c)
    for t in range(first, last):
        for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
            d_output = rows_at(s.d_output, real, c, d_output_place(s, c, t), row, across)
            d_one = rows_at(s.d_input, real, c, d_output_place(s, c, t), row, width)
            d_other = rows_at(s.d_backward, real, c, d_output_place(s, c, t), row, width)
            if s.sequences != 0 and is_held(s, t, row):
                fill(d_one, width, splat(real, 0.0))
                fill(d_other, width, splat(real, 0.0))
                continue
            if s.mode == _CONCAT:
                copy_numbers(d_output, d_one, s.units)
                copy_numbers(offset(d_output, s.units), d_other, s.units)
                continue
            one = rows_at(s.input, real, c, input_place(s, c, t), row, width)
            other = rows_at(s.backward, real, c, s.backward_first + t, row, width)
            for j in range(0, width, lanes(real)):
                d = load(d_output, j)
                if s.mode == _AVE:
                    d = d * 0.5
                store(d_one, j, d * load(other, j) if s.mode == _MUL else d)
                store(d_other, j, d * load(one, j) if s.mode == _MUL else d)


@njit
def turn_forward(real, call, spec):
    """Outputs of a layer that reads backwards, in the order it computed them; 0 before a row's last step is read."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        for t in range(s.steps):
            target = rows_at(s.output, real, c, s.steps - 1 - t, row, width)
            if _is_before(s, t, row):
                fill(target, width, splat(real, 0.0))
            else:
                copy_numbers(rows_at(s.input, real, c, input_place(s, c, t), row, width), target, s.units)


@njit
def turn_backward(real, call, spec):
    """Hand each output's error back to the step that computed it."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        for t in range(s.steps):
            target = rows_at(s.d_input, real, c, t, row, width)
            if _is_before(s, t, row):
                fill(target, width, splat(real, 0.0))
            else:
                copy_numbers(rows_at(s.d_output, real, c, s.steps - 1 - t, row, width), target, s.units)


@helper
def _is_before(s, t, row):
    """Whether ``t`` is padding that a layer that reads backwards meets before the row's own steps, if it has any."""
    return is_held(s, t, row) and (s.padding_first == 0 or integers_at(s.lengths)[row] == 0)
