"""Optimizers: frozen descriptions, checked when they are made; the update rules are PyTorch's, the names Keras's.

Each file beside this one is an optimizer, or some of a kind; whatever lies here is part of the family.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Union

from fastrnn.ground import checks
from fastrnn.ground.attributes import fix
from fastrnn.ground.unknown import asked_of, choice
from fastrnn.optimizers.adagrad import Adagrad
from fastrnn.optimizers.adam import Adam
from fastrnn.optimizers.base import Optimizer
from fastrnn.optimizers.rmsprop import RMSProp
from fastrnn.optimizers.sgd import SGD

if not TYPE_CHECKING:
    __getattr__ = asked_of(__name__)

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")


def _family(kind: type[Optimizer]) -> list[type[Optimizer]]:
    below = [each for own in kind.__subclasses__() for each in _family(own)]
    return [*([kind] if "kind" in vars(kind) else []), *below]


OPTIMIZERS: dict[str, type[Optimizer]] = {kind.kind: kind for kind in _family(Optimizer)}
"""Every optimizer that there is, by its short name."""
if TYPE_CHECKING:
    AnyOptimizer = Optimizer
else:
    AnyOptimizer = Union[tuple(OPTIMIZERS.values())]  # noqa: UP007
fix(Optimizer, "another optimizer: trainer.optimizer = {kind}({name}=...)")


def get(given: Any) -> Optimizer:
    """Return an optimizer; a short name such as "adam" is the one with its defaults, None is `Adam`.

    Raises
    ------
    TypeError, ValueError
        Something else, or a name of none.
    """
    if given is None:
        return Adam()
    if isinstance(given, str):
        if given not in OPTIMIZERS:
            raise ValueError(f"optimizer is {checks.brief(given)}; expected {choice(given, OPTIMIZERS)}")
        return OPTIMIZERS[given]()  # type: ignore[call-arg]
    if not isinstance(given, Optimizer):
        names = ", ".join(kind.__name__ for kind in OPTIMIZERS.values())
        raise TypeError(f"optimizer is {checks.brief(given)}; expected {names}, such as Adam(1e-3)")
    return given


__all__ = ["OPTIMIZERS", "SGD", "Adagrad", "Adam", "AnyOptimizer", "Optimizer", "RMSProp", "get"]
