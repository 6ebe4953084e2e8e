"""What the law tests share: a model with its data, drawn from a seed, and how near two results must be."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr

Array = NDArray[Any]
DTYPES = ("float32", "float64")
ROUNDING = {"float32": 1e-5, "float64": 1e-12}
"""How far two orders of the same sums may lie apart, relative to the largest number."""


class Batch(NamedTuple):
    """A model and a batch for it."""

    model: fr.Sequential
    x: Array
    y: Array

    def gradients(self, rows: Any = slice(None), **arguments: Any) -> tuple[float, dict[str, Any]]:
        """Return loss and gradients of some rows, with all gradients that can be had."""
        return self.model.gradients(self.x[rows], self.y[rows], wants=("x", "initial_state"), **arguments)


def make_batch(
    dtype: str, *, every_step: bool = True, units: tuple[int, ...] = (6, 9), N: int = 11, T: int = 8, seed: int = 0
) -> Batch:
    """Return a stack of recurrent layers (tanh and sigmoid in turn) under a dense one; 3 inputs, 2 outputs, random."""
    rng = np.random.default_rng(seed)
    activations = ("tanh", "sigmoid")
    stack: list[Any] = [
        fr.SimpleRNN(size, activations[i % 2], return_sequences=every_step or i + 1 < len(units))
        for i, size in enumerate(units)
    ]
    model = fr.Sequential([*stack, fr.Dense(2)], input_size=3, dtype=dtype)
    model.set_weights([rng.uniform(-0.5, 0.5, weight.shape) for weight in model.get_weights()])
    x = rng.standard_normal((N, T, 3)).astype(dtype)
    y = rng.standard_normal((N, T, 2) if every_step else (N, 2)).astype(dtype)
    return Batch(model, x, y)


def copy_of(model: fr.Sequential) -> fr.Sequential:
    """Return another model with the same layers and weights."""
    other = fr.Sequential(model.layers, input_size=model.input_size, dtype=model.dtype)
    other.set_weights(model.get_weights())
    return other


def assert_near(got: Any, wanted: Any, scale: float = 0.0) -> None:
    """Assert that arrays (or lists, tuples, dicts of them) are equal up to rounding in their dtype."""
    if isinstance(wanted, dict):
        assert got.keys() == wanted.keys()
        # Gradients are sums that pass through the layers together: rounding is that of the largest.
        scale = max(float(np.abs(a).max(initial=0.0)) for a in flat(wanted.values()))
        got, wanted = list(got.values()), list(wanted.values())
    if isinstance(wanted, list | tuple):
        for one, other in zip(got, wanted, strict=True):
            assert_near(one, other, scale)
        return
    assert got.shape == wanted.shape
    allowed = ROUNDING[str(wanted.dtype)] * max(float(np.abs(wanted).max(initial=0.0)), scale)
    np.testing.assert_allclose(got, wanted, rtol=0.0, atol=allowed)


def flat(values: Iterable[Any]) -> list[Array]:
    """Return the arrays of a list that may hold lists of arrays."""
    return [array for value in values for array in (value if isinstance(value, list) else [value])]
