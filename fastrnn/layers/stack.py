"""Layers one above another: their schema in model files, the names of their weights, and the sizes between them."""

import itertools
from collections import Counter
from collections.abc import Sequence

from fastrnn.initializers import Shape
from fastrnn.layers.base import Layer
from fastrnn.layers.bidirectional import AnyCell, Bidirectional
from fastrnn.layers.ids import Embedding, OneHot
from fastrnn.layers.stateless import Dense, Dropout

AnyLayer = AnyCell | Bidirectional | Dense | Embedding | OneHot | Dropout


def layer_names(layers: Sequence[Layer]) -> list[str]:
    """Name every layer of a model: its own name, or its kind with a count (``dense``, ``dense_1``, ...).

    Raises
    ------
    ValueError
        Two layers were given the same name.
    """
    given = Counter(layer.name for layer in layers if layer.name is not None)
    for repeated, times in given.items():
        if times > 1:
            raise ValueError(f"{times} layers have name={repeated!r}; expected a name once: rename the others")
    counts = {layer.kind: itertools.count() for layer in layers}
    names = []
    for layer in layers:
        name = layer.name
        while name is None:
            count = next(counts[layer.kind])
            candidate = f"{layer.kind}_{count}" if count else layer.kind
            name = None if candidate in given else candidate
        names.append(name)
    return names


def layer_widths(layers: Sequence[Layer], input_size: int) -> list[int]:
    """Size of every layer's input, from the bottom up, and of the output."""
    widths = [input_size]
    for layer in layers:
        widths.append(layer.compute_output_size(widths[-1]))
    return widths


def parameter_shapes(layers: Sequence[Layer], input_size: int) -> dict[str, Shape]:
    """Shape of every weight of a model of these layers, by its name in ``parameters()``, in the order of Keras.

    Raises
    ------
    ValueError
        As `layer_names`.
    """
    shapes: dict[str, Shape] = {}
    widths = layer_widths(layers, input_size)
    for layer, name, size in zip(layers, layer_names(layers), widths, strict=False):
        shapes |= {f"{name}.{weight}": shape for weight, shape in layer.weight_shapes(size).items()}
    return shapes
