"""The gated recurrent unit (Cho et al. 2014), ``h_t = (1 - z) n + z h_{t-1}``, with the gates ``z`` and ``r``.

Reset after the product: ``n = a(x_t W_n + b_n + r (h_{t-1} U_n + c_n))``; before it: ``n = a(x_t W_n + (r h_{t-1}) U_n
+ b_n)``. A row of the tape holds ``[z r n q]`` with ``q = h_{t-1} U_n + c_n`` (after) or ``q = r h_{t-1}`` (before), a
row of ``d_z`` the gradients before the activations and that of ``q`` (after). The recurrent products come in two packed
blocks: of the gates ``z`` and ``r``, then of ``n``.
"""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.layers.signals import is_held, rows_at
from fastrnn.kernels.machine.activations import SIGMOID, TANH, activated, derivative
from fastrnn.kernels.machine.helper import helper, inlined
from fastrnn.kernels.machine.operation import at, operation
from fastrnn.kernels.machine.rows import add_column_sums, copy_numbers, padded_width, put
from fastrnn.kernels.machine.vector import fields, lanes, load, offset, splat, store
from fastrnn.kernels.recurrent.buffers import (
    RECURRENT,
    d_z_place,
    gate_rows,
    place_after,
    place_before,
    synchronise,
    takes_part,
)
from fastrnn.kernels.recurrent.gradients import (
    add_bias_gradients,
    add_gram,
    add_input_gradients,
    add_weight_gradients,
    gradient_window,
    recurrent_input,
)
from fastrnn.kernels.recurrent.products import carry_back, gate_products, pack_back, pack_gates, pack_kernel
from fastrnn.kernels.recurrent.recurrence import hold, run_backward, run_forward, state_read


@helper
def _packed_candidate(real, s):
    """The block of ``U_n``, as `gate_products` reads it."""
    return at(s.packed_recurrent, real, s.units * padded_width(2 * s.units, real))


@helper
def _packed_candidate_back(real, s):
    """The block of ``U_n``, transposed."""
    return at(s.packed_recurrent_back, real, 2 * s.units * padded_width(s.units, real))


@operation(RECURRENT)
@njit
def gru_pack(real, call, spec):
    """Lay the parameters out for the products; once a minibatch, after the update."""
    s, c = fields(spec), fields(call)
    recurrent, units = at(s.recurrent_kernel, real), s.units
    pack_gates(real, s, c, recurrent, units, 2, at(s.packed_recurrent, real))
    pack_gates(real, s, c, offset(recurrent, 2 * units), units, 1, _packed_candidate(real, s))
    if s.trains != 0:
        pack_back(real, s, c, recurrent, 2 * units, at(s.packed_recurrent_back, real))
        pack_back(real, s, c, offset(recurrent, 2 * units), units, _packed_candidate_back(real, s))
    if s.use_bias != 0 and c.thread == 0:
        bias, packed = at(s.bias, real), at(s.packed_bias, real)
        copy_numbers(bias, packed, 3 * units)
        if s.reset_after != 0:
            for j in range(2 * units):
                packed[j] += bias[3 * units + j]
            copy_numbers(offset(bias, 5 * units), at(s.packed_recurrent_bias, real), units)
    pack_kernel(real, s, c)


@helper
def _forward_step(real, s, c, t, z, low, rows, first, count):
    """Form the gates and the state of a step."""
    width = padded_width(s.units, real)
    read = state_read(real, s, c, t, low, rows, first, count)
    gate_products(real, s, read, width, at(s.packed_recurrent, real), z, z, rows, 2, first, count, 1)
    candidate, q = offset(z, 2 * s.units), offset(z, 3 * s.units)
    if s.reset_after != 0:
        gate_products(
            real, s, read, width, _packed_candidate(real, s), at(s.packed_recurrent_bias, real), q,
            rows, 1, first, count, 0,
        )  # fmt: skip
    else:
        _reset(s, z, read, width, rows, first, count)
        synchronise(s, c)
        gate_products(
            real, s, q, s.z_stride, _packed_candidate(real, s), candidate, candidate, rows, 1, first, count, 1
        )
    before = rows_at(s.h, real, c, place_before(s, c, t), low, width)
    after = rows_at(s.h, real, c, place_after(s, c, t), low, width)
    if s.activation == TANH and s.recurrent_activation == SIGMOID:
        _units_forward(TANH, SIGMOID, s, z, before, after, rows, first, count, s.units)
    else:
        _units_forward(s.activation, s.recurrent_activation, s, z, before, after, rows, first, count, s.units)
    if s.has_lengths != 0:
        for row in range(low, low + rows):
            if is_held(s, t, row):
                hold(real, s, c, s.h, t, row, first, count)


@helper
def _reset(s, z, read, width, rows, first, count):
    """``q = g(r) h``; the gate ``r`` itself is activated with the others."""
    for row in range(rows):
        gates = offset(z, row * s.z_stride)
        for j in range(first, first + count, lanes(z)):
            r = activated(s.recurrent_activation, load(gates, s.units + j))
            put(gates, 3 * s.units + j, r * load(read, row * width + j), s.units - j)


@inlined
def _units_forward(a, g, s, z, before, after, rows, first, count, units):
    """The activated gates and the state of this thread's part; compiled apart for the usual activations."""
    width, keeps, after_product = padded_width(units, z), s.trains != 0, s.reset_after != 0
    for row in range(rows):
        gates, begin = offset(z, row * s.z_stride), row * width
        for j in range(first, first + count, lanes(z)):
            update = activated(g, load(gates, j))
            r = activated(g, load(gates, units + j))
            n = load(gates, 2 * units + j)
            if after_product:
                n = n + r * load(gates, 3 * units + j)
            n = activated(a, n)
            if keeps:
                put(gates, j, update, units - j)
                put(gates, units + j, r, units - j)
                put(gates, 2 * units + j, n, units - j)
            store(after, begin + j, n + update * (load(before, begin + j) - n))


@helper
def _backward_step(real, s, c, t, window, carry, earlier, goes_on, low, rows, first, count):
    """Form ``d_z`` and the error carried on: ``carry z`` and the products with ``U^T``."""
    width = padded_width(s.units, real)
    z = gate_rows(real, s, c, t, low)
    before = rows_at(s.h, real, c, place_before(s, c, t), low, width)
    d_z = rows_at(s.d_z, real, c, d_z_place(s, c, window, t), low, s.d_stride)
    zero = splat(real, 0.0)
    for row in range(rows):
        gates, own, begin = offset(z, row * s.z_stride), offset(d_z, row * s.d_stride), row * width
        counts = takes_part(s, c, t, low + row)
        for j in range(first, first + count, lanes(real)):
            if counts:
                _unit_backward(s, gates, own, j, offset(before, begin), offset(carry, begin), offset(earlier, begin))
            else:
                for gate in range(4):
                    put(own, gate * s.units + j, zero, s.units - j)
                store(earlier, begin + j, zero)
    packed, candidate = at(s.packed_recurrent_back, real), _packed_candidate_back(real, s)
    if s.reset_after == 0:
        pulled = at(s.pulled, real, low * width)
        synchronise(s, c)
        carry_back(real, s, offset(d_z, 2 * s.units), candidate, pulled, rows, s.units, first, count, 0)
        read = rows_at(s.masked, real, c, t - c.origin, low, width) if s.mask != 0 else before
        for row in range(rows):
            gates, own, begin = offset(z, row * s.z_stride), offset(d_z, row * s.d_stride), row * width
            if takes_part(s, c, t, low + row):
                for j in range(first, first + count, lanes(real)):
                    _unit_reset(s, gates, own, j, offset(read, begin), offset(pulled, begin))
    if not goes_on:
        return
    synchronise(s, c)
    target = at(s.pulled, real, low * width) if s.mask != 0 or s.reset_after == 0 else earlier
    if s.reset_after != 0:
        carry_back(
            real, s, offset(d_z, 3 * s.units), candidate, target, rows, s.units, first, count, 1 if s.mask == 0 else 0
        )
    carry_back(real, s, d_z, packed, target, rows, 2 * s.units, first, count, 1)
    if s.mask != 0 or s.reset_after == 0:
        _add_pulled(real, s, target, earlier, low, rows, first, count)


@helper
def _add_pulled(real, s, pulled, earlier, low, rows, first, count):
    """``earlier += pulled``, through the mask of recurrent dropout if there is one."""
    width = padded_width(s.units, real)
    for row in range(rows):
        for j in range(row * width + first, row * width + first + count, lanes(real)):
            value = load(pulled, j)
            if s.mask != 0:
                value = value * load(at(s.mask, real, low * width), j)
            store(earlier, j, load(earlier, j) + value)


@inlined
def _unit_backward(s, gates, d_z, j, before, carry, earlier):
    """A vector of units from ``j`` on, but for what comes through ``q`` of the reset before the product."""
    units = s.units
    z, r, n = load(gates, j), load(gates, units + j), load(gates, 2 * units + j)
    d_h = load(carry, j)
    d_n = derivative(s.activation, d_h - d_h * z, n)
    put(d_z, j, derivative(s.recurrent_activation, d_h * (load(before, j) - n), z), units - j)
    put(d_z, 2 * units + j, d_n, units - j)
    if s.reset_after != 0:
        d_r = derivative(s.recurrent_activation, d_n * load(gates, 3 * units + j), r)
        put(d_z, units + j, d_r, units - j)
        put(d_z, 3 * units + j, d_n * r, units - j)
    store(earlier, j, d_h * z)


@inlined
def _unit_reset(s, gates, d_z, j, read, pulled):
    """Reset before the product: the error ``pulled`` of ``q = r h`` goes on to ``r`` and, times ``r``, to ``h``."""
    units = s.units
    r = load(gates, units + j)
    d_q = load(pulled, j)
    put(d_z, units + j, derivative(s.recurrent_activation, d_q * load(read, j), r), units - j)
    store(pulled, j, d_q * r)


@operation(RECURRENT)
@njit
def gru_forward(real, call, spec):
    """Run the window's steps for this thread's part, writing the tapes."""
    run_forward(_forward_step, real, call, spec)


@operation(RECURRENT)
@njit
def gru_backward(real, call, spec):
    """Carry the errors back through the window's steps."""
    run_backward(_backward_step, real, call, spec)


@operation(RECURRENT)
@njit
def gru_gradients(real, call, spec):
    """Add the window's gradients: ``dW += x^T d_z``, ``dU += h_prev^T d_z`` (the candidate's by ``q``), biases."""
    s, c = fields(spec), fields(call)
    terms, t, d_z = gradient_window(real, s, c)
    if terms <= 0:
        return
    units, width, columns = s.units, padded_width(s.units, real), 3 * s.units
    add_weight_gradients(real, s, c, t, d_z, 2 * units, terms)
    add_bias_gradients(real, s, c, d_z, terms)
    d_n = offset(d_z, 2 * units)
    add_input_gradients(real, s, c, t, d_n, 2 * units, units, terms)
    h, out = recurrent_input(real, s, c, t), at(s.d_recurrent_kernel, real)
    candidate = offset(out, 2 * units)
    if s.reset_after == 0:
        q = offset(gate_rows(real, s, c, t, 0), 3 * units)
        add_gram(real, s, c, q, s.z_stride, units, d_n, candidate, columns, units, terms)
        return
    d_q = offset(d_z, 3 * units)
    add_gram(real, s, c, h, width, units, d_q, candidate, columns, units, terms)
    if s.use_bias != 0:
        d_bias = at(s.d_bias, real, columns)
        add_column_sums(d_z, terms, s.d_stride, d_bias, 2 * units, c.thread, c.threads)
        add_column_sums(d_q, terms, s.d_stride, offset(d_bias, 2 * units), units, c.thread, c.threads)
