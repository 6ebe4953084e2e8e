"""A network: layers with their sizes, and one flat buffer of parameters with a named view for each weight."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from fastrnn.ground import checks
from fastrnn.ground.memory import zeros
from fastrnn.layers import (
    AnyLayer,
    Bidirectional,
    Cell,
    Dropout,
    IdLayer,
    Layer,
    OneHot,
    Stateful,
    Unidirectional,
    layer_names,
    layer_widths,
)

Array = NDArray[Any]


class Network:
    """Layers with parameters.

    Parameters
    ----------
    layers : as `check_stack` returns them
    input_size : number of features, or the vocabulary of layers that take ids
    dtype : "float32" or "float64"
    seed : of the initial weights

    Attributes
    ----------
    flat : all parameters one after another in the order of Keras's ``get_weights``, then zeros up to whole vectors
    weights : for each layer its weights by name, views into ``flat``
    input_sizes, widths : size of each layer's input; the same with the output's at the end
    versions : the `version`, for those that share the parameters
    every_step : whether the output is one a step (N, T, O) rather than one a sequence (N, O)
    cells : recurrent directions from the bottom up, forwards before backwards
    recurrent_layers : number of layers with cells
    reads_backwards : whether one of the cells does
    takes_ids : whether the input is ids (N, T) rather than features (N, T, F)

    Raises
    ------
    ValueError
        Two layers of one name, an input size that is not the layers' vocabulary, more parameters than memory holds.
    """

    def __init__(self, layers: Sequence[AnyLayer], input_size: int, dtype: str, seed: int) -> None:
        known = vocabulary_of(layers)
        if known not in (None, input_size):
            raise ValueError(
                f"input_size is {input_size}; expected {known}, the vocabulary of layer 0: leave input_size out"
            )
        self.layers, self.input_size, self.dtype = tuple(layers), input_size, dtype
        self.widths = layer_widths(layers, input_size)
        self.input_sizes = self.widths[:-1]
        self.output_size = self.widths[-1]
        self.every_step, _ = output_form(layers)
        self.cells = cells_of(layers)
        self.recurrent_layers = sum(isinstance(layer, Stateful) for layer in layers)
        self.reads_backwards = any([cell.reads_backwards for cell in self.cells])
        self.takes_ids = known is not None
        self.names = layer_names(layers)
        count = sum(layer.count_params(size) for layer, size in zip(layers, self.input_sizes, strict=True))
        self.count = count
        try:
            self.flat = zeros(-(-count // 16) * 16, dtype)
        except (MemoryError, ValueError):
            raise ValueError(
                f"the layers have {count:,} parameters, which do not fit into memory; expected fewer: smaller sizes"
            ) from None
        self.weights = self.views(self.flat)
        self.versions: list[int | None] = [0]
        rng = np.random.default_rng(seed)
        for layer, size, views in zip(layers, self.input_sizes, self.weights, strict=True):
            for name, value in layer.initial_weights(size, rng).items():
                views[name][...] = value

    @property
    def version(self) -> int | None:
        """Counts the changes of the weights; None if whoever holds a view may change them unseen."""
        return self.versions[0]

    def weights_are_shown(self) -> None:
        """Tell that somebody holds a view."""
        self.versions[0] = None

    def weights_changed(self) -> None:
        """Tell that the weights are others than before."""
        if self.version is not None:
            self.versions[0] = self.version + 1

    def at_every_step(self) -> Network:
        """Return the network that shows its output at every step, with the same parameters."""
        if self.every_step:
            return self
        other = copy(self)
        other.layers = tuple(
            replace(layer, return_sequences=True) if isinstance(layer, Unidirectional) else layer
            for layer in self.layers
        )
        other.cells, other.every_step = cells_of(other.layers), True
        return other

    def write(self, flat: Array) -> None:
        """Take over all parameters from a buffer laid out like ``flat``."""
        self.weights_changed()  # before as well, so that no interrupt comes between the weights and this
        self.flat[:] = flat
        self.weights_changed()

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


def cells_of(layers: Sequence[Layer]) -> list[Cell]:
    """Return the recurrent directions of a stack from the bottom up, forwards before backwards; one state each."""
    return [cell for layer in layers for cell in layer.cells]


def vocabulary_of(layers: Sequence[Layer]) -> int | None:
    """Return the number of ids that a stack knows, or None for one that takes features."""
    return layers[0].vocabulary if isinstance(layers[0], IdLayer) else None


def output_form(layers: Sequence[Layer]) -> tuple[bool, int]:
    """Return whether a stack answers at every step, and with how many outputs; no matter the size of its input."""
    every_step = all([layer.return_sequences for layer in layers if isinstance(layer, Stateful)])
    return every_step, layer_widths(layers, 0)[-1]


def padding_first(layers: Sequence[Layer]) -> bool:
    """Whether a padded row's outputs are its last ones: a layer has turned them, and none above it back."""
    return sum(isinstance(layer, Stateful) and layer.turns for layer in layers) % 2 == 1


def check_stack(layers: Sequence[Layer]) -> list[AnyLayer]:
    """Return the layers of a stack if the shapes meet.

    Raises
    ------
    TypeError
        Something that is no layer.
    ValueError
        A stack without a recurrent layer, one above a layer that returns its last step only, an Embedding or a OneHot
        that is not the first layer, or a OneHot with something else above it than a recurrent layer.
    """
    if not layers:
        raise ValueError("the model has no layers; expected at least one recurrent layer, such as SimpleRNN(32)")
    checked: list[AnyLayer] = []
    last_step: int | None = None
    for place, layer in enumerate(layers):
        if not isinstance(layer, AnyLayer):
            raise TypeError(
                f"layer {place} is {checks.brief(layer)}; expected a layer, such as SimpleRNN(32) or Dense(1)"
            )
        what = f"layer {place} ({type(layer).__name__})"
        if isinstance(layer, IdLayer) and place:
            raise ValueError(f"{what} takes ids; expected it first in the model: move it there or leave it out")
        if checked and isinstance(checked[-1], OneHot) and not isinstance(layer, Stateful):
            cure = "drop by the recurrent layer's dropout" if isinstance(layer, Dropout) else "use an Embedding instead"
            raise ValueError(f"{what} is above a OneHot; expected a recurrent layer there, such as LSTM(32): {cure}")
        if isinstance(layer, Stateful):
            if last_step is not None:
                below = checked[last_step]
                where = f"layer {last_step}" + ("'s layer" if isinstance(below, Bidirectional) else "")
                raise ValueError(
                    f"{what} reads sequences, but layer {last_step} ({type(below).__name__}) returns its last step "
                    f"only; expected return_sequences=True in {where}"
                )
            last_step = None if layer.return_sequences else place
        checked.append(layer)
    if not any([isinstance(layer, Stateful) for layer in checked]):
        kinds = ", ".join(dict.fromkeys(type(layer).__name__ for layer in checked))
        raise ValueError(
            f"the model has no recurrent layer, only {kinds}; expected at least one, such as SimpleRNN(32)"
        )
    return checked
