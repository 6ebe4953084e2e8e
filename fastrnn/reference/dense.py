"""The dense layer, applied to rows (N, I) or to every step of every row (N, T, I)."""

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference.activations import ACTIVATIONS, softmax, softmax_backward
from fastrnn.reference.arrays import Array, float64


def dense_forward(x: ArrayLike, kernel: ArrayLike, bias: ArrayLike, activation: str) -> Array:
    """y = f(x W + b).

    Parameters
    ----------
    x : (N, I) or (N, T, I)
    kernel : (I, O), W
    bias : (O,), b
    activation : a key of ``ACTIVATIONS``, or "softmax", f

    Returns
    -------
    y : (N, O) or (N, T, O)
    """
    x, kernel, bias = float64(x, kernel, bias)
    f = softmax if activation == "softmax" else ACTIVATIONS[activation][0]
    y = np.zeros((*x.shape[:-1], kernel.shape[1]))
    for place in np.ndindex(x.shape[:-1]):
        y[place] = f(x[place] @ kernel + bias)
    return y


def dense_backward(
    x: ArrayLike, kernel: ArrayLike, y: ArrayLike, d_y: ArrayLike, activation: str
) -> tuple[Array, Array, Array]:
    """Gradients of `dense_forward`: d_a = d_y f'(y) (or `softmax_backward`), d_W += xᵀ d_a, d_b += d_a, d_x = d_a Wᵀ.

    Parameters
    ----------
    x, kernel, activation : as in `dense_forward`
    y : (N, O) or (N, T, O), from `dense_forward`
    d_y : like y, gradient of the loss by y

    Returns
    -------
    d_kernel : (I, O)
    d_bias : (O,)
    d_x : like x
    """
    x, kernel, y, d_y = float64(x, kernel, y, d_y)
    d_kernel = np.zeros_like(kernel)
    d_bias = np.zeros(kernel.shape[1])
    d_x = np.zeros_like(x)
    for place in np.ndindex(x.shape[:-1]):
        # A place without error adds nothing even where it is padding that holds NaN: 0 * NaN would be NaN.
        if not d_y[place].any():
            continue
        if activation == "softmax":
            d_a = softmax_backward(y[place], d_y[place])
        else:
            d_a = d_y[place] * ACTIVATIONS[activation][1](y[place])
        d_kernel += np.outer(x[place], d_a)
        d_bias += d_a
        d_x[place] = kernel @ d_a
    return d_kernel, d_bias, d_x
