"""The simple recurrent cell (Elman 1990)."""

from typing import ClassVar

from fastrnn.equations.cells import Cell, act, cell
from fastrnn.layers.recurrent import Unidirectional


@cell(gates="z")
def elman(z, h):  # type: ignore[no-untyped-def]
    """``h = act(z)``."""
    return act(z)


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
    zoneout : share of the units that keep their old state, others at every step of training; outside of training every
        unit keeps so much of it; from 0, and below 1
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
    Krueger et al. (2017), Zoneout: regularizing RNNs by randomly preserving hidden activations.
    """

    kind: ClassVar[str] = "simple_rnn"
    gates: ClassVar[int] = 1

    @property
    def equation(self) -> Cell:
        return elman
