"""Activations, and their derivatives expressed in the outputs: with y = f(a), ``f_derivative(y)`` is dy/da.

Softmax mixes the numbers of a place, so it has no derivative number by number: `softmax_backward` takes the gradient.
"""

import numpy as np

from fastrnn.reference.arrays import Array


def tanh(a: Array) -> Array:
    """y = tanh(a)."""
    return np.tanh(a)


def tanh_derivative(y: Array) -> Array:
    """dy/da = 1 - y²."""
    return 1.0 - y * y


def sigmoid(a: Array) -> Array:
    """y = 1 / (1 + exp(-a)), which for a < 0 is exp(a) / (1 + exp(a))."""
    # exp(-|a|) never overflows, and keeps the relative accuracy of the left tail.
    e = np.exp(-np.abs(a))
    return np.where(a >= 0.0, 1.0, e) / (1.0 + e)


def sigmoid_derivative(y: Array) -> Array:
    """dy/da = y (1 - y)."""
    return y * (1.0 - y)


def relu(a: Array) -> Array:
    """y = max(a, 0)."""
    return np.maximum(a, 0.0)


def relu_derivative(y: Array) -> Array:
    """dy/da = 1 where y > 0, else 0 (and 0 at the kink)."""
    return np.where(y > 0.0, 1.0, 0.0)


def linear(a: Array) -> Array:
    """y = a."""
    return a


def linear_derivative(y: Array) -> Array:
    """dy/da = 1."""
    return np.ones_like(y)


def softmax(a: Array) -> Array:
    """y_j = exp(a_j) / sum over k of exp(a_k), over the last axis."""
    # The largest exponent is 0: none overflows.
    e = np.exp(a - np.max(a, axis=-1, keepdims=True))
    y: Array = e / np.sum(e, axis=-1, keepdims=True)
    return y


def softmax_backward(y: Array, d_y: Array) -> Array:
    """Gradient of `softmax` by a: d_a_j = y_j (d_y_j - sum over k of d_y_k y_k)."""
    d_a: Array = y * (d_y - np.sum(d_y * y, axis=-1, keepdims=True))
    return d_a


ACTIVATIONS = {
    "tanh": (tanh, tanh_derivative),
    "sigmoid": (sigmoid, sigmoid_derivative),
    "relu": (relu, relu_derivative),
    "linear": (linear, linear_derivative),
}
