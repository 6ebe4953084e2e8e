"""MGU, the GRU whose one gate both forgets and resets."""

from typing import ClassVar

from fastrnn.equations.cells import Cell, act, cell, s
from fastrnn.layers.recurrent import Gated


@cell(gates="f", late="n")
def mgu(f, n, h):  # type: ignore[no-untyped-def]
    """What is forgotten is as much as is told to the candidate."""
    f = s(f)
    return h + f * (act(n(f * h)) - h)


class MGU(Gated, frozen=True, kw_only=True):
    """Minimal gated unit over a sequence: ``h[t] = (1 - f) * h[t-1] + f * n``.

    ``f = g(x[t] W + h[t-1] U + b)`` and ``n = a(x[t] W + (f * h[t-1]) U + b)``, each with its own H columns.

    Weights: kernel (I, 2H), recurrent_kernel (H, 2H), bias (2H,); the columns are those of f and n in turn.

    Parameters
    ----------
    units : H, size of the state and of the output
    activation, recurrent_activation : a and g
    use_bias, return_sequences, go_backwards, dropout, recurrent_dropout, zoneout : as in `SimpleRNN`
    kernel_initializer, recurrent_initializer, bias_initializer, name : as in `SimpleRNN`

    Raises
    ------
    ValueError, TypeError
        A value that is none of these.

    References
    ----------
    Zhou, Wu, Zhang and Zhou (2016), Minimal gated unit for recurrent neural networks, equation 10.
    """

    kind: ClassVar[str] = "mgu"

    @property
    def equation(self) -> Cell:
        return mgu
