"""The types the reference computes with, and the way into them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Lengths = NDArray[np.int64]
Counts = NDArray[np.bool_]
Description = Mapping[str, Any]


def float64(*values: ArrayLike) -> list[Array]:
    """Return each value as a float64 array, so that single-precision inputs are not computed with in single."""
    return [np.asarray(value, dtype=np.float64) for value in values]


def counted_steps(lengths: ArrayLike | None, rows: int, steps: int) -> Counts:
    """Return which steps of each row count, (N, T): those before its length, all where ``lengths`` is None."""
    if lengths is None:
        return np.ones((rows, steps), dtype=np.bool_)
    return np.asarray(np.arange(steps) < np.asarray(lengths)[:, None], dtype=np.bool_)


def or_ones(array: ArrayLike | None, shape: tuple[int, ...]) -> Array:
    """Return the array as float64, or ones where it is None: every step counts, nothing is dropped."""
    return np.ones(shape) if array is None else np.asarray(array, dtype=np.float64)
