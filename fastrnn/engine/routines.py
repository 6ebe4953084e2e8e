"""Code made of equations: what a cell does in its units, and activations over rows; compiled on first use."""

from __future__ import annotations

import functools

from fastrnn.code.compiled import Compiled
from fastrnn.engine.units import Sources, sources_of
from fastrnn.equations.activations import ACTIVATIONS
from fastrnn.equations.cells import Cell, named
from fastrnn.equations.expressions import Expression, as_expression, constant, leaf
from fastrnn.equations.lines import Lines
from fastrnn.equations.slopes import slopes
from fastrnn.losses import ElementLoss
from fastrnn.operations.call import CALL, Operation
from fastrnn.operations.losses import LOSS
from fastrnn.operations.recurrent import RECURRENT

_ACTIVATE = '''"""Generated from the equation of {name}."""

from numba import njit

from fastrnn.kernels.machine.maths import cosine, erf, exp, log, sigmoid, sine, tanh
from fastrnn.kernels.machine.vector import (
    absolute, lanes, load, maximum, minimum, select_less, splat, square_root, store,
)


@njit
def {function}({target}, {source}, count):
    """{doc}"""
    for i in range(0, count, lanes({source})):
{lines}
'''


@functools.cache
def cell_sources(cell: Cell, activation: str, recurrent_activation: str, zones: tuple[bool, ...]) -> Sources:
    """Return the sources of a cell's code; see `fastrnn.engine.units.sources_of`."""
    return sources_of(cell, activation, recurrent_activation, zones)


@functools.cache
def cell_routines(
    cell: Cell, activation: str, recurrent_activation: str, zones: tuple[bool, ...]
) -> dict[str, Compiled]:
    """Return a cell's code by the names of the record's fields."""
    found = cell_sources(cell, activation, recurrent_activation, zones)
    return {
        field: Compiled(field, field, ("p", CALL, RECURRENT, "i", "i"), source=source)
        for field, source in found.functions.items()
    }


@functools.cache
def activate_of(name: str) -> Compiled:
    """Return the code ``(source, target, count)`` that applies an activation to ``count`` numbers, whole vectors."""
    x = leaf("x")
    lines = Lines({x: "load(source, i)"})
    value = lines.name(named(name, x))
    body = [*lines.lines, f"store(target, i, {value})"]
    return _compiled(name, "activate", "source, target", "The activation of each number.", body)


@functools.cache
def slope_of(name: str) -> Compiled:
    """Return the code ``(gradient, kept, count)`` that takes a gradient back through an activation, in place.

    ``kept`` is what the activation gave, or where it is derived from it what it was applied to.
    """
    gradient, kept = leaf("gradient"), leaf("kept")
    back: Expression | None
    if name in ACTIVATIONS:
        back = ACTIVATIONS[name].back(gradient, kept)
    else:
        value = named(name, kept)
        (back,) = slopes([value], {value: gradient}, [kept])
    lines = Lines({gradient: "load(gradient, i)", kept: "load(kept, i)"})
    value_name = "splat(gradient, 0.0)" if back is None else lines.name(back)
    body = [*lines.lines, f"store(gradient, i, {value_name})"]
    return _compiled(name, "slope", "gradient, kept", "The gradient by what the activation is applied to.", body)


def _compiled(name: str, function: str, arguments: str, doc: str, body: list[str]) -> Compiled:
    first, second = arguments.split(", ")
    source = _ACTIVATE.format(
        name=name, function=function, target=first, source=second, doc=doc,
        lines="\n".join("        " + line for line in body),
    )  # fmt: skip
    return Compiled(function, function, "ppi", source=source)


def needs_input(name: str) -> bool:
    """Whether an activation is derived from what it is applied to rather than from what it gave."""
    return name not in ACTIVATIONS


_LOSS = '''"""Generated from the equation of a loss."""

import math

from numba import njit

from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.training.losses import element_loss

exp, log, sine, cosine, erf, square_root = math.exp, math.log, math.sin, math.cos, math.erf, math.sqrt
tanh, absolute = math.tanh, abs


@helper
def sigmoid(x):
    e = math.exp(-abs(x))
    return (1.0 if x >= 0.0 else e) / (1.0 + e)


@helper
def maximum(a, b):
    return b if a < b else a


@helper
def minimum(a, b):
    return b if b < a else a


@helper
def select_less(a, b, this, that):
    return this if a < b else that


@helper
def value(prediction, target, level):
{value}


@helper
def slope(prediction, target, level):
{slope}


@njit
def loss(real, call, spec):
    """The loss of this thread's rows."""
    element_loss(value, slope, real, call, spec)
'''


@functools.cache
def loss_of(loss: ElementLoss) -> Operation:
    """Return the operation that computes a loss, and its gradient."""
    prediction, target, level = (leaf(name) for name in ("prediction", "target", "level"))
    value = as_expression(loss.value(prediction, target, level))
    (slope,) = slopes([value], {value: constant(1.0)}, [prediction])
    known = {each: each.arguments[0] for each in (prediction, target, level)}
    bodies = []
    for result in (value, constant(0.0) if slope is None else slope):
        lines = Lines(known)
        name = lines.name(result)
        bodies.append("\n".join(f"    {line}" for line in [*lines.lines, f"return float({name})"]))
    return Operation("loss", "loss", LOSS, source=_LOSS.format(value=bodies[0], slope=bodies[1]))
