"""Checks of initial states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from fastrnn.ground.checks.arrays import _array, weights

Array = NDArray[Any]


def cell_states(value: Any, sizes: Sequence[tuple[int, ...]], samples: int, dtype: str) -> list[list[Array]] | None:
    """Return initial states as a list with one list of contiguous, finite arrays (N, H) a cell; None stays.

    Parameters
    ----------
    value : one entry a cell, from the bottom up, forwards before backwards: an array (N, H), or a pair (h, c) of such
        for an LSTM; a single cell takes the entry itself
    sizes : for each cell the sizes of its arrays: (H,), or (H, H) for an LSTM
    samples : N
    dtype : of the arrays

    Raises
    ------
    TypeError
        Not numbers.
    ValueError
        Another number of states, another shape, NaN or infinity.
    """
    if value is None:
        return None
    count = len(sizes)
    if count > 1 and not isinstance(value, list | tuple):
        raise ValueError(
            f"initial_state is {type(value).__name__}; expected a list of {count} states: one for each cell"
        )
    given = value if count > 1 or _lists_states(value, len(sizes[0])) else [value]
    if len(given) != count:
        raise ValueError(f"initial_state has {len(given)} states; expected {count}: one for each cell")
    return [
        _cell_state("initial_state" if count == 1 else f"initial_state[{i}]", entry, shape, samples, dtype)
        for i, (entry, shape) in enumerate(zip(given, sizes, strict=True))
    ]


def _lists_states(value: Any, arrays: int) -> bool:
    """Whether what a single cell was given is a list of states rather than the state itself."""
    if not isinstance(value, list | tuple) or not value:
        return False
    return len(value) == 1 if arrays > 1 else _array("initial_state", value[0], "numbers").ndim == 2


def _cell_state(name: str, entry: Any, sizes: tuple[int, ...], samples: int, dtype: str) -> list[Array]:
    if len(sizes) == 1:
        return [weights(name, entry, (samples, sizes[0]), dtype, ": one row a sequence")]
    if not isinstance(entry, list | tuple) or len(entry) != len(sizes):
        given = f"{len(entry)} arrays" if isinstance(entry, list | tuple) else type(entry).__name__
        whole = "the pair (h, c) of an LSTM" if len(sizes) == 2 else f"the {len(sizes)} states of the cell"
        raise ValueError(f"{name} is {given}; expected {whole}, each ({samples}, {sizes[0]})")
    return [
        weights(f"{name}[{i}]", part, (samples, size), dtype, f": {'hc'[i : i + 1] or 'a state'}, one row a sequence")
        for i, (part, size) in enumerate(zip(entry, sizes, strict=True))
    ]
