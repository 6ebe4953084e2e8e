"""Cells: each file an equation and the layer that has it; whatever lies here is part of the family."""

from importlib import import_module
from pkgutil import iter_modules

from fastrnn.layers.recurrent import Unidirectional

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")


def _family(kind: type[Unidirectional]) -> list[type[Unidirectional]]:
    below = [each for own in kind.__subclasses__() for each in _family(own)]
    return [*([kind] if "kind" in vars(kind) else []), *below]


CELLS: dict[str, type[Unidirectional]] = {
    layer.kind: layer for layer in _family(Unidirectional) if layer.__module__.startswith("fastrnn.")
}
"""The layer of each kind of cell."""
