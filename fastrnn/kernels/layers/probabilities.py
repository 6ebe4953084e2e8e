"""Probabilities: what softmax makes of each row of a dense layer's product, and sigmoid where it had to wait."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.layers.signals import d_output_place, error_steps, output_place, own_steps, rows_at
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.maths import exp, sigmoid
from fastrnn.kernels.machine.rows import padded_width
from fastrnn.kernels.machine.vector import (
    fields,
    first_lanes,
    lanes,
    largest_lane,
    load,
    maximum,
    splat,
    store,
    sum_lanes,
)
from fastrnn.kernels.machine.work import share
from fastrnn.operations.products import ROW_UNIT


@helper
def exponentials(values, out, count):
    """``out = e**(values - largest)``, and 0 up to whole vectors; returns the largest of ``count`` values.

    ``values`` (read) and ``out`` (written) may be the same.
    """
    largest = splat(values, values[0])
    i = 0
    while i < count:
        largest = maximum(largest, first_lanes(load(values, i), largest, count - i))
        i += lanes(values)
    top = largest_lane(largest)
    i = 0
    while i < count:
        power = exp(load(values, i) - top)
        store(out, i, first_lanes(power, splat(values, 0.0), count - i))
        i += lanes(values)
    return top


@helper
def sum_of(values, count):
    """The sum of ``count`` numbers, whole vectors."""
    total = splat(values, 0.0)
    i = 0
    while i < count:
        total = total + load(values, i)
        i += lanes(values)
    return sum_lanes(total)


@helper
def scale(values, count, factor):
    """``values *= factor`` over ``count`` numbers, whole vectors."""
    i = 0
    while i < count:
        store(values, i, load(values, i) * factor)
        i += lanes(values)


@njit
def sigmoid_forward(real, call, spec):
    """``output = sigmoid(output)`` in place, for the window's steps and this thread's rows."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    first, last = own_steps(s, c.first, c.last)
    for t in range(first, last):
        output = rows_at(s.output, real, c, output_place(s, c, t), low, width)
        i = 0
        while i < (high - low) * width:
            store(output, i, sigmoid(load(output, i)))
            i += lanes(output)


@njit
def softmax_forward(real, call, spec):
    """``output_j = e**output_j / sum of e**output`` in place, for the window's steps and this thread's rows."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    first, last = own_steps(s, c.first, c.last)
    for t in range(first, last):
        for row in range(low, high):
            output = rows_at(s.output, real, c, output_place(s, c, t), row, width)
            exponentials(output, output, s.units)
            scale(output, width, 1.0 / sum_of(output, width))


@njit
def softmax_backward(real, call, spec):
    """``d_pre_j = p_j (d_p_j - sum of d_p p)`` in place of ``d_output``, for steps whose error enters the pass.

    ``output`` holds the probabilities p, and 0 beyond the units.
    """
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    first, last = error_steps(s, c)
    for t in range(first, last):
        for row in range(low, high):
            p = rows_at(s.output, real, c, output_place(s, c, t), row, width)
            d_p = rows_at(s.d_output, real, c, d_output_place(s, c, t), row, width)
            total = splat(p, 0.0)
            i = 0
            while i < width:
                total = total + load(d_p, i) * load(p, i)
                i += lanes(p)
            mean = sum_lanes(total)
            i = 0
            while i < width:
                store(d_p, i, load(p, i) * (load(d_p, i) - mean))
                i += lanes(p)
