"""Expressions as lines of source: each node once, in the order in which it is needed."""

from __future__ import annotations

from collections.abc import Mapping

from fastrnn.equations.activations import ACTIVATIONS
from fastrnn.equations.expressions import Expression

_SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
FUNCTIONS = {
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "exp": "exp",
    "log": "log",
    "sin": "sine",
    "cos": "cosine",
    "erf": "erf",
    "sqrt": "square_root",
    "absolute": "absolute",
    "maximum": "maximum",
    "minimum": "minimum",
    "select": "select_less",
}
"""What operations are called in kernels."""


class Unknown(Exception):
    """A leaf that is needed and has no name: its ``leaf``."""

    def __init__(self, leaf: Expression) -> None:
        self.leaf = leaf
        super().__init__(leaf)


class Lines:
    """Lines that compute expressions from those that are known by a name, or by what loads them.

    Parameters
    ----------
    known : for each expression that need not be computed the source that gives it, which is written once where needed
    """

    def __init__(self, known: Mapping[Expression, str]) -> None:
        self.lines: list[str] = []
        self._known = dict(known)
        self._names: dict[Expression, str] = {}

    def name(self, result: Expression) -> str:
        """Return the name of an expression, after the lines that it takes."""
        for node in self._needed(result):
            if node not in self._names:
                self._names[node] = self._write(node)
        return self._names[result]

    def _needed(self, result: Expression) -> list[Expression]:
        """Return what must be written for a result, each after what it is computed from."""
        order: list[Expression] = []
        seen: set[Expression] = set()
        left = [(result, False)]
        while left:
            node, is_done = left.pop()
            if is_done:
                order.append(node)
            elif node not in seen and node not in self._names:
                seen.add(node)
                left.append((node, True))
                if node not in self._known:
                    left.extend((each, False) for each in reversed(node.below))
        return order

    def _write(self, node: Expression) -> str:
        if node.operation == "constant":
            return repr(node.arguments[0])
        if node in self._known:
            source = self._known[node]
        elif node.operation == "leaf":
            raise Unknown(node)
        elif node.operation in ACTIVATIONS and node.operation not in FUNCTIONS:
            value = ACTIVATIONS[node.operation].value
            assert value is not None
            return self.name(value(*node.below))
        else:
            given = [self._names[each] for each in node.below]
            sign = _SIGNS.get(node.operation)
            source = f"{given[0]} {sign} {given[1]}" if sign else f"{FUNCTIONS[node.operation]}({', '.join(given)})"
        name = f"v{len(self._names)}"
        self.lines.append(f"{name} = {source}")
        return name
