"""The recurrent layers of one direction: what all cells share, and a layer for a cell of one's own."""

import numpy as np
from numpy.typing import NDArray

from fastrnn.equations.cells import Cell as Equation
from fastrnn.initializers import AnyInitializer, Shape
from fastrnn.layers.base import Cell, Layer, Weighted


class Stateful(Layer, frozen=True):
    """What every layer with a state is: the recurrent layers of one direction, and Bidirectional."""

    @property
    def return_sequences(self) -> bool:
        """Whether the output is one a step (N, T, O) rather than one a sequence (N, O)."""
        raise NotImplementedError

    @property
    def turns(self) -> bool:
        """Whether the outputs come from the input's last step to its first."""
        return False


class _Options(Weighted, Stateful, frozen=True, kw_only=True):
    """The options of a recurrent layer of one direction; apart because these are given by name only."""

    return_sequences: bool = False
    go_backwards: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    zoneout: float = 0.0
    recurrent_initializer: str | AnyInitializer = "orthogonal"


class Unidirectional(_Options, frozen=True):
    """A recurrent layer of one direction: a cell, its size and its options.

    Attributes
    ----------
    equation : of the cell: its gates, vectors and states are those of the layer
    """

    units: int
    activation: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_flag("return_sequences")
        self._check_flag("go_backwards")
        self._check_rate("dropout")
        self._check_rate("recurrent_dropout")
        self._check_rate("zoneout")
        self._check_initializer("recurrent_initializer")
        if self.recurrent_dropout and not self.equation.recurrent_gates:
            raise self._error("recurrent_dropout", "0: the cell has no recurrent matrix; use dropout or zoneout")

    @property
    def equation(self) -> Equation:
        """What the cell computes in each unit."""
        raise NotImplementedError

    @property
    def gates(self) -> int:
        """Blocks of H columns in the kernel."""
        return len(self.equation.input_gates)

    @property
    def recurrent_gates(self) -> int:
        """Blocks of H columns in the recurrent kernel; 0 if there is none."""
        return len(self.equation.recurrent_gates)

    @property
    def state_arrays(self) -> int:
        """Arrays of the state: 2 for the pair (h, c) of an LSTM, else 1."""
        return len(self.equation.states)

    @property
    def output_size(self) -> int:
        return self.units

    @property
    def turns(self) -> bool:
        return self.go_backwards and self.return_sequences

    @property
    def cells(self) -> list[Cell]:
        return [Cell("", self, self.go_backwards)]

    @property
    def bias_shape(self) -> Shape:
        """Shape of the bias, if there is one: of the kernel's columns and, where recurrent sums stand apart, theirs."""
        if not self.equation.recurrents:
            return (self.gates * self.units,)
        if self.gates == self.recurrent_gates:
            return (2, self.gates * self.units)
        return ((self.gates + self.recurrent_gates) * self.units,)

    def weight_shapes(self, input_size: int) -> dict[str, Shape]:
        shapes: dict[str, Shape] = {"kernel": (input_size, self.gates * self.units)}
        if self.recurrent_gates:
            shapes["recurrent_kernel"] = (self.units, self.recurrent_gates * self.units)
        shapes |= dict.fromkeys(self.equation.vectors, (self.units,))
        return shapes | {"bias": self.bias_shape} if self.use_bias else shapes

    def initial_weights(self, input_size: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        return self._draw(self.weight_shapes(input_size), rng, size=self.units)

    def _initializer_of(self, weight: str) -> str:
        return "vector_initializer" if weight in self.equation.vectors else super()._initializer_of(weight)


class Gated(Unidirectional, frozen=True):
    """A layer whose cell has a second activation."""

    recurrent_activation: str = "sigmoid"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_activation("recurrent_activation")
