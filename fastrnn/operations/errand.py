"""An errand: what a call from Python hands over at one address, checked before anything is done."""

from __future__ import annotations

import numpy as np

from fastrnn.code.compiled import Compiled

ARRAYS = 2
WORDS = (
    "code",
    "job",
    "call",
    *(f"{word}_{k}" for k in range(ARRAYS) for word in ("place", "count", "low", "high", "end")),
)
"""Machine code, 0 for a check alone, with what it is called with; then for each array to be looked at the address and
the number of its words, and what they must not be: see `forbidden`. int64."""
IS_CLASS = 0
"""Of ``low``: the words are whole numbers from 0 to below ``end``."""

errand = Compiled("errand", "jobs.errand", "i", "i")


def forbidden(dtype: np.dtype) -> tuple[int, int]:
    """Return the bits that are all set in either half of a word, and in the whole, where it holds no finite number."""
    if dtype == np.float64:
        return 0x7FF0_0000_0000_0000, 0x7FF0_0000_0000_0000
    return 0x7F80_0000, 0x7F80_0000_0000_0000
