"""Losses that are likelihoods, or distances of distributions."""

from __future__ import annotations

from typing import Any, ClassVar

from fastrnn.equations.expressions import Expression, exp, log, maximum, minimum
from fastrnn.losses.base import ElementLoss

SMALLEST = 1e-7
"""What logarithms are held away from 0 by, as in Keras."""


class Poisson(ElementLoss, frozen=True):
    """``p - y log(p + 1e-7)``, as Keras's Poisson, or of outputs that are logarithms ``exp(p) - y p``, as PyTorch's.

    Parameters
    ----------
    log_input : whether the outputs are the logarithms of the rates; else they are the rates, and should be above 0

    Raises
    ------
    ValueError
        ``log_input`` is neither True nor False.
    """

    kind: ClassVar[str] = "poisson"
    targets: ClassVar[str] = "counts"

    log_input: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.log_input, bool):
            raise self._error("log_input", "True or False")

    def value(self, prediction: Expression, target: Expression, level: Expression) -> Any:
        if self.log_input:
            return exp(prediction) - target * prediction
        return prediction - target * log(maximum(prediction, 0.0) + SMALLEST)


class KLDivergence(ElementLoss, frozen=True):
    """``sum of y log(y / p)`` over the classes, both held between 1e-7 and 1; Keras's KLDivergence, of softmax outputs.

    References
    ----------
    Kullback and Leibler (1951), On information and sufficiency.
    """

    kind: ClassVar[str] = "kl_divergence"
    probabilities: ClassVar[str] = "softmax"
    takes_logits: ClassVar[bool] = False
    adds_up: ClassVar[bool] = True
    targets: ClassVar[str] = "distributions"

    def value(self, prediction: Expression, target: Expression, level: Expression) -> Any:
        y, p = (minimum(maximum(each, SMALLEST), 1.0) for each in (target, prediction))
        return y * log(y / p)
