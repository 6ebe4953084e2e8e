"""An errand: a call that costs Python as little as can be, one address; it looks at what it is to read itself."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.machine.calls import routine_caller
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.vector import integers_at
from fastrnn.operations.errand import ARRAYS, IS_CLASS

_call = routine_caller("iii")


@helper
def _is_fit(place, count, low, high, end):
    """Whether the words are classes, or hold finite numbers: one of float64, two of float32, zeros behind the last."""
    words = integers_at(place)
    fit = True
    for k in range(count):
        word = words[k]
        if low == IS_CLASS:
            fit = fit and 0 <= word < end
        else:
            fit = fit and (word & low) != low and (word & high) != high
    return fit


@njit
def errand(address):
    """Do what the words at an address say, :data:`~fastrnn.operations.errand.WORDS`; 0 if an array is not fit."""
    words = integers_at(address)
    for k in range(3, 3 + 5 * ARRAYS, 5):
        if not _is_fit(words[k], words[k + 1], words[k + 2], words[k + 3], words[k + 4]):
            return 0
    if words[0] != 0:
        _call(words[0], words[1], words[2], words[2])
    return 1
