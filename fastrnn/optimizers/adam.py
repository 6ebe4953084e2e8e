"""Adam."""

from typing import ClassVar

from fastrnn.optimizers.base import Optimizer


class Adam(Optimizer, frozen=True):
    """Adam: running means m, v of ``g`` and ``g**2``, both corrected for their start as m^, v^.

    ``p -= learning_rate m^ / (sqrt(v^) + epsilon)``.

    Parameters
    ----------
    learning_rate : size of the step, above 0
    beta_1, beta_2 : share of the running means that is kept, in [0, 1)
    epsilon : keeps the quotient finite, above 0; not less than the smallest normal number of the model's dtype is used
    weight_decay : added to the gradient times the parameter (L2), at least 0
    amsgrad : divide by the largest v so far in place of v

    Raises
    ------
    ValueError
        A value outside its range.

    References
    ----------
    Kingma and Ba (2015), Adam: a method for stochastic optimization, algorithm 1.
    Reddi, Kale and Kumar (2018), On the convergence of Adam and beyond (amsgrad).
    """

    kind: ClassVar[str] = "adam"

    learning_rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    amsgrad: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("beta_1", below=1.0)
        self._check("beta_2", below=1.0)
        self._check("epsilon", above=0.0)
        self._check("weight_decay")
        self._check_flag("amsgrad")

    @property
    def states(self) -> tuple[str, ...]:
        return ("mean", "square", "largest") if self.amsgrad else ("mean", "square")
