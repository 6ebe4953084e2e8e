"""Losses: frozen descriptions of what a place costs; each has a short name, which stands for the one with its defaults.

Whatever lies beside this file is part of the family. The loss of a minibatch is the mean over all places by the weights
that count: see `fastrnn.Trainer`.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any, Union

from fastrnn.ground import checks
from fastrnn.ground.attributes import fix
from fastrnn.ground.unknown import asked_of, choice
from fastrnn.losses.base import ElementLoss, Loss
from fastrnn.losses.crossentropies import BinaryCrossentropy, CategoricalCrossentropy, SparseCategoricalCrossentropy
from fastrnn.losses.errors import MAE, MAPE, MSE, Huber, LogCosh, Quantile
from fastrnn.losses.likelihoods import KLDivergence, Poisson
from fastrnn.losses.own import OwnLoss

if not TYPE_CHECKING:
    __getattr__ = asked_of(__name__)

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")


fix(Loss, "another loss: trainer.loss = {kind}({name}=...)")


def _family(kind: type[Loss]) -> list[type[Loss]]:
    below = [each for own in kind.__subclasses__() for each in _family(own)]
    return [*([kind] if "kind" in vars(kind) else []), *below]


_ALL = {kind.kind: kind for kind in _family(Loss)}
LOSSES: dict[str, type[Loss]] = {kind: _ALL[kind] for kind in ("mse", "mae", *_ALL) if kind != OwnLoss.kind}
"""Every loss by its short name."""
if TYPE_CHECKING:
    AnyLoss = Loss
else:
    AnyLoss = Union[(str, *_ALL.values())]
METRICS = (*LOSSES, "accuracy")
"""The short names of metrics."""


def get(what: str, given: Any) -> Loss:
    """Return a loss; a short name is the one with its defaults.

    Raises
    ------
    ValueError
        A name of none; something else.
    """
    if isinstance(given, Loss):
        return given
    if not isinstance(given, str) or given not in LOSSES:
        raise ValueError(f"{what} is {checks.brief(given)}; expected {choice(given, LOSSES)}")
    return LOSSES[given]()


def plain(given: Any) -> Any:
    """Return the short name of a loss that has its defaults, so that files say it as they always did."""
    if isinstance(given, Loss) and given.kind in LOSSES and given == LOSSES[given.kind]():
        return given.kind
    return given


__all__ = [
    "LOSSES",
    "MAE",
    "MAPE",
    "METRICS",
    "MSE",
    "AnyLoss",
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "ElementLoss",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "OwnLoss",
    "Poisson",
    "Quantile",
    "SparseCategoricalCrossentropy",
    "get",
    "plain",
]
