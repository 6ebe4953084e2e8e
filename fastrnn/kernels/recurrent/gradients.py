"""The gradients of a recurrent layer's weights, once a window."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.layers.signals import input_place, rows_at
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.operation import at, operation, share
from fastrnn.kernels.machine.rows import add_column_sums, add_numbers, padded_width
from fastrnn.kernels.machine.vector import fields, integers_at, lanes, offset, real_of
from fastrnn.kernels.products.product import ROWS, call_gram
from fastrnn.kernels.recurrent.buffers import RECURRENT, earliest_step, place_before


@helper
def gradient_window(real, s, c):
    """The window of the weight gradients: ``(terms, earliest step, d_z)``."""
    window = max(c.first, c.pass_first)
    return (c.last - window) * c.rows, earliest_step(s, c, window), at(s.d_z, real)


@helper
def add_gram(real, s, c, a, a_stride, a_size, d_z, out, out_stride, columns, terms):
    """``out += a^T d_z``; the threads share out the rows of ``out``."""
    first, last = share(a_size, ROWS, c.thread, c.threads)
    scratch = at(c.scratch, real)
    call_gram(
        s.gram, a, a_stride, first, last, a, 0, 0, 0, 0, d_z, s.d_stride, out, out_stride, columns, terms, scratch
    )


@helper
def add_weight_gradients(real, s, c, t, d_z, columns, terms):
    """``[dW; dU] += [x h]^T d_z`` for the first ``columns`` columns, which lie one below the other in memory."""
    if s.ids != 0:
        _add_to_rows(real, s, c, t, d_z, at(s.d_kernel, real), columns, terms)
    h, width, stride = recurrent_input(real, s, c, t), padded_width(s.units, real), s.gates * s.units
    first, last = share(s.units, ROWS, c.thread, c.threads)
    if s.ids != 0:
        call_gram(
            s.gram, h, width, first, last, h, 0, 0, 0, 0, d_z, s.d_stride, at(s.d_recurrent_kernel, real), stride,
            columns, terms, at(c.scratch, real),
        )  # fmt: skip
        return
    inputs = rows_at(s.input, real, c, input_place(s, c, t), 0, s.input_stride)
    begin, end = share(s.input_size, ROWS, c.thread, c.threads)
    call_gram(
        s.gram, inputs, s.input_stride, begin, end, h, width, first, last, s.input_size, d_z, s.d_stride,
        at(s.d_kernel, real), stride, columns, terms, at(c.scratch, real),
    )  # fmt: skip


@helper
def add_input_gradients(real, s, c, t, d_z, first, columns, terms):
    """``dW += x^T d_z`` for some neighbouring columns, from ``first`` on."""
    out, stride = at(s.d_kernel, real, first), s.gates * s.units
    if s.ids != 0:
        _add_to_rows(real, s, c, t, d_z, out, columns, terms)
        return
    inputs = rows_at(s.input, real, c, input_place(s, c, t), 0, s.input_stride)
    add_gram(real, s, c, inputs, s.input_stride, s.input_size, d_z, out, stride, columns, terms)


@helper
def add_bias_gradients(real, s, c, d_z, terms):
    """``db += sum of d_z``."""
    if s.use_bias != 0:
        add_column_sums(d_z, terms, s.d_stride, at(s.d_bias, real), s.gates * s.units, c.thread, c.threads)


@helper
def recurrent_input(real, s, c, t):
    """Rows of the states that the products of step ``t`` read."""
    width = padded_width(s.units, real)
    if s.mask != 0:
        return rows_at(s.masked, real, c, t - c.origin, 0, width)
    return rows_at(s.h, real, c, place_before(s, c, t), 0, width)


@helper
def _add_to_rows(real, s, c, t, d_z, out, columns, terms):
    """``dW[id] += d_z``, the gradient for one-hot vectors; the threads share out the columns."""
    first, last = share(columns, lanes(real), c.thread, c.threads)
    begin = (t - c.origin) * c.rows
    for k in range(terms):
        place = integers_at(s.ids)[begin + k] * s.gates * s.units
        scale = at(s.id_scale, real)[begin + k] if s.id_scale != 0 else real_of(real, 1.0)
        add_numbers(offset(d_z, k * s.d_stride + first), offset(out, place + first), scale, last - first)


@operation(RECURRENT)
@njit
def recurrent_gradients(real, call, spec):
    """Add the window's weight gradients: ``dW += x^T d_z``, ``dU += h_prev^T d_z``, ``db += sum of d_z``."""
    s, c = fields(spec), fields(call)
    terms, t, d_z = gradient_window(real, s, c)
    if terms <= 0:
        return
    add_weight_gradients(real, s, c, t, d_z, s.gates * s.units, terms)
    add_bias_gradients(real, s, c, d_z, terms)
