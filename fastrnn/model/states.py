"""The form in which users see the states of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


def state_form(states: Sequence[Sequence[Array]]) -> Any:
    """Return states as users see them: an array or an LSTM's pair (h, c) a cell, a list if there are several."""
    entries = [tuple(state) if len(state) > 1 else state[0] for state in states]
    return entries[0] if len(entries) == 1 else entries
