"""The gates of a cell, side by side on an array's last axis, as each library orders them.

Keras: LSTM i f c o, GRU z r h. PyTorch: LSTM the same, GRU r z n. ONNX: LSTM i o f c, GRU the same.
"""

import numpy as np
from numpy.typing import NDArray

TORCH = {"SimpleRNN": (0,), "LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2)}
ONNX = {"SimpleRNN": (0,), "LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2)}


def reorder(array: NDArray[np.floating], order: tuple[int, ...]) -> NDArray[np.floating]:
    """Return the array (..., G·H) with gate ``order[k]`` in place k; PyTorch's orders are their own inverses."""
    gates = np.split(array, len(order), axis=-1)
    return np.concatenate([gates[k] for k in order], axis=-1)
