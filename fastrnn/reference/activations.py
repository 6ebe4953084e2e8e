"""Activations, and their derivatives expressed in the outputs: with y = f(a), ``f_derivative(y)`` is dy/da."""

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


ACTIVATIONS = {
    "tanh": (tanh, tanh_derivative),
    "sigmoid": (sigmoid, sigmoid_derivative),
    "relu": (relu, relu_derivative),
    "linear": (linear, linear_derivative),
}
