"""Losses of one output each: what it costs, and the slope of that by the output.

A place has the mean over its outputs (``kl_divergence``: the sum); see `fastrnn.reference.losses` for the rest.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference.arrays import Array, float64


def huber(y: Array, target: Array, delta: float = 1.0) -> Array:
    """With d = y - target: d² / 2 where |d| <= delta, else delta (|d| - delta / 2)."""
    d = np.abs(y - target)
    return np.where(d <= delta, 0.5 * d**2, delta * (d - 0.5 * delta))


def huber_slope(y: Array, target: Array, delta: float = 1.0) -> Array:
    """d, held between -delta and delta."""
    slope: Array = np.clip(y - target, -delta, delta)
    return slope


def log_cosh(y: Array, target: Array) -> Array:
    """log(cosh(y - target))."""
    losses: Array = np.logaddexp(y - target, target - y) - np.log(2.0)
    return losses


def log_cosh_slope(y: Array, target: Array) -> Array:
    """tanh(y - target)."""
    return np.tanh(y - target)


def mape(y: Array, target: Array) -> Array:
    """100 |y - target| / |target|, the latter at least 1e-7."""
    return 100.0 * np.abs(y - target) / np.maximum(np.abs(target), 1e-7)


def mape_slope(y: Array, target: Array) -> Array:
    """100 sign(y - target) / |target|."""
    return 100.0 * np.sign(y - target) / np.maximum(np.abs(target), 1e-7)


def quantile(y: Array, target: Array, level: Array | float = 0.5) -> Array:
    """With e = target - y: level e where e >= 0, else (level - 1) e."""
    e = target - y
    return np.where(e >= 0.0, level * e, (level - 1.0) * e)


def quantile_slope(y: Array, target: Array, level: Array | float = 0.5) -> Array:
    """-level where target >= y, else 1 - level."""
    return np.where(target >= y, -np.asarray(level), 1.0 - np.asarray(level))


def poisson(y: Array, target: Array, log_input: bool = False) -> Array:
    """y - target log(y + 1e-7), or of a logarithm exp(y) - target y."""
    return np.exp(y) - target * y if log_input else y - target * np.log(np.maximum(y, 0.0) + 1e-7)


def poisson_slope(y: Array, target: Array, log_input: bool = False) -> Array:
    """1 - target / (y + 1e-7), or exp(y) - target."""
    if log_input:
        return np.exp(y) - target
    return np.where(y > 0.0, 1.0 - target / (np.maximum(y, 0.0) + 1e-7), 1.0)


def kl_divergence(y: Array, target: Array) -> Array:
    """target log(target / y), both held in [1e-7, 1]."""
    p, q = np.clip(y, 1e-7, 1.0), np.clip(target, 1e-7, 1.0)
    return q * np.log(q / p)


def kl_divergence_slope(y: Array, target: Array) -> Array:
    """-target / y, 0 where y is held."""
    return np.where((y >= 1e-7) & (y <= 1.0), -np.clip(target, 1e-7, 1.0) / np.clip(y, 1e-7, 1.0), 0.0)


ELEMENT_LOSSES: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    "huber": (huber, huber_slope),
    "log_cosh": (log_cosh, log_cosh_slope),
    "mape": (mape, mape_slope),
    "quantile": (quantile, quantile_slope),
    "poisson": (poisson, poisson_slope),
    "kl_divergence": (kl_divergence, kl_divergence_slope),
}


def element_loss(
    kind: str, y: ArrayLike, target: ArrayLike, shares: ArrayLike, **settings: object
) -> tuple[float, Array]:
    """Return the loss and its gradient by y.

    Parameters
    ----------
    kind : a key of ``ELEMENT_LOSSES``
    y, target : (N, O) or (N, T, O)
    shares : (N,) or (N, T), from `fastrnn.reference.losses.loss_shares`
    settings : of the loss
    """
    y, target, shares = float64(y, target, shares)
    value, slope = ELEMENT_LOSSES[kind]
    share = shares[..., None] / (1.0 if kind == "kl_divergence" else y.shape[-1])
    counts = share != 0.0
    with np.errstate(all="ignore"):
        total = np.sum(np.where(counts, share * value(y, target, **settings), 0.0))
        gradient: Array = np.where(counts, share * slope(y, target, **settings), 0.0)
        return float(total), gradient
