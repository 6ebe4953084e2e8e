"""A loss of a user's own: what one output costs, as a function of it and of its target."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from fastrnn.equations.expressions import EquationError, Expression, leaf, trace
from fastrnn.equations.slopes import slopes
from fastrnn.losses.base import ElementLoss


class Cost:
    """A function of output and target; a file names it."""

    own_kind = "loss"

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self.function, self.name = function, function.__name__


class OwnLoss(ElementLoss, frozen=True):
    """A mean over the outputs of what a function says that each costs; made by `fastrnn.loss`."""

    kind: ClassVar[str] = "own"

    cost: Cost

    @property
    def name(self) -> str:
        return self.cost.name

    @property
    def in_files(self) -> Cost:
        """What a file names."""
        return self.cost

    def value(self, prediction: Expression, target: Expression, level: Expression) -> Any:
        return self.cost.function(prediction, target)


def loss(function: Callable[[Any, Any], Any]) -> OwnLoss:
    """Make a loss of a function ``f(prediction, target)`` of one output; a place has the mean over its outputs.

    Its slope is derived. In a file its name stands for it, and whoever loads the file hands it in.

    Raises
    ------
    EquationError
        A function that branches on values, uses what cannot be derived, or takes other arguments.

    Examples
    --------
    >>> @loss
    ... def cubed(prediction, target):
    ...     return abs(prediction - target) ** 3
    """
    if not callable(function) or not getattr(function, "__name__", "").isidentifier():
        raise EquationError(f"@loss is given {function!r}; expected a function that has a name")
    prediction = leaf("prediction")
    (value,) = trace(function, [prediction, leaf("target")], 1, "what an output costs")
    (slope,) = slopes([value], {value: leaf("gradient")}, [prediction])
    if slope is None:
        raise EquationError(f"{function.__name__} does not depend on the prediction; expected a function that does")
    return OwnLoss(Cost(function))
