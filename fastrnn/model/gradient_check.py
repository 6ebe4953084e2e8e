"""Gradients held against central differences: for whoever has written a cell, an activation or a loss."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn.ground import checks
from fastrnn.model.sequential import Sequential

STEP = 1e-6
"""How far a weight is moved each way: the error of the difference is then about 1e-10 of the loss."""


class Checked(NamedTuple):
    """A weight's gradient beside central differences at some of its numbers.

    Attributes
    ----------
    name : of the weight
    numbers : how many were compared
    largest : the largest gradient among them
    error : the largest difference, relative to the largest gradient of all weights
    """

    name: str
    numbers: int
    largest: float
    error: float


class GradientCheck(list[Checked]):
    """The rows of a check, worst last; printed as a table."""

    @property
    def error(self) -> float:
        """The largest error of all."""
        return max(row.error for row in self)

    def __repr__(self) -> str:
        width = max(len("weight"), *(len(row.name) for row in self))
        lines = [f"{'weight':{width}}  numbers  largest gradient      error"]
        lines += [f"{row.name:{width}}  {row.numbers:7d}  {row.largest:16.3e}  {row.error:9.1e}" for row in self]
        return "\n".join(lines)


def check_gradients(
    model: Sequential,
    x: ArrayLike,
    y: ArrayLike,
    loss: Any = "mse",
    *,
    numbers: int = 20,
    seed: int = 0,
    **arguments: Any,
) -> GradientCheck:
    """Hold a model's gradients against central differences ``(L(w + h) - L(w - h)) / 2h``, in float64.

    Parameters
    ----------
    model : any; it is not changed
    x, y, loss : as in `Sequential.gradients`
    numbers : of each weight at most, drawn by ``seed``
    arguments : others of `Sequential.gradients`, such as lengths

    Returns
    -------
    check : a row for each weight, the least error first; ``check.error`` is the largest. Where every function is smooth
        it is about 1e-8; at a kink (relu at 0) it may be anything

    Raises
    ------
    ValueError, TypeError
        What `Sequential.gradients` refuses; a number of numbers below 1.
    """
    count = checks.positive_int("numbers", numbers)
    rng = np.random.default_rng(checks.seed(seed))
    model.gradients(x, y, loss, **arguments)  # refuses what it refuses in the model's own precision
    twin = Sequential(model.layers, input_size=model.network.input_size, dtype="float64", seed=model.seed)
    twin.set_weights(model.get_weights())
    wide, targets = _wide(x), _wide(y)
    _, gradients = twin.gradients(wide, targets, loss, **arguments)
    scale = max(max(float(np.abs(each).max(initial=0.0)) for each in gradients.values()), 1e-300)
    rows = []
    for name, weight in twin.parameters().items():
        flat, gradient = weight.reshape(-1), gradients[name].reshape(-1)
        places = rng.permutation(flat.size)[:count]
        found = np.array([_slope(twin, flat, place, wide, targets, loss, arguments) for place in places])
        error = float(np.abs(found - gradient[places]).max(initial=0.0)) / scale
        rows.append(Checked(name, len(places), float(np.abs(gradient[places]).max(initial=0.0)), error))
    return GradientCheck(sorted(rows, key=lambda row: row.error))


def _wide(values: ArrayLike) -> NDArray[Any]:
    array = np.asarray(values)
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _slope(
    model: Sequential, flat: NDArray[Any], place: int, x: Any, y: Any, loss: Any, arguments: dict[str, Any]
) -> float:
    before, values = flat[place], []
    for moved in (before + STEP, before - STEP):
        flat[place] = moved
        values.append(model.gradients(x, y, loss, **arguments)[0])
    flat[place] = before
    return (values[0] - values[1]) / (2.0 * STEP)
