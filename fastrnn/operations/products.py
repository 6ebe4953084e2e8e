"""Matrix products on packed panels: their sizes."""

from __future__ import annotations

from fastrnn.code.target import TARGET
from fastrnn.operations.call import routine

PANEL = 3

ROW_UNIT = 4

WIDE = 4 if TARGET.registers == 32 else PANEL
"""Vectors in a panel where rows are few: a tile of four rows leaves registers for them."""

ROWS = 8 if TARGET.registers == 32 else 4

BLOCK = 512
"""Terms that one pass over the tiles adds: a panel's block stays in the first cache levels."""

GRAM_BLOCK = 256

GRAM_PANELS = 131072
"""The same for :func:`gram`, whose operands are both long, and the numbers of ``d`` that it packs at a time: half a
megabyte."""

DIRECT_ROWS = 8 * ROWS
"""Rows of ``out`` up to which :func:`gram` reads its operands where they lie: packing them costs more than it saves.
Measured with 16 lanes and 128 columns: 146 GFLOP/s instead of 92 for 16 rows, 167 instead of 131 for 64; from 256 rows
and 1024 columns on packing wins."""


def padded(columns: int, lane_count: int) -> int:
    """``columns`` rounded up to whole vectors."""
    return -(-columns // lane_count) * lane_count


def scratch_size(lane_count: int, columns: int, terms: int) -> int:
    """Numbers of scratch memory that :func:`gram` needs at most: a strip, a tile and packed panels."""
    across = padded(columns, lane_count)
    panels = max(across, min(GRAM_PANELS, min(GRAM_BLOCK, terms) * across))
    return GRAM_BLOCK * ROWS + lane_count + ROWS * PANEL * lane_count + panels


pack = routine("pack", "products.product", "piiiipii")
product = routine("product", "products.product", "piipppiiiiiii")
joined_product = routine("joined_product", "products.product", "pipipppiiiii")
gram = routine("gram", "products.product", "piiipiiiipipiiip")
row_product = routine("row_product", "products.row", "ppppiii")
pack_few = routine("pack_few", "products.few", "piiiiiiiiip")
few_product = routine("few_product", "products.few", "pipipipippiiii")

ACTIVATIONS = {"linear": 0, "tanh": 1, "sigmoid": 2, "relu": 3}
"""Codes of the activations that products can take along."""
LINEAR, TANH, SIGMOID, RELU = 0, 1, 2, 3
