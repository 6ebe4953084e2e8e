"""The simple recurrent cell (Elman 1990): ``h_t = f(x_t W + h_{t-1} U + b)``.

The gates ``z`` are the tape ``h`` itself: the sum is formed and activated in place.
"""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.layers.signals import is_held, rows_at
from fastrnn.kernels.machine.activations import activate, derivative
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.operation import at, operation
from fastrnn.kernels.machine.rows import fill, padded_width
from fastrnn.kernels.machine.vector import lanes, load, offset, splat, store
from fastrnn.kernels.products.product import ROW_UNIT
from fastrnn.kernels.products.row import call_row_product
from fastrnn.kernels.recurrent.buffers import RECURRENT, d_z_place, place_after, synchronise, takes_part
from fastrnn.kernels.recurrent.products import carry_back, gate_products, joined_gates
from fastrnn.kernels.recurrent.recurrence import hold, mask_carry, run_backward, run_forward, state_read


@helper
def _forward_step(real, s, c, t, z, low, rows, first, count):
    """``z = f(z + h U)``."""
    width = padded_width(s.units, real)
    before = state_read(real, s, c, t, low, rows, first, count)
    packed = at(s.packed_recurrent, real)
    if s.packed_joined != 0:
        joined_gates(real, s, c, t, before, z, low, rows)
        activate(s.activation, z, rows * width)
    elif s.splits_units != 0:
        gate_products(real, s, before, width, packed, z, z, rows, 1, first, count, 1)
        for row in range(rows):
            activate(s.activation, offset(z, row * width + first), count)
    else:
        whole = rows // ROW_UNIT * ROW_UNIT
        if whole > 0:
            gate_products(real, s, before, width, packed, z, z, whole, 1, 0, s.units, 1)
            activate(s.activation, z, whole * width)
        for row in range(whole, rows):
            out = offset(z, row * width)
            call_row_product(
                s.row_product, offset(before, row * width), packed, out, out, s.activation, s.units, s.units
            )
    if s.has_lengths != 0:
        for row in range(low, low + rows):
            if is_held(s, t, row):
                hold(real, s, c, s.h, t, row, first, count)


@helper
def _backward_step(real, s, c, t, window, carry, earlier, goes_on, low, rows, first, count):
    """``d_z = carry * f'(h_t)``, carried on: ``d_z U^T``."""
    width = padded_width(s.units, real)
    h = rows_at(s.h, real, c, place_after(s, c, t), low, width)
    d_z = rows_at(s.d_z, real, c, d_z_place(s, c, window, t), low, width)
    if s.splits_units == 0:
        _before_activation(s.activation, carry, h, d_z, rows * width)
    else:
        for row in range(rows):
            own = row * width + first
            _before_activation(s.activation, offset(carry, own), offset(h, own), offset(d_z, own), count)
    if s.has_lengths != 0:
        for row in range(rows):
            if not takes_part(s, c, t, low + row):
                fill(offset(d_z, row * width + first), count, splat(real, 0.0))
    if goes_on:
        synchronise(s, c)
        carry_back(real, s, d_z, at(s.packed_recurrent_back, real), earlier, rows, s.units, first, count, 0)
        mask_carry(real, s, earlier, low, rows, first, count)


@helper
def _before_activation(code, carry, h, d_z, count):
    """``d_z = carry * f'(h)`` over ``count`` numbers."""
    i = 0
    while i < count:
        store(d_z, i, derivative(code, load(carry, i), load(h, i)))
        i += lanes(h)


@operation(RECURRENT)
@njit
def elman_forward(real, call, spec):
    """Run the window's steps for this thread's part, writing the tape."""
    run_forward(_forward_step, real, call, spec)


@operation(RECURRENT)
@njit
def elman_backward(real, call, spec):
    """Carry the errors back through the window's steps."""
    run_backward(_backward_step, real, call, spec)
