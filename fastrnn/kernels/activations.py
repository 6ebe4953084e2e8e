"""Activations over rows of numbers: the function with the bias added first, and the derivative expressed in the outputs."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.maths import sigmoid, tanh
from fastrnn.kernels.vector import lanes, load, maximum, select_less, store

ACTIVATIONS = {"linear": 0, "tanh": 1, "sigmoid": 2, "relu": 3}
_TANH, _SIGMOID, _RELU = 1, 2, 3


@njit
def activate(code, values, bias, rows, width):
    """``values = f(values + bias)`` in place.

    ``values`` (rows, width), read and written; ``bias`` (width), read; ``width`` whole vectors.
    """
    step = lanes(values)
    count = rows * width
    b = 0
    i = 0
    if code == _TANH:
        while i < count:
            store(values, i, tanh(load(values, i) + load(bias, b)))
            i += step
            b = b + step if b + step < width else 0
    elif code == _SIGMOID:
        while i < count:
            store(values, i, sigmoid(load(values, i) + load(bias, b)))
            i += step
            b = b + step if b + step < width else 0
    elif code == _RELU:
        while i < count:
            store(values, i, maximum(load(values, i) + load(bias, b), 0.0))
            i += step
            b = b + step if b + step < width else 0
    else:
        while i < count:
            store(values, i, load(values, i) + load(bias, b))
            i += step
            b = b + step if b + step < width else 0


@njit
def derivative(code, gradient, output):
    """The vector ``gradient * f'`` with the derivative expressed in the vector of outputs of ``f``."""
    if code == _TANH:
        return gradient * (1.0 - output * output)
    if code == _SIGMOID:
        return gradient * (output * (1.0 - output))
    if code == _RELU:
        return select_less(0.0, output, gradient, 0.0)
    return gradient
