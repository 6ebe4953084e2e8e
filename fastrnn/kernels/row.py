"""One row times a packed matrix, kept in registers up to the activation: what small minibatches spend their time on."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.activations import activated
from fastrnn.kernels.product import PANEL
from fastrnn.kernels.vector import lanes, load, offset, row_tile, splat, store

_tile_1, _tile_2, _tile_3 = row_tile(1, 8), row_tile(2, 4), row_tile(3, 4)


@njit
def row_forward(code, a, packed, c, units):
    """``c = f(c + a @ matrix)`` for one row; ``packed`` the matrix (units, units) in panels."""
    width = lanes(a)
    vectors = (units + width - 1) // width
    first = 0
    while first < vectors:
        across = min(PANEL, vectors - first)
        panel = offset(packed, first * width * units)
        out = offset(c, first * width)
        if across == 3:
            x, y, z = _tile_3(a, panel, units, (load(out, 0), load(out, width), load(out, 2 * width)))
            store(out, 0, activated(code, x))
            store(out, width, activated(code, y))
            store(out, 2 * width, activated(code, z))
        elif across == 2:
            x, y = _tile_2(a, panel, units, (load(out, 0), load(out, width)))
            store(out, 0, activated(code, x))
            store(out, width, activated(code, y))
        else:
            (x,) = _tile_1(a, panel, units, (load(out, 0),))
            store(out, 0, activated(code, x))
        first += across


@njit
def row_product(a, packed, c, units):
    """``c = a @ matrix`` for one row; ``packed`` the matrix (units, units) in panels."""
    width = lanes(a)
    vectors = (units + width - 1) // width
    zero = splat(a, 0.0)
    first = 0
    while first < vectors:
        across = min(PANEL, vectors - first)
        panel = offset(packed, first * width * units)
        out = offset(c, first * width)
        if across == 3:
            x, y, z = _tile_3(a, panel, units, (zero, zero, zero))
            store(out, 0, x)
            store(out, width, y)
            store(out, 2 * width, z)
        elif across == 2:
            x, y = _tile_2(a, panel, units, (zero, zero))
            store(out, 0, x)
            store(out, width, y)
        else:
            (x,) = _tile_1(a, panel, units, (zero,))
            store(out, 0, x)
        first += across
