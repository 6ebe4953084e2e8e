"""Initial values of weights: what Keras offers by the same names, and PyTorch's uniform.

Each is a frozen description that draws float64 values from a generator; the caller casts them to the model's dtype, so
that a float32 and a float64 model of one seed start at the same place. They are part of the model file's schema.
"""

import math
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from fastrnn.ground.attributes import fix
from fastrnn.ground.checks import brief
from fastrnn.ground.unknown import StructMeta, asked_of, choice, explained

Array = NDArray[np.float64]
Shape = tuple[int, ...]

if not TYPE_CHECKING:
    __getattr__ = asked_of(__name__)


def _check_finite(owner: object, field: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{type(owner).__name__} has {field}={brief(value)}; expected a finite number")


def _matrix_axes(owner: object, shape: Shape) -> tuple[int, int]:
    if len(shape) != 2:
        raise ValueError(f"{type(owner).__name__} was given a weight of shape {shape}; expected a matrix: use zeros")
    return shape[0], shape[1]


@explained
class Initializer(msgspec.Struct, metaclass=StructMeta, frozen=True, forbid_unknown_fields=True, tag=True):
    """Draws the initial value of one weight."""

    def draw(self, rng: np.random.Generator, shape: Shape, size: int) -> Array:
        """Draw one weight.

        Parameters
        ----------
        rng : the stream to draw from; advanced
        shape : shape of the weight, gates fused: (I, G * H), (H, G * H), (G * H,)
        size : the layer's own size that PyTorch scales by: units of a recurrent layer, inputs of a Dense

        Returns
        -------
        value : float64 of that shape

        Raises
        ------
        ValueError
            The shape has fewer axes than this initializer needs.
        """
        raise NotImplementedError


class Zeros(Initializer, frozen=True):
    """Every element 0."""

    def draw(self, rng: np.random.Generator, shape: Shape, size: int) -> Array:
        return np.zeros(shape)


class Ones(Initializer, frozen=True):
    """Every element 1."""

    def draw(self, rng: np.random.Generator, shape: Shape, size: int) -> Array:
        return np.ones(shape)


class Constant(Initializer, frozen=True):
    """Every element ``value``."""

    value: float

    def __post_init__(self) -> None:
        _check_finite(self, "value", self.value)

    def draw(self, rng: np.random.Generator, shape: Shape, size: int) -> Array:
        return np.full(shape, float(self.value))


class Uniform(Initializer, frozen=True):
    """U(low, high)."""

    low: float = -0.05
    high: float = 0.05

    def __post_init__(self) -> None:
        _check_finite(self, "low", self.low)
        _check_finite(self, "high", self.high)
        if self.low > self.high:
            raise ValueError(f"Uniform has low={self.low}, high={self.high}; expected low <= high: swap them")

    def draw(self, rng: np.random.Generator, shape: Shape, size: int) -> Array:
        return rng.uniform(self.low, self.high, shape)


class Normal(Initializer, frozen=True):
    """N(0, std**2)."""

    std: float = 0.05

    def __post_init__(self) -> None:
        _check_finite(self, "std", self.std)
        if self.std < 0:
            raise ValueError(f"Normal has std={self.std}; expected a number from 0 up")

    def draw(self, rng: np.random.Generator, shape: Shape, size: int) -> Array:
        return rng.normal(0.0, self.std, shape)


class GlorotUniform(Initializer, frozen=True):
    """U(-a, a), a = sqrt(6 / (fan_in + fan_out)), the fans being the two axes of the fused weight.

    References
    ----------
    Glorot and Bengio (2010), Understanding the difficulty of training deep feedforward neural networks, equation 16.
    """

    def draw(self, rng: np.random.Generator, shape: Shape, size: int) -> Array:
        fan_in, fan_out = shape[0], shape[-1]
        limit = math.sqrt(6.0 / (fan_in + fan_out))
        return rng.uniform(-limit, limit, shape)


class Orthogonal(Initializer, frozen=True):
    """``gain`` times a matrix with orthonormal rows or columns, whichever are fewer; uniform over all such matrices.

    QR of a normal matrix, each column of Q times the sign of R's diagonal, which makes the factor unique.

    References
    ----------
    Saxe, McClelland and Ganguli (2014), Exact solutions to the nonlinear dynamics of learning in deep linear networks.
    Mezzadri (2007), How to generate random matrices from the classical compact groups, section 5.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        _check_finite(self, "gain", self.gain)

    def draw(self, rng: np.random.Generator, shape: Shape, size: int) -> Array:
        rows, columns = _matrix_axes(self, shape)
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.sign(np.diag(r))
        return self.gain * (q if rows >= columns else q.T)


class Identity(Initializer, frozen=True):
    """``gain`` times the identity: with relu, the recurrent kernel of an IRNN.

    References
    ----------
    Le, Jaitly and Hinton (2015), A simple way to initialize recurrent networks of rectified linear units.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        _check_finite(self, "gain", self.gain)

    def draw(self, rng: np.random.Generator, shape: Shape, size: int) -> Array:
        return self.gain * np.eye(*_matrix_axes(self, shape))


class TorchUniform(Initializer, frozen=True):
    """U(-a, a), a = 1 / sqrt(size): PyTorch's default for every weight, size as in `Initializer.draw`."""

    def draw(self, rng: np.random.Generator, shape: Shape, size: int) -> Array:
        limit = 1.0 / math.sqrt(size)
        return rng.uniform(-limit, limit, shape)


fix(Initializer, "another object: {kind}({name}=...)")
AnyInitializer = Constant | GlorotUniform | Identity | Normal | Ones | Orthogonal | TorchUniform | Uniform | Zeros

BY_NAME: dict[str, Initializer] = {
    "glorot_uniform": GlorotUniform(),
    "identity": Identity(),
    "normal": Normal(),
    "ones": Ones(),
    "orthogonal": Orthogonal(),
    "torch_uniform": TorchUniform(),
    "uniform": Uniform(),
    "zeros": Zeros(),
}


def get(given: str | Initializer) -> Initializer:
    """Return the initializer that a layer's field names.

    Raises
    ------
    ValueError
        An unknown name.
    TypeError
        Neither a name nor an initializer.
    """
    if isinstance(given, Initializer):
        return given
    if not isinstance(given, str):
        raise TypeError(f"initializer is {brief(given)}; expected a name or an Initializer: {_known(given)}")
    if given not in BY_NAME:
        raise ValueError(f"initializer is {brief(given)}; expected {_known(given)}")
    return BY_NAME[given]


def _known(given: Any) -> str:
    return f"{choice(given, BY_NAME)}, or an object such as Constant(0.1)"
