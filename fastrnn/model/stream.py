"""Stream: a model that takes one step at a time and keeps its state."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn.engine.network import vocabulary_of
from fastrnn.ground import checks
from fastrnn.ground.attributes import Guarded
from fastrnn.ground.unknown import explained
from fastrnn.model.states import state_form

Array = NDArray[Any]


class Steps(Protocol):
    """What a stream needs of a model, a `fastrnn.Sequential`."""

    @property
    def layers(self) -> Any:
        """From the bottom up."""

    @property
    def input_size(self) -> int | None:
        """Number of features, if it is known."""

    @property
    def dtype(self) -> str:
        """Of all numbers."""

    @property
    def state_sizes(self) -> Any:
        """Sizes of the arrays of each cell's state."""

    def predict(self, x: Any, *, initial_state: Any, return_state: bool, threads: int) -> Any:
        """Return outputs and final states."""


@explained
class Stream(Guarded):
    """One step of ``batch`` sequences at a time; made by ``model.stream(batch)``.

    Attributes
    ----------
    state : as ``initial_state`` of ``predict``, with ``batch`` rows, from which the next step goes on; may be set; zero
        at first and after `reset`
    """

    def __init__(self, model: Steps, batch: int) -> None:
        self._model, self._batch = model, batch
        self.reset()

    def reset(self) -> None:
        """Set the state to zero."""
        dtype = self._model.dtype
        self._state: Any = state_form(
            [[np.zeros((self._batch, size), dtype) for size in sizes] for sizes in self._model.state_sizes]
        )

    @property
    def state(self) -> Any:
        """The state from which the next step goes on."""
        return self._state

    @state.setter
    def state(self, state: Any) -> None:
        checked = checks.cell_states(state, self._model.state_sizes, self._batch, self._model.dtype)
        if checked is None:
            self.reset()
        else:
            self._state = state_form(checked)

    def step(self, x: ArrayLike) -> Array:
        """Take the next step (batch, F) of each sequence, or its ids (batch,), and return the outputs (batch, O).

        Raises
        ------
        ValueError, TypeError
            Another shape or type, NaN, infinity; the state stays as it was.
        """
        checks.unmasked("x", x)
        array = np.asarray(x)
        form = (
            (self._batch, self._model.input_size or "F")
            if vocabulary_of(self._model.layers) is None
            else (self._batch,)
        )
        if array.ndim != len(form) or len(array) != self._batch:
            shape = ", ".join(map(str, form))
            raise ValueError(
                f"x has shape {array.shape}; expected ({shape}{',' * (len(form) == 1)}): one step of each sequence"
            )
        y: Array
        y, self._state = self._model.predict(array[:, None], initial_state=self._state, return_state=True, threads=1)
        return y.reshape(self._batch, -1)
