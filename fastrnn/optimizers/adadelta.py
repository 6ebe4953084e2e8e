"""Adadelta."""

from typing import ClassVar

from fastrnn.optimizers.base import Optimizer


class Adadelta(Optimizer, frozen=True):
    """Adadelta: steps in units of the steps before them.

    v, u the running means of ``g**2`` and of ``d**2``: ``d = sqrt(u + epsilon) / sqrt(v + epsilon) g``;
    ``p -= learning_rate d``.

    Parameters
    ----------
    learning_rate : size of the step, above 0
    rho : share of the running means that is kept, in [0, 1)
    epsilon : added to both means; above 0
    weight_decay : added to the gradient times the parameter (L2), at least 0

    Raises
    ------
    ValueError
        A value outside its range.

    References
    ----------
    Zeiler (2012), ADADELTA: an adaptive learning rate method, algorithm 1.
    """

    kind: ClassVar[str] = "adadelta"

    learning_rate: float = 1.0
    rho: float = 0.9
    epsilon: float = 1e-6
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("rho", below=1.0)
        self._check("epsilon", above=0.0)
        self._check("weight_decay")

    @property
    def states(self) -> tuple[str, ...]:
        return ("square", "step")
