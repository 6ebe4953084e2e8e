"""The activations that products can take along, over vectors."""

from __future__ import annotations

from fastrnn.kernels.machine.helper import helper, inlined
from fastrnn.kernels.machine.maths import sigmoid, tanh
from fastrnn.kernels.machine.vector import WIDE, lanes, load, load_wide, maximum, store
from fastrnn.operations.products import LINEAR, RELU, SIGMOID, TANH


@inlined
def activated(code, value):
    """``f(value)`` of a vector."""
    if code == TANH:
        return tanh(value)
    if code == SIGMOID:
        return sigmoid(value)
    if code == RELU:
        return maximum(value, 0.0)
    return value


@helper
def activate(code, values, count):
    """``values = f(values)`` in place, over ``count`` numbers (whole vectors)."""
    if code == LINEAR:
        return
    i = 0
    while i + WIDE * lanes(values) <= count:
        store(values, i, activated(code, load_wide(values, i)))
        i += WIDE * lanes(values)
    while i < count:
        store(values, i, activated(code, load(values, i)))
        i += lanes(values)
