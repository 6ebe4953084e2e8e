"""The dense layer ``y = f(x W + b)``, on the last step or on every step.

Legend as in :mod:`fastrnn.kernels.elman`, with ``O`` outputs padded to ``O'`` and ``S`` steps of its own: T on every
step, 1 on the last.

=====================  ====================  ======================================================================
buffer                 shape                 content
=====================  ====================  ======================================================================
``input``              (steps, B, stride)    what the layer reads; its step 0 is step ``input_first`` of the buffer
``output``             (S, B, O')            what it computes
``d_output``           (S, B, O')            error of the outputs; after ``dense_backward``, before the activation
``d_input``            (W or S, B, I')       gradient of what it reads: of the window if ``windowed_d_input``
=====================  ====================  ======================================================================
"""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.activations import activate, derivative
from fastrnn.kernels.operation import at, operation, record, share
from fastrnn.kernels.product import ROW_UNIT, ROWS, call_gram, call_product, pack
from fastrnn.kernels.rows import add_column_sums, padded_width
from fastrnn.kernels.vector import fields, lanes, load, store

DENSE = record(
    "inputs units steps activation use_bias every_step wants_d_input windowed_d_input product gram nothing "
    "input input_stride input_first output d_output d_input kernel bias "
    "packed_kernel packed_bias packed_kernel_back d_kernel d_bias trains"
)


@njit
def _own_steps(every_step, steps, first, last):
    """The layer's own steps in ``[first, last)``: on the last step alone, step 0 if the window reaches the end."""
    if every_step != 0:
        return first, last
    return 0, 1 if last == steps else 0


@operation(DENSE)
@njit
def dense_pack(real, call, spec):
    """Lay the parameters out for the products; once a minibatch, after the update."""
    s = fields(spec)
    c = fields(call)
    kernel = at(s.kernel, real)
    pack(kernel, s.units, 1, s.inputs, s.units, at(s.packed_kernel, real), c.thread, c.threads)
    if s.use_bias != 0:
        pack(at(s.bias, real), s.units, 1, 1, s.units, at(s.packed_bias, real), c.thread, c.threads)
    if s.wants_d_input != 0:
        pack(kernel, 1, s.units, s.units, s.inputs, at(s.packed_kernel_back, real), c.thread, c.threads)


@operation(DENSE)
@njit
def dense_forward(real, call, spec):
    """``output = f(input W + b)`` for the window's steps and this thread's rows."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    first, last = _own_steps(s.every_step, s.steps, c.first, c.last)
    if low == high or first >= last:
        return
    inputs = at(s.input, real, ((s.input_first + first) * c.rows + low) * s.input_stride)
    output = at(s.output, real, (first * c.rows + low) * width)
    call_product(
        s.product, inputs, s.input_stride, c.rows * s.input_stride, at(s.packed_kernel, real),
        at(s.packed_bias, real), output, width, c.rows * width, high - low, last - first, s.units, s.inputs, 0,
    )  # fmt: skip
    for t in range(first, last):
        activate(s.activation, at(s.output, real, (t * c.rows + low) * width), (high - low) * width)


@operation(DENSE)
@njit
def dense_backward(real, call, spec):
    """``d_pre = d_output * f'(output)`` in place, ``d_input = d_pre W^T``, for steps whose error enters the pass."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    first, last = _own_steps(s.every_step, s.steps, max(c.first, c.errors_from), c.last)
    if low == high or first >= last:
        return
    for t in range(first, last):
        d_output = at(s.d_output, real, (t * c.rows + low) * width)
        output = at(s.output, real, (t * c.rows + low) * width)
        i = 0
        while i < (high - low) * width:
            store(d_output, i, derivative(s.activation, load(d_output, i), load(output, i)))
            i += lanes(output)
    if s.wants_d_input != 0:
        back = padded_width(s.inputs, real)
        place = first - c.first if s.windowed_d_input != 0 and s.every_step != 0 else first
        call_product(
            s.product, at(s.d_output, real, (first * c.rows + low) * width), width, c.rows * width,
            at(s.packed_kernel_back, real), at(s.nothing, real),
            at(s.d_input, real, (place * c.rows + low) * back), back, c.rows * back,
            high - low, last - first, s.inputs, s.units, 0,
        )  # fmt: skip


@operation(DENSE)
@njit
def dense_gradients(real, call, spec):
    """Add to the weight gradients: ``dW += input^T d_pre``, ``db += sum of d_pre``."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    first, last = _own_steps(s.every_step, s.steps, max(c.first, c.errors_from), c.last)
    if first >= last:
        return
    terms = (last - first) * c.rows
    inputs = at(s.input, real, (s.input_first + first) * c.rows * s.input_stride)
    d_pre = at(s.d_output, real, first * c.rows * width)
    low, high = share(s.inputs, ROWS, c.thread, c.threads)
    call_gram(
        s.gram,
        inputs,
        s.input_stride,
        d_pre,
        width,
        at(s.d_kernel, real),
        s.units,
        low,
        high,
        terms,
        at(c.scratch, real),
    )
    if s.use_bias != 0:
        add_column_sums(d_pre, terms, width, at(s.d_bias, real), s.units, c.thread, c.threads)
