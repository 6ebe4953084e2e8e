"""NAdam."""

from typing import ClassVar

from fastrnn.optimizers.base import Optimizer


class NAdam(Optimizer, frozen=True):
    """Adam with Nesterov's momentum, whose share grows from half of ``beta_1`` to the whole.

    ``mu_t = beta_1 (1 - 0.96**(t momentum_decay) / 2)``; m, v the running means of ``g`` and ``g**2``;
    ``p -= learning_rate d / (sqrt(v^) + epsilon)`` with
    ``d = (1 - mu_t) g / (1 - mu_1 ... mu_t) + mu_t+1 m / (1 - mu_1 ... mu_t+1)``.

    Parameters
    ----------
    learning_rate : size of the step, above 0
    beta_1, beta_2 : share of the running means that is kept, in [0, 1)
    epsilon : keeps the quotient finite, above 0; not less than the smallest normal number of the model's dtype is used
    weight_decay : added to the gradient times the parameter (L2), at least 0
    momentum_decay : how fast the momentum grows, at least 0

    Raises
    ------
    ValueError
        A value outside its range.

    References
    ----------
    Dozat (2016), Incorporating Nesterov momentum into Adam.
    """

    kind: ClassVar[str] = "nadam"

    learning_rate: float = 0.002
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    momentum_decay: float = 0.004

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("beta_1", below=1.0)
        self._check("beta_2", below=1.0)
        self._check("epsilon", above=0.0)
        self._check("weight_decay")
        self._check("momentum_decay")

    @property
    def states(self) -> tuple[str, ...]:
        return ("mean", "square")
