"""Checks of arrays: sequences, targets, weights.

What kernels use as an address or a count - ids, classes, lengths - and what decides which of those count is copied
before it is checked, so that nobody can change it afterwards. Floats stay where they are if they can.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[Any]
Counts = Callable[[], NDArray[np.bool_]]
"""What tells which places count, made only where it is asked for: as large as the targets themselves, at worst."""


PADDING = "pad the shorter rows and give lengths"


def unmasked(name: str, value: Any, cure: str = "") -> None:
    """Refuse masked values, in an array or in a list of arrays: NumPy drops the mask where it makes one array of them.

    Raises
    ------
    ValueError
        There are some.
    """
    count = _count_masked(value)
    if count:
        cure = cure or f"{name}.filled(0) puts numbers there, and lengths or sample_weight leave steps or rows out"
        raise ValueError(f"{name} has {count} masked value(s); expected none, as no mask is read: {cure}")


def _count_masked(value: Any) -> int:
    if isinstance(value, list | tuple):
        nested = {kind for kind in set(map(type, value)) if issubclass(kind, list | tuple | np.ma.MaskedArray)}
        return sum(_count_masked(item) for item in value if type(item) in nested) if nested else 0
    return int(np.ma.getmaskarray(value).sum()) if isinstance(value, np.ma.MaskedArray) else 0


def _array(name: str, value: ArrayLike, expected: str) -> Array:
    unmasked(name, value)
    try:
        return np.asarray(value).view()  # the shape of which the user cannot set in place
    except ValueError:
        raise ValueError(f"{name} is ragged; expected {expected}") from None


def _numbers(name: str, value: ArrayLike, dtype: str, form: str = "rows of one length") -> Array:
    array = _array(name, value, f"{form}: {PADDING}")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} has dtype {array.dtype}; expected numbers, such as {name}.astype('{dtype}')")
    return array


def _whole(name: str, array: Array, cure: str) -> Array:
    """Refuse floats, even whole ones, and booleans."""
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name} has dtype {array.dtype}; expected whole numbers, such as {cure}")
    return array


def _outside(array: NDArray[np.int64], end: int) -> NDArray[np.bool_]:
    """Return where numbers are not from 0 to ``end`` - 1."""
    return array.view(np.uint64) >= np.uint64(end)


def _finite(name: str, array: Array, counts: Counts | None = None) -> None:
    """Refuse NaN and infinity, naming the first row that has one; with ``counts`` only at those rows, or steps."""
    if array.dtype.kind != "f":
        return
    if has_finite_square(array.reshape(-1)):
        return
    bad = ~np.isfinite(array)
    if counts is not None:
        places = counts()
        bad &= places.reshape(places.shape + (1,) * (array.ndim - places.ndim))
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name} has {array[first]} in row {first[0]} (at index {first}), {int(bad.sum())} in all; "
            f"expected finite numbers: drop or fill those rows"
        )


def has_finite_square(numbers: Array) -> bool:
    """Whether the sum of squares is finite, and so every number."""
    return math.isfinite(np.vdot(numbers, numbers))  # `dot` warns, and keeping it from that takes as long as itself


def all_finite(numbers: Array) -> bool:
    """Whether every number of a flat array is finite."""
    return math.isfinite(np.vdot(numbers, numbers)) or bool(np.isfinite(numbers).all())


def _cast(name: str, array: Array, dtype: str, counts: Counts | None = None) -> Array:
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        cast = np.ascontiguousarray(array, dtype)
    if cast.dtype.itemsize < array.dtype.itemsize or array.dtype.kind in "iu":
        _finite(name, cast, counts)
    return cast


def _within(lengths: NDArray[np.int64], steps: int) -> NDArray[np.bool_]:
    """Return which steps (N, T) stand within the rows' lengths."""
    return np.asarray(np.arange(steps) < lengths[:, None], np.bool_)


def sequences(
    x: ArrayLike, input_size: int | None, dtype: str, name: str = "x", lengths: ArrayLike | None = None
) -> tuple[Array, NDArray[np.int64] | None]:
    """Return ``x`` as a contiguous array (N, T, F) of ``dtype``, finite within the lengths, and those as `row_lengths`.

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
        if array.ndim == 2 and array.shape[1] == input_size:
            cure = f"{name}[None] is a single sequence"
        raise ValueError(f"{name} has shape {array.shape}; expected (N, T, {features}){why}; {cure}")
    if input_size is not None and array.shape[2] != input_size:
        raise ValueError(f"{name} has shape {array.shape}; expected (N, T, {features}){why}")
    if 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape}; expected at least one sequence, one step and one feature")
    checked = row_lengths(lengths, *array.shape[:2])
    counts = None if checked is None else partial(_within, checked, array.shape[1])
    _finite(name, array, counts)
    return _cast(name, array, dtype, counts), checked


def ids(
    x: ArrayLike, vocabulary: int, name: str = "x", lengths: ArrayLike | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
    """Return a copy of ids as a contiguous int64 array (N, T), 0 beyond the lengths, and those as `row_lengths`.

    Raises
    ------
    TypeError
        Not whole numbers; floats are refused even if they are whole, and so are booleans.
    ValueError
        Another rank, an empty axis, or an id below 0 or beyond the vocabulary.
    """
    why = f"this model takes ids from 0 to {vocabulary - 1}"
    array = _array(name, x, f"(N, T): {why}; {PADDING}")
    if array.ndim != 2:
        cure = f"reshape {name}"
        if array.ndim == 1:
            cure = f"{name}[None, :] is a single sequence"
        elif array.ndim == 3 and array.shape[2] == 1:
            cure = f"{name}[:, :, 0] drops the feature axis"
        elif array.ndim == 3 and array.shape[2] == vocabulary:
            cure = f"{name}.argmax(axis=2) gives the ids of one-hot vectors"
        raise ValueError(f"{name} has shape {array.shape}; expected (N, T): {why}; {cure}")
    if 0 in array.shape:
        raise ValueError(f"{name} has shape {array.shape}; expected at least one sequence and one step")
    _whole(name, array, f"{name}.astype(int): {why}")
    checked = row_lengths(lengths, *array.shape)
    own = np.array(array, np.int64, order="C")
    if checked is not None:
        own[~_within(checked, array.shape[1])] = 0
    bad = _outside(own, vocabulary)
    if bad.any():
        row, step = (int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name} has {array[row, step]} in row {row} at step {step}, {int(bad.sum())} such in all; "
            f"expected ids from 0 to {vocabulary - 1}: change those ids, or make the first layer's vocabulary larger"
        )
    return own, checked


def targets(
    y: ArrayLike,
    samples: int,
    steps: int | None,
    outputs: int,
    dtype: str,
    name: str = "y",
    counts: Counts | None = None,
) -> Array:
    """Return ``y`` as a contiguous array (N, O), or (N, T, O) if the model answers at each of ``steps`` steps.

    It is finite at the places (N,) or (N, T) that count (``counts`` tells; None is all). A last axis of one output may
    be left out.

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
        is_classes = array.dtype.kind in "iu" and array.shape in (expected[:-1], (*expected[:-1], 1))
        cure = "; for classes use sparse_categorical_crossentropy" if is_classes else ""
        raise ValueError(
            f"{name} has shape {array.shape}; expected {expected}: the model gives {outputs} output(s) {per}{cure}"
        )
    _finite(name, array, counts)
    return _cast(name, array, dtype, counts)


def counting(
    places: tuple[int, ...],
    sample_weight: NDArray[np.float64] | None,
    lengths: NDArray[np.int64] | None,
    padding_first: bool = False,
) -> NDArray[np.bool_]:
    """Return which places, (N,) or (N, T), count: in rows that have a weight, as many steps as the row's length.

    These are the first or, with ``padding_first``, the last ones. Rows (N,) count unless their length is 0.
    """
    counts = np.ones(places, np.bool_)
    if lengths is not None and len(places) == 2:
        steps = np.arange(places[1])
        counts &= (steps[::-1] if padding_first else steps) < lengths[:, None]
    elif lengths is not None:
        counts &= lengths > 0
    if sample_weight is not None:
        counts[sample_weight == 0.0] = False
    return counts


def classes(
    y: ArrayLike, places: tuple[int, ...], count: int, counts: NDArray[np.bool_], name: str = "y"
) -> NDArray[np.int64]:
    """Return a copy of classes from 0 to ``count`` - 1 as contiguous int64 of the shape ``places``, (N,) or (N, T).

    A last axis of one is dropped. Where a place does not count (``counts``, of the same shape), any number will do.

    Raises
    ------
    TypeError
        Not whole numbers; floats are refused even if they are whole, and so are booleans.
    ValueError
        Another shape, or a class that there is not.
    """
    why = f"classes from 0 to {count - 1}, one for each of the model's outputs"
    array = _array(name, y, f"{places}: {why}; {PADDING}")
    if array.shape == (*places, 1):
        array = array[..., 0]
    if array.shape != places:
        cure = ""
        if array.shape == (*places, count):
            cure = f"; {name}.argmax(axis=-1) gives them, or use categorical_crossentropy"
        raise ValueError(f"{name} has shape {array.shape}; expected {places}: {why}{cure}")
    _whole(name, array, f"{name}.astype(int): {why}")
    own = np.array(array, np.int64, order="C")
    bad = _outside(own, count) & counts
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        at = f"row {place[0]}" + (f" at step {place[1]}" if len(place) == 2 else "")
        cure = "change those, or give the model more outputs"
        given = own[counts]
        if given.min() > 0 and given.max() == count:
            cure = f"{name} - 1, where yours go from 1 to {count}"
        raise ValueError(f"{name} has {array[place]} in {at}, {int(bad.sum())} such in all; expected {why}: {cure}")
    return own


TOTAL_ERROR = 1e-3
"""How far from 1 the probabilities of a target may add up to: half-precision numbers do."""


def probabilities(y: Array, counts: NDArray[np.bool_], name: str = "y") -> None:
    """Refuse targets (N, O) or (N, T, O) that are not from 0 to 1 where they count.

    Raises
    ------
    ValueError
        They are not.
    """
    with np.errstate(invalid="ignore"):
        bad = ((y < 0.0) | (y > 1.0)) & counts[..., None]
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        shift = {(-1.0, 1.0): f"({name} + 1) / 2", (1.0, 2.0): f"{name} - 1"}
        cure = shift.get(tuple(np.unique(y[counts])), "scale them, or use mse")
        raise ValueError(
            f"{name} has {y[place]} in row {place[0]} (at index {place}), {int(bad.sum())} such in all; expected "
            f"probabilities, from 0 to 1: {cure}"
        )


def counts_from_zero(y: Array, counts: NDArray[np.bool_], name: str = "y") -> None:
    """Refuse targets (N, O) or (N, T, O) that are below 0 where they count.

    Raises
    ------
    ValueError
        They are.
    """
    with np.errstate(invalid="ignore"):
        bad = (y < 0.0) & counts[..., None]
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ValueError(
            f"{name} has {y[place]} in row {place[0]} (at index {place}), {int(bad.sum())} such in all; expected "
            f"counts, from 0 up: use another loss than poisson"
        )


def distributions(y: Array, counts: NDArray[np.bool_], name: str = "y") -> None:
    """Refuse targets (N, O) or (N, T, O) whose last axis is not at least 0 with a sum of 1 (by 1e-3) where it counts.

    Raises
    ------
    ValueError
        They are not.
    """
    probabilities(y, counts, name)
    with np.errstate(invalid="ignore"):
        totals = y.sum(axis=-1, dtype=np.float64)
        bad = (np.abs(totals - 1.0) > TOTAL_ERROR) & counts
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        at = f"row {place[0]}" + (f" at step {place[1]}" if len(place) == 2 else "")
        raise ValueError(
            f"{name} adds up to {totals[place]:.6g} in {at}, {int(bad.sum())} such in all; expected 1, a "
            f"probability for each class: divide by {name}.sum(axis=-1, keepdims=True), or use binary_crossentropy"
        )


def row_lengths(lengths: ArrayLike | None, samples: int, steps: int) -> NDArray[np.int64] | None:
    """Return a copy of ``lengths`` as int64 (N,), each from 0 to T; None stays.

    Raises
    ------
    TypeError
        Not whole numbers.
    ValueError
        Another shape, or a length below 0 or beyond T.
    """
    if lengths is None:
        return None
    array = _array("lengths", lengths, f"({samples},): one length a sequence")
    _whole("lengths", array, "lengths.astype('int64')")
    if array.shape != (samples,):
        raise ValueError(f"lengths has shape {array.shape}; expected ({samples},): one length a sequence")
    own = np.array(array, np.int64, order="C")
    bad = np.flatnonzero((own < 0) | (own > steps))
    if bad.size:
        raise ValueError(
            f"lengths has {array[bad[0]]} in row {bad[0]}; expected 0 to {steps}, the number of steps in x"
        )
    return own


def row_weights(sample_weight: ArrayLike | None, samples: int) -> NDArray[np.float64] | None:
    """Return a copy of ``sample_weight`` as finite float64 (N,), none below 0; None stays.

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
    with np.errstate(over="ignore"):
        own = np.array(array, np.float64, order="C")
    _finite("sample_weight", own)
    bad = np.flatnonzero(own < 0)
    if bad.size:
        raise ValueError(f"sample_weight has {own[bad[0]]} in row {bad[0]}; expected weights of at least 0")
    return own


def weights(name: str, value: ArrayLike, shape: tuple[int, ...], dtype: str, what: str = "") -> Array:
    """Return the array for a weight of the given shape; ``what`` is told of that shape.

    Raises
    ------
    TypeError
        Not numbers.
    ValueError
        Another shape, NaN or infinity.
    """
    array = _numbers(name, value, dtype)
    if array.shape != shape:
        raise ValueError(f"{name} has shape {array.shape}; expected {shape}{what}")
    _finite(name, array)
    return _cast(name, array, dtype)
