"""The gradients of a recurrent layer's weights, once a window."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.layers.signals import input_place, rows_at
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.rows import add_column_sums, add_numbers, padded_width
from fastrnn.kernels.machine.vector import fields, integers_at, lanes, offset, real_of
from fastrnn.kernels.machine.work import at, share
from fastrnn.kernels.products.product import call_gram
from fastrnn.kernels.recurrent.buffers import earliest_step, input_columns, place_before, recurrent_columns
from fastrnn.operations.products import ROWS

_SUMS = 4
"""Parts that a bias has at most: that of the kernel, then gates, recurrents and late of the recurrent kernel."""


@njit
def recurrent_gradients(real, call, spec):
    """Add the window's gradients: ``dW += x^T d_z``, ``dU += h^T d_z`` (late: ``k^T d_z``), biases, vectors."""
    s, c = fields(spec), fields(call)
    window = max(c.first, c.pass_first)
    terms, t, d_z = (c.last - window) * c.rows, earliest_step(s, c, window), at(s.d_z, real)
    if terms <= 0:
        return
    gates, columns, recurrents = s.gates * s.units, input_columns(s), s.recurrents * s.units
    if s.gates != 0:
        _add_both(real, s, c, t, d_z, gates, terms)
    if columns > gates:
        _add_inputs(real, s, c, t, offset(d_z, gates), gates, columns - gates, terms)
    if s.recurrents != 0:
        _add_states(real, s, c, t, offset(d_z, columns), gates, recurrents, terms)
    if s.late != 0:
        _add_late(real, s, c, t, offset(d_z, columns - s.late * s.units), gates + recurrents, terms)
    for k in range(_SUMS + s.vectors):
        place, out, count = _sum_of(real, s, k)
        if count > 0:
            add_column_sums(offset(d_z, place), terms, s.d_stride, out, count, c.thread, c.threads)


@helper
def _add_gram(real, s, c, a, a_stride, a_size, d_z, out, out_stride, columns, terms):
    """``out += a^T d_z``; the threads share out the rows of ``out``."""
    first, last = share(a_size, ROWS, c.thread, c.threads)
    scratch = at(c.scratch, real)
    call_gram(
        s.gram, a, a_stride, first, last, a, 0, 0, 0, 0, d_z, s.d_stride, out, out_stride, columns, terms, scratch
    )


@helper
def _add_both(real, s, c, t, d_z, columns, terms):
    """``[dW; dU] += [x h]^T d_z`` of the gates; in one go where both lie one below the other in memory."""
    stride, width = input_columns(s), padded_width(s.units, real)
    if s.ids != 0 or stride != recurrent_columns(s):
        _add_inputs(real, s, c, t, d_z, 0, columns, terms)
        _add_states(real, s, c, t, d_z, 0, columns, terms)
        return
    first, last = share(s.units, ROWS, c.thread, c.threads)
    inputs = rows_at(s.input, real, c, input_place(s, c, t), 0, s.input_stride)
    begin, end = share(s.input_size, ROWS, c.thread, c.threads)
    call_gram(
        s.gram, inputs, s.input_stride, begin, end, _states_read(real, s, c, t), width, first, last, s.input_size,
        d_z, s.d_stride, at(s.d_kernel, real), stride, columns, terms, at(c.scratch, real),
    )  # fmt: skip


@helper
def _add_inputs(real, s, c, t, d_z, first, columns, terms):
    """``dW += x^T d_z`` for some neighbouring columns, from ``first`` on."""
    out = at(s.d_kernel, real, first)
    if s.ids != 0:
        _add_to_rows(real, s, c, t, d_z, out, columns, terms)
        return
    inputs = rows_at(s.input, real, c, input_place(s, c, t), 0, s.input_stride)
    _add_gram(real, s, c, inputs, s.input_stride, s.input_size, d_z, out, input_columns(s), columns, terms)


@helper
def _add_states(real, s, c, t, d_z, first, columns, terms):
    """``dU += h^T d_z`` for some neighbouring columns, from ``first`` on."""
    out, width = at(s.d_recurrent_kernel, real, first), padded_width(s.units, real)
    _add_gram(
        real, s, c, _states_read(real, s, c, t), width, s.units, d_z, out, recurrent_columns(s), columns, terms
    )  # fmt: skip


@helper
def _add_late(real, s, c, t, d_z, first, terms):
    """``dU += k^T d_z`` of the late gate, with what it multiplied."""
    place = input_columns(s) + s.recurrents * s.units
    argument = offset(rows_at(s.z, real, c, t - c.origin + s.z_first, 0, s.z_stride), place)
    out = at(s.d_recurrent_kernel, real, first)
    _add_gram(real, s, c, argument, s.z_stride, s.units, d_z, out, recurrent_columns(s), s.units, terms)


@helper
def _sum_of(real, s, k):
    """The ``k``-th gradient that is a sum of columns: their place in ``d_z``, where it is, and how many they are.

    These are the bias's parts, in one piece for the kernel and in those of the recurrent kernel, then the vectors.
    """
    columns, gates, recurrents, late = input_columns(s), s.gates * s.units, s.recurrents * s.units, s.late * s.units
    if k >= _SUMS:
        k -= _SUMS
        return columns + recurrents + k * s.units, at(integers_at(s.d_vector)[k], real), s.units
    bias = at(s.d_bias, real)
    if s.use_bias == 0 or (k > 0 and recurrents == 0):
        return 0, bias, 0
    if k == 0:
        return 0, bias, columns
    bias = offset(bias, columns)
    if k == 1:
        return 0, bias, gates
    if k == 2:
        return columns, offset(bias, gates), recurrents
    return columns - late, offset(bias, gates + recurrents), late


@helper
def _states_read(real, s, c, t):
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
        place = integers_at(s.ids)[begin + k] * input_columns(s)
        scale = at(s.id_scale, real)[begin + k] if s.id_scale != 0 else real_of(real, 1.0)
        add_numbers(offset(d_z, k * s.d_stride + first), offset(out, place + first), scale, last - first)
