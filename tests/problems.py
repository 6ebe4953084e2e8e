"""Random problems for the property tests: a stack, its data and everything that may go with them."""

from typing import Any, NamedTuple

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

import fastrnn as fr
from fastrnn.reference.elman import elman_forward

Array = NDArray[Any]
ACTIVATIONS = ("tanh", "sigmoid", "relu", "linear")


class Problem(NamedTuple):
    """A model, the reference's description of it, and a batch."""

    model: fr.Sequential
    layers: list[dict[str, Any]]
    x: Array
    y: Array
    loss: str
    sample_weight: Array | None
    lengths: Array | None
    initial_state: list[Array] | None
    tbptt: tuple[int, int] | None

    @property
    def batch(self) -> tuple[Any, ...]:
        """What both sides' ``gradients`` take after model and weights."""
        return (self.x, self.y, self.loss, self.sample_weight, self.lengths, self.initial_state, self.tbptt)


@st.composite
def problems(draw: st.DrawFn, dtype: str) -> Problem:
    """Draw a stack of one to three recurrent layers and none to two dense ones, with data.

    Sizes run over every remainder of the lane counts; truncation from 1 to beyond T.
    """
    sizes = st.one_of(st.integers(1, 9), st.sampled_from([15, 16, 17, 31, 33, 48, 50]))
    batch, steps, inputs = draw(st.integers(1, 13)), draw(st.integers(1, 11)), draw(sizes)
    depth = draw(st.sampled_from([1, 1, 2, 3]))
    every_step = draw(st.booleans())
    stack: list[Any] = []
    for i in range(depth):
        sequences = every_step or i + 1 < depth
        stack.append(
            fr.SimpleRNN(
                draw(sizes),
                draw(st.sampled_from(ACTIVATIONS)),
                return_sequences=sequences,
                use_bias=draw(st.booleans()),
            )
        )
    stack.extend(
        fr.Dense(draw(st.integers(1, 20)), draw(st.sampled_from(ACTIVATIONS)), use_bias=draw(st.booleans()))
        for _ in range(draw(st.sampled_from([1, 1, 0, 2])))
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    model = fr.Sequential(stack, input_size=inputs, dtype=dtype)
    model.set_weights(
        [rng.uniform(-1, 1, w.shape) / np.sqrt(w.shape[0] if w.ndim > 1 else 4) for w in model.get_weights()]
    )
    x = rng.standard_normal((batch, steps, inputs)).astype(dtype)
    y = rng.standard_normal((batch, *([steps] if every_step else []), stack[-1].units)).astype(dtype)
    problem = Problem(
        model,
        describe(stack),
        x,
        y,
        draw(st.sampled_from(["mse", "mae"])),
        rng.integers(0, 4, batch).astype(np.float64) if draw(st.booleans()) else None,
        rng.integers(0, steps + 1, batch) if draw(st.booleans()) else None,
        [rng.standard_normal((batch, size)).astype(dtype) for size in model.state_sizes]
        if draw(st.booleans())
        else None,
        draw(st.none() | st.tuples(st.integers(1, steps + 2), st.integers(1, steps + 2))),
    )
    if dtype == "float32":
        assume(_is_away_from_kinks(problem))
    return problem


def describe(stack: list[Any]) -> list[dict[str, Any]]:
    """Return the reference's description of a stack."""
    return [
        {
            "kind": "simple_rnn",
            "activation": a.activation,
            "use_bias": a.use_bias,
            "return_sequences": a.return_sequences,
        }
        if isinstance(a, fr.SimpleRNN)
        else {"kind": "dense", "activation": a.activation, "use_bias": a.use_bias}
        for a in stack
    ]


def _is_away_from_kinks(problem: Problem) -> bool:
    """Whether no relu and no absolute error is so near its kink that rounding could carry it across."""
    values: list[Array] = []
    below = problem.x.astype(np.float64)
    weights = iter(problem.model.get_weights())
    for i, layer in enumerate(problem.layers):
        kernel = next(weights).astype(np.float64)
        recurrent = next(weights).astype(np.float64) if layer["kind"] == "simple_rnn" else None
        bias = next(weights).astype(np.float64) if layer["use_bias"] else np.zeros(kernel.shape[1])
        if recurrent is None:
            before = below @ kernel + bias
            below = np.maximum(before, 0) if layer["activation"] == "relu" else _apply(layer["activation"], before)
        else:
            start = (
                np.zeros((len(below), kernel.shape[1])) if problem.initial_state is None else problem.initial_state[i]
            )
            h = elman_forward(below, kernel, recurrent, bias, start, problem.lengths, layer["activation"])
            before = below @ kernel + h[:, :-1] @ recurrent + bias
            below = h[:, 1:] if layer["return_sequences"] else h[:, -1]
        if layer["activation"] == "relu":
            values.append(before)
    if problem.loss == "mae":
        values.append(below - problem.y)
    return all(float(np.abs(v).min()) > 2e-5 for v in values)


def _apply(activation: str, before: Array) -> Array:
    return {"tanh": np.tanh, "sigmoid": lambda a: 1 / (1 + np.exp(-a)), "linear": lambda a: a}[activation](before)


def assert_close(fast: Array, slow: Array, bound: float, scale: float = 0.0) -> None:
    """Assert that ``fast`` is within ``bound`` of ``slow``, relative to the largest of its numbers and of ``scale``."""
    assert fast.shape == slow.shape
    allowed = bound * max(float(np.abs(slow).max(initial=0.0)), scale, 1e-300)
    assert np.isfinite(fast).all()
    assert float(np.abs(fast - slow).max(initial=0.0)) <= allowed
