"""Memory for the kernels: aligned buffers and their addresses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

ALIGNMENT = 64


def zeros(count: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return ``count`` zeros of ``dtype`` that start at a cache line and are followed by at least one more, unused."""
    size = np.dtype(dtype).itemsize
    raw = np.zeros(count * size + 2 * ALIGNMENT, np.uint8)
    start = -address(raw) % ALIGNMENT
    return raw[start : start + count * size].view(dtype)


class Workspace:
    """Buffers that are used again: after `rewind`, the same sequence of `zeros` gives the same buffers."""

    def __init__(self) -> None:
        self._buffers: list[NDArray[Any]] = []
        self._taken = 0

    def rewind(self) -> None:
        """Begin anew with the first buffer."""
        self._taken = 0

    def zeros(self, count: int, dtype: DTypeLike) -> NDArray[Any]:
        """Return the next buffer: one of ``count`` zeros of ``dtype`` the first time."""
        if self._taken == len(self._buffers):
            self._buffers.append(zeros(count, dtype))
        self._taken += 1
        return self._buffers[self._taken - 1]


def address(array: NDArray[Any] | None) -> int:
    """Return the address of the first element, or 0 for None."""
    return 0 if array is None else int(array.__array_interface__["data"][0])
