"""Optimizers: frozen descriptions, checked when they are made; the update rules are PyTorch's, the names Keras's."""

from __future__ import annotations

import math
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from fastrnn.ground.attributes import fix
from fastrnn.ground.checks import brief
from fastrnn.ground.unknown import StructMeta, asked_of, explained

if not TYPE_CHECKING:
    __getattr__ = asked_of(__name__)


@explained
class Optimizer(msgspec.Struct, metaclass=StructMeta, frozen=True, forbid_unknown_fields=True, tag=True):
    """What every optimizer has: a learning rate above 0.

    Attributes
    ----------
    states : names of what it keeps for each parameter from update to update
    leaves_unused_alone : whether a parameter without a gradient, and its states, stay as they are
    """

    kind: ClassVar[str]

    learning_rate: float

    @property
    def states(self) -> tuple[str, ...]:
        return ()

    @property
    def leaves_unused_alone(self) -> bool:
        return False

    def __post_init__(self) -> None:
        self._check("learning_rate", above=0.0)

    def _check(self, field: str, above: float | None = None, below: float = math.inf) -> None:
        """Refuse what is not a number in ``[0, below)``, or in ``(above, below)`` if that is given."""
        value: Any = getattr(self, field)
        good = isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) < below
        if not good or (above is not None and value <= above):
            low = "at least 0" if above is None else f"above {above:g}"
            high = "" if below == math.inf else f" and below {below:g}"
            raise ValueError(f"{type(self).__name__} has {field}={brief(value)}; expected a number {low}{high}")
        msgspec.structs.force_setattr(self, field, float(value))


class SGD(Optimizer, frozen=True):
    """Gradient descent, with momentum and weight decay.

    ``v = momentum v + g``; ``p -= learning_rate v``, with Nesterov ``p -= learning_rate (g + momentum v)``.

    Parameters
    ----------
    learning_rate : size of the step, above 0
    momentum : share of the velocity that is kept, in [0, 1)
    nesterov : look ahead along the velocity; needs a momentum
    weight_decay : added to the gradient times the parameter, at least 0

    Raises
    ------
    ValueError
        A value outside its range, or ``nesterov`` without momentum.

    References
    ----------
    Sutskever, Martens, Dahl and Hinton (2013), On the importance of initialization and momentum in deep learning.
    """

    kind: ClassVar[str] = "sgd"

    learning_rate: float = 0.01
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("momentum", below=1.0)
        self._check("weight_decay")
        if not isinstance(self.nesterov, bool):
            raise ValueError(f"SGD has nesterov={brief(self.nesterov)}; expected True or False")
        if self.nesterov and not self.momentum:
            raise ValueError("SGD has nesterov=True and momentum=0; expected a momentum above 0, such as 0.9")

    @property
    def states(self) -> tuple[str, ...]:
        return ("velocity",) if self.momentum else ()

    @property
    def leaves_unused_alone(self) -> bool:
        return not self.momentum and not self.weight_decay


class Adam(Optimizer, frozen=True):
    """Adam: running means m, v of ``g`` and ``g**2``, both corrected for their start as m^, v^.

    ``p -= learning_rate m^ / (sqrt(v^) + epsilon)``.

    Parameters
    ----------
    learning_rate : size of the step, above 0
    beta_1, beta_2 : share of the running means that is kept, in [0, 1)
    epsilon : keeps the quotient finite, above 0; not less than the smallest normal number of the model's dtype is used

    Raises
    ------
    ValueError
        A value outside its range.

    References
    ----------
    Kingma and Ba (2015), Adam: a method for stochastic optimization, algorithm 1.
    """

    kind: ClassVar[str] = "adam"

    learning_rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("beta_1", below=1.0)
        self._check("beta_2", below=1.0)
        self._check("epsilon", above=0.0)

    @property
    def states(self) -> tuple[str, ...]:
        return ("mean", "square")


class RMSProp(Optimizer, frozen=True):
    """RMSProp: ``v``, a running mean of ``g**2``, scales each gradient; with momentum the scaled ones add up.

    ``p -= learning_rate u``, with ``u = momentum u + g / (sqrt(v) + epsilon)``.

    Parameters
    ----------
    learning_rate : size of the step, above 0
    rho : share of the running mean that is kept, in [0, 1)
    momentum : share of the last step that is kept, in [0, 1)
    epsilon : keeps the quotient finite, above 0; not less than the smallest normal number of the model's dtype is used

    Raises
    ------
    ValueError
        A value outside its range.

    References
    ----------
    Tieleman and Hinton (2012), Neural networks for machine learning, lecture 6e.
    """

    kind: ClassVar[str] = "rmsprop"

    learning_rate: float = 0.01
    rho: float = 0.99
    momentum: float = 0.0
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("rho", below=1.0)
        self._check("momentum", below=1.0)
        self._check("epsilon", above=0.0)

    @property
    def states(self) -> tuple[str, ...]:
        return ("square", "velocity") if self.momentum else ("square",)


class Adagrad(Optimizer, frozen=True):
    """Adagrad: the sum of all ``g**2`` so far scales each gradient, so steps only get shorter.

    ``p -= learning_rate g / (sqrt(sum) + epsilon)``.

    Parameters
    ----------
    learning_rate : size of the step, above 0
    epsilon : keeps the quotient finite, above 0; not less than the smallest normal number of the model's dtype is used

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

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check("epsilon", above=0.0)

    @property
    def states(self) -> tuple[str, ...]:
        return ("sum",)

    @property
    def leaves_unused_alone(self) -> bool:
        return True


AnyOptimizer = SGD | Adam | RMSProp | Adagrad
"""Every optimizer that there is."""
fix(Optimizer, "another optimizer: trainer.optimizer = {kind}({name}=...)")
