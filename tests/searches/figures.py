"""A search for figures that are not what counts: `python -m tests.searches.figures --seconds 60 --seed 0`.

Random data with weights and lengths that are often 0, random losses, metrics, minibatches, validation and watchers;
each fit is held against an epoch written out in NumPy with the outputs and gradients of the slow reference.
"""

import math
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.reference.model import gradients, predict
from tests.helpers.laws import Array
from tests.helpers.problems import describe, make_targets
from tests.helpers.searching import search

RATE = 0.1
TOLERANCE = 1e-9
TARGETS = {
    "mse": ("linear", "mae mse accuracy"),
    "mae": ("sigmoid", "mse mae accuracy binary_crossentropy"),
    "binary_crossentropy": ("sigmoid", "binary_crossentropy mse accuracy"),
    "categorical_crossentropy": ("softmax", "categorical_crossentropy mae accuracy"),
    "sparse_categorical_crossentropy": ("softmax", "sparse_categorical_crossentropy accuracy"),
}
"""For each loss the top's activation and metrics that take the same targets."""


def pattern(rng: np.random.Generator, rows: int, most: int | None) -> Any:
    """Draw weights, or lengths up to ``most``, of which many or all are 0; None leaves them out."""
    kind = rng.choice(["none", "nothing", "some", "most"], p=[0.4, 0.1, 0.2, 0.3])
    if kind == "none":
        return None
    values = rng.integers(1, most + 1, rows) if most else rng.choice([0.5, 1.0, 3.0], rows)
    return values * (rng.random(rows) < {"nothing": 0.0, "some": 0.3, "most": 0.8}[str(kind)])


class Case:
    """One drawn fit."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.seed, self.loss = seed, str(rng.choice(list(TARGETS)))
        activation, known = TARGETS[self.loss]
        names = known.split()
        self.metrics = [str(name) for name in rng.permutation(names)[: rng.integers(0, len(names) + 1)]]
        self.every_step, outputs = bool(rng.integers(2)), int(rng.integers(2, 4))
        kind = [fr.SimpleRNN, fr.LSTM, fr.GRU][rng.integers(3)]
        layers = [kind(2, return_sequences=self.every_step), fr.Dense(outputs, activation)]
        self.model = fr.Sequential(layers, input_size=2, dtype="float64", seed=int(rng.integers(100)))
        self.layers = [describe(layer) for layer in layers]
        self.train = self.draw(rng, outputs, int(rng.integers(1, 10)), int(rng.integers(1, 5)))
        self.split = float(rng.choice([0.0, 0.0, 0.3, 0.6])) if len(self.train["x"]) > 3 else 0.0
        wants = not self.split and rng.integers(2)
        self.held_out = self.draw(rng, outputs, int(rng.integers(1, 6)), int(rng.integers(1, 5))) if wants else None
        self.form = str(rng.choice(["dict", "tuple"]))
        self.batch_size, self.epochs = int(rng.integers(1, 8)), int(rng.integers(1, 4))
        self.shuffle = bool(rng.integers(2))
        self.monitor = str(rng.choice(["loss", *self.metrics]))
        if (self.held_out or self.split) and rng.integers(2):
            self.monitor = f"val_{self.monitor}"

    def draw(self, rng: np.random.Generator, outputs: int, rows: int, steps: int) -> dict[str, Any]:
        y = make_targets(rng, self.loss, (rows, *([steps] if self.every_step else []), outputs), "float64")
        if self.loss == "mae":
            y = np.abs(np.tanh(y))  # "binary_crossentropy" is one of the metrics
        x, weight = rng.standard_normal((rows, steps, 2)), pattern(rng, rows, None)
        return {"x": x, "y": y, "sample_weight": weight, "lengths": pattern(rng, rows, steps)}


def counts(data: dict[str, Any], every_step: bool) -> Array:
    """Return what each place counts, (N,) or (N, T)."""
    rows, steps = data["x"].shape[:2]
    weight = np.ones(rows) if data["sample_weight"] is None else data["sample_weight"]
    lengths = np.full(rows, steps) if data["lengths"] is None else data["lengths"]
    return weight[:, None] * (np.arange(steps) < lengths[:, None]) if every_step else weight * (lengths > 0)


def values(name: str, loss: str, p: Array, y: Array) -> Array:
    """Return a figure at every place, from the outputs."""
    if name == "accuracy":
        if loss.startswith("binary"):
            return ((p > 0.5) == (y > 0.5)).mean(axis=-1)
        return p.argmax(axis=-1) == (y if loss.startswith("sparse") else y.argmax(axis=-1))
    if name == "sparse_categorical_crossentropy":
        return -np.log(np.take_along_axis(p, y[..., None], axis=-1))[..., 0]
    with np.errstate(all="ignore"):
        each = {
            "mse": (p - y) ** 2,
            "mae": np.abs(p - y),
            "binary_crossentropy": -y * np.log(p) - (1 - y) * np.log(1 - p),
            "categorical_crossentropy": -y * np.log(p) * p.shape[-1],
        }[name]
    return each.mean(axis=-1)


def figures(case: Case, weights: list[Array], parts: list[tuple[dict[str, Any], list[Array]]]) -> dict[str, float]:
    """Return loss and metrics over minibatches, each with the weights of its time."""
    totals, weight = np.zeros(1 + len(case.metrics)), 0.0
    for data, own in parts:
        share = counts(data, case.every_step)
        p, _ = predict(case.layers, own, data["x"], data["lengths"])
        weight += share.sum()
        for i, name in enumerate([case.loss, *case.metrics]):
            totals[i] += np.where(share > 0, share * values(name, case.loss, p, data["y"]), 0.0).sum()
    means = totals / weight if weight else np.full(len(totals), math.nan)
    return dict(zip(["loss", *case.metrics], means.tolist(), strict=True))


def take(data: dict[str, Any], rows: Any) -> dict[str, Any]:
    return {name: None if part is None else part[rows] for name, part in data.items()}


def fit_by_hand(case: Case, train: dict[str, Any], held_out: Any) -> tuple[list[dict[str, float]], list[list[Array]]]:
    """Return the figures of each epoch, and the weights before the first and after each."""
    weights, rows = case.model.get_weights(), len(train["x"])
    random, told, after = np.random.default_rng(case.seed), [], [weights]
    for _ in range(case.epochs):
        order = random.permutation(rows) if case.shuffle else np.arange(rows)
        parts = []
        for first in range(0, rows, case.batch_size):
            batch = take(train, order[first : first + case.batch_size])
            parts.append((batch, weights))
            if counts(batch, case.every_step).any():
                d = gradients(
                    case.layers, weights, batch["x"], batch["y"], case.loss, batch["sample_weight"], batch["lengths"]
                )
                weights = [w - RATE * g for w, g in zip(weights, d.weights, strict=True)]
        told.append(figures(case, weights, parts))
        if held_out is not None:
            own = figures(case, weights, [(held_out, weights)])
            told[-1] |= {f"val_{name}": value for name, value in own.items()}
        after.append(weights)
    return told, after


def check(seed: int) -> str:
    """Draw a fit and hold it against the one by hand; returns what kind of case it was."""
    case = Case(seed)
    train, held_out, given = case.train, case.held_out, dict(case.train)
    if held_out is not None:
        given["validation_data"] = dict(held_out) if case.form == "dict" else tuple(held_out.values())
    elif case.split:
        keep = len(train["x"]) - int(len(train["x"]) * case.split)
        train, held_out = take(train, slice(keep)), take(train, slice(keep, None))
        given["validation_split"] = case.split
    trainer = fr.Trainer(case.model, case.loss, fr.SGD(RATE), case.metrics, seed=seed, threads=1)
    told, after = fit_by_hand(case, train, held_out)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stopping = fr.EarlyStopping(case.monitor, patience=99, restore_best_weights=True)
        path = Path(folder) / "best.ckpt"
        arguments = {
            "epochs": case.epochs, "batch_size": case.batch_size, "shuffle": case.shuffle, "verbose": 0,
            "callbacks": [stopping, fr.ModelCheckpoint(path, case.monitor, save_best_only=True)],
        }  # fmt: skip
        if not counts(train, case.every_step).any():
            with pytest.raises(ValueError, match="so that nothing counts; expected"):
                trainer.fit(**given, **arguments)
            assert not trainer.history.epoch
            assert not caught
            return "nothing to learn from"
        history = trainer.fit(**given, **arguments).history
        of_nothing = held_out is not None and not counts(held_out, case.every_step).any()
        assert [w.category for w in caught] == [fr.TrainingWarning] * of_nothing, caught
        for name in told[0]:
            wanted = [epoch[name] for epoch in told]
            np.testing.assert_allclose(history[name], wanted, rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)
        best, best_value = 0, math.inf
        sign = -1.0 if case.monitor.endswith("accuracy") else 1.0
        for epoch, value in enumerate(history[case.monitor]):
            if sign * value < best_value:
                best, best_value = epoch + 1, sign * value
        assert stopping.best_epoch == (best - 1 if best else None)
        assert path.exists() == bool(best)
        kept = [case.model.get_weights(), *([fr.load(path).get_weights()] if best else [])]
    for weights in kept:
        for ours, theirs in zip(weights, after[best], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE)
    return "validation of nothing" if of_nothing else "figures"


def attempt(seed: int) -> None:
    check(seed)


if __name__ == "__main__":
    search(attempt, __doc__)
