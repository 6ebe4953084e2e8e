"""Errands: calls of compiled code that take Python less than a microsecond, with buffers that are looked at first."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.engine.compiling import prepare
from fastrnn.ground.memory import address, zeros
from fastrnn.operations.errand import ARRAYS, IS_CLASS, WORDS, errand, forbidden

Array = NDArray[Any]


class _Function(ctypes._CFuncPtr):  # type: ignore[name-defined,misc]
    """A function that releases the interpreter's lock; without types of arguments, whose conversion takes as long."""

    _flags_ = ctypes._FUNCFLAG_CDECL  # type: ignore[attr-defined]
    _restype_ = ctypes.c_int64


@functools.cache
def _errand() -> Any:
    prepare([(errand, "")])
    return _Function(errand.address())


class Letter:
    """A buffer that is handed over with an errand: numbers of a shape, or classes from 0 to below ``classes``."""

    def __init__(self, shape: tuple[int, ...], dtype: str, classes: int | None = None) -> None:
        self._shape, self._classes = shape, classes
        self._dtype = np.dtype(np.int64 if classes is not None else dtype)
        count = int(np.prod(shape))
        words = zeros(-(-count * self._dtype.itemsize // 8), np.int64)
        self.array = words.view(self._dtype)[:count].reshape(shape)
        self._other = self._dtype  # not None, which NumPy takes for float64
        if classes is None:
            self._other = np.dtype("float64" if dtype == "float32" else "float32")

    def takes(self, given: Array) -> bool:
        """Copy an array of the same shape and form; False for one that must be looked at closer, and may be right."""
        if given.shape != self._shape:
            return False
        if given.dtype != self._dtype and (given.dtype != self._other or not np.vdot(given, given) < _SQUARE):
            return False
        self.array[:] = given
        return True

    @property
    def words(self) -> tuple[int, ...]:
        """What an errand is told of it."""
        array = self.array
        if self._classes is not None:
            return address(array), array.size, IS_CLASS, 0, self._classes
        return address(array), -(-array.nbytes // 8), *forbidden(self._dtype), 0


_SQUARE = 1e38
"""Sum of squares below which every number is finite in float32 as well."""


def errand_of(letters: Sequence[Letter], code: int = 0, job: int = 0, call: int = 0) -> Callable[[], int]:
    """Return a function that looks at the letters and runs machine code; 0: a letter is not fit, and nothing is done.

    ``code``, ``job`` and ``call`` are addresses, 0 for none.
    """
    words = np.zeros(len(WORDS), np.int64)
    told = [word for letter in letters for word in letter.words]
    assert len(letters) <= ARRAYS
    words[: 3 + len(told)] = [code, job, call, *told]
    place = ctypes.c_void_p(address(words))
    place.held = words, letters  # type: ignore[attr-defined]  # for as long as somebody may call
    return functools.partial(_errand(), place)
