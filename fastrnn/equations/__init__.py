"""Equations of one place: cells, activations and losses as plain functions, traced once on symbols.

An `Expression` is what a function of numbers computes, as a graph; `slopes` derives it backwards; what becomes of it in
a kernel is said in `fastrnn.equations.lines`. Nothing here knows how numbers lie in memory.
"""

from fastrnn.equations.activations import (
    elu,
    erf,
    gelu,
    hard_sigmoid,
    hard_tanh,
    leaky_relu,
    linear,
    relu,
    selu,
    sigmoid,
    softplus,
    softsign,
    tanh,
)
from fastrnn.equations.cells import Cell, act, activation, cell, s
from fastrnn.equations.expressions import (
    EquationError,
    Expression,
    absolute,
    cos,
    exp,
    log,
    maximum,
    minimum,
    sin,
    sqrt,
    where,
)

__all__ = [
    "Cell",
    "EquationError",
    "Expression",
    "absolute",
    "act",
    "activation",
    "cell",
    "cos",
    "elu",
    "erf",
    "exp",
    "gelu",
    "hard_sigmoid",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log",
    "maximum",
    "minimum",
    "relu",
    "s",
    "selu",
    "sigmoid",
    "sin",
    "softplus",
    "softsign",
    "sqrt",
    "tanh",
    "where",
]
