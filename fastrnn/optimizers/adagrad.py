"""Adagrad."""

from typing import ClassVar

from fastrnn.optimizers.base import Optimizer


class Adagrad(Optimizer, frozen=True):
    """Adagrad: the sum of all ``g**2`` so far scales each gradient, so steps only get shorter.

    ``p -= learning_rate g / (sqrt(sum) + epsilon)``.

    Parameters
    ----------
    learning_rate : size of the step, above 0
    epsilon : keeps the quotient finite, above 0; not less than the smallest normal number of the model's dtype is used
    weight_decay : added to the gradient times the parameter (L2), at least 0

    Raises
    ------
    ValueError
        A value outside its range.

    References
    ----------
    Duchi, Hazan and Singer (2011), Adaptive subgradient methods for online learning and stochastic optimization.
    """

    kind: ClassVar[str] = "adagrad"

    learning_rate: float = 0.01
    epsilon: float = 1e-10
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("epsilon", above=0.0)
        self._check("weight_decay")

    @property
    def states(self) -> tuple[str, ...]:
        return ("sum",)

    @property
    def leaves_unused_alone(self) -> bool:
        return not self.weight_decay
