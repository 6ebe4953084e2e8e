"""Everything that training and prediction need, as far as it can be known beforehand."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from fastrnn import operations
from fastrnn.code.compiled import Compiled
from fastrnn.engine.routines import activate_of, cell_routines, loss_of, slope_of
from fastrnn.equations.activations import ACTIVATIONS
from fastrnn.layers import CELLS
from fastrnn.losses import LOSSES
from fastrnn.losses.base import ElementLoss


def everything(dtype: str) -> list[tuple[Compiled, str]]:
    """List it with its precision; of every cell that is the code for the activations that it has unless told."""
    found = dict.fromkeys([*_declared(), *_generated()])
    return [(each, dtype if "p" in each.parameters else "") for each in found]


def _declared() -> Iterator[Compiled]:
    for module in pkgutil.iter_modules(operations.__path__):
        for each in vars(import_module(f"{operations.__name__}.{module.name}")).values():
            if isinstance(each, Compiled):
                yield each


def _generated() -> Iterator[Compiled]:
    for kind in CELLS.values():
        layer = kind(1)
        recurrent, zones = getattr(layer, "recurrent_activation", "sigmoid"), (False,) * len(layer.equation.states)
        yield from cell_routines(layer.equation, layer.activation, recurrent, zones).values()
    for name in ACTIVATIONS:
        yield from (activate_of(name), slope_of(name))
    for loss in LOSSES.values():
        if issubclass(loss, ElementLoss):
            yield loss_of(loss())
