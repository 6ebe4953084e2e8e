"""Few rows times a packed matrix: one or two stretches of terms, one after the other, in wide panels.

The panels are those of `fastrnn.kernels.products.product`, but up to `WIDE` vectors wide: four rows by four vectors, or
one row with four sums by four vectors, are as many sums as hide the latency of the multiply-add.
"""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.machine.calls import routine_caller
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.vector import lanes, load, offset, store
from fastrnn.kernels.products.tiles import stretches_tile, transpose
from fastrnn.operations.products import ROW_UNIT, WIDE

_SHAPES = tuple(
    (r, v, s) for r, splits in ((ROW_UNIT, (1, 1, 1, 1)), (1, (8, 4, 4, 4))) for v, s in enumerate(splits, 1)
)
_tile = stretches_tile(tuple(shape for shape in _SHAPES if shape[1] <= WIDE))


@helper
def _across(left, most):
    """Vectors in the next panel when ``left`` vectors are left: no panel of one, unless it is the only one."""
    return most - 1 if left == most + 1 else min(most, left)


@njit
def pack_few(
    source, row_stride, column_stride, row_blocks, row_step, rows, column_blocks, column_step, columns, most, packed
):  # fmt: skip
    """Lay a matrix out whose rows and columns are blocks apart in ``source``.

    Block after block of ``rows`` rows, ``row_step`` rows apart, and of ``columns`` columns, whole vectors of them,
    ``column_step`` columns apart. Where columns are not neighbours rows are, whole vectors of them in a block. Panels
    are up to ``most`` vectors wide.
    """
    width = lanes(source)
    each, terms = columns // width, row_blocks * rows
    vectors = column_blocks * each
    first = 0
    while first < vectors:
        across = _across(vectors - first, most)
        panel = offset(packed, first * width * terms)
        for v in range(across):
            place = (first + v) // each * column_step + (first + v) % each * width
            begin, out = offset(source, place * column_stride), offset(panel, v * width)
            for block in range(row_blocks):
                own, k = offset(begin, block * row_step * row_stride), block * rows
                if column_stride == 1:
                    for i in range(rows):
                        store(out, (k + i) * across * width, load(own, i * row_stride))
                else:
                    for i in range(0, rows, width):
                        square = offset(out, (k + i) * across * width)
                        transpose(offset(own, i), column_stride, square, across * width)
        first += across


@njit
def few_product(
    a, a_stride, a_packed, a_terms, b, b_stride, b_packed, b_terms, start, c, c_stride, rows, columns, accumulate
):  # fmt: skip
    """``c = start + a @ one matrix + b @ another`` or ``c += ...``, the terms of ``a`` first; whole vectors of columns.

    ``a``, ``b``: row r at ``r * stride``, read; the matrices (terms, columns) in panels, read; ``start``: one row, read
    unless ``accumulate``; ``c``: row r at ``r * c_stride``, written (and read if ``accumulate``).
    """
    width = lanes(a)
    vectors = columns // width
    first = 0
    while first < vectors:
        across = _across(vectors - first, WIDE)
        one, other = offset(a_packed, first * width * a_terms), offset(b_packed, first * width * b_terms)
        r = 0
        while r < rows:
            height = ROW_UNIT if rows - r >= ROW_UNIT else 1
            out = offset(c, r * c_stride + first * width)
            begin = out if accumulate != 0 else offset(start, first * width)
            _tile(
                height, across, offset(a, r * a_stride), a_stride, one, a_terms, offset(b, r * b_stride), b_stride,
                other, b_terms, begin, c_stride if accumulate != 0 else 0, out, c_stride,
            )  # fmt: skip
            r += height
        first += across


call_pack_few = routine_caller("piiiiiiiiip")
call_few_product = routine_caller("pipipipippiiii")
