"""What every optimizer is: a frozen description, checked when it is made."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, ClassVar

import msgspec

from fastrnn.ground.checks import brief
from fastrnn.ground.unknown import StructMeta, explained


@explained
class Optimizer(msgspec.Struct, metaclass=StructMeta, frozen=True, forbid_unknown_fields=True, tag=True):
    """What every optimizer has: a learning rate above 0.

    Attributes
    ----------
    states : names of what it keeps for each parameter from update to update
    leaves_unused_alone : whether a parameter without a gradient, and its states, stay as they are
    """

    kind: ClassVar[str]

    learning_rate: float

    @property
    def states(self) -> tuple[str, ...]:
        return ()

    @property
    def leaves_unused_alone(self) -> bool:
        return False

    def __post_init__(self) -> None:
        self._check("learning_rate", above=0.0)

    def _check_flag(self, field: str) -> None:
        if not isinstance(getattr(self, field), bool):
            value = brief(getattr(self, field))
            raise ValueError(f"{type(self).__name__} has {field}={value}; expected True or False")

    def _check(self, field: str, above: float | None = None, below: float = math.inf) -> None:
        """Refuse what is not a number in ``[0, below)``, or in ``(above, below)`` if that is given."""
        value: Any = getattr(self, field)
        good = isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) < below
        if not good or (above is not None and value <= above):
            low = "at least 0" if above is None else f"above {above:g}"
            high = "" if below == math.inf else f" and below {below:g}"
            raise ValueError(f"{type(self).__name__} has {field}={brief(value)}; expected a number {low}{high}")
        msgspec.structs.force_setattr(self, field, float(value))
