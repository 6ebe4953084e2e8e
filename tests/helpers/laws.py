"""What the law tests share: a model with its data, drawn from a seed, and how near two results must be."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr
from tests.helpers.cells import FIRST, make_cell

Array = NDArray[Any]
DTYPES = ("float32", "float64")
FORWARDS = FIRST
"""Kinds of stacks that read forwards; see `make_layer`."""
KINDS = (*FORWARDS, "bidirectional", "backwards")
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


def make_layer(
    kind: str, units: int, activation: str = "tanh", every_step: bool = True, place: int = 0, **options: Any
) -> Any:
    """Return a recurrent layer: a cell, or for what reads backwards another one at every place of a stack."""
    inner = FORWARDS[(place + 1) % 4]
    if kind == "bidirectional":
        mode = ("concat", "sum", "mul", "ave")[place % 4]
        return fr.Bidirectional(make_layer(inner, units, activation, every_step, **options), mode)
    if kind == "backwards":
        return make_layer(inner, units, activation, every_step, go_backwards=True, **options)
    return make_cell(kind, units, activation, return_sequences=every_step, **options)


def make_batch(
    dtype: str,
    kind: str = "simple_rnn",
    *,
    every_step: bool = True,
    units: tuple[int, ...] = (6, 9),
    N: int = 11,
    T: int = 8,
    seed: int = 0,
) -> Batch:
    """Return a stack of recurrent layers (tanh and sigmoid in turn) under a dense one; 3 inputs, 2 outputs, random."""
    rng = np.random.default_rng(seed)
    activations = ("tanh", "sigmoid")
    stack = [
        make_layer(kind, size, activations[i % 2], every_step or i + 1 < len(units), i) for i, size in enumerate(units)
    ]
    model = fr.Sequential([*stack, fr.Dense(2)], input_size=3, dtype=dtype)
    model.set_weights([rng.uniform(-0.5, 0.5, weight.shape) for weight in model.get_weights()])
    x = rng.standard_normal((N, T, 3)).astype(dtype)
    y = rng.standard_normal((N, T, 2) if every_step else (N, 2)).astype(dtype)
    return Batch(model, x, y)


def make_states(model: fr.Sequential, rows: int, seed: int = 0) -> Any:
    """Return random initial states in the form that a model takes."""
    rng = np.random.default_rng(seed)
    states = [
        tuple(rng.uniform(-1, 1, (rows, size)).astype(model.dtype) for size in sizes) for sizes in model.state_sizes
    ]
    entries = [state if len(state) > 1 else state[0] for state in states]
    return entries if len(entries) > 1 else entries[0]


def each(function: Callable[[Array], Any], states: Any) -> Any:
    """Apply a function to every array of states, whatever their form."""
    if isinstance(states, list | tuple):
        return type(states)(each(function, state) for state in states)
    return function(states)


def moved_to_end(array: Array, lengths: Array | None) -> Array:
    """Return each row with the steps within its length at its end and 0 before them."""
    moved = np.zeros_like(array)
    for row, length in enumerate(np.full(len(array), array.shape[1]) if lengths is None else lengths):
        moved[row, array.shape[1] - length :] = array[row, :length]
    return moved


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
    """Return the arrays of a list that may hold lists and tuples of arrays."""
    return [a for value in values for a in (flat(value) if isinstance(value, list | tuple) else [value])]
