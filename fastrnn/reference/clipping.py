"""Gradient clipping."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference.arrays import Array, float64


def clip_value(gradients: Sequence[ArrayLike], c: float) -> list[Array]:
    """Clip every element of every gradient to [-c, c]."""
    return [np.clip(gradient, -c, c) for gradient in float64(*gradients)]


def clip_norm(gradients: Sequence[ArrayLike], c: float) -> list[Array]:
    """Scale all gradients by min(1, c / (norm + 1e-6)), with norm the root of the sum of all their squares.

    References
    ----------
    Pascanu, Mikolov, Bengio (2013), On the difficulty of training recurrent neural networks, Algorithm 1.
    """
    arrays = float64(*gradients)
    largest = max((float(np.max(np.abs(gradient), initial=0.0)) for gradient in arrays), default=0.0) or 1.0
    # Scaled by the largest, so that no square overflows.
    norm = largest * np.sqrt(sum(np.sum((gradient / largest) ** 2) for gradient in arrays))
    scale = min(1.0, c / (norm + 1e-6))
    return [scale * gradient for gradient in arrays]
