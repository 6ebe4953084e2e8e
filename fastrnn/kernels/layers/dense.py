"""The dense layer ``y = f(x W + b)``, on every step or on the last output."""

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
from fastrnn.kernels.machine.calls import routine_caller
from fastrnn.kernels.machine.rows import add_column_sums, copy_numbers, padded_width
from fastrnn.kernels.machine.vector import fields
from fastrnn.kernels.machine.work import at, share
from fastrnn.kernels.products.product import call_gram, call_pack, call_product
from fastrnn.operations.products import ROW_UNIT, ROWS

_call_activate = routine_caller("ppi")
_call_slope = routine_caller("ppi")


@njit
def dense_pack(real, call, spec):
    """Lay the parameters out for the products; once a minibatch, after the update."""
    s, c = fields(spec), fields(call)
    kernel = at(s.kernel, real)
    call_pack(s.pack, kernel, s.units, 1, s.input_size, s.units, at(s.packed_kernel, real), c.thread, c.threads)
    if s.use_bias != 0 and c.thread == 0:
        copy_numbers(at(s.bias, real), at(s.packed_bias, real), s.units)
    if s.wants_d_input != 0:
        call_pack(
            s.pack, kernel, 1, s.units, s.units, s.input_size, at(s.packed_kernel_back, real), c.thread, c.threads
        )


@njit
def dense_forward(real, call, spec):
    """``output = f(input W + b)`` for the window's steps and this thread's rows."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    first, last = own_steps(s, c.first, c.last)
    if low == high or first >= last:
        return
    inputs = rows_at(s.input, real, c, input_place(s, c, first), low, s.input_stride)
    summed = s.output if s.pre == 0 else s.pre
    output = rows_at(summed, real, c, output_place(s, c, first), low, width)
    call_product(
        s.product, inputs, s.input_stride, c.rows * s.input_stride, at(s.packed_kernel, real),
        at(s.packed_bias, real), output, width, c.rows * width, high - low, last - first, s.units, s.input_size, 0,
    )  # fmt: skip
    if s.activate == 0:
        return
    for t in range(first, last):
        source = rows_at(summed, real, c, output_place(s, c, t), low, width)
        target = rows_at(s.output, real, c, output_place(s, c, t), low, width)
        _call_activate(s.activate, source, target, (high - low) * width)


@njit
def dense_backward(real, call, spec):
    """``d_pre = d_output * f'(output)`` in place, ``d_input = d_pre W^T``, for steps whose error enters the pass."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    first, last = error_steps(s, c)
    if low == high or first >= last:
        return
    kept = s.output if s.pre == 0 else s.pre
    for t in range(first, last if s.slope != 0 else first):
        d_output = rows_at(s.d_output, real, c, d_output_place(s, c, t), low, width)
        _call_slope(s.slope, d_output, rows_at(kept, real, c, output_place(s, c, t), low, width), (high - low) * width)
    if s.wants_d_input != 0:
        back = padded_width(s.input_size, real)
        d_output = rows_at(s.d_output, real, c, d_output_place(s, c, first), low, width)
        d_input = rows_at(s.d_input, real, c, d_input_place(s, c, first), low, back)
        call_product(
            s.product, d_output, width, c.rows * width, at(s.packed_kernel_back, real), at(s.nothing, real),
            d_input, back, c.rows * back, high - low, last - first, s.input_size, s.units,
            s.whole_d_input * s.sequences,
        )  # fmt: skip


@njit
def dense_gradients(real, call, spec):
    """Add to the weight gradients: ``dW += input^T d_pre``, ``db += sum of d_pre``."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    first, last = error_steps(s, c)
    if first >= last:
        return
    terms = (last - first) * c.rows
    inputs = rows_at(s.input, real, c, input_place(s, c, first), 0, s.input_stride)
    d_pre = rows_at(s.d_output, real, c, d_output_place(s, c, first), 0, width)
    low, high = share(s.input_size, ROWS, c.thread, c.threads)
    call_gram(
        s.gram, inputs, s.input_stride, low, high, inputs, 0, 0, 0, 0, d_pre, width, at(s.d_kernel, real), s.units,
        s.units, terms, at(c.scratch, real),
    )  # fmt: skip
    if s.use_bias != 0:
        add_column_sums(d_pre, terms, width, at(s.d_bias, real), s.units, c.thread, c.threads)
