"""What every loss is: a frozen description of what one place costs, checked when it is made."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any, ClassVar

import msgspec

from fastrnn.equations.expressions import Expression
from fastrnn.ground.checks import brief
from fastrnn.ground.unknown import StructMeta, explained


@explained
class Loss(msgspec.Struct, metaclass=StructMeta, frozen=True, forbid_unknown_fields=True, tag=True):
    """What every loss is.

    Attributes
    ----------
    kind : its short name
    probabilities : the activation whose outputs it takes, beside linear ones in a cross-entropy; "" for any numbers
    takes_logits : whether linear outputs will do there
    targets : "numbers", "counts" (from 0 up) or "distributions"
    """

    kind: ClassVar[str]
    probabilities: ClassVar[str] = ""
    takes_logits: ClassVar[bool] = True
    targets: ClassVar[str] = "numbers"

    @property
    def weighs(self) -> bool:
        """Whether places count differently."""
        return False

    @property
    def spread(self) -> float:
        """Share of every target that is spread over all classes."""
        return 0.0

    @property
    def name(self) -> str:
        """What a history calls it as a metric."""
        return self.kind

    @property
    def outputs_per_target(self) -> int:
        """How many outputs there are for each target."""
        return 1

    def _error(self, field: str, expected: str) -> ValueError:
        return ValueError(f"{type(self).__name__} has {field}={brief(getattr(self, field))}; expected {expected}")

    def _check_number(
        self, field: str, *, above: float = -math.inf, below: float = math.inf, least: float = -math.inf
    ) -> None:
        given: Any = getattr(self, field)
        good = isinstance(given, Real) and not isinstance(given, bool) and math.isfinite(float(given))
        if not good or not (above < given < below and given >= least):
            low = f"at least {least:g}" if least > -math.inf else f"above {above:g}"
            high = f" and below {below:g}" if below < math.inf else ""
            raise self._error(field, f"a number {low}{high}")
        msgspec.structs.force_setattr(self, field, float(given))


class ElementLoss(Loss, frozen=True):
    """A loss that is a mean over the outputs of a place, or their sum, of what each of them costs.

    Attributes
    ----------
    adds_up : whether it is the sum
    """

    adds_up: ClassVar[bool] = False

    @property
    def output_levels(self) -> tuple[float, ...]:
        """What tells the outputs of one target apart; empty if there is one."""
        return ()

    def value(self, prediction: Expression, target: Expression, level: Expression) -> Any:
        """What an output costs."""
        raise NotImplementedError
