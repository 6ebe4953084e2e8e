"""What all layers have, and what those that multiply their input by a kernel share."""

import math
import operator
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fastrnn import initializers
from fastrnn.equations import activations as equations
from fastrnn.equations.cells import OWN
from fastrnn.ground.checks import brief
from fastrnn.ground.unknown import StructMeta, choice, explained
from fastrnn.initializers import AnyInitializer, Shape

ACTIVATIONS = (*equations.ACTIVATIONS, *equations.OF_INPUT)
"""Activations of a number by name."""


class Cell(NamedTuple):
    """One recurrent direction of a layer.

    Attributes
    ----------
    prefix : what the names of its weights begin with within the layer: nothing, ``forward.`` or ``backward.``
    layer : the description, a `Unidirectional`: units, activations, options
    reads_backwards : whether it runs from the last step to the first
    """

    prefix: str
    layer: Any
    reads_backwards: bool

    @property
    def state_sizes(self) -> tuple[int, ...]:
        """Sizes of the arrays of its state: (H,), or (H, H) for the pair (h, c) of an LSTM."""
        sizes: tuple[int, ...] = (self.layer.units,) * self.layer.state_arrays
        return sizes


@explained
class Layer(msgspec.Struct, metaclass=StructMeta, frozen=True, forbid_unknown_fields=True, tag=True, kw_only=True):
    """What every layer has: a name, or None to be named by its kind (`layer_names`).

    Attributes
    ----------
    kind : what the layer is called if it is given no name
    takes_ids : whether the layer reads whole numbers (N, T); it then has a ``vocabulary``
    """

    kind: ClassVar[str]
    takes_ids: ClassVar[bool] = False

    name: str | None = None

    def __post_init__(self) -> None:
        if self.name is not None and (not isinstance(self.name, str) or not self.name or set(self.name) & set("./")):
            raise self._error("name", "None or a text without '.' and '/', which separate the names of weights")

    @property
    def output_size(self) -> int:
        """Size of the last axis of the layer's output; a Dropout has none of its own (`compute_output_size`)."""
        raise NotImplementedError

    @property
    def cells(self) -> list[Cell]:
        """The layer's recurrent directions: none, one, or forwards before backwards."""
        return []

    def compute_output_size(self, input_size: int) -> int:
        """Return the size of the last axis of the layer's output for the size of its input."""
        return self.output_size

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
        return ValueError(f"{type(self).__name__} has {field}={brief(getattr(self, field))}; expected {expected}")

    def _check_flag(self, field: str) -> None:
        if not isinstance(getattr(self, field), bool):
            raise self._error(field, "True or False")

    def _check_size(self, field: str) -> None:
        given: Any = getattr(self, field)
        if isinstance(given, bool) or not hasattr(given, "__index__") or given < 1:
            raise self._error(field, "a whole number from 1 up")
        msgspec.structs.force_setattr(self, field, operator.index(given))  # the file's schema knows no NumPy integers

    def _check_rate(self, field: str) -> None:
        given: Any = getattr(self, field)
        if isinstance(given, bool) or not isinstance(given, Real) or not 0 <= float(given) < 1:
            raise self._error(field, "a number from 0 up to 1, and below it: the share that is dropped in training")
        msgspec.structs.force_setattr(self, field, float(given))

    def _check_initializer(self, field: str) -> None:
        try:
            initializers.get(getattr(self, field))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{type(self).__name__}, {field}: {error}") from None


class Weighted(Layer, frozen=True, kw_only=True):
    """What the layers that multiply their input by a kernel share.

    Attributes
    ----------
    activations : names of those that the layer can have
    """

    activations: ClassVar[tuple[str, ...]] = ACTIVATIONS

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

    def _check_activation(self, field: str) -> None:
        if getattr(self, field) is None:
            msgspec.structs.force_setattr(self, field, "linear")
        given: Any = getattr(self, field)
        if callable(given) and given in OWN.values():
            msgspec.structs.force_setattr(self, field, given.__name__)
        elif getattr(self, field) not in (*self.activations, *OWN):
            raise self._error(field, f"{choice(given, self.activations)} (None is linear)")

    def _draw(self, shapes: dict[str, Shape], rng: np.random.Generator, size: int) -> dict[str, NDArray[np.float64]]:
        """Draw weights by the fields that `_initializer_of` names; ``size`` as in `Initializer.draw`."""
        return {
            name: initializers.get(getattr(self, self._initializer_of(name))).draw(rng, shape, size)
            for name, shape in shapes.items()
        }

    def _initializer_of(self, weight: str) -> str:
        """Name the field that says how a weight is drawn."""
        return f"{weight.removesuffix('_kernel')}_initializer"
