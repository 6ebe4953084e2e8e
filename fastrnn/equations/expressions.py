"""Expressions: what a function of numbers computes, written down as it is called on symbols.

A node is compared and hashed by what it is, not by what it says: the same sum written twice is two nodes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from numbers import Real
from typing import Any


class EquationError(TypeError):
    """A function that cannot be written down as an expression."""


class Expression:
    """A node of a graph: an operation and what it is applied to.

    Attributes
    ----------
    operation : "leaf", "constant", or the name of an operation that `fastrnn.equations.slopes` can derive
    arguments : expressions; the name of a leaf, the number of a constant
    """

    __slots__ = ("arguments", "operation")
    __hash__ = object.__hash__

    def __init__(self, operation: str, *arguments: Any) -> None:
        self.operation, self.arguments = operation, arguments

    @property
    def below(self) -> tuple[Expression, ...]:
        """The expressions that this one is computed from."""
        return () if self.operation in ("leaf", "constant") else self.arguments

    def __repr__(self) -> str:
        return f"{self.operation}({', '.join(map(repr, self.arguments))})"

    def __add__(self, other: Any) -> Expression:
        return _node("add", self, other)

    def __radd__(self, other: Any) -> Expression:
        return _node("add", other, self)

    def __sub__(self, other: Any) -> Expression:
        return _node("sub", self, other)

    def __rsub__(self, other: Any) -> Expression:
        return _node("sub", other, self)

    def __mul__(self, other: Any) -> Expression:
        return _node("mul", self, other)

    def __rmul__(self, other: Any) -> Expression:
        return _node("mul", other, self)

    def __truediv__(self, other: Any) -> Expression:
        return _node("div", self, other)

    def __rtruediv__(self, other: Any) -> Expression:
        return _node("div", other, self)

    def __neg__(self) -> Expression:
        return _node("sub", 0.0, self)

    def __pos__(self) -> Expression:
        return self

    def __abs__(self) -> Expression:
        return absolute(self)

    def __pow__(self, power: Any) -> Expression:
        if power in (1, 2, 3, 4):
            out = self
            for _ in range(int(power) - 1):
                out = out * self
            return out
        if power == 0.5:
            return sqrt(self)
        raise EquationError(f"a power of {power!r} cannot be derived; expected ** 2, 3, 4 or 0.5, or exp(a * log(x))")

    def __lt__(self, other: Any) -> Expression:
        return _node("less", self, other)

    def __gt__(self, other: Any) -> Expression:
        return _node("less", other, self)

    def __le__(self, other: Any) -> Expression:
        return _node("less", self, other)

    def __ge__(self, other: Any) -> Expression:
        return _node("less", other, self)

    def __eq__(self, other: object) -> Any:
        raise EquationError("== of values; expected arithmetic, or where(a < b, this, that)")

    def __bool__(self) -> bool:
        raise EquationError(
            "it branches on a value, which differs from place to place; expected where(a < b, this, that)"
        )

    def __float__(self) -> float:
        raise EquationError(
            "it takes one number out of many, as functions of math do; expected functions of fastrnn.equations"
        )

    __int__ = __index__ = __float__

    def __iter__(self) -> Any:
        raise EquationError("it takes a value apart; expected arithmetic on whole values")

    def __getitem__(self, place: Any) -> Any:
        raise EquationError("it picks places of a value; expected arithmetic on whole values")

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, **options: Any) -> Expression:
        own = _OF_NUMPY.get(function.__name__)
        if own is None or method != "__call__" or options:
            raise EquationError(
                f"numpy.{function.__name__} cannot be derived; expected arithmetic and functions of fastrnn.equations"
            )
        return _node(own, *inputs)

    def __array_function__(self, function: Any, *_: Any) -> Any:
        raise EquationError(
            f"numpy.{function.__name__} cannot be derived; expected arithmetic and functions of fastrnn.equations"
        )

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise EquationError("it makes an array of a value; expected arithmetic on whole values")


_OF_NUMPY = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "exp": "exp",
    "log": "log",
    "sin": "sin",
    "cos": "cos",
    "sqrt": "sqrt",
    "tanh": "tanh",
    "absolute": "absolute",
    "maximum": "maximum",
    "minimum": "minimum",
    "less": "less",
}


def leaf(name: str) -> Expression:
    """Return a symbol."""
    return Expression("leaf", name)


def constant(number: float) -> Expression:
    """Return a number."""
    return Expression("constant", float(number))


def as_expression(value: Any) -> Expression:
    """Return a number or an expression as an expression.

    Raises
    ------
    EquationError
        Neither of them.
    """
    if isinstance(value, Expression):
        return value
    if isinstance(value, Real):
        return constant(float(value))
    raise EquationError(
        f"it computes with a {type(value).__name__}; expected its arguments, numbers and what they make"
    )


def _node(operation: str, *arguments: Any) -> Expression:
    given = [as_expression(argument) for argument in arguments]
    if operation in _FOLDED and all([each.operation == "constant" for each in given]):
        return constant(_FOLDED[operation](*[each.arguments[0] for each in given]))
    return Expression(operation, *given)


_FOLDED: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
}


def function(name: str) -> Callable[[Any], Expression]:
    """Return the function of one argument that an operation is."""

    def call(x: Any) -> Expression:
        return _node(name, x)

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{name} of every number."
    return call


exp, log, sin, cos, sqrt = (function(name) for name in ("exp", "log", "sin", "cos", "sqrt"))
absolute = function("absolute")


def maximum(a: Any, b: Any) -> Expression:
    """The larger of a and b."""
    return _node("maximum", a, b)


def minimum(a: Any, b: Any) -> Expression:
    """The smaller of a and b."""
    return _node("minimum", a, b)


def where(condition: Any, this: Any, that: Any) -> Expression:
    """Choose ``this`` where a condition ``a < b`` holds, ``that`` elsewhere.

    Raises
    ------
    EquationError
        The condition is no comparison.
    """
    if not isinstance(condition, Expression) or condition.operation != "less":
        raise EquationError("where() is given no comparison; expected where(a < b, this, that)")
    return _node("select", *condition.arguments, this, that)


def trace(equation: Callable[..., Any], arguments: Iterable[Any], results: int, what: str) -> tuple[Expression, ...]:
    """Call a function on symbols and return the expressions of its results.

    Raises
    ------
    EquationError
        It does what cannot be written down, or returns another number of results.
    """
    name, given = getattr(equation, "__name__", "the function"), list(arguments)
    try:
        inspect.signature(equation).bind(*given)
    except TypeError as error:
        raise EquationError(f"{name}: {error}") from None
    try:
        found = equation(*given)
        values = found if isinstance(found, tuple) else (found,)
        made = tuple([as_expression(value) for value in values])
    except EquationError as error:
        raise EquationError(f"{name}: {error}") from None
    except Exception as error:
        raise EquationError(
            f"{name} cannot be traced: {type(error).__name__}: {error}; expected arithmetic and functions of "
            f"fastrnn.equations"
        ) from None
    if len(made) != results:
        raise EquationError(f"{name} returns {len(made)} values; expected {results}, {what}")
    if any([node.operation == "less" for value in made for node in all_of([value])]):
        raise EquationError(f"{name}: a comparison is used as a number; expected where(a < b, this, that)")
    return made


def all_of(results: Iterable[Expression]) -> list[Expression]:
    """Return all nodes that some are computed from, and these, each after what it is computed from."""
    order: list[Expression] = []
    seen: set[Expression] = set()
    left = [(node, False) for node in reversed(list(results))]
    while left:
        node, is_done = left.pop()
        if is_done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            left.append((node, True))
            left.extend((each, False) for each in reversed(node.below))
    return order
