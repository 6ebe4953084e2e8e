"""RMSProp."""

from typing import ClassVar

from fastrnn.optimizers.base import Optimizer


class RMSProp(Optimizer, frozen=True):
    """RMSProp: ``v``, a running mean of ``g**2``, scales each gradient; with momentum the scaled ones add up.

    ``p -= learning_rate u``, with ``u = momentum u + g / (sqrt(v) + epsilon)``.

    Parameters
    ----------
    learning_rate : size of the step, above 0
    rho : share of the running mean that is kept, in [0, 1)
    momentum : share of the last step that is kept, in [0, 1)
    epsilon : keeps the quotient finite, above 0; not less than the smallest normal number of the model's dtype is used
    weight_decay : added to the gradient times the parameter (L2), at least 0
    centered : divide by the running standard deviation: v less the square of a running mean of ``g``

    Raises
    ------
    ValueError
        A value outside its range.

    References
    ----------
    Tieleman and Hinton (2012), Neural networks for machine learning, lecture 6e.
    Graves (2013), Generating sequences with recurrent neural networks, equation 38 (centered).
    """

    kind: ClassVar[str] = "rmsprop"

    learning_rate: float = 0.01
    rho: float = 0.99
    momentum: float = 0.0
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    centered: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("rho", below=1.0)
        self._check("momentum", below=1.0)
        self._check("epsilon", above=0.0)
        self._check("weight_decay")
        self._check_flag("centered")

    @property
    def states(self) -> tuple[str, ...]:
        if self.centered:
            return ("square", "velocity", "mean")
        return ("square", "velocity") if self.momentum else ("square",)
