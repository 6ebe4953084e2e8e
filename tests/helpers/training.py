"""A fit by the slow reference, for tests that hold trained weights against it."""

from typing import Any

import fastrnn as fr
from fastrnn.reference.training import start_training, train_step
from tests.helpers.laws import Array
from tests.helpers.problems import describe


def fit_by_reference(
    model: fr.Sequential,
    x: Array,
    y: Array,
    optimizer: Any,
    *,
    epochs: int,
    batch_size: int,
    sample_weight: Array | None = None,
    lengths: Array | None = None,
    seed: int = 0,
    **settings: Any,
) -> list[Array]:
    """Return the weights after a fit without shuffling; dropout's masks are those of ``seed``."""
    layers = [describe(layer) for layer in model.layers]
    fields = {"kind": optimizer.kind, **{name: getattr(optimizer, name) for name in optimizer.__struct_fields__}}
    progress = start_training(model.get_weights(), fields)
    minibatch = 0
    for _ in range(epochs):
        for first in range(0, len(x), batch_size):
            rows = slice(first, first + batch_size)
            weight, own_lengths = (None if a is None else a[rows] for a in (sample_weight, lengths))
            _, progress, _ = train_step(
                layers, progress, x[rows], y[rows], fields,
                sample_weight=weight, lengths=own_lengths, dropout=(seed, minibatch), **settings,
            )  # fmt: skip
            minibatch += 1
    return progress.weights
