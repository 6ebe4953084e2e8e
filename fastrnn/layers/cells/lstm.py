"""Long short-term memory."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fastrnn import initializers
from fastrnn.equations.cells import Cell, act, cell, s
from fastrnn.layers.recurrent import Gated


@cell(gates="i f g o", states="h c")
def lstm(i, f, g, o, h, c):  # type: ignore[no-untyped-def]
    """Keep a share f of the old content, write a share i of the new one, show a share o."""
    c = s(f) * c + s(i) * act(g)
    return s(o) * act(c), c


class LSTM(Gated, frozen=True, kw_only=True):
    """Long short-term memory with a forget gate, over a sequence.

    ``i, f, o = g(x[t] W + h[t-1] U + b)`` and ``n = a(x[t] W + h[t-1] U + b)``, each with its own H columns, then
    ``c[t] = f * c[t-1] + i * n`` and ``h[t] = o * a(c[t])``.

    Weights: kernel (I, 4H), recurrent_kernel (H, 4H), bias (4H,); the columns are those of i, f, n (Keras's c) and o in
    turn.

    Parameters
    ----------
    units : H, size of h, of c and of the output
    activation : a, one of tanh, sigmoid, relu, linear; None is linear
    recurrent_activation : g, one of the same
    unit_forget_bias : whether the forget gate's bias begins at 1; the others are drawn by ``bias_initializer``
    use_bias, return_sequences, go_backwards, dropout, recurrent_dropout, zoneout : as in `SimpleRNN`
    kernel_initializer, recurrent_initializer, bias_initializer, name : as in `SimpleRNN`

    Raises
    ------
    ValueError, TypeError
        A value that is none of these.

    References
    ----------
    Hochreiter and Schmidhuber (1997), Long short-term memory, Neural Computation 9.
    Gers, Schmidhuber and Cummins (2000), Learning to forget, Neural Computation 12 (the forget gate).
    Jozefowicz, Zaremba and Sutskever (2015), An empirical exploration of recurrent network architectures (its bias).
    """

    kind: ClassVar[str] = "lstm"

    unit_forget_bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_flag("unit_forget_bias")

    @property
    def equation(self) -> Cell:
        return lstm

    def initial_weights(self, input_size: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        if not (self.use_bias and self.unit_forget_bias):
            return super().initial_weights(input_size, rng)
        shapes = self.weight_shapes(input_size)
        del shapes["bias"]
        weights = self._draw(shapes, rng, size=self.units)
        draw, units = initializers.get(self.bias_initializer).draw, self.units
        weights["bias"] = np.concatenate([draw(rng, (units,), units), np.ones(units), draw(rng, (2 * units,), units)])
        return weights
