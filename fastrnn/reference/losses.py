"""Losses: a weighted mean over rows (and over the steps that count) of the mean over the outputs.

With w the weight of a row, and the places being the rows of a target (N, O), or the steps t < length of the rows of a
target (N, T, O):

    loss = sum over places, outputs of  w l(y, target)  /  (O * sum over places of w)

The factor w / (O * sum of w) of a place is its *share*; a place that does not count has share 0, and the losses of
pieces of a sequence add up to the loss of the sequence.
"""

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference.arrays import Array, counted_steps, float64


def loss_shares(shape: tuple[int, ...], sample_weight: ArrayLike | None, lengths: ArrayLike | None) -> Array:
    """Return what one unit of loss at each place adds to the loss of the batch.

    Parameters
    ----------
    shape : (N, O) or (N, T, O), the target's
    sample_weight : (N,), or None: 1 for every row
    lengths : (N,) int, or None: every step counts; a row of length 0 counts for nothing

    Returns
    -------
    shares : (N,) or (N, T), all zero where nothing counts
    """
    weight = np.ones(shape[0]) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    shares = np.zeros(shape[:-1])
    if len(shape) == 2:
        shares[:] = weight
        if lengths is not None:
            shares[np.asarray(lengths) == 0] = 0.0
    else:
        shares[:] = weight[:, None] * counted_steps(lengths, shape[0], shape[1])
    total = shares.sum()
    return shares / (total * shape[-1]) if total != 0.0 else np.zeros_like(shares)


def mse(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> float:
    """Mean squared error: sum of share (y - target)².

    Parameters
    ----------
    y, target : (N, O) or (N, T, O)
    shares : (N,) or (N, T), from `loss_shares`
    """
    y, target, shares = float64(y, target, shares)
    loss = 0.0
    for place in np.argwhere(shares):
        loss += shares[*place] * np.sum((y[*place] - target[*place]) ** 2)
    return float(loss)


def mse_backward(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> Array:
    """Gradient of `mse` by y, like y: d_y = 2 share (y - target)."""
    y, target, shares = float64(y, target, shares)
    d_y = np.zeros_like(y)
    for place in np.argwhere(shares):
        d_y[*place] = 2.0 * shares[*place] * (y[*place] - target[*place])
    return d_y


def mae(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> float:
    """Mean absolute error: sum of share |y - target|; parameters as in `mse`."""
    y, target, shares = float64(y, target, shares)
    loss = 0.0
    for place in np.argwhere(shares):
        loss += shares[*place] * np.sum(np.abs(y[*place] - target[*place]))
    return float(loss)


def mae_backward(y: ArrayLike, target: ArrayLike, shares: ArrayLike) -> Array:
    """Gradient of `mae` by y, like y: d_y = share sign(y - target), 0 where y meets the target."""
    y, target, shares = float64(y, target, shares)
    d_y = np.zeros_like(y)
    for place in np.argwhere(shares):
        d_y[*place] = shares[*place] * np.sign(y[*place] - target[*place])
    return d_y


LOSSES = {"mse": (mse, mse_backward), "mae": (mae, mae_backward)}
