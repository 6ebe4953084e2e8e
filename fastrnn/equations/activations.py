"""Activations as equations: what they compute, and the gradient by the input in terms of what they gave.

So derived, an activation need not keep its input. One that cannot be, such as gelu, is a function of basic operations
like any other.

References
----------
Clevert, Unterthiner and Hochreiter (2016), Fast and accurate deep network learning by exponential linear units.
Klambauer et al. (2017), Self-normalizing neural networks. Hendrycks and Gimpel (2016), Gaussian error linear units.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from fastrnn.equations.expressions import Expression, absolute, exp, function, log, maximum, minimum, where

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
LEAK = 0.2
"""Slope of leaky_relu left of 0: Keras's; PyTorch's default is 0.01."""


class Activation(NamedTuple):
    """An activation ``y = f(x)``.

    Attributes
    ----------
    value : ``f(x)`` in basic operations; None for one that kernels have as it is
    back : the gradient by x from the gradient by y, and y
    """

    value: Callable[[Expression], Expression] | None
    back: Callable[[Expression, Expression], Expression]


def _grown(x: Expression) -> Expression:
    return exp(minimum(x, 0.0)) - 1.0


def _softplus(x: Expression) -> Expression:
    """``log(1 + e**x)``: of ``e = e**-|x|`` and ``u = 1 + e``, ``log(u) e / (u - 1)`` is log(1 + e) to all digits."""
    e = exp(0.0 - absolute(x))
    rest = (e + 1.0) - 1.0
    return maximum(x, 0.0) + where(rest > 0.0, log(e + 1.0) * e / maximum(rest, 1e-30), e)


def _selu(x: Expression) -> Expression:
    return where(x > 0.0, SELU_SCALE * x, SELU_SCALE * SELU_ALPHA * _grown(x))


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(None, lambda g, y: g * (1.0 - y * y)),
    "sigmoid": Activation(None, lambda g, y: g * (y * (1.0 - y))),
    "relu": Activation(lambda x: maximum(x, 0.0), lambda g, y: where(y > 0.0, g, 0.0)),
    "linear": Activation(lambda x: x, lambda g, y: g),
    "elu": Activation(lambda x: where(x > 0.0, x, _grown(x)), lambda g, y: where(y > 0.0, g, g * (y + 1.0))),
    "selu": Activation(_selu, lambda g, y: where(y > 0.0, g * SELU_SCALE, g * (y + SELU_SCALE * SELU_ALPHA))),
    "softplus": Activation(_softplus, lambda g, y: g * (1.0 - exp(0.0 - y))),
    "softsign": Activation(lambda x: x / (absolute(x) + 1.0), lambda g, y: g * (1.0 - absolute(y)) ** 2),
    "leaky_relu": Activation(lambda x: where(x > 0.0, x, x * LEAK), lambda g, y: where(y > 0.0, g, g * LEAK)),
    "hard_sigmoid": Activation(
        lambda x: minimum(maximum(x * (1.0 / 6.0) + 0.5, 0.0), 1.0),
        lambda g, y: where(y > 0.0, where(y < 1.0, g * (1.0 / 6.0), 0.0), 0.0),
    ),
    "hard_tanh": Activation(
        lambda x: minimum(maximum(x, -1.0), 1.0), lambda g, y: where(y > -1.0, where(y < 1.0, g, 0.0), 0.0)
    ),
}
"""Every activation that is derived from its output."""

tanh, sigmoid, relu, elu, selu = (function(name) for name in ("tanh", "sigmoid", "relu", "elu", "selu"))
softplus, softsign, leaky_relu = (function(name) for name in ("softplus", "softsign", "leaky_relu"))
hard_sigmoid, hard_tanh, linear = (function(name) for name in ("hard_sigmoid", "hard_tanh", "linear"))
erf = function("erf")


def gelu(x: Any) -> Expression:
    """``x Phi(x)`` with the normal distribution's Phi: not its approximation by tanh."""
    y: Expression = x * ((erf(x * math.sqrt(0.5)) + 1.0) * 0.5)
    return y


OF_INPUT: dict[str, Callable[[Any], Any]] = {"gelu": gelu}
"""The others by name."""
