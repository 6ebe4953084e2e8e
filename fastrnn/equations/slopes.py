"""Derivatives: the gradients of expressions by what they are computed from, by reverse accumulation.

References
----------
Griewank and Walther (2008), Evaluating derivatives, chapter 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from fastrnn.equations.activations import ACTIVATIONS
from fastrnn.equations.expressions import (
    EquationError,
    Expression,
    all_of,
    constant,
    cos,
    exp,
    sin,
    where,
)

Back = Callable[..., tuple["Expression | _Less | None", ...]]

BACK: dict[str, Back] = {
    "add": lambda g, y, a, b: (g, g),
    "sub": lambda g, y, a, b: (g, _Less(g)),
    "mul": lambda g, y, a, b: (g * b, g * a),
    "div": lambda g, y, a, b: (g / b, _Less(g / b * y)),
    "maximum": lambda g, y, a, b: (where(a < b, 0.0, g), where(a < b, g, 0.0)),
    "minimum": lambda g, y, a, b: (where(b < a, 0.0, g), where(b < a, g, 0.0)),
    "select": lambda g, y, a, b, this, that: (None, None, where(a < b, g, 0.0), where(a < b, 0.0, g)),
    "absolute": lambda g, y, a: (where(a < 0.0, 0.0 - g, where(a > 0.0, g, 0.0)),),
    "exp": lambda g, y, a: (g * y,),
    "log": lambda g, y, a: (g / a,),
    "sqrt": lambda g, y, a: (g * 0.5 / y,),
    "sin": lambda g, y, a: (g * cos(a),),
    "cos": lambda g, y, a: (_Less(g * sin(a)),),
    "erf": lambda g, y, a: (g * (exp(0.0 - a * a) * (2.0 / math.sqrt(math.pi))),),
}
"""What a node hands to each of its arguments: from the gradient g by the node, the node y and its arguments."""
BACK |= {name: lambda g, y, a, back=own.back: (back(g, y),) for name, own in ACTIVATIONS.items()}


class _Less:
    """A gradient to be taken off rather than added."""

    def __init__(self, amount: Expression) -> None:
        self.amount = amount


def slopes(
    results: Sequence[Expression], seeds: Mapping[Expression, Expression], by: Sequence[Expression]
) -> list[Expression | None]:
    """Return the gradients by some nodes, None where nothing depends on them.

    Parameters
    ----------
    results : what the gradients begin at
    seeds : the gradient by each of the results; one that is not there is 0
    by : nodes below them

    Raises
    ------
    EquationError
        An operation that has no derivative.
    """
    found: dict[Expression, Expression] = {}
    for result in results:
        if result in seeds:
            _take(found, result, seeds[result])
    stops = set(by)
    for node in reversed(all_of(results)):
        gradient = found.get(node)
        if gradient is None or not node.below or node in stops:
            continue
        if node.operation not in BACK:
            raise EquationError(f"{node.operation} has no derivative; expected functions of fastrnn.equations")
        for argument, share in zip(node.below, BACK[node.operation](gradient, node, *node.below), strict=True):
            if share is not None and argument.operation != "constant":
                _take(found, argument, share)
    return [found.get(node) for node in by]


def _take(found: dict[Expression, Expression], node: Expression, share: Expression | _Less) -> None:
    before = found.get(node)
    if isinstance(share, _Less):
        found[node] = (constant(0.0) if before is None else before) - share.amount
    else:
        found[node] = share if before is None else before + share


def replaced(
    results: Sequence[Expression], change: Callable[[Expression, tuple[Expression, ...]], Expression | None]
) -> list[Expression]:
    """Return expressions in which ``change(node, its new arguments)`` stands for each node, where it gives one."""
    new: dict[Expression, Expression] = {}
    for node in all_of(results):
        below = tuple(new[each] for each in node.below)
        own = change(node, below)
        if own is not None:
            new[node] = own
        elif all([new is old for new, old in zip(below, node.below, strict=True)]):
            new[node] = node
        else:
            new[node] = Expression(node.operation, *below)
    return [new[result] for result in results]
