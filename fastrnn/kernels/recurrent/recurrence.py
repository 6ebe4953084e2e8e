"""The time loop of every recurrent layer, forward and backward.

What a cell does with its gates and states is code of its own (``units_forward`` and its like in the record), made of
the cell's equations and called by address; here are the products, the order of things, and what all cells share.
"""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.layers.signals import d_input_place, rows_at
from fastrnn.kernels.machine.activations import activate
from fastrnn.kernels.machine.calls import routine_caller
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.rows import fill, padded_width
from fastrnn.kernels.machine.vector import fields, lanes, load, offset, splat, store
from fastrnn.kernels.machine.work import at, share
from fastrnn.kernels.products.product import call_product
from fastrnn.kernels.products.row import call_row_product
from fastrnn.kernels.recurrent.buffers import (
    d_z_place,
    earlier_rows,
    earliest_step,
    gate_rows,
    input_columns,
    place_before,
    state_rows,
    synchronise,
    take_part,
    time_of,
)
from fastrnn.kernels.recurrent.errors import each_row, give_errors, goes_on, has_errors, hold_errors, take_error
from fastrnn.kernels.recurrent.products import (
    carry_back,
    gate_products,
    joined_gates,
    packed_back,
    packed_late,
    packed_recurrents,
    read_inputs,
)
from fastrnn.operations.products import ROW_UNIT
from fastrnn.operations.recurrent import STEP_ROWS

call_units = routine_caller("pppii")
"""A cell's code: ``(z or d_z, call, spec, t, steps)`` for ``steps`` steps of this thread's rows from ``t`` on."""


@njit
def recurrent_forward(real, call, spec):
    """Run the window's steps: block by block the products with the inputs, then step after step."""
    s, c = fields(spec), fields(call)
    take_part(real, s, c)
    if c.row_count == 0:
        return
    most = max(1, STEP_ROWS // (c.row_count if s.keeps != 0 else c.rows))
    for begin in range(c.first, c.last, most):
        steps = min(most, c.last - begin)
        earliest = begin if s.reads_backwards == 0 else s.steps - begin - steps
        z = gate_rows(real, s, c, earliest if s.keeps != 0 else c.origin)
        if s.packed_joined == 0:
            read_inputs(real, s, c, earliest, steps, z)
        if s.recurrent_kernel == 0:
            ahead = 0 if s.reads_backwards == 0 else steps - 1
            call_units(s.units_forward, offset(z, ahead * c.rows * s.z_stride), call, spec, earliest + ahead, steps)
            continue
        for i in range(steps):
            ahead = i if s.reads_backwards == 0 else steps - 1 - i
            _step_forward(real, s, c, call, spec, earliest + ahead, offset(z, ahead * c.rows * s.z_stride))
            synchronise(s, c)


@helper
def _step_forward(real, s, c, call, spec, t, z):
    """Form the gates of a step and from them the states."""
    before = _state_read(real, s, c, t)
    width = padded_width(s.units, real)
    is_fused = s.fused >= 0 and s.splits_units == 0 and s.has_lengths == 0
    if s.packed_joined != 0:
        joined_gates(real, s, c, t, before, z)
        if is_fused:
            activate(s.fused, z, c.row_count * width)
            return
    elif is_fused:
        _fused_step(real, s, c, before, z)
        return
    elif s.gates != 0:
        gate_products(real, s, c, before, width, at(s.packed_recurrent, real), z, z, s.gates, 1)
    if s.recurrents != 0:
        own = offset(z, (s.gates + s.inputs + s.late) * s.units)
        bias = at(s.packed_recurrent_bias, real)
        gate_products(real, s, c, before, width, packed_recurrents(real, s), bias, own, s.recurrents, 0)
    if s.late != 0:
        call_units(s.late_forward, z, call, spec, t, 1)
        synchronise(s, c)
        own = offset(z, (s.gates + s.inputs) * s.units)
        argument = offset(z, (s.gates + s.inputs + s.late + s.recurrents) * s.units)
        gate_products(real, s, c, argument, s.z_stride, packed_late(real, s), own, own, 1, 1)
    call_units(s.units_forward, z, call, spec, t, 1)


@helper
def _fused_step(real, s, c, before, z):
    """A step that is one activation: rows by themselves take it while the sum is in registers."""
    width, packed = padded_width(s.units, real), at(s.packed_recurrent, real)
    rows = c.row_count
    whole = rows // ROW_UNIT * ROW_UNIT
    if whole > 0:
        call_product(s.product, before, width, 0, packed, z, z, s.z_stride, 0, whole, 1, s.units, s.units, 1)
        activate(s.fused, z, whole * width)
    for row in range(whole, rows):
        out = offset(z, row * width)
        call_row_product(s.row_product, offset(before, row * width), packed, out, out, s.fused, s.units, s.units)


@helper
def _state_read(real, s, c, t):
    """The state that the products of step ``t`` read: the one before it, times the mask of recurrent dropout."""
    width = padded_width(s.units, real)
    before = state_rows(real, s, c, place_before(s, c, t))
    if s.mask == 0:
        return before
    masked = rows_at(s.masked, real, c, t - c.origin, c.row, width)
    _times_mask(real, s, c, before, masked)
    synchronise(s, c)
    return masked


@helper
def _times_mask(real, s, c, source, target):
    """``target = source * mask``."""
    width = padded_width(s.units, real)
    mask = at(s.mask, real, c.row * width)
    for row in range(c.row_count):
        for j in range(row * width + c.unit, row * width + c.unit + c.unit_count, lanes(real)):
            store(target, j, load(source, j) * load(mask, j))


@njit
def recurrent_begin_pass(real, call, spec):
    """Before a backward pass: no error comes from beyond its last step."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    zero = splat(real, 0.0)
    for copy in range(1 + s.halves):
        place = (time_of(s, c.last - 1) & 1) + 2 * copy
        fill(rows_at(s.carry, real, c, place, low, width), (high - low) * width, zero)
        for k in range(s.others):
            fill(rows_at(s.carry_other, real, c, k + copy * s.others, low, width), (high - low) * width, zero)


@njit
def recurrent_backward(real, call, spec):
    """Carry the errors back through the window's steps (back-propagation through time), then to the input."""
    s, c = fields(spec), fields(call)
    take_part(real, s, c)
    window = max(c.first, c.pass_first)
    if c.row_count == 0 or window >= c.last:
        return
    if s.recurrent_kernel == 0:
        t = time_of(s, c.last - 1)
        d_z = rows_at(s.d_z, real, c, d_z_place(s, c, window, t), c.row, s.d_stride)
        call_units(s.units_backward, d_z, call, spec, t, c.last - window)
    else:
        errors_come, has_lengths = has_errors(s, c), s.has_lengths != 0
        for place in range(c.last - 1, window - 1, -1):
            t = time_of(s, place)
            if errors_come:
                take_error(real, s, c, t)
            _step_backward(real, s, c, call, spec, t, d_z_place(s, c, window, t))
            if has_lengths:
                hold_errors(real, s, c, t)
    if window == 0 and s.wants_d_initial != 0:
        give_errors(real, s, c)
    synchronise(s, c)
    if s.wants_d_input != 0:
        pass_to_input(real, s, c, window)


@helper
def _step_backward(real, s, c, call, spec, t, place):
    """Form ``d_z`` of a step and the errors that it hands on: what enters the old states, and ``d_z U^T``."""
    d_z = rows_at(s.d_z, real, c, place, c.row, s.d_stride)
    width = padded_width(s.units, real)
    pulled, earlier = at(s.pulled, real, c.row * width), earlier_rows(real, s, c, t)
    if s.late != 0:
        call_units(s.late_backward, d_z, call, spec, t, 1)
        synchronise(s, c)
        own = offset(d_z, (s.gates + s.inputs) * s.units)
        carry_back(real, s, c, own, packed_back(real, s, s.gates + s.recurrents), pulled, s.late, 0)
    call_units(s.units_backward, d_z, call, spec, t, 1)
    if not goes_on(s, c, t):
        return
    synchronise(s, c)
    is_apart = s.late != 0 or (s.mask != 0 and s.direct != 0)
    target = pulled if is_apart else earlier
    adds = 1 if s.late != 0 or (s.direct != 0 and not is_apart) else 0
    if s.recurrents != 0:
        own = offset(d_z, (s.gates + s.inputs + s.late) * s.units)
        carry_back(real, s, c, own, packed_back(real, s, s.gates), target, s.recurrents, adds)
        adds = 1
    if s.gates != 0:
        carry_back(real, s, c, d_z, packed_back(real, s, 0), target, s.gates, adds)
    if s.mask != 0:
        _times_mask(real, s, c, target, target)
    if is_apart:
        each_row(s, c, width, pulled, earlier, 1 if s.direct != 0 else 0)


@helper
def pass_to_input(real, s, c, window):
    """``d_input = d_z W^T`` (or ``+=``) for the window; the threads share out rows."""
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    t = earliest_step(s, c, window)
    d_z = rows_at(s.d_z, real, c, 0, low, s.d_stride)
    back = padded_width(s.input_size, real)
    d_input = rows_at(s.d_input, real, c, d_input_place(s, c, t), low, back)
    rows, steps = (c.last - window, 1) if s.single != 0 and s.recurrent_kernel == 0 else (high - low, c.last - window)
    call_product(
        s.product, d_z, s.d_stride, c.rows * s.d_stride, at(s.packed_kernel_back, real), at(s.nothing, real),
        d_input, back, c.rows * back, rows, steps, s.input_size,
        input_columns(s), s.whole_d_input,
    )  # fmt: skip
