"""A recurrent layer's products with its weights, how the weights are laid out for them, and the gates of inputs."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.layers.signals import input_place, rows_at
from fastrnn.kernels.machine.activations import LINEAR
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.operation import at, operation, share
from fastrnn.kernels.machine.rows import copy_numbers, padded_width
from fastrnn.kernels.machine.vector import fields, integers_at, lanes, load, offset, real_of, store
from fastrnn.kernels.products.product import ROW_UNIT, call_joined_product, call_pack, call_product
from fastrnn.kernels.products.row import call_row_product
from fastrnn.kernels.recurrent.buffers import RECURRENT

JOINED_TERMS = 256
"""Inputs and units up to which one product a step takes both."""


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
def gate_products(real, s, a, a_stride, packed, start, z, rows, gates, first, count, accumulate):
    """The products of ``gates`` neighbouring gates: this thread's rows, or its units of each gate."""
    if s.splits_units == 0:
        times(s, a, a_stride, packed, start, z, s.z_stride, rows, s.units, gates * s.units, accumulate)
        return
    for gate in range(gates):
        place = gate * s.units + first
        times(s, a, a_stride, offset(packed, s.units * place), offset(start, place), offset(z, place), s.z_stride,
            rows, s.units, count, accumulate,
        )  # fmt: skip


@helper
def joined_gates(real, s, c, t, before, z, low, rows):
    """``z = [x h] [W; U] + b`` for a step, in one product."""
    inputs = rows_at(s.input, real, c, input_place(s, c, t), low, s.input_stride)
    call_joined_product(
        s.joined_product, inputs, s.input_stride, before, padded_width(s.units, real), at(s.packed_joined, real),
        at(s.packed_bias, real), z, s.z_stride, rows, s.gates * s.units, s.input_size, s.units,
    )  # fmt: skip


@helper
def pack_gates(real, s, c, source, terms, gates, packed):
    """Pack the columns of ``gates`` neighbouring gates of a matrix (terms, G H), as `gate_products` reads them."""
    stride = s.gates * s.units
    if s.splits_units == 0:
        call_pack(s.pack, source, stride, 1, terms, gates * s.units, packed, c.thread, c.threads)
        return
    first, last = share(s.units, lanes(real), c.thread, c.threads)
    for gate in range(gates):
        place = gate * s.units + first
        call_pack(s.pack, offset(source, place), stride, 1, terms, last - first, offset(packed, terms * place), 0, 1)


@helper
def pack_back(real, s, c, source, terms, packed):
    """Pack ``terms`` neighbouring columns of a matrix (H, G H), transposed, as `carry_back` reads them."""
    stride = s.gates * s.units
    if s.splits_units == 0:
        call_pack(s.pack, source, 1, stride, terms, s.units, packed, c.thread, c.threads)
        return
    first, last = share(s.units, lanes(real), c.thread, c.threads)
    own = offset(source, first * stride)
    call_pack(s.pack, own, 1, stride, terms, last - first, offset(packed, terms * first), 0, 1)


@helper
def carry_back(real, s, d_z, packed, out, rows, terms, first, count, accumulate):
    """``out = d_z @ matrix`` (or ``+=``) for this thread's units of the state, ``out`` (rows, H')."""
    times(s, d_z, s.d_stride, offset(packed, terms * first), at(s.nothing, real), offset(out, first),
        padded_width(s.units, real), rows, terms, count, accumulate,
    )  # fmt: skip


@operation(RECURRENT)
@njit
def recurrent_pack(real, call, spec):
    """Lay the parameters out for the products; once a minibatch, after the update."""
    s, c = fields(spec), fields(call)
    recurrent, columns = at(s.recurrent_kernel, real), s.gates * s.units
    if s.packed_joined != 0:
        pack_gates(real, s, c, at(s.kernel, real), s.input_size + s.units, s.gates, at(s.packed_joined, real))
    else:
        pack_gates(real, s, c, recurrent, s.units, s.gates, at(s.packed_recurrent, real))
    if s.trains != 0:
        pack_back(real, s, c, recurrent, columns, at(s.packed_recurrent_back, real))
    if s.use_bias != 0 and c.thread == 0:
        copy_numbers(at(s.bias, real), at(s.packed_bias, real), columns)
    pack_kernel(real, s, c)


@helper
def pack_kernel(real, s, c):
    """Lay the kernel out, forward and backward."""
    kernel, columns = at(s.kernel, real), s.gates * s.units
    if s.ids == 0 and s.packed_joined == 0:
        pack_gates(real, s, c, kernel, s.input_size, s.gates, at(s.packed_kernel, real))
    if s.wants_d_input != 0:
        packed = at(s.packed_kernel_back, real)
        call_pack(s.pack, kernel, 1, columns, columns, s.input_size, packed, c.thread, c.threads)


@helper
def read_inputs(real, s, c, t, steps, z, low, rows, first, count):
    """``z = x W + b`` for ``steps`` steps from ``t`` on."""
    bias, z_step = at(s.packed_bias, real), c.rows * s.z_stride
    if s.ids != 0:
        _read_ids(real, s, c, t, steps, z, low, rows, first, count)
        return
    inputs = rows_at(s.input, real, c, input_place(s, c, t), low, s.input_stride)
    packed, terms = at(s.packed_kernel, real), s.input_size
    groups, columns = (1, s.gates * s.units) if s.splits_units == 0 else (s.gates, count)
    for group in range(groups):
        place = group * s.units + first
        call_product(
            s.product, inputs, s.input_stride, c.rows * s.input_stride, offset(packed, terms * place),
            offset(bias, place), offset(z, place), s.z_stride, z_step, rows, steps, columns, terms, 0,
        )  # fmt: skip


@helper
def _read_ids(real, s, c, t, steps, z, low, rows, first, count):
    """As `read_inputs` for one-hot vectors: rows of ``W``, times ``id_scale`` if that is given."""
    kernel, bias, columns = at(s.kernel, real), at(s.packed_bias, real), s.gates * s.units
    groups, inside = (1, columns) if s.splits_units == 0 else (s.gates, count)
    for i in range(steps):
        for row in range(rows):
            place = (t - c.origin + i) * c.rows + low + row
            weights = offset(kernel, integers_at(s.ids)[place] * columns)
            scale = at(s.id_scale, real)[place] if s.id_scale != 0 else real_of(real, 1.0)
            out = offset(z, (i * c.rows + row) * s.z_stride)
            for group in range(groups):
                begin = group * s.units + first
                for j in range(begin, begin + inside, lanes(real)):
                    store(out, j, load(bias, j) + load(weights, j) * scale)
