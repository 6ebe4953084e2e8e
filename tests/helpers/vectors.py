"""Vector functions of the kernels as functions of NumPy arrays."""

import ctypes
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import int64, types
from numpy.typing import NDArray

from fastrnn.code.compiled import Compiled
from fastrnn.code.loader import load as load_object
from fastrnn.ground.memory import zeros
from fastrnn.kernels.machine.compiler import REALS, compiled
from fastrnn.kernels.machine.vector import WIDE, lanes, load, load_wide, store

Array = NDArray[Any]
_numbers = itertools.count()


def callable_at(address: int, parameters: str) -> Callable[..., None]:
    """Return machine code as a function of pointers (``p``) and whole numbers (``i``)."""
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p if p == "p" else ctypes.c_int64 for p in parameters])(address)


def routine(code: Compiled, dtype: str) -> Callable[..., None]:
    """Return a routine of the kernels as a function."""
    return callable_at(code.address(dtype), "".join(map(str, code.parameters)))


def _compile(function: Any, real: Any, parameters: str) -> Callable[..., None]:
    symbol = f"{function.__name__}_{next(_numbers)}"
    types_of = tuple(real if p == "p" else int64 for p in parameters)
    return callable_at(load_object(compiled(function, types_of, types.void, symbol)[0], symbol), parameters)


def pointer(array: Array) -> Any:
    """Return the address of an array as compiled functions take it."""
    return array.ctypes.data_as(ctypes.POINTER(np.ctypeslib.as_ctypes_type(array.dtype)))


def padded_copy(array: Array) -> Array:
    """Return the numbers of an array, followed by zeros up to whole vectors of any width."""
    copy = zeros(-(-array.size // 16) * 16, array.dtype)
    copy[: array.size] = array.ravel()
    return copy


def unary(function: Any, dtype: str) -> Callable[[Array], Array]:
    """Compile a function of one vector for arrays: wide vectors first, then single ones, as the kernels go."""
    real = types.CPointer(REALS[dtype])

    def run(source, target, count):
        i = 0
        while i + WIDE * lanes(source) <= count:
            store(target, i, function(load_wide(source, i)))
            i += WIDE * lanes(source)
        while i < count:
            store(target, i, function(load(source, i)))
            i += lanes(source)

    code = _compile(run, real, "ppi")

    def call(x: Array) -> Array:
        source, target = padded_copy(x.astype(dtype, copy=False)), padded_copy(np.zeros(x.size, dtype))
        code(pointer(source), pointer(target), x.size)
        return target[: x.size]

    return call


def binary(function: Any, dtype: str) -> Callable[[Array, Array], Array]:
    """Compile a function of two vectors for arrays."""
    real = types.CPointer(REALS[dtype])

    def run(left, right, target, count):
        i = 0
        while i < count:
            store(target, i, function(load(left, i), load(right, i)))
            i += lanes(left)

    code = _compile(run, real, "pppi")

    def call(a: Array, b: Array) -> Array:
        left, right = padded_copy(a.astype(dtype, copy=False)), padded_copy(b.astype(dtype, copy=False))
        target = padded_copy(np.zeros(a.size, dtype))
        code(pointer(left), pointer(right), pointer(target), a.size)
        return target[: a.size]

    return call
