"""A network: layers with their sizes, and one flat buffer of parameters with a named view for each weight."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.layers import AnyLayer, Dense, Layer, SimpleRNN, layer_names
from fastrnn.memory import zeros

Array = NDArray[Any]


class Network:
    """Layers with parameters.

    Attributes
    ----------
    flat : all parameters one after another in the order of Keras's ``get_weights``, then zeros up to whole vectors
    weights : for each layer its weights by name, views into ``flat``
    every_step : whether the output is one a step (N, T, O) rather than one a sequence (N, O)
    """

    def __init__(self, layers: Sequence[AnyLayer], input_size: int, dtype: str, seed: int) -> None:
        self.layers, self.input_size, self.dtype = tuple(layers), input_size, dtype
        self.input_sizes = [input_size, *(layer.output_size for layer in layers)][: len(layers)]
        self.widths = [*self.input_sizes, layers[-1].output_size]
        self.output_size = layers[-1].output_size
        self.every_step = all(layer.return_sequences for layer in layers if isinstance(layer, SimpleRNN))
        self.recurrent_layers = sum(isinstance(layer, SimpleRNN) for layer in layers)
        self.names = layer_names(layers)
        count = sum(layer.count_params(size) for layer, size in zip(layers, self.input_sizes, strict=True))
        self.count = count
        self.flat = zeros(-(-count // 16) * 16, dtype)
        self.weights = self.views(self.flat)
        rng = np.random.default_rng(seed)
        for layer, size, views in zip(layers, self.input_sizes, self.weights, strict=True):
            for name, value in layer.initial_weights(size, rng).items():
                views[name][...] = value

    def views(self, flat: Array) -> list[dict[str, Array]]:
        """Return for each layer the parts of a buffer laid out like ``flat``, by name, in their shapes."""
        out, start = [], 0
        for layer, size in zip(self.layers, self.input_sizes, strict=True):
            views = {}
            for name, shape in layer.weight_shapes(size).items():
                views[name] = flat[start : start + math.prod(shape)].reshape(shape)
                start += math.prod(shape)
            out.append(views)
        return out

    def named(self, flat: Array) -> dict[str, Array]:
        """Return the views of all layers in one dictionary, ``layer.weight`` its keys."""
        return {
            f"{layer}.{name}": view
            for layer, views in zip(self.names, self.views(flat), strict=True)
            for name, view in views.items()
        }


def check_stack(layers: Sequence[Layer]) -> list[AnyLayer]:
    """Return the layers of a stack if it runs from recurrent layers to dense ones.

    Raises
    ------
    ValueError
        An empty stack, one that does not begin with a recurrent layer, a recurrent layer above a dense one, or one
        above a recurrent layer that returns its last step only.
    """
    if not layers:
        raise ValueError("the model has no layers; expected at least one recurrent layer, such as SimpleRNN(32)")
    checked: list[AnyLayer] = []
    for place, (layer, below) in enumerate(zip(layers, [None, *layers], strict=False)):
        if not isinstance(layer, SimpleRNN | Dense):
            raise TypeError(f"layer {place} is {layer!r}; expected a layer, such as SimpleRNN(32) or Dense(1)")
        if below is None and not isinstance(layer, SimpleRNN):
            raise ValueError(f"layer 0 is {type(layer).__name__}; expected a recurrent layer, such as SimpleRNN(32)")
        if isinstance(layer, SimpleRNN) and isinstance(below, Dense):
            raise ValueError(
                f"layer {place} is SimpleRNN above Dense; expected recurrent layers first, then dense ones"
            )
        if isinstance(layer, SimpleRNN) and isinstance(below, SimpleRNN) and not below.return_sequences:
            raise ValueError(
                f"layer {place} reads sequences, but layer {place - 1} returns its last step only; "
                f"expected return_sequences=True in layer {place - 1}"
            )
        checked.append(layer)
    return checked
