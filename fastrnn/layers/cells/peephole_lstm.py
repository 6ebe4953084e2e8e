"""LSTM with peepholes: its gates see the cell state."""

from typing import ClassVar

from fastrnn.equations.cells import Cell, act, cell, s
from fastrnn.initializers import AnyInitializer
from fastrnn.layers.cells.lstm import LSTM


@cell(gates="i f g o", vectors="peephole_i peephole_f peephole_o", states="h c")
def peephole_lstm(i, f, g, o, peephole_i, peephole_f, peephole_o, h, c):  # type: ignore[no-untyped-def]
    """An LSTM; i and f look at the old content, o at the new one."""
    i, f = s(i + peephole_i * c), s(f + peephole_f * c)
    c = f * c + i * act(g)
    return s(o + peephole_o * c) * act(c), c


class PeepholeLSTM(LSTM, frozen=True, kw_only=True):
    """Long short-term memory with peepholes, over a sequence.

    As `LSTM`, with ``p_i * c[t-1]`` added within the gate i, ``p_f * c[t-1]`` within f and ``p_o * c[t]`` within o.

    Weights: kernel (I, 4H), recurrent_kernel (H, 4H), peephole_i, peephole_f and peephole_o (H,), bias (4H,); the
    columns are those of i, f, n and o in turn.

    Parameters
    ----------
    units, activation, recurrent_activation, unit_forget_bias : as in `LSTM`
    vector_initializer : of the peepholes
    use_bias, return_sequences, go_backwards, dropout, recurrent_dropout, zoneout : as in `SimpleRNN`
    kernel_initializer, recurrent_initializer, bias_initializer, name : as in `SimpleRNN`

    Raises
    ------
    ValueError, TypeError
        A value that is none of these.

    References
    ----------
    Gers and Schmidhuber (2000), Recurrent nets that time and count, IJCNN.
    Graves (2013), Generating sequences with recurrent neural networks, equations 7 to 11.
    """

    kind: ClassVar[str] = "peephole_lstm"

    vector_initializer: str | AnyInitializer = "zeros"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_initializer("vector_initializer")

    @property
    def equation(self) -> Cell:
        return peephole_lstm
