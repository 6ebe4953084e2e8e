"""Merging what a layer's two directions put out.

References
----------
Schuster, Paliwal (1997), Bidirectional recurrent neural networks, IEEE Transactions on Signal Processing 45.
"""

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference.arrays import Array, float64


def merge_forward(forward: ArrayLike, backward: ArrayLike, mode: str) -> Array:
    """Merge outputs a and b that are alike, (N, H) or (N, T, H): a and b side by side, a + b, a b or (a + b) / 2.

    Parameters
    ----------
    forward, backward : (N, H) or (N, T, H), a and b
    mode : "concat", "sum", "mul" or "ave"

    Returns
    -------
    y : like a, with "concat" (N, 2H) or (N, T, 2H)
    """
    a, b = float64(forward, backward)
    merged = {"concat": np.concatenate([a, b], axis=-1), "sum": a + b, "mul": a * b, "ave": (a + b) / 2.0}
    return merged[mode]


def merge_backward(forward: ArrayLike, backward: ArrayLike, d_y: ArrayLike, mode: str) -> tuple[Array, Array]:
    """Gradients of `merge_forward` by a and b, each like a.

    Parameters
    ----------
    forward, backward, mode : as in `merge_forward`
    d_y : like y, gradient of the loss by y
    """
    a, b, d_y = float64(forward, backward, d_y)
    if mode == "concat":
        d_a, d_b = np.split(d_y, 2, axis=-1)
        return d_a, d_b
    if mode == "mul":
        return d_y * b, d_y * a
    return (d_y, d_y) if mode == "sum" else (d_y / 2.0, d_y / 2.0)
