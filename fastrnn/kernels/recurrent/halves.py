"""Few rows and many units: the units go half by half, so that two threads have a half each.

A sum takes the terms of its own half of the units first, then those of the other half: a thread begins with what it has
just computed itself while the rest is on its way from the other; before the last of its own it asks for that. On the
way back, a half computes first what it passes to the other, then what stays. One thread adds in the same order, so that
the bits are the same. Each half has panels and tapes of its own for its gates, their gradients and the states beside h
(rows of its blocks, as in `fastrnn.kernels.recurrent.buffers`): where two processors write to neighbouring lines, each
one's prefetching takes the other's away, which made two threads 1.1 instead of 1.5 times as fast as one. ``c.unit`` and
``c.unit_count`` are the half in hand.
"""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.layers.signals import input_place, rows_at
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.rows import add, copy, padded_width
from fastrnn.kernels.machine.vector import fetch_to_read, fields, integers_at, lanes, load, offset, real_of, store
from fastrnn.kernels.machine.work import arrive, at, await_all, share
from fastrnn.kernels.products.few import call_few_product, call_pack_few
from fastrnn.kernels.products.product import call_product
from fastrnn.kernels.recurrent.buffers import (
    d_z_place,
    earlier_rows,
    half_d_rows,
    half_d_stride,
    half_rows,
    half_stride,
    input_columns,
    other_rows,
    place_after,
    place_before,
    recurrent_columns,
    state_rows,
    take_part,
    time_of,
)
from fastrnn.kernels.recurrent.errors import each_row, give_errors, goes_on, has_errors, hold_errors, take_error
from fastrnn.kernels.recurrent.products import pack_rest
from fastrnn.kernels.recurrent.recurrence import call_units, pass_to_input
from fastrnn.operations.products import PANEL, WIDE
from fastrnn.operations.recurrent import STEP_ROWS


@helper
def _own_halves(c):
    """The halves of this thread: the first of them and the one behind the last."""
    return share(2, 1, c.thread, c.threads)


@helper
def _take_half(real, s, c, half):
    """Take one of the halves in hand."""
    first, last = share(s.units, lanes(real), half, 2)
    c.unit, c.unit_count = first, last - first


@helper
def _other(s, c):
    """The first unit of the half that is not in hand."""
    return c.unit_count if c.unit == 0 else 0


@helper
def _arrive(c):
    if c.threads > 1:
        arrive(c.barrier, c.thread)


@helper
def _await(c):
    if c.threads > 1:
        await_all(c.barrier, c.thread, c.threads)


@helper
def _many(s):
    """Blocks that are multiplied before a thread looks for the other half's: all of the recurrent kernel but one."""
    return s.gates + s.recurrents - 1


@helper
def _last(s):
    """The place of the last block in a row; the others are its first."""
    return s.gates - 1 if s.recurrents == 0 else s.gates + s.inputs


@helper
def _half_of(real, s, c, buffer):
    """The panels of the half in hand: H times its units for each block of the recurrent kernel."""
    return at(buffer, real, s.units * (s.gates + s.recurrents) * c.unit)


@helper
def _fetch(real, c, rows, stride, count):
    """Ask for ``count`` numbers of each row, which another processor has written."""
    for row in range(c.rows):
        for j in range(0, count, lanes(real)):
            fetch_to_read(rows, row * stride + j)


# ---------------------------------------------------------------------------------------------- packing


@njit
def halves_pack(real, call, spec):
    """Lay the weights of this thread's halves out: kernel, then gates and recurrents, both ways, and the biases."""
    s, c = fields(spec), fields(call)
    low, high = _own_halves(c)
    for half in range(low, high):
        _take_half(real, s, c, half)
        count, blocks = c.unit_count, s.gates + s.inputs
        if s.ids == 0:
            packed = at(s.packed_kernel, real, s.input_size * blocks * c.unit)
            source, stride = at(s.kernel, real, c.unit), input_columns(s)
            call_pack_few(s.pack_few, source, stride, 1, 1, 0, s.input_size, blocks, s.units, count, PANEL, packed)
        _pack_recurrent(real, s, c)
        _pack_bias(real, s, c)
    pack_rest(real, s, c)


@helper
def _pack_recurrent(real, s, c):
    """Lay the recurrent kernel out; many blocks and the last have panels of their own.

    Forward the half's columns, of its own units' rows and then of the others'; backward the rows that its columns lead
    to, in the other half and then in its own.
    """
    stride, count, other, many = recurrent_columns(s), c.unit_count, _other(s, c), _many(s)
    rest = s.units - count
    packed = _half_of(real, s, c, s.packed_recurrent)
    kernel = at(s.recurrent_kernel, real)
    for own in range(1, -1, -1):
        first, terms = (c.unit, count) if own == 1 else (other, rest)
        for part in range(2):
            blocks, place = (many, 0) if part == 0 else (1, many)
            begin = (0 if own == 1 else count * blocks * count) + (0 if part == 0 else s.units * many * count)
            source = offset(kernel, first * stride + place * s.units + c.unit)
            call_pack_few(
                s.pack_few, source, stride, 1, 1, 0, terms, blocks, s.units, count, WIDE, offset(packed, begin)
            )  # fmt: skip
    if s.trains != 0:
        back = _half_of(real, s, c, s.packed_recurrent_back)
        for own in range(2):
            first, columns = (c.unit, count) if own == 1 else (other, rest)
            for part in range(2):
                blocks, place = (many, 0) if part == 0 else (1, many)
                source = offset(kernel, first * stride + place * s.units + c.unit)
                call_pack_few(s.pack_few, source, 1, stride, blocks, s.units, count, 1, 0, columns, WIDE, back)
                back = offset(back, blocks * count * columns)


@helper
def _pack_bias(real, s, c):
    """Write the biases of the half in hand, the two of a gate that both inputs and state enter added up."""
    if s.use_bias == 0:
        return
    blocks, count = s.gates + s.inputs, c.unit_count
    bias, packed = at(s.bias, real), at(s.packed_bias, real, blocks * c.unit)
    recurrent = offset(bias, input_columns(s))
    for block in range(blocks):
        for j in range(count):
            place = block * s.units + c.unit + j
            packed[block * count + j] = bias[place]
            if s.recurrents != 0 and block < s.gates:
                packed[block * count + j] += recurrent[place]
    own = at(s.packed_recurrent_bias, real, s.recurrents * c.unit)
    for block in range(s.recurrents):
        for j in range(count):
            own[block * count + j] = recurrent[(s.gates + block) * s.units + c.unit + j]


# ---------------------------------------------------------------------------------------------- forward


@njit
def halves_forward(real, call, spec):
    """Run the window's steps, block by block, as `fastrnn.kernels.recurrent.recurrence.recurrent_forward` does."""
    s, c = fields(spec), fields(call)
    take_part(real, s, c)
    most = max(1, STEP_ROWS // c.rows)
    for begin in range(c.first, c.last, most):
        steps = min(most, c.last - begin)
        earliest = begin if s.reads_backwards == 0 else s.steps - begin - steps
        last = earliest + steps - 1
        first = earliest if s.keeps != 0 else c.origin
        _carry_states(real, s, c, place_before(s, c, earliest if s.reads_backwards == 0 else last), 1)
        _read_in_halves(real, s, c, earliest, steps, first)
        _steps_in_halves(real, s, c, call, spec, earliest, steps, first)
        _carry_states(real, s, c, place_after(s, c, last if s.reads_backwards == 0 else earliest), 0)


@helper
def _carry_states(real, s, c, place, out):
    """Copy the second half's other states at a place to its own tape (``out``), or from there to where all read."""
    width = padded_width(s.units, real)
    for k in range(s.others if _own_halves(c)[1] == 2 else 0):
        _take_half(real, s, c, 0)
        shared = other_rows(real, s, c, k, place)
        _take_half(real, s, c, 1)
        own = other_rows(real, s, c, k, place)
        if out != 0:
            each_row(s, c, width, shared, own, 0)
        else:
            each_row(s, c, width, own, shared, 0)


@helper
def _read_in_halves(real, s, c, t, steps, first):
    """``z = x W + b`` for ``steps`` steps from ``t`` on, which lie on the tape from ``first`` on, row behind row."""
    blocks = s.gates + s.inputs
    low, high = _own_halves(c)
    for half in range(low, high):
        _take_half(real, s, c, half)
        bias, out = at(s.packed_bias, real, blocks * c.unit), half_rows(real, s, c, first)
        if s.ids != 0:
            _read_ids(real, s, c, t, steps, bias, out)
        else:
            inputs = rows_at(s.input, real, c, input_place(s, c, t), 0, s.input_stride)
            packed = at(s.packed_kernel, real, s.input_size * blocks * c.unit)
            call_product(
                s.product, inputs, s.input_stride, 0, packed, bias, out, half_stride(s, c), 0, c.rows * steps, 1,
                blocks * c.unit_count, s.input_size, 0,
            )  # fmt: skip


@helper
def _read_ids(real, s, c, t, steps, bias, z):
    """The same for one-hot vectors: rows of ``W``, times ``id_scale`` if that is given."""
    place = (t - c.origin) * c.rows
    for i in range(steps * c.rows):
        weights = at(s.kernel, real, integers_at(s.ids)[place + i] * input_columns(s) + c.unit)
        scale = at(s.id_scale, real)[place + i] if s.id_scale != 0 else real_of(real, 1.0)
        for block in range(s.gates + s.inputs):
            begin = block * c.unit_count
            for j in range(0, c.unit_count, lanes(real)):
                own = load(bias, begin + j) + load(weights, block * s.units + j) * scale
                store(offset(z, i * half_stride(s, c)), begin + j, own)


@helper
def _times(s, c, a, stride, packed, start, out, out_stride, terms, columns, accumulate):
    """``out = start + a @ matrix`` of all rows, or ``out += a @ matrix``."""
    call_few_product(
        s.few_product, a, stride, packed, terms, a, stride, packed, 0, start, out, out_stride, c.rows, columns,
        accumulate,
    )  # fmt: skip


@helper
def _both(s, c, a, a_terms, b, b_terms, stride, packed, start, out, out_stride, columns, accumulate):
    """The same with the terms of ``a``, then those of ``b``, whose panels lie behind the others."""
    more = offset(packed, a_terms * columns)
    call_few_product(
        s.few_product, a, stride, packed, a_terms, b, stride, more, b_terms, start, out, out_stride, c.rows, columns,
        accumulate,
    )  # fmt: skip


@helper
def _steps_in_halves(real, s, c, call, spec, earliest, steps, first):
    """Run some steps whose inputs are there, from ``earliest`` on in the input and from ``first`` on on the tape."""
    low, high = _own_halves(c)
    for i in range(steps):
        ahead = i if s.reads_backwards == 0 else steps - 1 - i
        t = earliest + ahead
        before = state_rows(real, s, c, place_before(s, c, t))
        for half in range(low, high):
            _take_half(real, s, c, half)
            z = half_rows(real, s, c, first + ahead)
            _products(real, s, c, before, z)
            call_units(s.units_forward, z, call, spec, t, 1)
        _arrive(c)
    _await(c)


@helper
def _products(real, s, c, before, z):
    """Add the products of the states ``before`` to the gates of the half in hand."""
    width, count, other, many = padded_width(s.units, real), c.unit_count, _other(s, c), _many(s)
    rest, across = s.units - count, many * count
    mine, theirs = offset(before, c.unit), offset(before, other)
    packed, out, stride = _half_of(real, s, c, s.packed_recurrent), z, half_stride(s, c)
    packed_last, last = offset(packed, s.units * across), offset(out, _last(s) * count)
    adds = 1 if s.recurrents == 0 else 0
    start = last if s.recurrents == 0 else at(s.packed_recurrent_bias, real, c.unit)
    if c.threads == 1:
        if many > 0:
            _both(s, c, mine, count, theirs, rest, width, packed, out, out, stride, across, 1)
        _both(s, c, mine, count, theirs, rest, width, packed_last, start, last, stride, count, adds)
        return
    if many > 0:
        _times(s, c, mine, width, packed, out, out, stride, count, across, 1)
    _await(c)
    _fetch(real, c, theirs, width, rest)
    _times(s, c, mine, width, packed_last, start, last, stride, count, count, adds)
    if many > 0:
        _times(s, c, theirs, width, offset(packed, count * across), out, out, stride, rest, across, 1)
    _times(s, c, theirs, width, offset(packed_last, count * count), last, last, stride, rest, count, 1)


# ---------------------------------------------------------------------------------------------- backward


@njit
def halves_backward(real, call, spec):
    """Carry the errors back through the window's steps, then to the input."""
    s, c = fields(spec), fields(call)
    take_part(real, s, c)
    window = max(c.first, c.pass_first)
    if window >= c.last:
        return
    errors_come = has_errors(s, c)
    for step in range(c.last - 1, window - 1, -1):
        t = time_of(s, step)
        _step_back_in_halves(real, s, c, call, spec, t, d_z_place(s, c, window, t), errors_come)
    _end_in_halves(real, s, c, window)
    if s.wants_d_input != 0:
        pass_to_input(real, s, c, window)


@helper
def _passed(real, s, t, unit):
    """What step ``t`` passes from the half that begins at ``unit`` to the other; two steps' buffers are in turn."""
    half = 1 if unit > 0 else 0
    return at(s.passed, real, (2 * (t & 1) + half) * s.passed_size)


@helper
def _pass(real, s, c, t, place):
    """Multiply ``d_z`` of the half in hand by what leads to the other half's states."""
    count, rest, many = c.unit_count, s.units - c.unit_count, _many(s)
    mine, stride = half_d_rows(real, s, c, place, c.unit, count), half_d_stride(s, count)
    last = offset(mine, _last(s) * count)
    packed, nothing = _half_of(real, s, c, s.packed_recurrent_back), at(s.nothing, real)
    _both(s, c, mine, many * count, last, count, stride, packed, nothing, _passed(real, s, t, c.unit), rest, rest, 0)


@helper
def _keep(real, s, c, t, place):
    """Multiply ``d_z`` of the half in hand by what leads to its own states."""
    width, count, many = padded_width(s.units, real), c.unit_count, _many(s)
    mine, stride = half_d_rows(real, s, c, place, c.unit, count), half_d_stride(s, count)
    last = offset(mine, _last(s) * count)
    packed = offset(_half_of(real, s, c, s.packed_recurrent_back), (many + 1) * count * (s.units - count))
    out, adds = offset(earlier_rows(real, s, c, t), c.unit), 1 if s.direct != 0 else 0
    _both(s, c, mine, many * count, last, count, stride, packed, at(s.nothing, real), out, width, count, adds)


@helper
def _receive(real, s, c, t):
    """Add what the other half has passed on."""
    width, count = padded_width(s.units, real), c.unit_count
    out, given = offset(earlier_rows(real, s, c, t), c.unit), _passed(real, s, t, _other(s, c))
    for row in range(c.rows):
        add(offset(given, row * count), offset(out, row * width), count)


@helper
def _step_back_in_halves(real, s, c, call, spec, t, place, errors_come):
    """A step backward: ``d_z`` of it, and the errors that it hands on; first of all to the other half."""
    low, high = _own_halves(c)
    passes = goes_on(s, c, t)
    for half in range(low, high):
        _take_half(real, s, c, half)
        if errors_come:
            take_error(real, s, c, t)
        d_z = half_d_rows(real, s, c, place, c.unit, c.unit_count)
        call_units(s.units_backward, d_z, call, spec, t, 1)
        if passes:
            _pass(real, s, c, t, place)
    if passes:
        _arrive(c)
        for half in range(low, high):
            _take_half(real, s, c, half)
            _keep(real, s, c, t, place)
        _await(c)
        for half in range(low, high):
            _take_half(real, s, c, half)
            _receive(real, s, c, t)
    if s.has_lengths != 0:
        for half in range(low, high):
            _take_half(real, s, c, half)
            hold_errors(real, s, c, t)


@helper
def _end_in_halves(real, s, c, window):
    """End a window: give errors to the initial states, and write ``d_z`` of both halves where all others read it."""
    low, high = _own_halves(c)
    if window == 0 and s.wants_d_initial != 0:
        for half in range(low, high):
            _take_half(real, s, c, half)
            give_errors(real, s, c)
    _arrive(c)
    _await(c)
    blocks = s.gates + s.inputs + s.recurrents + s.vectors
    first, last = share((c.last - window) * c.rows, 1, c.thread, c.threads)
    for row in range(first, last):
        for half in range(2):
            _take_half(real, s, c, half)
            own = half_d_rows(real, s, c, 0, c.unit, c.unit_count)
            for block in range(blocks):
                target = at(s.d_z, real, row * s.d_stride + block * s.units + c.unit)
                copy(offset(own, (row * blocks + block) * c.unit_count), target, c.unit_count)
    _arrive(c)
    _await(c)
