"""Checks of what users hand over: one clear line before any work."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]


def _numbers(name: str, value: ArrayLike, dtype: str, form: str = "rows of one length") -> Array:
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} is ragged; expected {form}: pad the shorter rows and give lengths") from None
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {array.dtype}; expected numbers, such as {name}.astype('{dtype}')")
    return array


def _finite(name: str, array: Array) -> None:
    """Refuse NaN and infinity, naming the first row that has one."""
    if array.dtype.kind != "f":
        return
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum()):
            return
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name} has {array[first]} in row {first[0]} (at index {first}), {int(bad.sum())} in all; "
            f"expected finite numbers: drop or fill those rows"
        )


def _cast(name: str, array: Array, dtype: str) -> Array:
    with np.errstate(over="ignore"):
        cast = np.ascontiguousarray(array, dtype)
    if cast.dtype.itemsize < array.dtype.itemsize or array.dtype.kind in "iu":
        _finite(name, cast)
    return cast


def sequences(x: ArrayLike, input_size: int | None, dtype: str, name: str = "x") -> Array:
    """Return ``x`` as a contiguous, finite array (N, T, F) of ``dtype``.

    Raises
    ------
    TypeError
        Not an array of numbers.
    ValueError
        Another rank, another number of features than ``input_size``, an empty axis, NaN or infinity.
    """
    features = "F" if input_size is None else str(input_size)
    array = _numbers(name, x, dtype, f"(N, T, {features})")
    why = "" if input_size is None else f": this model was built with input_size={input_size}"
    if array.ndim != 3:
        cure = f"{name}[:, :, None] adds a feature axis" if array.ndim == 2 else f"reshape {name}"
        raise ValueError(f"{name} has shape {array.shape}; expected (N, T, {features}){why}; {cure}")
    if input_size is not None and array.shape[2] != input_size:
        raise ValueError(f"{name} has shape {array.shape}; expected (N, T, {features}){why}")
    if 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape}; expected at least one sequence, one step and one feature")
    _finite(name, array)
    return _cast(name, array, dtype)


def targets(y: ArrayLike, samples: int, steps: int | None, outputs: int, dtype: str, name: str = "y") -> Array:
    """Return ``y`` as a contiguous, finite array (N, O), or (N, T, O) if the model answers at each of ``steps`` steps.

    A last axis of one output may be left out.

    Raises
    ------
    TypeError
        Not an array of numbers.
    ValueError
        Another shape, NaN or infinity.
    """
    array = _numbers(name, y, dtype)
    expected = (samples, outputs) if steps is None else (samples, steps, outputs)
    if outputs == 1 and array.shape == expected[:-1]:
        array = array[..., None]
    if array.shape != expected:
        per = "a sequence" if steps is None else "a step"
        raise ValueError(
            f"{name} has shape {array.shape}; expected {expected}: the model gives {outputs} output(s) {per}"
        )
    _finite(name, array)
    return _cast(name, array, dtype)


def row_lengths(lengths: ArrayLike | None, samples: int, steps: int) -> NDArray[np.int64] | None:
    """Return ``lengths`` as int64 (N,), each from 0 to T; None stays.

    Raises
    ------
    TypeError
        Not whole numbers.
    ValueError
        Another shape, or a length below 0 or beyond T.
    """
    if lengths is None:
        return None
    array = np.asarray(lengths)
    if array.dtype.kind not in "iu":
        raise TypeError(f"lengths has dtype {array.dtype}; expected whole numbers, such as lengths.astype('int64')")
    if array.shape != (samples,):
        raise ValueError(f"lengths has shape {array.shape}; expected ({samples},): one length a sequence")
    bad = np.flatnonzero((array < 0) | (array > steps))
    if bad.size:
        raise ValueError(
            f"lengths has {array[bad[0]]} in row {bad[0]}; expected 0 to {steps}, the number of steps in x"
        )
    return np.ascontiguousarray(array, np.int64)


def row_weights(sample_weight: ArrayLike | None, samples: int) -> NDArray[np.float64] | None:
    """Return ``sample_weight`` as finite float64 (N,), none below 0; None stays.

    Raises
    ------
    TypeError
        Not numbers.
    ValueError
        Another shape, NaN, infinity or a negative weight.
    """
    if sample_weight is None:
        return None
    array = _numbers("sample_weight", sample_weight, "float64")
    if array.shape != (samples,):
        raise ValueError(f"sample_weight has shape {array.shape}; expected ({samples},): one weight a sequence")
    _finite("sample_weight", array)
    bad = np.flatnonzero(array < 0)
    if bad.size:
        raise ValueError(f"sample_weight has {array[bad[0]]} in row {bad[0]}; expected weights of at least 0")
    return np.ascontiguousarray(array, np.float64)


def weights(name: str, value: ArrayLike, shape: tuple[int, ...], dtype: str) -> Array:
    """Return the array for a weight of the given shape.

    Raises
    ------
    TypeError
        Not numbers.
    ValueError
        Another shape, NaN or infinity.
    """
    array = _numbers(name, value, dtype)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; expected {shape}")
    _finite(name, array)
    return _cast(name, array, dtype)


def states(value: Any, units: Sequence[int], samples: int, dtype: str) -> list[Array] | None:
    """Return initial states as one contiguous, finite (N, H) array a recurrent layer; None stays.

    A model with one recurrent layer takes the array itself, a stack a list of them from the bottom up.

    Raises
    ------
    TypeError
        Not numbers.
    ValueError
        Another number of states, another shape, NaN or infinity.
    """
    if value is None:
        return None
    if len(units) > 1 and not isinstance(value, list | tuple):
        raise ValueError(
            f"initial_state is {type(value).__name__}; "
            f"expected a list of {len(units)} arrays: one for each recurrent layer"
        )
    given = list(value) if isinstance(value, list | tuple) and (len(units) > 1 or np.ndim(value) != 2) else [value]
    if len(given) != len(units):
        raise ValueError(f"initial_state has {len(given)} states; expected {len(units)}: one for each recurrent layer")
    out = []
    for i, (state, size) in enumerate(zip(given, units, strict=True)):
        name = "initial_state" if len(units) == 1 else f"initial_state[{i}]"
        array = _numbers(name, state, dtype)
        if array.shape != (samples, size):
            raise ValueError(f"{name} has shape {array.shape}; expected ({samples}, {size}): one row a sequence")
        _finite(name, array)
        out.append(_cast(name, array, dtype))
    return out


def positive_int(name: str, value: Any) -> int:
    """Return ``value`` if it is a whole number from 1 up.

    Raises
    ------
    ValueError
        It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} is {value!r}; expected a whole number from 1 up")
    return int(value)


def seed(value: Any) -> int:
    """Return ``value`` if it is a whole number from 0 up.

    Raises
    ------
    ValueError
        It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise ValueError(f"seed is {value!r}; expected a whole number from 0 up")
    return int(value)


def positive(name: str, value: Any) -> float | None:
    """Return ``value`` if it is a finite number above 0; None stays.

    Raises
    ------
    ValueError
        It is neither.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < np.inf:
        raise ValueError(f"{name} is {value!r}; expected a number above 0, or None")
    return float(value)


def truncation(tbptt: Any) -> tuple[int, int] | None:
    """Return ``tbptt`` as (k1, k2); ``k`` means ``(k, k)``; None stays.

    Raises
    ------
    ValueError
        Neither a whole number from 1 up nor a pair of them.
    """
    if tbptt is None:
        return None
    pair = tbptt if isinstance(tbptt, tuple | list) else (tbptt, tbptt)
    if len(pair) != 2:
        raise ValueError(
            f"tbptt is {tbptt!r}; expected (k1, k2), a whole number k for (k, k), or None for full back-propagation"
        )
    return positive_int("tbptt's k1", pair[0]), positive_int("tbptt's k2", pair[1])


def one_of(name: str, value: Any, known: Sequence[str]) -> str:
    """Return ``value`` if it is among ``known``.

    Raises
    ------
    ValueError
        It is not; the line lists what is.
    """
    if value not in known:
        raise ValueError(f"{name} is {value!r}; expected one of {', '.join(known)}")
    return str(value)
