"""Adamax."""

from typing import ClassVar

from fastrnn.optimizers.base import Optimizer


class Adamax(Optimizer, frozen=True):
    """Adam by the infinity norm: m the running mean of ``g``, u the largest ``|g|`` of late.

    ``u = max(beta_2 u, |g| + epsilon)``; ``p -= learning_rate m^ / u``.

    Parameters
    ----------
    learning_rate : size of the step, above 0
    beta_1, beta_2 : share of the running mean, and of u, that is kept, in [0, 1)
    epsilon : added to ``|g|``, above 0; not less than the smallest normal number of the model's dtype is used
    weight_decay : added to the gradient times the parameter (L2), at least 0

    Raises
    ------
    ValueError
        A value outside its range.

    References
    ----------
    Kingma and Ba (2015), Adam: a method for stochastic optimization, algorithm 2.
    """

    kind: ClassVar[str] = "adamax"

    learning_rate: float = 0.002
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("beta_1", below=1.0)
        self._check("beta_2", below=1.0)
        self._check("epsilon", above=0.0)
        self._check("weight_decay")

    @property
    def states(self) -> tuple[str, ...]:
        return ("mean", "largest")
