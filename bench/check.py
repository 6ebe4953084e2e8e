"""The gate before the clock: a contestant's first training step or output against the float64 reference."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bench.stepper import Kind, Outcome
from fastrnn.reference.model import gradients, predict
from fastrnn.reference.training import apply_update, start_training
from tests.helpers.cases import LEARNING_RATE, Case, make_data, make_weights

_KINDS = {"SimpleRNN": "simple_rnn", "LSTM": "lstm", "GRU": "gru", "MinGRU": "min_gru", "MinLSTM": "min_lstm"}
_ADAM = {"kind": "adam", "learning_rate": LEARNING_RATE, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}

# Relative to the largest element of the array: rounding errors of 3200 added terms stay an order below.
_TOLERANCE = {"float32": 1e-4, "float64": 1e-10}


@lru_cache(maxsize=1)
def reference_outcome(case: Case, kind: Kind) -> Outcome | NDArray[np.floating]:
    """Return the first training step of the case, or its output (B, 1), in float64."""
    layers = [{"kind": _KINDS[case.cell]}, {"kind": "dense"}]
    weights = make_weights(case)
    x, y = make_data(case)
    if kind == "predict":
        return predict(layers, weights, x)[0]
    step = gradients(layers, weights, x, y)
    after = apply_update(start_training(weights, _ADAM), step.weights, _ADAM)
    return Outcome(step.loss, list(step.weights), list(after.weights))


def require_agreement(
    who: str, case: Case, outcome: Outcome | NDArray[np.floating], reference: Outcome | NDArray[np.floating]
) -> None:
    """Let a contestant pass whose first step, or output, is the reference's.

    Raises
    ------
    RuntimeError
        If the output, or loss, a gradient or an updated weight, differs by more than the tolerance.
    """
    tolerance = _TOLERANCE[case.dtype]
    if not isinstance(reference, Outcome):
        _require(who, case, "output", outcome, reference, tolerance * np.abs(reference).max())
        return
    _require(who, case, "loss", outcome.loss, reference.loss, tolerance * abs(reference.loss))
    for i, (d, d_reference) in enumerate(zip(outcome.gradients, reference.gradients, strict=True)):
        _require(who, case, f"gradient {i}", d, d_reference, tolerance * np.abs(d_reference).max())
    for i, (weight, expected, d) in enumerate(
        zip(outcome.weights, reference.weights, reference.gradients, strict=True)
    ):
        # Adam's first step is learning_rate * g / (|g| + epsilon): g may have either sign where its error is as large.
        doubt = np.minimum(2.0, 2.0 * tolerance * np.abs(d).max() / (np.abs(d) + 1e-8))
        rounding = np.finfo(case.dtype).eps * np.abs(expected)
        _require(who, case, f"weight {i} after a step", weight, expected, LEARNING_RATE * doubt + 2.0 * rounding)


def _require(
    who: str, case: Case, what: str, actual: float | NDArray, expected: float | NDArray, bound: float | NDArray
) -> None:
    if np.shape(actual) != np.shape(expected):
        raise RuntimeError(f"{who}, {case.name}: {what} has shape {np.shape(actual)}; expected {np.shape(expected)}")
    error = np.abs(np.asarray(actual, dtype=np.float64) - expected)
    if not np.all(error <= bound):
        raise RuntimeError(
            f"{who}, {case.name}: {what} is {np.max(error):.2e} away from the reference; expected at most "
            f"{np.max(bound):.2e}: not timed"
        )
