"""The recurrent layers of one direction: SimpleRNN, LSTM and GRU."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fastrnn import initializers
from fastrnn.initializers import AnyInitializer, Shape
from fastrnn.layers.base import Cell, Layer, Weighted


class Recurrent(Layer, frozen=True):
    """What every layer with a state is: SimpleRNN, LSTM, GRU, Bidirectional."""

    @property
    def return_sequences(self) -> bool:
        """Whether the output is one a step (N, T, O) rather than one a sequence (N, O)."""
        raise NotImplementedError

    @property
    def turns(self) -> bool:
        """Whether the outputs come from the input's last step to its first."""
        return False


class _Options(Weighted, Recurrent, frozen=True, kw_only=True):
    """The options of a recurrent layer of one direction; apart because these are given by name only."""

    return_sequences: bool = False
    go_backwards: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    recurrent_initializer: str | AnyInitializer = "orthogonal"


class Unidirectional(_Options, frozen=True):
    """What SimpleRNN, LSTM and GRU share.

    Attributes
    ----------
    gates : G, blocks of H columns in the kernels
    state_arrays : arrays of the state: 2 for the pair (h, c) of an LSTM, else 1
    """

    gates: ClassVar[int]
    state_arrays: ClassVar[int] = 1

    units: int
    activation: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_flag("return_sequences")
        self._check_flag("go_backwards")
        self._check_rate("dropout")
        self._check_rate("recurrent_dropout")
        self._check_initializer("recurrent_initializer")

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
        """Shape of the bias, if there is one."""
        return (self.gates * self.units,)

    def weight_shapes(self, input_size: int) -> dict[str, Shape]:
        width = self.gates * self.units
        shapes: dict[str, Shape] = {"kernel": (input_size, width), "recurrent_kernel": (self.units, width)}
        return shapes | {"bias": self.bias_shape} if self.use_bias else shapes

    def initial_weights(self, input_size: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        return self._draw(self.weight_shapes(input_size), rng, size=self.units)


class SimpleRNN(Unidirectional, frozen=True):
    """Elman's cell over a sequence: ``h[t] = f(x[t] kernel + h[t-1] recurrent_kernel + bias)``.

    Weights: kernel (I, H), recurrent_kernel (H, H), bias (H,).

    Parameters
    ----------
    units : H, size of the state and of the output
    activation : f, one of tanh, sigmoid, relu, linear; None is linear
    use_bias : whether there is a bias
    return_sequences : False gives the last state (N, H), True every state (N, T, H)
    go_backwards : run from the last step to the first; the states come in the order of computing: that of step t
        stands at T - 1 - t, and those of steps beyond a row's length, which come first, are 0. Layers above read the
        others
    dropout, recurrent_dropout : share of x[t], and of h[t-1] in the recurrent product, that is dropped in training,
        the same elements at every step of a sequence; from 0, and below 1
    kernel_initializer, recurrent_initializer, bias_initializer
        a name or an object of `fastrnn.initializers`
    name : what the weights' names begin with; None is ``simple_rnn``, ``simple_rnn_1``, ... in a model

    Raises
    ------
    ValueError, TypeError
        A value that is none of these.

    References
    ----------
    Elman (1990), Finding structure in time, Cognitive Science 14.
    Gal and Ghahramani (2016), A theoretically grounded application of dropout in recurrent neural networks (masks).
    """

    kind: ClassVar[str] = "simple_rnn"
    gates: ClassVar[int] = 1


class _Gated(Unidirectional, frozen=True):
    """What LSTM and GRU share."""

    recurrent_activation: str = "sigmoid"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_activation("recurrent_activation")


class LSTM(_Gated, frozen=True, kw_only=True):
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
    use_bias, return_sequences, go_backwards, dropout, recurrent_dropout, kernel_initializer, recurrent_initializer
        as in `SimpleRNN`
    bias_initializer, name : as in `SimpleRNN`

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
    gates: ClassVar[int] = 4
    state_arrays: ClassVar[int] = 2

    unit_forget_bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_flag("unit_forget_bias")

    def initial_weights(self, input_size: int, rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
        if not (self.use_bias and self.unit_forget_bias):
            return super().initial_weights(input_size, rng)
        shapes = self.weight_shapes(input_size)
        del shapes["bias"]
        weights = self._draw(shapes, rng, size=self.units)
        draw, units = initializers.get(self.bias_initializer).draw, self.units
        weights["bias"] = np.concatenate([draw(rng, (units,), units), np.ones(units), draw(rng, (2 * units,), units)])
        return weights


class GRU(_Gated, frozen=True, kw_only=True):
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
    use_bias, return_sequences, go_backwards, dropout, recurrent_dropout, kernel_initializer, recurrent_initializer
        as in `SimpleRNN`
    bias_initializer, name : as in `SimpleRNN`

    Raises
    ------
    ValueError, TypeError
        A value that is none of these.

    References
    ----------
    Cho et al. (2014), Learning phrase representations using RNN encoder-decoder for statistical machine translation.
    """

    kind: ClassVar[str] = "gru"
    gates: ClassVar[int] = 3

    reset_after: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_flag("reset_after")

    @property
    def bias_shape(self) -> Shape:
        width = self.gates * self.units
        return (2, width) if self.reset_after else (width,)
