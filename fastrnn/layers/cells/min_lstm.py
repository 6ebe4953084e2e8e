"""minLSTM, an LSTM without a recurrent matrix and without a cell state."""

from typing import ClassVar

from fastrnn.equations.cells import Cell, act, cell, s
from fastrnn.layers.recurrent import Gated


@cell(inputs="f i n")
def min_lstm(f, i, n, h):  # type: ignore[no-untyped-def]
    """Share out the new state between the old one and the candidate, as f is to i."""
    f, i = s(f), s(i)
    return (f * h + i * act(n)) / (f + i)


class MinLSTM(Gated, frozen=True):
    """minLSTM over a sequence: ``h[t] = (f * h[t-1] + i * n) / (f + i)``.

    ``f, i = g(x[t] W + b)`` and ``n = a(x[t] W + b)`` see the input alone: there is no recurrent matrix, and no product
    in the loop over time.

    Weights: kernel (I, 3H), bias (3H,); the columns are those of f, i and n in turn.

    Parameters
    ----------
    units : H, size of the state and of the output
    activation : a; linear as in the paper's plain form
    recurrent_activation : g
    use_bias, return_sequences, go_backwards, dropout, zoneout, kernel_initializer, bias_initializer, name
        as in `SimpleRNN`

    Raises
    ------
    ValueError, TypeError
        A value that is none of these.

    References
    ----------
    Feng, Tung, Ahmed, Bengio and Hajimirsadeghi (2024), Were RNNs all we needed?, section 3.2.
    """

    kind: ClassVar[str] = "min_lstm"

    activation: str = "linear"

    @property
    def equation(self) -> Cell:
        return min_lstm
