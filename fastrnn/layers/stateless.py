"""The layers that know no time: Dense and Dropout."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fastrnn.initializers import Shape
from fastrnn.layers.base import ACTIVATIONS, Layer, Weighted


class Dense(Weighted, frozen=True):
    """An affine map of the last axis: ``y = f(x kernel + bias)``; every step of a sequence alike.

    Weights: kernel (I, H), bias (H,).

    Parameters
    ----------
    units : H, size of the output
    activation : f, one of tanh, sigmoid, relu, linear, softmax (over the units); None is linear
    use_bias : whether there is a bias
    kernel_initializer, bias_initializer : a name or an object of `fastrnn.initializers`
    name : what the weights' names begin with; None is ``dense``, ``dense_1``, ... in a model

    Raises
    ------
    ValueError, TypeError
        A value that is none of these.
    """

    kind: ClassVar[str] = "dense"
    activations: ClassVar[tuple[str, ...]] = (*ACTIVATIONS, "softmax")

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


class Dropout(Layer, frozen=True):
    """Zeros in place of some elements while training, at every step others; the rest is divided by ``1 - rate``.

    Outside of training it changes nothing.

    Parameters
    ----------
    rate : share of the elements that is dropped; from 0, and below 1
    name : its name in the summary; None is ``dropout``, ``dropout_1``, ... in a model

    Raises
    ------
    ValueError
        A value that is none of these.

    References
    ----------
    Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting, JMLR 15.
    """

    kind: ClassVar[str] = "dropout"

    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_rate("rate")

    def compute_output_size(self, input_size: int) -> int:
        return input_size

    def weight_shapes(self, input_size: int) -> dict[str, Shape]:
        return {}

    def initial_weights(self, input_size: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        return {}
