"""Stream: a model that takes steps as they come and keeps its state."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn.engine.network import Network, vocabulary_of
from fastrnn.engine.stepper import Stepper
from fastrnn.ground import checks
from fastrnn.ground.attributes import Guarded
from fastrnn.ground.locks import new_lock
from fastrnn.ground.unknown import brief, explained
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

    @property
    def network(self) -> Network:
        """Layers with their parameters, once they exist."""

    def check_input(self, x: ArrayLike) -> tuple[Array, Any]:
        """Return sequences as the kernels read them."""

    def build_for(self, x: Array) -> None:
        """Make the weights for checked input."""


def check_batch(model: Any, batch: int) -> int:
    """Return how many sequences a stream of the model takes.

    Raises
    ------
    ValueError
        No whole number from 1 up, or a layer reads backwards.
    """
    if model.reads_backwards:
        raise ValueError(
            "the model has a layer that reads backwards, which needs the whole sequence; expected layers that read "
            "forwards: use predict"
        )
    return checks.positive_int("batch", batch)


def _resumed(kind: type[Stream], model: Any, batch: int, state: Any) -> Stream:
    """Return a stream that goes on from a state."""
    stream = kind(model, batch)
    stream.state = state
    return stream


@explained
class Stream(Guarded):
    """The next steps of ``batch`` sequences, one or more at a time; made by ``model.stream(batch)``.

    A layer at the top that returns its last step only answers at every step here.

    Attributes
    ----------
    state : as ``initial_state`` of ``predict``, with ``batch`` rows, from which the next step goes on; may be set; zero
        at first and after `reset`
    """

    _is_learning = False
    """Whether the state is not the stepper's now: see `fastrnn.training.live.LearningStream`."""

    def __init__(self, model: Steps, batch: int) -> None:
        self._model, self._batch, self._lock = model, batch, new_lock()
        self._vocabulary = vocabulary_of(model.layers)
        self._stepper: Stepper | None = None
        self._first = self._zeros()
        if self._model_is_built:
            self._stepping()

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as a model and a state; buffers are made anew."""
        return _resumed, (type(self), self._model, self._batch, self.state)

    # ------------------------------------------------------------------------------------------ state

    def reset(self, rows: Any = None) -> None:
        """Set the state to zero: of all sequences, or of the given rows of the batch.

        Parameters
        ----------
        rows : None for all; the number of a row, a list of such, or a mask (batch,) of booleans

        Raises
        ------
        ValueError
            There is no such row.
        """
        try:
            chosen = slice(None) if rows is None else np.arange(self._batch)[rows]
        except (IndexError, TypeError, ValueError):
            raise ValueError(
                f"rows is {checks.brief(rows)}; expected rows from 0 to {self._batch - 1}, or a mask ({self._batch},) "
                f"of booleans"
            ) from None
        with self._lock:
            self._settle()
            for array in [array for state in self._first for array in state]:
                array[chosen] = 0.0
            if self._stepper is not None:
                self._stepper.reset(chosen)

    @property
    def state(self) -> Any:
        """A copy of the state from which the next step goes on."""
        with self._lock:
            self._settle()
            states = self._first if self._stepper is None else self._stepper.states
        return state_form([[array.copy() for array in state] for state in states])

    @state.setter
    def state(self, state: Any) -> None:
        checked = checks.cell_states(state, self._model.state_sizes, self._batch, self._model.dtype)
        if checked is None:
            self.reset()
            return
        with self._lock:
            self._settle()
            self._first = [[array.copy() for array in arrays] for arrays in checked]
            if self._stepper is not None:
                self._stepper.states = checked

    # ------------------------------------------------------------------------------------------ steps

    @brief
    def step(self, x: ArrayLike) -> Array:
        """Take the next step (batch, F) of each sequence, or its ids (batch,), and return the outputs (batch, O).

        Raises
        ------
        ValueError, TypeError
            Another shape or type, NaN, infinity; the state stays as it was.
        """
        with self._lock:
            if self._is_learning:
                self._settle()
            stepper = self._stepper
            if stepper is not None and type(x) is np.ndarray and (y := stepper.quick(x)) is not None:
                return y
            array = self._step_input(x)
            return self._stepping().step(array)

    def run(self, x: ArrayLike) -> Array:
        """Take the next steps (batch, T, F) of each sequence, or ids (batch, T), and return the outputs (batch, T, O).

        Raises
        ------
        ValueError, TypeError
            Another shape or type, NaN, infinity; the state stays as it was.
        """
        array = self._run_input(x)
        with self._lock:
            self._settle()
            return self._stepping().run(array)

    # ------------------------------------------------------------------------------------------ inside

    @property
    def _model_is_built(self) -> bool:
        return self._model.input_size is not None

    def _settle(self) -> None:
        """Bring the state to the stepper from wherever it may be."""

    def _zeros(self) -> list[list[Array]]:
        sizes, dtype = self._model.state_sizes, self._model.dtype
        return [[np.zeros((self._batch, size), dtype) for size in each] for each in sizes]

    def _step_input(self, x: ArrayLike) -> Array:
        """Return a checked step (batch, F), or its ids (batch,); the weights exist then."""
        checks.unmasked("x", x)
        array = np.asarray(x)
        form = (self._batch, self._model.input_size or "F") if self._vocabulary is None else (self._batch,)
        if array.ndim != len(form) or len(array) != self._batch:
            shape = ", ".join(map(str, form))
            raise ValueError(
                f"x has shape {array.shape}; expected ({shape}{',' * (len(form) == 1)}): one step of each sequence"
            )
        checked, _ = self._model.check_input(array[:, None])
        self._model.build_for(checked)
        return checked[:, 0]

    def _run_input(self, x: ArrayLike) -> Array:
        """Return checked steps (batch, T, F), or their ids (batch, T); the weights exist then."""
        array, _ = self._model.check_input(x)
        if len(array) != self._batch:
            raise ValueError(
                f"x has shape {array.shape}; expected ({self._batch}, T{'' if array.ndim == 2 else ', F'}): the next "
                f"steps of each sequence"
            )
        self._model.build_for(array)
        return array

    def _stepping(self) -> Stepper:
        """Return what takes steps, made when the weights exist."""
        if self._stepper is None:
            stepper = Stepper(self._model.network, self._batch)
            stepper.states = self._first
            self._stepper = stepper
        return self._stepper
