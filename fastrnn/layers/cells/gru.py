"""The gated recurrent unit."""

from typing import ClassVar

from fastrnn.equations.cells import Cell, act, cell, s
from fastrnn.layers.recurrent import Gated


@cell(gates="z r", inputs="n", recurrents="q")
def gru(z, r, n, q, h):  # type: ignore[no-untyped-def]
    """Reset after the product: a share r of what the state says enters the candidate."""
    n = act(n + s(r) * q)
    return n + s(z) * (h - n)


@cell(gates="z r", late="n")
def gru_reset_before(z, r, n, h):  # type: ignore[no-untyped-def]
    """Reset before the product: what the state says is said by a share r of it."""
    n = act(n(s(r) * h))
    return n + s(z) * (h - n)


class GRU(Gated, frozen=True, kw_only=True):
    """Gated recurrent unit over a sequence: ``h[t] = z * h[t-1] + (1 - z) * n``.

    ``z, r = g(x[t] W + h[t-1] U + b)``, each with its own H columns; with b and d the rows of the bias,
    ``n = a(x[t] W + b + r * (h[t-1] U + d))`` where the gate resets after the product, else
    ``n = a(x[t] W + (r * h[t-1]) U + b)``.

    Weights: kernel (I, 3H), recurrent_kernel (H, 3H), bias (2, 3H) - b, then d - or (3H,) with ``reset_after=False``;
    the columns are those of z, r and n (Keras's h) in turn.

    Parameters
    ----------
    units : H, size of the state and of the output
    activation : a, one of tanh, sigmoid, relu, linear; None is linear
    recurrent_activation : g, one of the same
    reset_after : whether r applies after the recurrent product, as in PyTorch and cuDNN, or before, as in the paper
    use_bias, return_sequences, go_backwards, dropout, recurrent_dropout, zoneout : as in `SimpleRNN`
    kernel_initializer, recurrent_initializer, bias_initializer, name : as in `SimpleRNN`

    Raises
    ------
    ValueError, TypeError
        A value that is none of these.

    References
    ----------
    Cho et al. (2014), Learning phrase representations using RNN encoder-decoder for statistical machine translation.
    """

    kind: ClassVar[str] = "gru"

    reset_after: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_flag("reset_after")

    @property
    def equation(self) -> Cell:
        return gru if self.reset_after else gru_reset_before
