"""A cell as its equations: what one step makes of gates and old states, a function of one unit.

A cell adds to the family what happens in one unit; the gates, sums over inputs and states, are formed for it:

=============  =================================================  ====================================================
its argument   is                                                 as in
=============  =================================================  ====================================================
``gates``      ``x W + h U + b``                                  all gates of an LSTM
``inputs``     ``x W + b``                                        minGRU; GRU with reset after: the candidate's one part
``recurrents`` ``h U + b``                                        GRU with reset after: the candidate's other part
``late``       a function ``n(k) = x W + k U + b``                GRU with reset before: ``n(s(r) * h)``
``vectors``    numbers of the unit's own, weights                 peepholes; IndRNN's recurrent weight
``states``     what the last step returned, h first
=============  =================================================  ====================================================

They come in this order. What it returns are the new states.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable
from typing import Any, NamedTuple

from fastrnn.equations.activations import ACTIVATIONS, OF_INPUT
from fastrnn.equations.expressions import EquationError, Expression, all_of, as_expression, function, leaf, trace
from fastrnn.equations.slopes import replaced, slopes

act, s = function("act"), function("s")
"""The layer's ``activation`` and its ``recurrent_activation``, whatever they are."""
KINDS = ("gates", "inputs", "late", "recurrents", "vectors", "states")
MOST_STATES = 4
READ = leaf("read")
"""The state h as the products read it: with recurrent dropout, times its mask."""


class Step(NamedTuple):
    """A step as expressions of the leaves of a cell.

    Attributes
    ----------
    states : the new ones
    argument : what the late gate's recurrent matrix multiplies; None if there is none
    """

    states: tuple[Expression, ...]
    argument: Expression | None


class Cell:
    """A cell: its equation and what the arguments of that are; made by `cell`.

    Attributes
    ----------
    name : of the equation
    gates, inputs, late, recurrents, vectors, states : names of its arguments of each kind
    step : the equation on symbols
    leaves : the symbol of each name
    """

    own_kind = "cell"

    def __init__(self, equation: Callable[..., Any], names: dict[str, tuple[str, ...]]) -> None:
        self.equation, self.name = equation, equation.__name__
        self.__doc__ = equation.__doc__
        self.gates, self.inputs, self.late, self.recurrents, self.vectors, self.states = (names[k] for k in KINDS)
        self.leaves = {name: leaf(name) for kind in KINDS for name in names[kind]}
        self.step = self._traced()

    def __call__(self, *arguments: Any) -> Any:
        """Compute a step of NumPy's numbers, or of whatever the equation takes."""
        return self.equation(*arguments)

    def __repr__(self) -> str:
        return f"<cell {self.name}>"

    @property
    def input_gates(self) -> tuple[str, ...]:
        """Names of the blocks of the kernel's columns."""
        return self.gates + self.inputs + self.late

    @property
    def recurrent_gates(self) -> tuple[str, ...]:
        """Names of the blocks of the recurrent kernel's columns; none if there is no recurrent kernel."""
        return self.gates + self.recurrents + self.late

    @property
    def options(self) -> tuple[str, ...]:
        """Which of the layer's activations the equation uses."""
        used = {node.operation for node in self._nodes()}
        return tuple(each for each, name in (("activation", "act"), ("recurrent_activation", "s")) if name in used)

    def with_activations(self, activation: str, recurrent_activation: str) -> Step:
        """Return the step with activations in the places of ``act`` and ``s``."""
        chosen = {"act": activation, "s": recurrent_activation}

        def change(node: Expression, below: tuple[Expression, ...]) -> Expression | None:
            return named(chosen[node.operation], *below) if node.operation in chosen else None

        argument = [] if self.step.argument is None else [self.step.argument]
        *states, last = replaced([*self.step.states, *argument], change)
        return Step(tuple(states), last) if argument else Step((*states, last), None)

    def _nodes(self) -> list[Expression]:
        argument = () if self.step.argument is None else (self.step.argument,)
        return all_of([*self.step.states, *argument])

    def _traced(self) -> Step:
        given: list[Expression] = []

        def late(argument: Any) -> Expression:
            if given:
                raise EquationError(f"{self.late[0]} is called twice; expected once, by what its matrix multiplies")
            given.append(as_expression(argument))
            return self.leaves[self.late[0]]

        arguments = [late if name in self.late else self.leaves[name] for name in self.leaves]
        states = trace(self.equation, arguments, len(self.states), "the new states in their order")
        if self.late and not given:
            raise EquationError(f"{self.name}: {self.late[0]} is not called; expected it to be, by what it multiplies")
        if not given:
            return Step(states, None)
        h = self.leaves[self.states[0]]
        (argument,) = replaced(given, lambda node, below: READ if node is h else None)
        return Step(states, argument)


OWN: dict[str, Callable[[Any], Any]] = {}
"""Activations of users by name."""


def activation(equation: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make an activation of a function of one number: its name is then one that layers take.

    In a file the name stands for it: a process that loads it must have made it, or be handed it in.

    Raises
    ------
    EquationError
        A function that branches on values or uses what cannot be derived; a name that another activation has.

    Examples
    --------
    >>> @activation
    ... def swish(x):
    ...     return x * sigmoid(x)  # doctest: +SKIP
    """
    name = getattr(equation, "__name__", "")
    if not callable(equation) or not name.isidentifier():
        raise EquationError(f"@activation is given {equation!r}; expected a function that has a name")
    (value,) = trace(equation, [leaf("x")], 1, "the activation of its argument")
    slopes([value], {value: leaf("gradient")}, [])
    known = OWN.get(name)
    if name in ACTIVATIONS or name in OF_INPUT or name == "softmax" or (known and not _is_same(known, equation)):
        raise EquationError(f"there is another activation {name}; expected a name of its own")
    OWN[name] = equation
    return equation


def _is_same(one: Any, other: Any) -> bool:
    """Whether two functions say the same: one that a notebook's cell has made again."""
    a, b = one.__code__, other.__code__
    return (a.co_code, a.co_consts, a.co_names) == (b.co_code, b.co_consts, b.co_names)


def named(name: str, x: Expression) -> Expression:
    """Return an activation of an expression by its name."""
    if name in ACTIVATIONS:
        return x if name == "linear" else Expression(name, x)
    value: Expression = (OF_INPUT | OWN)[name](x)
    return value


def cell(
    gates: str = "",
    *,
    inputs: str = "",
    late: str = "",
    recurrents: str = "",
    vectors: str = "",
    states: str = "h",
) -> Callable[[Callable[..., Any]], Cell]:
    """Make a cell of a function: its parameters are those named here, in this order.

    Parameters
    ----------
    gates, inputs, late, recurrents, vectors, states
        names of its parameters of each kind, with spaces between them; see the head of `fastrnn.equations.cells`

    Raises
    ------
    EquationError
        Names that are none or not the function's; a function that branches on values, uses what cannot be derived,
        or returns another number of states.

    Examples
    --------
    >>> @cell(gates="f n", states="h")
    ... def gated(f, n, h):
    ...     return h + sigmoid(f) * (tanh(n) - h)  # doctest: +SKIP
    """
    given = dict(zip(KINDS, (gates, inputs, late, recurrents, vectors, states), strict=True))
    names: dict[str, tuple[str, ...]] = {}
    for kind, text in given.items():
        if not isinstance(text, str):
            raise EquationError(f"{kind} is {text!r}; expected names with spaces between them, such as 'z r'")
        names[kind] = tuple(text.replace(",", " ").split())
    every = [name for own in names.values() for name in own]
    for name in every:
        if not name.isidentifier() or keyword.iskeyword(name) or every.count(name) > 1:
            raise EquationError(f"{name!r} is no name, or is there twice; expected each parameter's name once")
    if not names["gates"] + names["inputs"] + names["late"]:
        raise EquationError("the cell has no gate that reads the input; expected names in gates, inputs or late")
    if not 1 <= len(names["states"]) <= MOST_STATES:
        raise EquationError(f"states are {states!r}; expected one to {MOST_STATES} names, the output first")
    if len(names["late"]) > 1:
        raise EquationError(f"late is {late!r}; expected one name")

    def make(equation: Callable[..., Any]) -> Cell:
        if not callable(equation) or not hasattr(equation, "__code__"):
            raise EquationError(f"@cell is given {equation!r}; expected a function")
        code = equation.__code__
        own = list(code.co_varnames[: code.co_argcount])
        if own != every:
            raise EquationError(f"{equation.__name__} has the parameters {', '.join(own)}; expected {', '.join(every)}")
        return Cell(equation, names)

    return make
