"""minGRU, a gated cell without a recurrent matrix."""

from typing import ClassVar

from fastrnn.equations.cells import Cell, act, cell, s
from fastrnn.layers.recurrent import Gated


@cell(inputs="z n")
def min_gru(z, n, h):  # type: ignore[no-untyped-def]
    """Take a share z of the candidate, keep the rest of the old state."""
    return h + s(z) * (act(n) - h)


class MinGRU(Gated, frozen=True):
    """minGRU over a sequence: ``h[t] = (1 - z) * h[t-1] + z * n``.

    ``z = g(x[t] W + b)`` and ``n = a(x[t] W + b)`` see the input alone: there is no recurrent matrix, and no product in
    the loop over time.

    Weights: kernel (I, 2H), bias (2H,); the columns are those of z and n in turn.

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
    Feng, Tung, Ahmed, Bengio and Hajimirsadeghi (2024), Were RNNs all we needed?, section 3.1.
    """

    kind: ClassVar[str] = "min_gru"

    activation: str = "linear"

    @property
    def equation(self) -> Cell:
        return min_gru
