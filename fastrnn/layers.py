"""Layers: frozen descriptions, checked when they are made, and the schema of the model file.

A layer holds no weights. It tells their shapes and initial values for a number of inputs, and the model does the rest.
Legend: I inputs, H units. Names, order and layout of the weights are those of Keras.
"""

import itertools
import math
import operator
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from fastrnn import initializers
from fastrnn.initializers import AnyInitializer, Shape

ACTIVATIONS = ("tanh", "sigmoid", "relu", "linear")


class Layer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True, kw_only=True):
    """What every layer has: a name, or None to be named by its kind (`layer_names`)."""

    kind: ClassVar[str]

    name: str | None = None

    def __post_init__(self) -> None:
        if self.name is not None and (not isinstance(self.name, str) or not self.name or set(self.name) & set("./")):
            raise self._error("name", "None or a text without '.' and '/', which separate the names of weights")

    @property
    def output_size(self) -> int:
        """Size of the last axis of the layer's output."""
        raise NotImplementedError

    def weight_shapes(self, input_size: int) -> dict[str, Shape]:
        """Shape of each weight, in the order of ``get_weights``."""
        raise NotImplementedError

    def initial_weights(self, input_size: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        """Draw each weight, in the order of `weight_shapes`; ``rng`` is advanced.

        Raises
        ------
        ValueError
            An initializer that makes matrices only was given for a bias.
        """
        raise NotImplementedError

    def count_params(self, input_size: int) -> int:
        """Count the elements of all weights."""
        return sum(math.prod(shape) for shape in self.weight_shapes(input_size).values())

    def _error(self, field: str, expected: str) -> ValueError:
        return ValueError(f"{type(self).__name__} has {field}={getattr(self, field)!r}; expected {expected}")

    def _check_flag(self, field: str) -> None:
        if not isinstance(getattr(self, field), bool):
            raise self._error(field, "True or False")

    def _check_size(self, field: str) -> None:
        given: Any = getattr(self, field)
        if isinstance(given, bool) or not hasattr(given, "__index__") or given < 1:
            raise self._error(field, "a whole number from 1 up")
        msgspec.structs.force_setattr(self, field, operator.index(given))  # the file's schema knows no NumPy integers

    def _check_activation(self, field: str) -> None:
        if getattr(self, field) is None:
            msgspec.structs.force_setattr(self, field, "linear")
        elif getattr(self, field) not in ACTIVATIONS:
            raise self._error(field, f"one of {', '.join(ACTIVATIONS)} (None is linear)")

    def _check_initializer(self, field: str) -> None:
        try:
            initializers.get(getattr(self, field))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{type(self).__name__}, {field}: {error}") from None


class _Weighted(Layer, frozen=True, kw_only=True):
    """What the layers that multiply their input by a kernel share."""

    use_bias: bool = True
    kernel_initializer: str | AnyInitializer = "glorot_uniform"
    bias_initializer: str | AnyInitializer = "zeros"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_size("units")
        self._check_activation("activation")
        self._check_flag("use_bias")
        self._check_initializer("kernel_initializer")
        self._check_initializer("bias_initializer")

    def _draw(self, shapes: dict[str, Shape], rng: np.random.Generator, size: int) -> dict[str, NDArray[np.float64]]:
        """Draw weights by the fields kernel_, recurrent_ and bias_initializer; ``size`` as in `Initializer.draw`."""
        fields = {name: f"{name.removesuffix('_kernel')}_initializer" for name in shapes}
        return {
            name: initializers.get(getattr(self, fields[name])).draw(rng, shape, size) for name, shape in shapes.items()
        }


class _Recurrent(_Weighted, frozen=True, kw_only=True):
    """What the layers with a state share."""

    return_sequences: bool = False
    recurrent_initializer: str | AnyInitializer = "orthogonal"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_flag("return_sequences")
        self._check_initializer("recurrent_initializer")


class SimpleRNN(_Recurrent, frozen=True):
    """Elman's cell over a sequence: ``h[t] = f(x[t] kernel + h[t-1] recurrent_kernel + bias)``.

    Weights: kernel (I, H), recurrent_kernel (H, H), bias (H,).

    Parameters
    ----------
    units : H, size of the state and of the output
    activation : f, one of tanh, sigmoid, relu, linear; None is linear
    use_bias : whether there is a bias
    return_sequences : False gives the last state (N, H), True every state (N, T, H)
    kernel_initializer, recurrent_initializer, bias_initializer
        a name or an object of `fastrnn.initializers`
    name : what the weights' names begin with; None is ``simple_rnn``, ``simple_rnn_1``, ... in a model

    Raises
    ------
    ValueError, TypeError
        A value that is none of these.

    References
    ----------
    Elman (1990), Finding structure in time, Cognitive Science 14.
    """

    kind: ClassVar[str] = "simple_rnn"

    units: int
    activation: str = "tanh"

    @property
    def output_size(self) -> int:
        return self.units

    def weight_shapes(self, input_size: int) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"kernel": (input_size, self.units), "recurrent_kernel": (self.units, self.units)}
        return shapes | {"bias": (self.units,)} if self.use_bias else shapes

    def initial_weights(self, input_size: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        return self._draw(self.weight_shapes(input_size), rng, size=self.units)


class Dense(_Weighted, frozen=True):
    """An affine map of the last axis: ``y = f(x kernel + bias)``; every step of a sequence alike.

    Weights: kernel (I, H), bias (H,).

    Parameters
    ----------
    units : H, size of the output
    activation : f, one of tanh, sigmoid, relu, linear; None is linear
    use_bias : whether there is a bias
    kernel_initializer, bias_initializer : a name or an object of `fastrnn.initializers`
    name : what the weights' names begin with; None is ``dense``, ``dense_1``, ... in a model

    Raises
    ------
    ValueError, TypeError
        A value that is none of these.
    """

    kind: ClassVar[str] = "dense"

    units: int
    activation: str = "linear"

    @property
    def output_size(self) -> int:
        return self.units

    def weight_shapes(self, input_size: int) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"kernel": (input_size, self.units)}
        return shapes | {"bias": (self.units,)} if self.use_bias else shapes

    def initial_weights(self, input_size: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        return self._draw(self.weight_shapes(input_size), rng, size=input_size)


AnyLayer = SimpleRNN | Dense


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


def parameter_shapes(layers: Sequence[Layer], input_size: int) -> dict[str, Shape]:
    """Shape of every weight of a model of these layers, by its name in ``parameters()``, in the order of Keras.

    Raises
    ------
    ValueError
        As `layer_names`.
    """
    shapes: dict[str, Shape] = {}
    for layer, name in zip(layers, layer_names(layers), strict=True):
        shapes |= {f"{name}.{weight}": shape for weight, shape in layer.weight_shapes(input_size).items()}
        input_size = layer.output_size
    return shapes
