"""Matrix products on packed panels.

Legend: ``L`` lanes of a vector; a *panel* is up to ``PANEL`` vectors of neighbouring columns of a matrix, stored term
by term so that one register tile reads it in order: a matrix (K, N) becomes panels of [k][PANEL * L], the last ones
narrower, columns past N zero. All strides count numbers. Rows are computed in tiles of 8, 4, 2 and 1 from the first row
on; tiles of 4 and 8 rows add their terms in the same order, so that cutting the rows at a multiple of ``ROW_UNIT``
changes no bit.

References
----------
Goto and van de Geijn, Anatomy of high-performance matrix multiplication, ACM TOMS 34 (2008).
"""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.machine.calls import routine_caller
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.vector import lanes, load, offset, store
from fastrnn.kernels.products.tiles import matrix_tile, transpose
from fastrnn.operations.products import DIRECT_ROWS, GRAM_BLOCK, GRAM_PANELS, PANEL, ROWS
from fastrnn.operations.updates import BLOCK

_SHAPES = tuple(
    (r, v, split)
    for r, splits in ((8, (1, 1, 1)), (4, (1, 1, 1)), (2, (2, 2, 2)), (1, (8, 4, 4)))
    for v, split in zip((1, 2, 3), splits, strict=True)
    if r <= ROWS
)
_tile = matrix_tile(_SHAPES, transposed=False)
_tile_of_transposed = matrix_tile(_SHAPES, transposed=True)
_joined_tile = matrix_tile(_SHAPES, transposed=False, joined=True)


@helper
def panel_width(left):
    """Vectors in the next panel when ``left`` vectors are left: no panel of one, unless it is the only one."""
    return 2 if left == PANEL + 1 else min(PANEL, left)


@helper
def _tile_rows(left):
    """Height of the next tile when ``left`` rows are left."""
    if left >= ROWS:
        return ROWS
    if left >= 4:
        return 4
    return 2 if left >= 2 else 1


@njit
def pack(source, row_stride, column_stride, terms, columns, packed, thread, threads):
    """Lay the matrix ``source[k * row_stride + j * column_stride]`` (terms, columns) out in panels.

    ``packed``: terms * padded(columns), written; the panels are shared out among the threads.
    """
    width = lanes(source)
    vectors = (columns + width - 1) // width
    vector = 0
    panel = 0
    while vector < vectors:
        across = panel_width(vectors - vector)
        if panel % threads == thread:
            first = vector * width
            inside = min(across * width, columns - first)
            part = offset(source, first * column_stride)
            _pack_panel(part, row_stride, column_stride, terms, inside, across * width, offset(packed, first * terms))
        vector += across
        panel += 1


@helper
def _pack_panel(source, row_stride, column_stride, terms, inside, across, out):
    """One panel of :func:`pack`: ``inside`` columns of the matrix, then zeros, ``across`` in all."""
    width = lanes(source)
    squares = terms // width * width if row_stride == 1 else 0
    for k in range(0, squares, width):
        for j in range(0, inside - width + 1, width):
            transpose(offset(source, k + j * column_stride), column_stride, offset(out, k * across + j), across)
    for k in range(terms):
        j = inside // width * width if k < squares else 0
        if column_stride == 1:
            while j + width <= inside:
                store(out, k * across + j, load(source, k * row_stride + j))
                j += width
        while j < inside:
            out[k * across + j] = source[k * row_stride + j * column_stride]
            j += 1
        while j < across:
            out[k * across + j] = 0.0
            j += 1


@njit
def product(a, a_stride, a_step, packed, start, c, c_stride, c_step, rows, steps, columns, terms, accumulate):
    """``c = start + a @ matrix``, or ``c += a @ matrix``, for ``steps`` blocks of ``rows`` rows each.

    ``a``: row r of block s at ``a + s * a_step + r * a_stride``, read. ``packed``: the matrix (terms, columns) in
    panels, read. ``start``: one row, padded(columns) wide, read unless ``accumulate``. ``c``: laid out like ``a`` with
    strides of its own, padded(columns) wide, written (and read if ``accumulate``); must not overlap ``a``.
    """
    width = lanes(a)
    vectors = (columns + width - 1) // width
    first = 0
    while first < vectors:
        across = panel_width(vectors - first)
        panel = offset(packed, first * width * terms)
        k = 0
        while k < terms:
            block = min(BLOCK, terms - k)
            fresh = accumulate == 0 and k == 0
            for s in range(steps):
                r = 0
                while r < rows:
                    height = _tile_rows(rows - r)
                    a_rows = offset(a, s * a_step + r * a_stride + k)
                    c_rows = offset(c, s * c_step + r * c_stride + first * width)
                    _tile(
                        height, across, a_rows, a_stride, offset(panel, k * across * width), across * width,
                        offset(start, first * width) if fresh else c_rows, 0 if fresh else c_stride,
                        c_rows, c_stride, block,
                    )  # fmt: skip
                    r += height
            k += block
        first += across


@njit
def joined_product(a, a_stride, b, b_stride, packed, start, c, c_stride, rows, columns, a_terms, b_terms):
    """``c = start + [a b] @ matrix``: rows of ``a`` and ``b`` side by side, of not too many terms in all.

    ``packed``: the matrix (a_terms + b_terms, columns) in panels; the rest as in :func:`product`.
    """
    width = lanes(a)
    vectors = (columns + width - 1) // width
    first = 0
    while first < vectors:
        across = panel_width(vectors - first)
        panel = offset(packed, first * width * (a_terms + b_terms))
        r = 0
        while r < rows:
            height = _tile_rows(rows - r)
            _joined_tile(
                height, across, offset(a, r * a_stride), a_stride, panel, across * width,
                offset(start, first * width), 0, offset(c, r * c_stride + first * width), c_stride, a_terms,
                offset(b, r * b_stride), b_stride, b_terms,
            )  # fmt: skip
            r += height
        first += across


@helper
def _pack_rows(d, d_stride, terms, vectors, packed):
    """Lay ``terms`` rows of ``vectors`` vectors out in panels."""
    width = lanes(d)
    first = 0
    while first < vectors:
        across = panel_width(vectors - first)
        panel = offset(packed, first * width * terms)
        for k in range(terms):
            for v in range(across):
                store(panel, (k * across + v) * width, load(d, k * d_stride + (first + v) * width))
        first += across


@helper
def _copy_strip(a, a_stride, terms, strip):
    """Copy ``ROWS`` neighbouring columns of ``terms`` rows close together; reads and writes whole vectors."""
    width = lanes(a)
    for k in range(terms):
        for j in range(0, ROWS, width):
            store(strip, k * ROWS + j, load(a, k * a_stride + j))


@helper
def _copy_block(source, source_stride, target, target_stride, rows, columns):
    """Copy a few numbers of each of a few rows."""
    for r in range(rows):
        for j in range(columns):
            target[r * target_stride + j] = source[r * source_stride + j]


@njit
def gram(
    a, a_stride, a_first, a_last, b, b_stride, b_first, b_last, b_row, d, d_stride, out, out_stride, columns, terms,
    scratch,
):  # fmt: skip
    """``out[m, n] += sum over k of a[k, m] * d[k, n]`` for the rows ``a_first <= m < a_last`` of ``out``.

    The product that gives a weight gradient: ``a`` (terms, M) what the layer read, ``d`` (terms, columns) the gradient
    of what it computed, padded to whole vectors; both read. ``out`` (M, columns) is dense, as the parameters are, or
    some neighbouring columns of a matrix whose rows are ``out_stride`` apart. The same for ``b``, ``b_first`` and
    ``b_last``, whose rows of ``out`` begin at ``b_row``.
    ``scratch``: ``scratch_size`` numbers, written. Block by block of terms ``d`` is packed and stays in the second
    cache level, while a strip of ``a`` or ``b`` stays in the first; a single panel, or all of ``d`` for few rows, is
    read as it is.
    """
    width = lanes(a)
    vectors = (columns + width - 1) // width
    direct = vectors <= PANEL or a_last - a_first + b_last - b_first <= DIRECT_ROWS
    strip, edge = scratch, offset(scratch, GRAM_BLOCK * ROWS + width)
    packed = offset(edge, ROWS * PANEL * width)
    most = max(1, min(GRAM_BLOCK, GRAM_PANELS // (vectors * width)))
    for k in range(0, terms, most):
        block = min(most, terms - k)
        panels, panel_terms = offset(d, k * d_stride), 1
        if not direct:
            _pack_rows(panels, d_stride, block, vectors, packed)
            panels, panel_terms = packed, block
        m, last, source, stride, row = a_first, a_last, a, a_stride, 0
        for turn in range(2):
            if turn == 1:
                m, last, source, stride, row = b_first, b_last, b, b_stride, b_row
            while m < last:
                height = _tile_rows(last - m)
                rows, step = offset(source, k * stride + m), stride
                if not direct:
                    _copy_strip(rows, stride, block, strip)
                    rows, step = strip, ROWS
                target = offset(out, (row + m) * out_stride)
                _add_strip(
                    height, rows, step, panels, panel_terms, d_stride, vectors, target, out_stride, columns, block, edge
                )  # fmt: skip
                m += height


@helper
def _add_strip(height, rows, step, panels, panel_terms, d_stride, vectors, out, out_stride, columns, block, edge):
    """Add the tiles of ``height`` rows of ``out``; those that reach past the last column by way of ``edge``."""
    width = lanes(rows)
    first = 0
    while first < vectors:
        across = panel_width(vectors - first)
        panel = offset(panels, first * width * panel_terms)
        own = offset(out, first * width)
        left = columns - first * width
        target, stride = own, out_stride
        if left < across * width:
            target, stride = edge, across * width
            _copy_block(own, out_stride, edge, stride, height, left)
        panel_step = d_stride if panel_terms == 1 else across * width
        _tile_of_transposed(height, across, rows, step, panel, panel_step, target, stride, target, stride, block)
        if left < across * width:
            _copy_block(edge, stride, own, out_stride, height, left)
        first += across


call_pack = routine_caller("piiiipii")
call_product = routine_caller("piipppiiiiiii")
call_joined_product = routine_caller("pipipppiiiii")
call_gram = routine_caller("piiipiiiipipiiip")
