"""Compilation ahead of time."""

from __future__ import annotations

import time

import numpy as np

from fastrnn.ground.unknown import explained
from fastrnn.layers import CELLS, Bidirectional, Dense, Dropout, Embedding, SimpleRNN
from fastrnn.losses import LOSSES
from fastrnn.losses.base import ElementLoss
from fastrnn.model.sequential import Sequential
from fastrnn.optimizers import OPTIMIZERS
from fastrnn.training.trainer import Trainer


@explained
def warmup(dtype: str = "float32") -> float:
    """Compile, or load from the cache, what training and prediction need; returns the seconds that took.

    Of every cell that is the code for the activations that it has unless told.

    Raises
    ------
    ValueError
        ``dtype`` is neither "float32" nor "float64".
    """
    start = time.perf_counter()
    ids, y = np.zeros((2, 3), np.int64), np.zeros((2, 1))
    for kind in CELLS.values():
        stack = [
            Embedding(2, 2),
            kind(2, return_sequences=True, dropout=0.5),
            Dropout(0.5),
            kind(2, return_sequences=True, go_backwards=True),
            Bidirectional(kind(2)),
            Dense(1),
        ]
        model = Sequential(stack, dtype=dtype)
        for optimizer in OPTIMIZERS:
            Trainer(model, optimizer=optimizer, clip_norm=1.0).fit(ids, y, epochs=1, verbose=0)
        model.predict(ids)
    x, y = np.zeros((64, 3, 1)), np.zeros((64, 1))
    model = Sequential([SimpleRNN(2, recurrent_dropout=0.5), Dense(1, "sigmoid")], dtype=dtype)
    model.gradients(x, y, recompute="sqrt")
    trainer = Trainer(model, "binary_crossentropy", metrics=["mse", "accuracy"], threads=2)
    trainer.fit(x, y, epochs=1, batch_size=64, validation_data=(x, y), verbose=0)
    model = Sequential([SimpleRNN(2), Dense(2, "softmax")], dtype=dtype)
    for name, loss in LOSSES.items():
        if issubclass(loss, ElementLoss):
            model.gradients(x, np.full((64, 2), 0.5), name)
    model.gradients(x, np.zeros(64, int), "sparse_categorical_crossentropy")
    return time.perf_counter() - start
