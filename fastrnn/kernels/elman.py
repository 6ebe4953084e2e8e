"""The simple recurrent cell (Elman 1990): ``h_t = f(x_t W + h_{t-1} U + b)``.

Legend: ``B`` rows in the minibatch, ``T`` steps, ``W`` steps of a window, ``I`` inputs, ``H`` units; ``I'`` and ``H'``
are padded to whole vectors.

=====================  ====================  ======================================================================
buffer                 shape                 content
=====================  ====================  ======================================================================
``input``              (steps, B, stride)    what the layer reads; its step 0 is step ``input_first`` of the buffer
``h``                  (T + 1, B, H')        the tape: ``h[0]`` the initial state, ``h[t + 1]`` the state after step t
``d_output``           (W, T or 1, B, H')    errors of the outputs: a window's, of all (``whole_d_output``), of the last
``carry``              (2, B, H')            the error that flows back through the state; step t reads half ``t & 1``
``d_pre``              (W, B, H')            gradient before the activation, of the window
``d_input``            (W or T, B, I')       gradient of what it reads: of the window or all passes (``whole_d_input``)
``packed_*``           panels                the parameters as :func:`fastrnn.kernels.product.pack` lays them out
=====================  ====================  ======================================================================

``is_top``: no recurrent layer above; then only the errors of the steps from ``errors_from`` on enter a pass. A
recurrent layer above hands errors down for all steps of the pass. A step ``t >= lengths[row]`` leaves the row's state
as it is. Threads share out the rows in forward and backward, and the rows of the weight gradients in
``elman_gradients``. Rows past the last whole ``ROW_UNIT`` go one by one, whichever thread has them.
"""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.activations import activate, derivative
from fastrnn.kernels.operation import at, operation, record, share
from fastrnn.kernels.product import BLOCK, ROW_UNIT, ROWS, call_gram, call_product, pack
from fastrnn.kernels.row import row_forward, row_product
from fastrnn.kernels.rows import add, add_column_sums, copy, fill, padded_width
from fastrnn.kernels.vector import fields, integers_at, lanes, load, offset, splat, store

ELMAN = record(
    "inputs units steps activation use_bias return_sequences has_lengths start is_top wants_d_input "
    "whole_d_input whole_d_output wants_d_initial product gram nothing "
    "input input_stride input_first h lengths initial order d_output carry d_pre d_input d_initial "
    "kernel recurrent_kernel bias packed_kernel packed_recurrent packed_bias packed_kernel_back packed_recurrent_back "
    "d_kernel d_recurrent_kernel d_bias trains"
)
FROM_ZERO, FROM_GIVEN, FROM_BEFORE = 0, 1, 2
"""Where a minibatch starts: at zero, at the given initial state, or at the state that the minibatch before ended
with."""


@operation(ELMAN)
@njit
def elman_pack(real, call, spec):
    """Lay the parameters out for the products; once a minibatch, after the update."""
    s = fields(spec)
    c = fields(call)
    kernel, recurrent = at(s.kernel, real), at(s.recurrent_kernel, real)
    pack(kernel, s.units, 1, s.inputs, s.units, at(s.packed_kernel, real), c.thread, c.threads)
    pack(recurrent, s.units, 1, s.units, s.units, at(s.packed_recurrent, real), c.thread, c.threads)
    if s.use_bias != 0:
        pack(at(s.bias, real), s.units, 1, 1, s.units, at(s.packed_bias, real), c.thread, c.threads)
    if s.trains != 0:
        pack(recurrent, 1, s.units, s.units, s.units, at(s.packed_recurrent_back, real), c.thread, c.threads)
        if s.wants_d_input != 0:
            pack(kernel, 1, s.units, s.units, s.inputs, at(s.packed_kernel_back, real), c.thread, c.threads)


@operation(ELMAN)
@njit
def elman_begin(real, call, spec):
    """Write the initial state of this thread's rows."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        h = at(s.h, real, row * width)
        if s.start == FROM_BEFORE and c.batch > 0:
            copy(at(s.h, real, (s.steps * c.rows + row) * width), h, width)
        else:
            fill(h, width, splat(real, 0.0))
            if s.start != FROM_ZERO and s.initial != 0:
                place = c.sequence + row
                if s.order != 0:
                    place = integers_at(s.order)[place]
                initial = at(s.initial, real, place * s.units)
                for j in range(s.units):
                    h[j] = initial[j]


@operation(ELMAN)
@njit
def elman_forward(real, call, spec):
    """Run the window's steps for this thread's rows, writing the tape."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    rows = high - low
    whole = rows // ROW_UNIT * ROW_UNIT
    if rows == 0:
        return
    recurrent = at(s.packed_recurrent, real)
    for start in range(c.first, c.last, max(1, BLOCK // rows)):
        steps = min(max(1, BLOCK // rows), c.last - start)
        inputs = at(s.input, real, ((s.input_first + start) * c.rows + low) * s.input_stride)
        after = at(s.h, real, ((start + 1) * c.rows + low) * width)
        call_product(
            s.product, inputs, s.input_stride, c.rows * s.input_stride, at(s.packed_kernel, real),
            at(s.packed_bias, real), after, width, c.rows * width, rows, steps, s.units, s.inputs, 0,
        )  # fmt: skip
        for t in range(start, start + steps):
            before = at(s.h, real, (t * c.rows + low) * width)
            after = at(s.h, real, ((t + 1) * c.rows + low) * width)
            if whole > 0:
                call_product(
                    s.product, before, width, 0, recurrent, after, after, width, 0, whole, 1, s.units, s.units, 1
                )
                activate(s.activation, after, whole * width)
            for row in range(whole, rows):
                row_forward(s.activation, offset(before, row * width), recurrent, offset(after, row * width), s.units)
            if s.has_lengths != 0:
                for row in range(rows):
                    if t >= integers_at(s.lengths)[low + row]:
                        copy(
                            at(s.h, real, (t * c.rows + low + row) * width),
                            at(s.h, real, ((t + 1) * c.rows + low + row) * width),
                            width,
                        )


@operation(ELMAN)
@njit
def elman_begin_pass(real, call, spec):
    """Before a backward pass: no error comes from beyond its last step."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    half = (c.last - 1) & 1
    fill(at(s.carry, real, (half * c.rows + low) * width), (high - low) * width, splat(real, 0.0))


@operation(ELMAN)
@njit
def elman_backward(real, call, spec):
    """Carry the errors back through the window's steps for this thread's rows (back-propagation through time).

    ``d_pre_t = (carry_t + d_output_t) * f'(h_t)``, then ``carry_{t-1} = d_pre_t U^T`` and ``d_input_t = d_pre_t W^T``.
    """
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    rows = high - low
    whole = rows // ROW_UNIT * ROW_UNIT
    window = max(c.first, c.pass_first)
    if rows == 0 or window >= c.last:
        return
    recurrent = at(s.packed_recurrent_back, real)
    for t in range(c.last - 1, window - 1, -1):
        carry = at(s.carry, real, ((t & 1) * c.rows + low) * width)
        h = at(s.h, real, ((t + 1) * c.rows + low) * width)
        d_pre = at(s.d_pre, real, ((t - c.first) * c.rows + low) * width)
        has_error = (t >= c.errors_from or s.is_top == 0) and (s.return_sequences != 0 or t == s.steps - 1)
        place = 0 if s.return_sequences == 0 else t if s.whole_d_output != 0 else t - c.first
        d_output = at(s.d_output, real, (place * c.rows + low) * width)
        _before_activation(s.activation, carry, d_output, has_error, h, d_pre, rows * width)
        if s.has_lengths != 0:
            for row in range(rows):
                length = integers_at(s.lengths)[low + row]
                if t >= length or t < min(c.pass_end, length) - c.depth:
                    fill(at(s.d_pre, real, ((t - c.first) * c.rows + low + row) * width), width, splat(real, 0.0))
        if t > c.pass_first or s.wants_d_initial != 0:
            earlier = at(s.carry, real, (((t + 1) & 1) * c.rows + low) * width)
            if whole > 0:
                call_product(
                    s.product,
                    d_pre,
                    width,
                    0,
                    recurrent,
                    at(s.nothing, real),
                    earlier,
                    width,
                    0,
                    whole,
                    1,
                    s.units,
                    s.units,
                    0,
                )
            for row in range(whole, rows):
                row_product(offset(d_pre, row * width), recurrent, offset(earlier, row * width), s.units)
            if s.has_lengths != 0:
                for row in range(rows):
                    if t >= integers_at(s.lengths)[low + row]:
                        _pass_by(carry, earlier, d_output, has_error, row * width, width)
            if t == 0:
                add(earlier, at(s.d_initial, real, low * width), rows * width)
    if s.wants_d_input != 0:
        back = padded_width(s.inputs, real)
        place = window if s.whole_d_input != 0 else window - c.first
        call_product(
            s.product, at(s.d_pre, real, ((window - c.first) * c.rows + low) * width), width, c.rows * width,
            at(s.packed_kernel_back, real), at(s.nothing, real),
            at(s.d_input, real, (place * c.rows + low) * back), back, c.rows * back,
            rows, c.last - window, s.inputs, s.units, s.whole_d_input,
        )  # fmt: skip


@njit
def _before_activation(code, carry, d_output, has_error, h, d_pre, count):
    """``d_pre = (carry + d_output) * f'(h)`` over ``count`` numbers."""
    i = 0
    if has_error:
        while i < count:
            store(d_pre, i, derivative(code, load(carry, i) + load(d_output, i), load(h, i)))
            i += lanes(h)
    else:
        while i < count:
            store(d_pre, i, derivative(code, load(carry, i), load(h, i)))
            i += lanes(h)


@njit
def _pass_by(carry, earlier, d_output, has_error, place, width):
    """A step that does not count hands its error on as it is."""
    for j in range(place, place + width):
        earlier[j] = carry[j] + d_output[j] if has_error else carry[j]


@operation(ELMAN)
@njit
def elman_gradients(real, call, spec):
    """Add the window's weight gradients: ``dW += x^T d_pre``, ``dU += h_prev^T d_pre``, ``db += sum of d_pre``."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    window = max(c.first, c.pass_first)
    if window >= c.last:
        return
    terms = (c.last - window) * c.rows
    scratch = at(c.scratch, real)
    d_pre = at(s.d_pre, real, (window - c.first) * c.rows * width)
    inputs = at(s.input, real, (s.input_first + window) * c.rows * s.input_stride)
    first, last = share(s.inputs, ROWS, c.thread, c.threads)
    call_gram(s.gram, inputs, s.input_stride, d_pre, width, at(s.d_kernel, real), s.units, first, last, terms, scratch)
    h = at(s.h, real, window * c.rows * width)
    first, last = share(s.units, ROWS, c.thread, c.threads)
    call_gram(s.gram, h, width, d_pre, width, at(s.d_recurrent_kernel, real), s.units, first, last, terms, scratch)
    if s.use_bias != 0:
        add_column_sums(d_pre, terms, width, at(s.d_bias, real), s.units, c.thread, c.threads)
