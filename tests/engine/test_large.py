"""Fast against slow for shapes beyond one window of steps, one block of terms and one panel of columns."""

from typing import Any, NamedTuple

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.engine.program import WINDOW_ROWS
from fastrnn.operations.products import BLOCK
from fastrnn.reference import model as reference
from tests.helpers.laws import DTYPES
from tests.helpers.problems import assert_close, describe

BOUNDS = {"float64": 1e-12, "float32": 1e-4}


class Shape(NamedTuple):
    """B sequences of T steps of I inputs, and what else matters."""

    B: int
    T: int
    I: int  # noqa: E741
    units: tuple[int, ...]
    every_step: bool = True
    lengths: bool = False
    tbptt: tuple[int, int] | None = None


SHAPES = (
    Shape(1, WINDOW_ROWS + 300, 2, (5,)),
    Shape(1, WINDOW_ROWS + 300, 1, (4, 3), every_step=False),
    Shape(70, 40, 3, (6,), lengths=True),
    Shape(41, 60, 3, (5, 7), tbptt=(7, 45)),
    Shape(41, 60, 2, (5, 6, 4), lengths=True, tbptt=(50, 33)),
    Shape(300, 9, 2, (4, 6), every_step=False, lengths=True),
    Shape(WINDOW_ROWS + 100, 3, 1, (3,)),
    Shape(9, 3, BLOCK + 40, (7,)),
    Shape(5, 3, 4, (BLOCK + 20,), lengths=True),
    Shape(2, 4, 3, (70, BLOCK + 60)),
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"B{s.B}-T{s.T}-I{s.I}-H{s.units}")
def test_large_shapes(dtype: str, shape: Shape) -> None:
    rng = np.random.default_rng(0)
    B, T, depth = shape.B, shape.T, len(shape.units)
    stack: list[Any] = [
        fr.SimpleRNN(size, ("tanh", "sigmoid")[i % 2], return_sequences=shape.every_step or i + 1 < depth)
        for i, size in enumerate(shape.units)
    ]
    stack.append(fr.Dense(2))
    model = fr.Sequential(stack, input_size=shape.I, dtype=dtype)
    model.set_weights(
        [rng.uniform(-1, 1, w.shape) / np.sqrt(w.shape[0] if w.ndim > 1 else 4) for w in model.get_weights()]
    )
    x = rng.standard_normal((B, T, shape.I)).astype(dtype)
    y = rng.standard_normal((B, T, 2) if shape.every_step else (B, 2)).astype(dtype)
    lengths = rng.integers(0, T + 1, B) if shape.lengths else None
    states = [rng.standard_normal((B, size)).astype(dtype) for size in shape.units]
    loss, fast = model.gradients(x, y, "mse", None, lengths, states, shape.tbptt, wants=("x", "initial_state"))
    slow = reference.gradients(
        [describe(layer) for layer in stack], model.get_weights(), x, y, "mse", None, lengths, states, shape.tbptt
    )
    bound = BOUNDS[dtype]
    assert loss == pytest.approx(slow.loss, rel=bound)
    scale = max(float(np.abs(g).max()) for g in slow.weights)
    for name, gradient in zip(model.parameters(), slow.weights, strict=True):
        assert_close(fast[name], gradient, bound, scale)
    assert_close(fast["x"], slow.x, bound, scale)
    found = fast["initial_state"] if depth > 1 else [fast["initial_state"]]
    for a, b in zip(found, slow.initial_state, strict=True):
        assert_close(a, b, bound, scale)
    outputs, final = model.predict(x, lengths, states, return_state=True)
    slow_outputs, slow_final = reference.predict(
        [describe(layer) for layer in stack], model.get_weights(), x, lengths, states
    )
    assert_close(outputs, slow_outputs, bound, scale=1.0)
    for a, b in zip(final if depth > 1 else [final], slow_final, strict=True):
        assert_close(a, b, bound, scale=1.0)
