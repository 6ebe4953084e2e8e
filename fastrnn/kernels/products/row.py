"""One row times a packed matrix, kept in registers up to the activation: what small minibatches spend their time on."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.machine.activations import activated
from fastrnn.kernels.machine.calls import routine_caller
from fastrnn.kernels.machine.vector import lanes, load, offset, store
from fastrnn.kernels.products.product import panel_width
from fastrnn.kernels.products.tiles import row_tile

_tile_1, _tile_2, _tile_3 = row_tile(1, 8), row_tile(2, 4), row_tile(3, 4)


@njit
def row_product(a, packed, start, c, code, terms, columns):
    """``c = f(start + a @ matrix)`` for one row; ``packed`` the matrix (terms, columns) in panels.

    ``start`` (read) and ``c`` (written) are padded(columns) wide and may be the same.
    """
    width = lanes(a)
    vectors = (columns + width - 1) // width
    first = 0
    while first < vectors:
        across = panel_width(vectors - first)
        panel = offset(packed, first * width * terms)
        begin, out = offset(start, first * width), offset(c, first * width)
        if across == 3:
            x, y, z = _tile_3(a, panel, terms, (load(begin, 0), load(begin, width), load(begin, 2 * width)))
            store(out, 0, activated(code, x))
            store(out, width, activated(code, y))
            store(out, 2 * width, activated(code, z))
        elif across == 2:
            x, y = _tile_2(a, panel, terms, (load(begin, 0), load(begin, width)))
            store(out, 0, activated(code, x))
            store(out, width, activated(code, y))
        else:
            (x,) = _tile_1(a, panel, terms, (load(begin, 0),))
            store(out, 0, activated(code, x))
        first += across


call_row_product = routine_caller("ppppiii")
