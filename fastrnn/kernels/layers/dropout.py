"""Dropout (Srivastava et al. 2014): numbers set to zero at random, the others scaled up; in training only.

What falls out is a function of the seed, the number of the minibatch, the row, the step and the unit alone, by a
counter-based generator: no state, the same for any number of threads, and computed again where it is needed again.
"""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.layers.signals import (
    d_input_place,
    d_output_place,
    error_steps,
    input_place,
    output_place,
    own_steps,
    rows_at,
)
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.philox import philox_kept
from fastrnn.kernels.machine.rows import padded_width
from fastrnn.kernels.machine.vector import fields, integers_at, lane, lanes, load, store
from fastrnn.kernels.machine.work import at, share
from fastrnn.operations.products import ROW_UNIT


@helper
def kept(real, s, c, t, row, j):
    """The factors (0 or ``scale``) of the units from ``j`` on."""
    return philox_kept(real, j, t, c.place + row, c.draw, s.seed, s.stream, s.threshold, s.scale)


@njit
def dropout_forward(real, call, spec):
    """``output = input * factor`` for this thread's rows of the window."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.input_size, real)
    first, last = own_steps(s, c.first, c.last)
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        for t in range(first, last):
            inputs = rows_at(s.input, real, c, input_place(s, c, t), row, s.input_stride)
            output = rows_at(s.output, real, c, output_place(s, c, t), row, width)
            for j in range(0, width, lanes(real)):
                store(output, j, load(inputs, j) * kept(real, s, c, 0 if s.one_mask != 0 else c.elapsed + t, row, j))


@njit
def dropout_backward(real, call, spec):
    """``d_input = d_output * factor`` (or ``+=``)."""
    s, c = fields(spec), fields(call)
    if s.wants_d_input == 0:
        return
    width = padded_width(s.input_size, real)
    first, last = error_steps(s, c)
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        for t in range(first, last):
            d_output = rows_at(s.d_output, real, c, d_output_place(s, c, t), row, width)
            d_input = rows_at(s.d_input, real, c, d_input_place(s, c, t), row, width)
            for j in range(0, width, lanes(real)):
                value = load(d_output, j) * kept(real, s, c, 0 if s.one_mask != 0 else c.elapsed + t, row, j)
                if s.whole_d_input != 0 and s.sequences != 0:
                    value = value + load(d_input, j)
                store(d_input, j, value)


@njit
def mask_begin(real, call, spec):
    """Draw the mask of each of this thread's rows, one for the whole sequence."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    target = at(s.target, real)
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        if s.ids == 0:
            for j in range(0, width, lanes(real)):
                store(target, row * width + j, kept(real, s, c, 0, row, j))
            continue
        for t in range(c.first, c.last):
            place = (t - c.origin) * c.rows + row
            target[place] = lane(kept(real, s, c, 0, row, integers_at(s.ids)[place]), 0)


@njit
def zone_read(real, call, spec):
    """Draw which units of this thread's rows keep their old state, 1, and which do not, 0, in the window's steps."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        for t in range(c.first, c.last):
            target = rows_at(s.target, real, c, t - c.origin, row, width)
            for j in range(0, width, lanes(real)):
                store(target, j, 1.0 - kept(real, s, c, c.elapsed + t, row, j))
