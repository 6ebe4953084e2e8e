"""How a test states that a call is refused: the error, what its line says, and that the model stays as it was."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from tests.helpers.laws import Array, make_batch

Refusal = type[Exception] | tuple[type[Exception], ...]


class Given(NamedTuple):
    """A model of two recurrent layers (6, 9 units) with 3 inputs and 2 outputs a step, and 11 sequences of 8 steps."""

    model: fr.Sequential
    x: Array
    y: Array

    def fit(self, trainer: dict[str, Any] | None = None, **arguments: Any) -> None:
        data = {"x": self.x, "y": self.y, "epochs": 1, "verbose": 0} | arguments
        fr.Trainer(self.model, **(trainer or {})).fit(**data)


def make_given() -> Given:
    return Given(*make_batch("float32"))


def changed(array: Array, place: tuple[int, ...], value: float) -> Array:
    copy = array.copy()
    copy[place] = value
    return copy


def check(error: Refusal, parts: list[str], call: Callable[[], Any], model: fr.Sequential | None = None) -> None:
    """Assert that the call is refused with one line that holds all parts, and that the model keeps its weights."""
    before = model.get_weights() if model else []
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    for part in (*parts, "expected"):
        assert part in message, message
    for a, b in zip(model.get_weights() if model else [], before, strict=True):
        assert_array_equal(a, b)
