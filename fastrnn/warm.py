"""Compilation ahead of time."""

from __future__ import annotations

import time

import numpy as np

from fastrnn.layers import Dense, SimpleRNN
from fastrnn.model import Sequential
from fastrnn.optimizers import SGD, Adam
from fastrnn.trainer import Trainer


def warmup(dtype: str = "float32") -> float:
    """Compile, or load from the cache, what training and prediction need; returns the seconds that took.

    Raises
    ------
    ValueError
        ``dtype`` is neither "float32" nor "float64".
    """
    start = time.perf_counter()
    x = np.zeros((2, 3, 1))
    y = np.zeros((2, 1))
    for optimizer in (Adam(), SGD()):
        model = Sequential([SimpleRNN(2), Dense(1)], dtype=dtype)
        Trainer(model, optimizer=optimizer, clip_norm=1.0).fit(x, y, epochs=1, verbose=0)
    model.predict(x)
    return time.perf_counter() - start
