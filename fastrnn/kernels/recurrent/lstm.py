"""Long short-term memory (Hochreiter and Schmidhuber 1997), with a forget gate (Gers, Schmidhuber and Cummins 2000).

``[i f n o] = x_t W + h_{t-1} U + b``, then ``c_t = g(f) c_{t-1} + g(i) a(n)`` and ``h_t = g(o) a(c_t)`` with the
activations ``a`` and ``g`` (recurrent). The tape ``z`` (T, B, 4H) holds the activated gates.
"""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.layers.signals import is_held, rows_at
from fastrnn.kernels.machine.activations import SIGMOID, TANH, activated, derivative
from fastrnn.kernels.machine.helper import helper, inlined
from fastrnn.kernels.machine.operation import at, operation
from fastrnn.kernels.machine.rows import padded_width, put
from fastrnn.kernels.machine.vector import lanes, load, offset, splat, store
from fastrnn.kernels.recurrent.buffers import (
    RECURRENT,
    cell_rows,
    d_z_place,
    gate_rows,
    place_after,
    place_before,
    synchronise,
    takes_part,
)
from fastrnn.kernels.recurrent.products import carry_back, gate_products, joined_gates
from fastrnn.kernels.recurrent.recurrence import hold, mask_carry, run_backward, run_forward, state_read

GATES = 4


@helper
def _forward_step(real, s, c, t, z, low, rows, first, count):
    """Form the gates and the states of a step."""
    width = padded_width(s.units, real)
    before = state_read(real, s, c, t, low, rows, first, count)
    if s.packed_joined != 0:
        joined_gates(real, s, c, t, before, z, low, rows)
    else:
        gate_products(real, s, before, width, at(s.packed_recurrent, real), z, z, rows, GATES, first, count, 1)
    h = rows_at(s.h, real, c, place_after(s, c, t), low, width)
    cell_before = cell_rows(real, s, c, place_before(s, c, t), low)
    cell_after = cell_rows(real, s, c, place_after(s, c, t), low)
    if s.activation == TANH and s.recurrent_activation == SIGMOID:
        _units_forward(TANH, SIGMOID, s, t, z, cell_before, cell_after, h, low, rows, first, count, s.units)
    else:
        a, g = s.activation, s.recurrent_activation
        _units_forward(a, g, s, t, z, cell_before, cell_after, h, low, rows, first, count, s.units)
    if s.has_lengths != 0:
        for row in range(low, low + rows):
            if is_held(s, t, row):
                hold(real, s, c, s.h, t, row, first, count)
                if s.keeps != 0:
                    hold(real, s, c, s.cell, t, row, first, count)


@inlined
def _units_forward(a, g, s, t, z, cell_before, cell_after, h, low, rows, first, count, units):
    """The activated gates and the states of this thread's part; compiled apart for the usual activations."""
    width, keeps = padded_width(units, z), s.trains != 0
    for row in range(rows):
        if is_held(s, t, low + row):
            continue
        gates, begin = offset(z, row * s.z_stride), row * width
        for j in range(first, first + count, lanes(z)):
            i = activated(g, load(gates, j))
            f = activated(g, load(gates, units + j))
            n = activated(a, load(gates, 2 * units + j))
            o = activated(g, load(gates, 3 * units + j))
            cell = f * load(cell_before, begin + j) + i * n
            if keeps:
                put(gates, j, i, units - j)
                put(gates, units + j, f, units - j)
                put(gates, 2 * units + j, n, units - j)
                put(gates, 3 * units + j, o, units - j)
            store(cell_after, begin + j, cell)
            store(h, begin + j, o * activated(a, cell))


@helper
def _backward_step(real, s, c, t, window, carry, earlier, goes_on, low, rows, first, count):
    """Form ``d_z`` and the cell state's error; carried on through the state: ``d_z U^T``."""
    width = padded_width(s.units, real)
    z = gate_rows(real, s, c, t, low)
    before = cell_rows(real, s, c, place_before(s, c, t), low)
    after = cell_rows(real, s, c, place_after(s, c, t), low)
    carry_cell = at(s.carry_cell, real, low * width)
    d_z = rows_at(s.d_z, real, c, d_z_place(s, c, window, t), low, s.d_stride)
    if s.activation == TANH and s.recurrent_activation == SIGMOID:
        _units_backward(
            TANH, SIGMOID, s, c, t, z, d_z, carry, carry_cell, before, after, low, rows, first, count, s.units
        )
    else:
        a, g = s.activation, s.recurrent_activation
        _units_backward(a, g, s, c, t, z, d_z, carry, carry_cell, before, after, low, rows, first, count, s.units)
    if goes_on:
        synchronise(s, c)
        packed = at(s.packed_recurrent_back, real)
        carry_back(real, s, d_z, packed, earlier, rows, GATES * s.units, first, count, 0)
        mask_carry(real, s, earlier, low, rows, first, count)


@inlined
def _units_backward(a, g, s, c, t, z, d_z, carry, carry_cell, before, after, low, rows, first, count, units):
    """``d_z`` and the cell state's error of this thread's part; compiled apart for the usual activations."""
    width = padded_width(units, z)
    for row in range(rows):
        gates, own, begin = offset(z, row * s.z_stride), offset(d_z, row * s.d_stride), row * width
        if not takes_part(s, c, t, low + row):
            _no_errors(s, t, low + row, own, offset(carry_cell, begin), first, count, units)
            continue
        for j in range(first, first + count, lanes(z)):
            i, f = load(gates, j), load(gates, units + j)
            n, o = load(gates, 2 * units + j), load(gates, 3 * units + j)
            shown = activated(a, load(after, begin + j))
            d_h = load(carry, begin + j)
            d_cell = load(carry_cell, begin + j) + derivative(a, d_h * o, shown)
            put(own, j, derivative(g, d_cell * n, i), units - j)
            put(own, units + j, derivative(g, d_cell * load(before, begin + j), f), units - j)
            put(own, 2 * units + j, derivative(a, d_cell * i, n), units - j)
            put(own, 3 * units + j, derivative(g, d_h * shown, o), units - j)
            store(carry_cell, begin + j, d_cell * f)


@helper
def _no_errors(s, t, row, d_z, carry_cell, first, count, units):
    """A row that does not take part: what its cell state carries waits if it is held, and ends otherwise."""
    for j in range(first, first + count, lanes(d_z)):
        for gate in range(GATES):
            put(d_z, gate * units + j, splat(d_z, 0.0), units - j)
        if not is_held(s, t, row):
            store(carry_cell, j, splat(d_z, 0.0))


@operation(RECURRENT)
@njit
def lstm_forward(real, call, spec):
    """Run the window's steps for this thread's part, writing the tapes."""
    run_forward(_forward_step, real, call, spec)


@operation(RECURRENT)
@njit
def lstm_backward(real, call, spec):
    """Carry the errors back through the window's steps."""
    run_backward(_backward_step, real, call, spec)
