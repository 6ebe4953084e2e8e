"""Bidirectional: a recurrent layer once forwards and once backwards."""

from typing import TYPE_CHECKING, ClassVar, Union

import numpy as np
from numpy.typing import NDArray

from fastrnn.ground.checks import brief
from fastrnn.ground.unknown import choice
from fastrnn.initializers import Shape
from fastrnn.layers.base import Cell
from fastrnn.layers.cells import CELLS
from fastrnn.layers.own import Recurrent
from fastrnn.layers.recurrent import Stateful, Unidirectional

if TYPE_CHECKING:
    AnyCell = Unidirectional
else:
    AnyCell = Union[(*CELLS.values(), Recurrent)]
"""A layer of one direction, as model files know it."""
MERGE_MODES = ("concat", "sum", "mul", "ave")


class Bidirectional(Stateful, frozen=True):
    """Two copies of a recurrent layer, one of which reads from the last step to the first, and their outputs merged.

    The outputs of a step are those of the states after both have read it, and 0 beyond a row's length; the last state
    of the backward copy is that after step 0.

    Weights: those of the forward copy, then those of the backward one, each drawn on its own: ``forward.kernel``, ...,
    ``backward.bias``.

    Parameters
    ----------
    layer : a recurrent layer of one direction that reads forwards and has no name
    merge_mode : "concat" puts both outputs side by side (2H), "sum", "mul" and "ave" (their mean) make one of them (H)
    name : what the weights' names begin with; None is ``bidirectional``, ``bidirectional_1``, ... in a model

    Raises
    ------
    TypeError
        ``layer`` is not one of these.
    ValueError
        It reads backwards or has a name, or an unknown ``merge_mode``.

    References
    ----------
    Schuster and Paliwal (1997), Bidirectional recurrent neural networks, IEEE Transactions on Signal Processing 45.
    """

    kind: ClassVar[str] = "bidirectional"

    layer: AnyCell
    merge_mode: str = "concat"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.layer, Unidirectional):
            raise TypeError(
                f"Bidirectional has layer={brief(self.layer)}; expected a recurrent layer of one direction, such as "
                f"LSTM(32)"
            )
        if self.layer.go_backwards:
            raise ValueError(
                "Bidirectional has a layer with go_backwards=True; expected one that reads forwards, of which it makes "
                "the backward copy itself: leave go_backwards out"
            )
        if self.layer.name is not None:
            raise ValueError(
                f"Bidirectional has a layer with name={self.layer.name!r}; expected one without: "
                f"write Bidirectional(..., name={self.layer.name!r})"
            )
        if self.merge_mode is None:
            raise self._error("merge_mode", "concat, as a stack carries one output: the two are its halves")
        if self.merge_mode not in MERGE_MODES:
            raise self._error("merge_mode", choice(self.merge_mode, MERGE_MODES))

    @property
    def return_sequences(self) -> bool:
        return self.layer.return_sequences

    @property
    def output_size(self) -> int:
        return self.layer.units * (2 if self.merge_mode == "concat" else 1)

    @property
    def cells(self) -> list[Cell]:
        return [Cell("forward.", self.layer, False), Cell("backward.", self.layer, True)]

    def weight_shapes(self, input_size: int) -> dict[str, Shape]:
        shapes = self.layer.weight_shapes(input_size)
        return {cell.prefix + name: shape for cell in self.cells for name, shape in shapes.items()}

    def initial_weights(self, input_size: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        return {
            cell.prefix + name: value
            for cell in self.cells
            for name, value in self.layer.initial_weights(input_size, rng).items()
        }
