"""Equations of one place: cells, activations and losses as plain functions, traced once on symbols.

An `Expression` is what a function of numbers computes, as a graph; `slopes` derives it backwards; what becomes of it in
a kernel is said in `fastrnn.equations.lines`. Nothing here knows how numbers lie in memory.
"""

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
    "EquationError",
    "Expression",
    "absolute",
    "cos",
    "exp",
    "log",
    "maximum",
    "minimum",
    "sin",
    "sqrt",
    "where",
]
