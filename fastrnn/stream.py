"""Stream: a model that takes one step at a time and keeps its state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from fastrnn.model import Sequential

Array = NDArray[Any]


class Stream:
    """One step of ``batch`` sequences at a time; made by ``model.stream(batch)``.

    Attributes
    ----------
    state : (batch, H), or a list of such arrays for a stack; zero at first and after `reset`
    """

    def __init__(self, model: Sequential, batch: int) -> None:
        self._model, self._batch = model, batch
        self.reset()

    def reset(self) -> None:
        """Set the state to zero."""
        zero = [np.zeros((self._batch, size), self._model.dtype) for size in self._model.state_sizes]
        self.state: Any = zero[0] if len(zero) == 1 else zero

    def step(self, x: ArrayLike) -> Array:
        """Take the next step (batch, F) of each sequence and return the outputs (batch, O).

        Raises
        ------
        ValueError, TypeError
            Another shape or type, NaN, infinity; the state stays as it was.
        """
        array = np.asarray(x)
        if array.ndim != 2 or len(array) != self._batch:
            features = self._model.input_size or "F"
            raise ValueError(
                f"x has shape {array.shape}; expected ({self._batch}, {features}): one step of each sequence"
            )
        y: Array
        y, self.state = self._model.predict(array[:, None, :], initial_state=self.state, return_state=True, threads=1)
        return y.reshape(self._batch, -1)
