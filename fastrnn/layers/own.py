"""A layer for a cell of a user's own."""

from typing import Any, ClassVar

from fastrnn.equations.cells import Cell
from fastrnn.ground.checks import brief
from fastrnn.ground.unknown import StructMeta
from fastrnn.initializers import AnyInitializer
from fastrnn.layers.recurrent import Gated


class _CellFirst(StructMeta):
    """The constructor takes the cell before the units."""

    def __call__(cls, cell: Any, units: Any, *arguments: Any, **options: Any) -> Any:  # noqa: N805
        return super().__call__(units, *arguments, cell=cell, **options)


class Recurrent(Gated, frozen=True, kw_only=True, metaclass=_CellFirst):
    """A cell of one's own over a sequence, in all that a built-in one can do.

    Weights: kernel (I, G H), one block of H columns for each gate that reads the input; recurrent_kernel (H, G H), if
    a gate reads the state; the cell's vectors (H,) by their names; bias.

    Parameters
    ----------
    cell : made by `fastrnn.cell`; in a file its name stands for it, and whoever loads the file hands it in:
        ``fastrnn.load(path, custom_objects={"my_cell": my_cell})``
    units : H, size of the state and of the output
    activation, recurrent_activation : what ``act`` and ``s`` are in the equation
    vector_initializer : of the cell's vectors
    use_bias, return_sequences, go_backwards, dropout, recurrent_dropout, zoneout : as in `SimpleRNN`
    kernel_initializer, recurrent_initializer, bias_initializer, name : as in `SimpleRNN`

    Raises
    ------
    ValueError, TypeError
        A value that is none of these.
    """

    kind: ClassVar[str] = "recurrent"

    cell: Cell
    vector_initializer: str | AnyInitializer = "zeros"

    def __post_init__(self) -> None:
        if not isinstance(self.cell, Cell):
            raise TypeError(f"Recurrent has cell={brief(self.cell)}; expected a function under @fastrnn.cell(...)")
        super().__post_init__()
        self._check_initializer("vector_initializer")

    @property
    def equation(self) -> Cell:
        return self.cell
