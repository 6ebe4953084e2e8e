"""Memory for the kernels: aligned buffers and their addresses; for tests, buffers between guards."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

ALIGNMENT = 128
"""Bytes: two cache lines, which processors fetch as a pair."""
GUARD = 4096
"""Bytes of a guard: more than a step of a small minibatch, so that whoever skips a row too many still meets it."""
WORD = 0xFFFBADFF
"""What guards are made of: NaN to those who read a number of either precision, a crash to those who read an address."""
GARBAGE = 0xFF
"""What every byte of a buffer holds before anything is written to it: another NaN, the integer -1."""
_WHOLE = np.full(GUARD // 4, WORD, np.uint32).tobytes()


def zeros(count: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return ``count`` zeros of ``dtype`` that start at a pair of cache lines and are followed by another, unused."""
    if _guards is not None:
        return _guards.make(count, dtype, 0)
    size = np.dtype(dtype).itemsize
    raw = np.zeros(count * size + 2 * ALIGNMENT, np.uint8)
    start = -address(raw) % ALIGNMENT
    return raw[start : start + count * size].view(dtype)


def empty(count: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return a buffer as `zeros` does whose numbers all are written before they are read: garbage when `guarded`."""
    return zeros(count, dtype) if _guards is None else _guards.make(count, dtype, GARBAGE)


def result(shape: tuple[int, ...], dtype: DTypeLike, name: str) -> NDArray[Any]:
    """Return an array for the user, who may keep it, all numbers of which are going to be written."""
    if _guards is None:
        return np.empty(shape, dtype)
    array = _guards.make(int(np.prod(shape)), dtype, GARBAGE).reshape(shape)
    _guards.name(array, name)
    return array


class Workspace:
    """Buffers that are used again: after `rewind`, the same sequence of `empty` gives the same buffers."""

    def __init__(self) -> None:
        self._buffers: list[NDArray[Any]] = []
        self._taken = 0

    def rewind(self) -> None:
        """Begin anew with the first buffer."""
        self._taken = 0

    def empty(self, count: int, dtype: DTypeLike) -> NDArray[Any]:
        """Return the next buffer: one of ``count`` numbers of ``dtype`` that are written before they are read."""
        if self._taken == len(self._buffers):
            self._buffers.append(empty(count, dtype))
        self._taken += 1
        return self._buffers[self._taken - 1]

    def spoil(self) -> None:
        """Fill all buffers with garbage: for tests, as everything here does but what is written anew."""
        for buffer in self._buffers:
            buffer.view(np.uint8)[:] = GARBAGE


def address(array: NDArray[Any] | None) -> int:
    """Return the address of the first element, or 0 for None."""
    # Not by __array_interface__, which describes all fields of a record first: 200 us, and a Ctrl-C is swallowed.
    return 0 if array is None else array.ctypes.data


# ---------------------------------------------------------------------------------------------- guards


class OverrunError(RuntimeError):
    """Something was written beside a buffer."""


class _Guarded(NamedTuple):
    """A buffer between guards: all its memory as words, the first of its own and the one past them, and its name."""

    words: weakref.ref[NDArray[np.uint32]]
    first: int
    end: int
    dtype: np.dtype[Any]
    name: str


class Guards:
    """The buffers made since `guarded` was entered, for as long as they live."""

    def __init__(self) -> None:
        self._buffers: dict[int, _Guarded] = {}

    def make(self, count: int, dtype: DTypeLike, fill: int) -> NDArray[Any]:
        """Return a buffer of ``count`` numbers of ``dtype`` between guards, each of its bytes ``fill``."""
        dtype = np.dtype(dtype)
        words = np.full(-(-(count * dtype.itemsize + 2 * GUARD + ALIGNMENT) // 4), WORD, np.uint32)
        first = (GUARD + -address(words) % ALIGNMENT) // 4
        end = first + count * dtype.itemsize // 4
        own = words[first:end]
        own.view(np.uint8)[:] = fill
        self._buffers[address(words) + 4 * first] = _Guarded(weakref.ref(words), first, end, dtype, "a buffer")
        return own.view(dtype)

    def name(self, array: NDArray[Any], name: str) -> None:
        """Name the buffer that begins where ``array`` does, if it is one and has no name yet."""
        known = self._buffers.get(address(array))
        if known is not None and known.name == "a buffer":
            self._buffers[address(array)] = known._replace(name=name)

    def check(self) -> None:
        """Raise `OverrunError` if a guard is not as it was; it names the buffer and how far off something was written.

        Raises
        ------
        OverrunError
            It is not.
        """
        for place, known in list(self._buffers.items()):
            words = known.words()
            if words is None:
                del self._buffers[place]
                continue
            before, after = words[known.first - GUARD // 4 : known.first], words[known.end : known.end + GUARD // 4]
            if before.tobytes() != _WHOLE or after.tobytes() != _WHOLE:
                size = 4 * (known.end - known.first)
                below, above = np.flatnonzero(before != WORD), np.flatnonzero(after != WORD)
                where = (
                    f"{4 * int(above[0])} bytes past its end" if above.size
                    else f"{GUARD - 4 * int(below[-1])} bytes before its beginning"
                )  # fmt: skip
                raise OverrunError(
                    f"{known.name} ({size // known.dtype.itemsize} {known.dtype.name}, {size} bytes) was written "
                    f"beside: {where}, {below.size + above.size} words in all"
                )


_guards: Guards | None = None


@contextlib.contextmanager
def guarded() -> Iterator[Guards]:
    """Put every buffer made inside between guards, which are looked at after each run of a plan: for tests.

    What is read before it is written is garbage then. Models and trainers must be made inside, too.
    """
    global _guards
    before, _guards = _guards, Guards()
    try:
        yield _guards
    finally:
        _guards = before


def guards() -> Guards | None:
    """Return the guards in force, if any."""
    return _guards
