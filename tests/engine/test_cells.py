"""Every pair of activations of the gated cells, and all cells with the kinks of relu and mae, against the reference."""

from typing import Any

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.reference import model as reference
from fastrnn.reference.activations import ACTIVATIONS as KNOWN
from tests.helpers.laws import DTYPES, Array, flat
from tests.helpers.problems import as_list, assert_close, describe

ACTIVATIONS = list(KNOWN)
BOUNDS = {"float64": 1e-12, "float32": 1e-4}
N, T, F, H = 5, 6, 3, 20
"""Units that are no whole number of vectors, rows that are no whole number of tiles."""


def check(layers: list[Any], dtype: str, loss: str) -> None:
    """Hold outputs, states, loss and all gradients against the reference, over rows of all lengths."""
    model = fr.Sequential(layers, input_size=F, dtype=dtype)
    rng = np.random.default_rng(6)
    model.set_weights([rng.uniform(-0.3, 0.3, w.shape) for w in model.get_weights()])
    every_step, outputs = model.output_form
    x = rng.standard_normal((N, T, F)).astype(dtype)
    y = rng.standard_normal((N, T, outputs) if every_step else (N, outputs)).astype(dtype)
    lengths, weight = np.array([6, 0, 3, 6, 5]), np.array([1.0, 2.0, 0.5, 0.0, 1.5])
    states = [tuple(rng.uniform(-1, 1, (N, size)).astype(dtype) for size in sizes) for sizes in model.state_sizes]
    initial: Any = [state if len(state) > 1 else state[0] for state in states]
    given = initial if len(initial) > 1 else initial[0]
    described, weights = [describe(layer) for layer in layers], model.get_weights()

    def assert_near(got: list[Array], wanted: list[Array], scale: float) -> None:
        for a, b in zip(got, wanted, strict=True):
            assert_close(a, b, BOUNDS[dtype], scale)

    outputs, found = model.predict(x, lengths, given, return_state=True)
    slow, slow_states = reference.predict(described, weights, x, lengths, initial)
    assert_near([outputs, *as_list(found, len(initial))], [slow, *slow_states], 1.0)
    value, gradients = model.gradients(x, y, loss, weight, lengths, given, wants=["x", "initial_state"])
    wanted = reference.gradients(described, weights, x, y, loss, weight, lengths, initial)
    assert value == pytest.approx(wanted.loss, rel=BOUNDS[dtype])
    expected = [*wanted.weights, wanted.x]
    scale = max(float(np.abs(g).max()) for g in wanted.weights)
    assert scale > 1e-3
    states_found = as_list(gradients.pop("initial_state"), len(initial))
    assert_near(flat(gradients.values()), expected, scale)
    assert_near(states_found, wanted.initial_state, scale)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", ["lstm", "gru_reset_before"])
def test_every_activation_in_both_places(kind: str, activation: str, dtype: str) -> None:
    gate = ACTIVATIONS[ACTIVATIONS.index(activation) - 1]
    for every_step in (False, True):
        if kind == "lstm":
            layer: Any = fr.LSTM(H, activation, gate, return_sequences=every_step)
        else:
            layer = fr.GRU(H, activation, gate, reset_after=kind == "gru", return_sequences=every_step)
        check([layer, fr.Dense(2, activation)], dtype, "mse")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])
@pytest.mark.parametrize("use_bias", [False, True], ids=["no bias", "bias"])
@pytest.mark.parametrize("direction", ["forwards", "backwards", "both"])
@pytest.mark.parametrize("make", [fr.SimpleRNN, fr.LSTM, fr.GRU])
def test_relu_and_the_absolute_error(make: Any, direction: str, use_bias: bool, every_step: bool, dtype: str) -> None:
    options = {"use_bias": use_bias, "return_sequences": every_step}
    if direction == "both":
        layer = fr.Bidirectional(make(H, "relu", **options))
    else:
        layer = make(H, "relu", go_backwards=direction == "backwards", **options)
    check([layer, fr.Dense(3, "relu"), fr.Dense(2)], dtype, "mae")
