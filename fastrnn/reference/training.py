"""One training step: gradients, clipping, update.

An optimizer is described by a plain dict with its kind and the arguments of its update rule, such as
``{"kind": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.0}``.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference import clipping
from fastrnn.reference.arrays import Array, Description, counted_steps, float64
from fastrnn.reference.dropout import Dropout
from fastrnn.reference.model import gradients, online_gradients
from fastrnn.reference.optimizers import RULES
from fastrnn.reference.tbptt import Truncation


class Progress(NamedTuple):
    """What training changes: the weights, each weight's slots (velocity, m, v, ...), and the updates made so far."""

    weights: list[Array]
    slots: list[tuple[Array, ...]]
    step: int


def start_training(weights: Sequence[ArrayLike], optimizer: Description) -> Progress:
    """Return the progress before the first update: the weights, slots of zeros, step 0."""
    arrays = float64(*weights)
    count = RULES[optimizer["kind"]].slots
    return Progress(arrays, [tuple(np.zeros_like(weight) for _ in range(count)) for weight in arrays], 0)


def apply_update(
    progress: Progress,
    d_weights: Sequence[ArrayLike],
    optimizer: Description,
    clip_value: float | None = None,
    clip_norm: float | None = None,
) -> Progress:
    """Clip the gradients (by value, then by norm) and update every weight."""
    if clip_value is not None:
        d_weights = clipping.clip_value(d_weights, clip_value)
    if clip_norm is not None:
        d_weights = clipping.clip_norm(d_weights, clip_norm)
    settings = {name: value for name, value in optimizer.items() if name != "kind"}
    step = progress.step + 1
    rule = RULES[optimizer["kind"]]
    if rule.counts_steps:
        settings["step"] = step
    weights = []
    slots: list[tuple[Array, ...]] = []
    for weight, d_weight, slot in zip(progress.weights, d_weights, progress.slots, strict=True):
        weight_after, *slot_after = rule.update(weight, d_weight, *slot, **settings)
        weights.append(weight_after)
        slots.append(tuple(slot_after))
    return Progress(weights, slots, step)


def train_step(
    layers: Sequence[Description],
    progress: Progress,
    x: ArrayLike,
    y: ArrayLike,
    optimizer: Description,
    loss: str = "mse",
    sample_weight: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    initial_state: Sequence[ArrayLike] | None = None,
    tbptt: Truncation = None,
    tbptt_update: str = "sequence",
    clip_value: float | None = None,
    clip_norm: float | None = None,
    dropout: Dropout = None,
) -> tuple[float, Progress, list[Array]]:
    """Train on one batch; return the loss, the progress after it and the final state of every cell.

    ``tbptt_update="sequence"`` makes one update with the sum of the truncated passes, ``"chunk"`` one after each piece,
    clipping each; its loss is the sum of the pieces' losses, each with the weights of its time. Where nothing counts
    the loss is NaN, and there is no update. The other arguments are those of `fastrnn.reference.model.gradients`.
    """
    batch = (x, y, loss, sample_weight, lengths, initial_state, tbptt, dropout)
    something_counts = _something_counts(np.shape(x)[0], np.shape(x)[1], sample_weight, lengths)
    if tbptt_update == "sequence":
        whole = gradients(layers, progress.weights, *batch)
        if something_counts:
            progress = apply_update(progress, whole.weights, optimizer, clip_value, clip_norm)
        return whole.loss, progress, whole.final_state
    value = 0.0 if something_counts else np.nan
    pieces = online_gradients(layers, progress.weights, *batch)
    try:
        piece = next(pieces)
        while True:
            value += piece.loss
            progress = apply_update(progress, piece.weights, optimizer, clip_value, clip_norm)
            piece = pieces.send(progress.weights)
    except StopIteration as end:
        return value, progress, end.value


def _something_counts(rows: int, steps: int, sample_weight: ArrayLike | None, lengths: ArrayLike | None) -> bool:
    """Whether a step of a row counts in the loss."""
    weight = np.ones(rows) if sample_weight is None else np.asarray(sample_weight)
    return bool((weight[:, None] * counted_steps(lengths, rows, steps)).any())
