"""The types the reference computes with, and the way into them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Lengths = NDArray[np.int64]
Description = Mapping[str, Any]


def float64(*values: ArrayLike) -> list[Array]:
    """Return each value as a float64 array, so that single-precision inputs are not computed with in single."""
    return [np.asarray(value, dtype=np.float64) for value in values]


def counted_steps(lengths: ArrayLike | None, rows: int, steps: int) -> Lengths:
    """Return how many steps of each row count, (N,): ``lengths``, or all ``steps`` where it is None."""
    if lengths is None:
        return np.full(rows, steps, dtype=np.int64)
    return np.asarray(lengths, dtype=np.int64)
