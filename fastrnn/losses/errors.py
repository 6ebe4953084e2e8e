"""Losses of the difference between output and target."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from fastrnn.equations.activations import softplus
from fastrnn.equations.expressions import Expression, absolute, where
from fastrnn.losses.base import ElementLoss, Loss


class MSE(Loss, frozen=True):
    """Mean squared error: ``(p - y)**2``."""

    kind: ClassVar[str] = "mse"


class MAE(Loss, frozen=True):
    """Mean absolute error: ``|p - y|``."""

    kind: ClassVar[str] = "mae"


class Huber(ElementLoss, frozen=True):
    """Squares up to ``delta``, lines beyond: ``d**2 / 2`` where ``|d| <= delta``, else ``delta (|d| - delta / 2)``.

    Keras's Huber and PyTorch's huber_loss.

    Parameters
    ----------
    delta : where the line begins, above 0

    Raises
    ------
    ValueError
        ``delta`` is not a number above 0.

    References
    ----------
    Huber (1964), Robust estimation of a location parameter.
    """

    kind: ClassVar[str] = "huber"

    delta: float = 1.0

    def __post_init__(self) -> None:
        self._check_number("delta", above=0.0)

    def value(self, prediction: Expression, target: Expression, level: Expression) -> Any:
        error = prediction - target
        size = absolute(error)
        return where(self.delta < size, self.delta * (size - 0.5 * self.delta), 0.5 * error * error)


class LogCosh(ElementLoss, frozen=True):
    """``log(cosh(d))``, a square near 0 and a line far off; Keras's LogCosh."""

    kind: ClassVar[str] = "log_cosh"

    def value(self, prediction: Expression, target: Expression, level: Expression) -> Any:
        error = prediction - target
        return error + softplus(-2.0 * error) - 0.6931471805599453


class MAPE(ElementLoss, frozen=True):
    """Mean absolute percentage error: ``100 |p - y| / max(|y|, 1e-7)``; Keras's MeanAbsolutePercentageError."""

    kind: ClassVar[str] = "mape"

    def value(self, prediction: Expression, target: Expression, level: Expression) -> Any:
        size = absolute(target)
        return 100.0 * absolute(prediction - target) / where(size < 1e-7, 1e-7, size)


class Quantile(ElementLoss, frozen=True):
    """Pinball loss ``max(q (y - p), (q - 1) (y - p))`` of each level q: the outputs become the quantiles.

    With k levels there are k outputs for each target: that of target j for the i-th level is output ``j k + i``.

    Parameters
    ----------
    levels : of the quantiles, one number or several, each above 0 and below 1

    Raises
    ------
    ValueError
        Levels that are none.

    References
    ----------
    Koenker and Bassett (1978), Regression quantiles.
    """

    kind: ClassVar[str] = "quantile"

    levels: float | tuple[float, ...] = 0.5

    def __post_init__(self) -> None:
        given: Any = self.levels
        if isinstance(given, list):
            given = tuple(given)
        several = given if isinstance(given, tuple) else (given,)
        if not several or not all([type(q) in (int, float) and 0 < q < 1 for q in several]):
            raise self._error("levels", "a number above 0 and below 1, or a tuple of them")
        msgspec.structs.force_setattr(self, "levels", tuple(map(float, several)) if several is given else float(given))

    @property
    def output_levels(self) -> tuple[float, ...]:
        return self.levels if isinstance(self.levels, tuple) else (self.levels,)

    @property
    def outputs_per_target(self) -> int:
        return len(self.output_levels)

    def value(self, prediction: Expression, target: Expression, level: Expression) -> Any:
        error = target - prediction
        return where(error < 0.0, (level - 1.0) * error, level * error)
