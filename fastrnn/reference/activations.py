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


def elu(a: Array) -> Array:
    """y = a where a > 0, else exp(a) - 1."""
    return np.where(a > 0.0, a, np.expm1(np.minimum(a, 0.0)))


def elu_derivative(y: Array) -> Array:
    """dy/da = 1 where y > 0, else y + 1."""
    return np.where(y > 0.0, 1.0, y + 1.0)


SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def selu(a: Array) -> Array:
    """y = scale a where a > 0, else scale alpha (exp(a) - 1)."""
    return SELU_SCALE * np.where(a > 0.0, a, SELU_ALPHA * np.expm1(np.minimum(a, 0.0)))


def selu_derivative(y: Array) -> Array:
    """dy/da = scale where y > 0, else y + scale alpha."""
    return np.where(y > 0.0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA)


def softplus(a: Array) -> Array:
    """y = log(1 + exp(a))."""
    return np.maximum(a, 0.0) + np.log1p(np.exp(-np.abs(a)))


def softplus_derivative(y: Array) -> Array:
    """dy/da = 1 - exp(-y)."""
    return -np.expm1(-y)


def softsign(a: Array) -> Array:
    """y = a / (1 + |a|)."""
    return a / (1.0 + np.abs(a))


def softsign_derivative(y: Array) -> Array:
    """dy/da = (1 - |y|)²."""
    return (1.0 - np.abs(y)) ** 2


def leaky_relu(a: Array) -> Array:
    """y = a where a > 0, else 0.2 a."""
    return np.where(a > 0.0, a, 0.2 * a)


def leaky_relu_derivative(y: Array) -> Array:
    """dy/da = 1 where y > 0, else 0.2."""
    return np.where(y > 0.0, 1.0, 0.2)


def hard_sigmoid(a: Array) -> Array:
    """y = a / 6 + 1 / 2, held between 0 and 1."""
    return np.clip(a / 6.0 + 0.5, 0.0, 1.0)


def hard_sigmoid_derivative(y: Array) -> Array:
    """dy/da = 1 / 6 where 0 < y < 1, else 0."""
    return np.where((y > 0.0) & (y < 1.0), 1.0 / 6.0, 0.0)


def hard_tanh(a: Array) -> Array:
    """y = a, held between -1 and 1."""
    return np.clip(a, -1.0, 1.0)


def hard_tanh_derivative(y: Array) -> Array:
    """dy/da = 1 where -1 < y < 1, else 0."""
    return np.where(np.abs(y) < 1.0, 1.0, 0.0)


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
    "elu": (elu, elu_derivative),
    "selu": (selu, selu_derivative),
    "softplus": (softplus, softplus_derivative),
    "softsign": (softsign, softsign_derivative),
    "leaky_relu": (leaky_relu, leaky_relu_derivative),
    "hard_sigmoid": (hard_sigmoid, hard_sigmoid_derivative),
    "hard_tanh": (hard_tanh, hard_tanh_derivative),
}
