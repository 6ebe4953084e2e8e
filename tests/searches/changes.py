"""A search for settings that are taken and do not count: `python -m tests.searches.changes --seconds 60 --seed 0`.

Random settings are set at random times, before, between and in fits. The trainer goes on; beside it goes one that is
saved and resumed after every change, and the weights by the slow reference, which is told each change. All three end
alike.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import fastrnn as fr
from fastrnn.reference.training import Progress, start_training, train_step
from tests.helpers.laws import Array, copy_of
from tests.helpers.problems import describe
from tests.helpers.searching import search

ROWS, STEPS, BATCH = 7, 6, 3
TOLERANCE = 1e-8
OPTIMIZERS: list[Any] = [
    fr.SGD(0.1), fr.SGD(0.02), fr.SGD(0.05, momentum=0.9), fr.SGD(0.05, momentum=0.5, nesterov=True),
    fr.SGD(0.05, weight_decay=0.1), fr.Adam(0.01), fr.Adam(1e-9), fr.Adam(0.02, beta_1=0.5), fr.RMSProp(0.01),
    fr.RMSProp(0.01, rho=0.5, momentum=0.5), fr.Adagrad(0.05), fr.Adagrad(0.01, epsilon=1e-3),
]  # fmt: skip
VALUES: dict[str, list[Any]] = {
    "optimizer": OPTIMIZERS, "clip_value": [None, 0.02, 0.1], "clip_norm": [None, 0.01, 0.2],
    "tbptt": [None, 2, (3, 5)], "tbptt_update": ["sequence", "chunk"], "threads": [None, 1, 2], "seed": [0, 1, 5],
    "loss": ["mse", "mae"], "metrics": [[], ["mae"], ["mse", "mae"]], "recompute": [None, "sqrt"],
}  # fmt: skip
BETWEEN = ("loss", "metrics", "recompute")
"""What is not set within a fit."""


def slots(optimizer: Any) -> tuple[str, ...]:
    """Return the states that the reference's rule keeps, in its order."""
    kept = {"sgd": ("velocity",), "adam": ("mean", "square", "largest"), "rmsprop": ("square", "velocity", "mean")}
    return kept.get(optimizer.kind, optimizer.states)


class ByHand:
    """The weights by the reference, without shuffling; dropout's masks go by seed and minibatch."""

    def __init__(self, trainer: fr.Trainer) -> None:
        self.layers = [describe(layer) for layer in trainer.model.layers]
        self.optimizer = trainer.optimizer
        self.progress = start_training(trainer.model.get_weights(), self.fields)
        self.draws = 0

    @property
    def fields(self) -> dict[str, Any]:
        own = {name: getattr(self.optimizer, name) for name in self.optimizer.__struct_fields__}
        return {"kind": self.optimizer.kind, **own}

    def take(self, optimizer: Any) -> None:
        """Go on with an optimizer: one of the same kind keeps the states that both have."""
        weights, kept, step = self.progress
        anew = start_training(weights, {"kind": optimizer.kind}).slots
        if optimizer.kind == self.optimizer.kind:
            both = set(optimizer.states) & set(self.optimizer.states)
            names = slots(optimizer)
            anew = [
                tuple(old[i] if names[i] in both else new[i] for i in range(len(names)))
                for old, new in zip(kept, anew, strict=True)
            ]
        else:
            step = 0
        self.optimizer, self.progress = optimizer, Progress(weights, anew, step)

    def epoch(self, trainer: fr.Trainer, x: Array, y: Array) -> None:
        if trainer.optimizer != self.optimizer:
            self.take(trainer.optimizer)
        for first in range(0, ROWS, BATCH):
            rows = slice(first, first + BATCH)
            _, self.progress, _ = train_step(
                self.layers, self.progress, x[rows], y[rows], self.fields, trainer.loss, tbptt=trainer.tbptt,
                tbptt_update=trainer.tbptt_update, clip_value=trainer.clip_value, clip_norm=trainer.clip_norm,
                dropout=(trainer.seed, self.draws),
            )  # fmt: skip
            self.draws += 1


def change(rng: np.random.Generator, trainers: list[fr.Trainer], within: bool) -> str:
    """Set a setting of all trainers to the same value; where it does not go with the others all refuse alike."""
    name = str(rng.choice([name for name in VALUES if not (within and name in BETWEEN)]))
    value = VALUES[name][rng.integers(len(VALUES[name]))]
    errors = []
    for trainer in trainers:
        before, error = trainer.settings, ""
        try:
            setattr(trainer, name, value)
        except ValueError as refusal:
            error = str(refusal)
        assert not error or ("; expected" in error and trainer.settings is before)
        errors.append(error)
    assert len(set(errors)) == 1
    return name


def check(seed: int) -> list[str]:
    """Draw changes and fits; returns the names of what was set."""
    rng = np.random.default_rng(seed)
    kind = [fr.SimpleRNN, fr.LSTM, fr.GRU][rng.integers(3)]
    layers = [kind(3, return_sequences=True, recurrent_dropout=float(rng.choice([0.0, 0.3]))), fr.Dense(2)]
    ids = bool(rng.integers(2))
    layers.insert(0, fr.Embedding(5, 2) if ids else fr.Dense(2))
    model = fr.Sequential(layers, input_size=5 if ids else 2, dtype="float64", seed=seed % 100)
    x = rng.integers(0, 5, (ROWS, STEPS)) if ids else rng.standard_normal((ROWS, STEPS, 2))
    y = rng.standard_normal((ROWS, STEPS, 2))
    arguments: dict[str, Any] = {"batch_size": BATCH, "shuffle": False, "verbose": 0}
    ahead, saved = fr.Trainer(model), fr.Trainer(copy_of(model))
    by_hand, told = ByHand(ahead), []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.ckpt"
        for _ in range(int(rng.integers(2, 5))):
            told.extend(change(rng, [ahead, saved], False) for _ in range(int(rng.integers(0, 4))))
            epochs = int(rng.integers(1, 4))
            changes = {int(epoch): int(rng.integers(1 << 30)) for epoch in range(epochs) if rng.integers(2)}

            def between(epoch: int, figures: dict[str, float], changes: dict[int, int] = changes) -> None:
                if epoch in changes:
                    told.append(change(np.random.default_rng(changes[epoch]), [ahead], True))

            history = ahead.fit(x, y, epochs, callbacks=[between], **arguments).history
            for epoch in range(epochs):
                saved.save_checkpoint(path)
                saved = fr.Trainer.resume(path)
                by_hand.epoch(saved, x, y)
                own = saved.fit(x, y, 1, **arguments).history
                assert own == {name: values[epoch : epoch + 1] for name, values in history.items()}, (own, history)
                if epoch in changes:
                    change(np.random.default_rng(changes[epoch]), [saved], True)
            assert saved.settings == ahead.settings
            for ours, theirs, slow in zip(
                ahead.model.get_weights(), saved.model.get_weights(), by_hand.progress.weights, strict=True
            ):
                np.testing.assert_array_equal(ours, theirs)
                np.testing.assert_allclose(ours, slow, rtol=TOLERANCE, atol=TOLERANCE)
    return told


def attempt(seed: int) -> None:
    check(seed)


if __name__ == "__main__":
    search(attempt, __doc__)
