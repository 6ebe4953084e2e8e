"""Gradient descent."""

from typing import ClassVar

from fastrnn.optimizers.base import Optimizer


class SGD(Optimizer, frozen=True):
    """Gradient descent, with momentum and weight decay.

    ``v = momentum v + (1 - dampening) g``, the first time ``v = g``; ``p -= learning_rate v``, with Nesterov
    ``p -= learning_rate (g + momentum v)``.

    Parameters
    ----------
    learning_rate : size of the step, above 0
    momentum : share of the velocity that is kept, in [0, 1)
    dampening : share of the gradient that is kept out of the velocity, in [0, 1)
    nesterov : look ahead along the velocity; needs a momentum, and no dampening
    weight_decay : added to the gradient times the parameter, at least 0

    Raises
    ------
    ValueError
        A value outside its range, or ``nesterov`` without momentum or with dampening.

    References
    ----------
    Sutskever, Martens, Dahl and Hinton (2013), On the importance of initialization and momentum in deep learning.
    """

    kind: ClassVar[str] = "sgd"

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    dampening: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("momentum", below=1.0)
        self._check("weight_decay")
        self._check("dampening", below=1.0)
        self._check_flag("nesterov")
        if self.nesterov and not self.momentum:
            raise ValueError("SGD has nesterov=True and momentum=0; expected a momentum above 0, such as 0.9")
        if self.nesterov and self.dampening:
            raise ValueError(
                f"SGD has nesterov=True and dampening={self.dampening:g}; expected no dampening with nesterov"
            )

    @property
    def states(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    @property
    def leaves_unused_alone(self) -> bool:
        return not self.momentum and not self.weight_decay
