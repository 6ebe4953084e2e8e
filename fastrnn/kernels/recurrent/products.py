"""A recurrent layer's products with its weights, how the weights are laid out for them, and the gates of inputs."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.layers.signals import input_place, rows_at
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.rows import copy_numbers, padded_width
from fastrnn.kernels.machine.vector import fields, integers_at, lanes, load, offset, real_of, store
from fastrnn.kernels.machine.work import at, share
from fastrnn.kernels.products.product import call_joined_product, call_pack, call_product
from fastrnn.kernels.products.row import call_row_product
from fastrnn.kernels.recurrent.buffers import input_columns, recurrent_columns
from fastrnn.operations.products import LINEAR, ROW_UNIT


@helper
def times(s, a, a_stride, packed, start, out, out_stride, rows, terms, columns, accumulate):
    """``out = start + a @ matrix`` row by row, or ``out += a @ matrix``."""
    whole = rows // ROW_UNIT * ROW_UNIT
    if whole > 0:
        call_product(
            s.product, a, a_stride, 0, packed, start, out, out_stride, 0, whole, 1, columns, terms, accumulate
        )  # fmt: skip
    for row in range(whole, rows):
        own = offset(out, row * out_stride)
        begin = own if accumulate else start
        call_row_product(s.row_product, offset(a, row * a_stride), packed, begin, own, LINEAR, terms, columns)


@helper
def gate_products(real, s, c, a, a_stride, packed, start, z, gates, accumulate):
    """The products of ``gates`` neighbouring gates: this thread's rows, or its units of each gate."""
    if s.splits_units == 0:
        times(s, a, a_stride, packed, start, z, s.z_stride, c.row_count, s.units, gates * s.units, accumulate)
        return
    for gate in range(gates):
        place = gate * s.units + c.unit
        times(s, a, a_stride, offset(packed, s.units * place), offset(start, place), offset(z, place), s.z_stride,
            c.row_count, s.units, c.unit_count, accumulate,
        )  # fmt: skip


@helper
def joined_gates(real, s, c, t, before, z):
    """``z = [x h] [W; U] + b`` for a step, in one product."""
    inputs = rows_at(s.input, real, c, input_place(s, c, t), c.row, s.input_stride)
    call_joined_product(
        s.joined_product, inputs, s.input_stride, before, padded_width(s.units, real), at(s.packed_joined, real),
        at(s.packed_bias, real), z, s.z_stride, c.row_count, s.gates * s.units, s.input_size, s.units,
    )  # fmt: skip


@helper
def carry_back(real, s, c, d_z, packed, out, gates, accumulate):
    """``out = d_z @ matrix`` (or ``+=``) of some gates for this thread's units of the state, ``out`` (rows, H')."""
    terms = gates * s.units
    times(s, d_z, s.d_stride, offset(packed, terms * c.unit), at(s.nothing, real), offset(out, c.unit),
        padded_width(s.units, real), c.row_count, terms, c.unit_count, accumulate,
    )  # fmt: skip


@helper
def packed_recurrents(real, s):
    """The block of the recurrents, as `gate_products` reads it."""
    return at(s.packed_recurrent, real, s.units * padded_width(s.gates * s.units, real))


@helper
def packed_late(real, s):
    """The block of the late gate, as `gate_products` reads it."""
    first = padded_width(s.gates * s.units, real) + padded_width(s.recurrents * s.units, real)
    return at(s.packed_recurrent, real, s.units * first)


@helper
def packed_back(real, s, gates):
    """The transposed block behind ``gates`` gates, as `carry_back` reads it."""
    return at(s.packed_recurrent_back, real, gates * s.units * padded_width(s.units, real))


@helper
def _pack_gates(real, s, c, source, stride, terms, gates, packed):
    """Pack the columns of ``gates`` neighbouring gates of a matrix (terms, stride), as `gate_products` reads them."""
    if s.splits_units == 0:
        call_pack(s.pack, source, stride, 1, terms, gates * s.units, packed, c.thread, c.threads)
        return
    first, last = share(s.units, lanes(real), c.thread, c.threads)
    for gate in range(gates):
        place = gate * s.units + first
        call_pack(s.pack, offset(source, place), stride, 1, terms, last - first, offset(packed, terms * place), 0, 1)


@helper
def _pack_back(real, s, c, source, gates, packed):
    """Pack the columns of ``gates`` neighbouring gates of the recurrent kernel, transposed, for `carry_back`."""
    stride, terms = recurrent_columns(s), gates * s.units
    if s.splits_units == 0:
        call_pack(s.pack, source, 1, stride, terms, s.units, packed, c.thread, c.threads)
        return
    first, last = share(s.units, lanes(real), c.thread, c.threads)
    own = offset(source, first * stride)
    call_pack(s.pack, own, 1, stride, terms, last - first, offset(packed, terms * first), 0, 1)


@njit
def recurrent_pack(real, call, spec):
    """Lay the parameters out for the products; once a minibatch, after the update."""
    s, c = fields(spec), fields(call)
    if s.ids == 0:
        gates, terms, packed = s.gates + s.inputs + s.late, s.input_size, s.packed_kernel
        if s.packed_joined != 0:
            terms, packed = s.input_size + s.units, s.packed_joined
        _pack_gates(real, s, c, at(s.kernel, real), gates * s.units, terms, gates, at(packed, real))
    if s.recurrent_kernel != 0:
        _pack_recurrent(real, s, c, at(s.recurrent_kernel, real))
    if c.thread == 0:
        _pack_bias(real, s)
    pack_rest(real, s, c)


@helper
def pack_rest(real, s, c):
    """Lay out what is the same however units are shared out: vectors, and the kernel transposed."""
    if c.thread == 0:
        for k in range(s.vectors):
            vector = at(integers_at(s.vector)[k], real)
            copy_numbers(vector, at(s.packed_vector, real, k * padded_width(s.units, real)), s.units)
    if s.wants_d_input != 0:
        columns, back = input_columns(s), at(s.packed_kernel_back, real)
        call_pack(s.pack, at(s.kernel, real), 1, columns, columns, s.input_size, back, c.thread, c.threads)


@helper
def _pack_recurrent(real, s, c, kernel):
    """Pack gates, recurrents and late, one after the other, both ways."""
    first, panels = 0, 0
    for block in range(3):
        gates = s.gates if block == 0 else s.recurrents if block == 1 else s.late
        if gates == 0:
            continue
        own = offset(kernel, first * s.units)
        if block > 0 or s.packed_joined == 0:
            packed = at(s.packed_recurrent, real, s.units * panels)
            _pack_gates(real, s, c, own, recurrent_columns(s), s.units, gates, packed)
        if s.trains != 0:
            _pack_back(real, s, c, own, gates, packed_back(real, s, first))
        first += gates
        panels += padded_width(gates * s.units, real)


@helper
def _pack_bias(real, s):
    """Add up the two biases of a gate that both inputs and state enter."""
    if s.use_bias == 0:
        return
    bias, packed, columns, gates = at(s.bias, real), at(s.packed_bias, real), input_columns(s), s.gates * s.units
    copy_numbers(bias, packed, columns)
    if s.recurrents == 0:
        return
    own = offset(bias, columns)
    for j in range(gates):
        packed[j] += own[j]
    copy_numbers(offset(own, gates), at(s.packed_recurrent_bias, real), s.recurrents * s.units)
    for j in range(s.late * s.units):
        packed[gates + s.inputs * s.units + j] += own[gates + s.recurrents * s.units + j]


@helper
def read_inputs(real, s, c, t, steps, z):
    """``z = x W + b`` for ``steps`` steps from ``t`` on."""
    bias, z_step = at(s.packed_bias, real), c.rows * s.z_stride
    if s.ids != 0:
        _read_ids(real, s, c, t, steps, z)
        return
    inputs = rows_at(s.input, real, c, input_place(s, c, t), c.row, s.input_stride)
    packed, terms = at(s.packed_kernel, real), s.input_size
    rows = c.row_count
    if s.single != 0 and s.recurrent_kernel == 0:  # as many rows: tiles of one would read the panels at every step
        rows, steps = steps, 1
    groups, columns = (1, input_columns(s)) if s.splits_units == 0 else (s.gates + s.inputs + s.late, c.unit_count)
    for group in range(groups):
        place = group * s.units + c.unit
        call_product(
            s.product, inputs, s.input_stride, c.rows * s.input_stride, offset(packed, terms * place),
            offset(bias, place), offset(z, place), s.z_stride, z_step, rows, steps, columns, terms, 0,
        )  # fmt: skip


@helper
def _read_ids(real, s, c, t, steps, z):
    """As `read_inputs` for one-hot vectors: rows of ``W``, times ``id_scale`` if that is given."""
    kernel, bias, columns = at(s.kernel, real), at(s.packed_bias, real), input_columns(s)
    groups, inside = (1, columns) if s.splits_units == 0 else (s.gates + s.inputs + s.late, c.unit_count)
    for i in range(steps):
        for row in range(c.row_count):
            place = (t - c.origin + i) * c.rows + c.row + row
            weights = offset(kernel, integers_at(s.ids)[place] * columns)
            scale = at(s.id_scale, real)[place] if s.id_scale != 0 else real_of(real, 1.0)
            out = offset(z, (i * c.rows + row) * s.z_stride)
            for group in range(groups):
                begin = group * s.units + c.unit
                for j in range(begin, begin + inside, lanes(real)):
                    store(out, j, load(bias, j) + load(weights, j) * scale)
