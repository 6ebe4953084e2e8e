"""IndRNN, whose units see their own old states alone."""

from typing import ClassVar

from fastrnn.equations.cells import Cell, act, cell
from fastrnn.initializers import AnyInitializer, Uniform
from fastrnn.layers.recurrent import Unidirectional


@cell(inputs="n", vectors="recurrent_vector")
def ind_rnn(n, recurrent_vector, h):  # type: ignore[no-untyped-def]
    """``h = act(n + u h)`` with a weight u of each unit's own."""
    return act(n + recurrent_vector * h)


class IndRNN(Unidirectional, frozen=True):
    """IndRNN over a sequence: ``h[t] = f(x[t] W + u * h[t-1] + b)``, every unit with a recurrent weight of its own.

    Weights: kernel (I, H), recurrent_vector u (H,), bias (H,).

    Parameters
    ----------
    units : H, size of the state and of the output
    activation : f; relu as in the paper
    vector_initializer : of u; None is between 0 and 1, so that units remember for different times
    use_bias, return_sequences, go_backwards, dropout, zoneout, kernel_initializer, bias_initializer, name
        as in `SimpleRNN`

    Raises
    ------
    ValueError, TypeError
        A value that is none of these.

    References
    ----------
    Li, Li, Cook, Zhu and Gao (2018), Independently recurrent neural network (IndRNN), CVPR, equation 2.
    """

    kind: ClassVar[str] = "ind_rnn"

    activation: str = "relu"
    vector_initializer: str | AnyInitializer = Uniform(0.0, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_initializer("vector_initializer")

    @property
    def equation(self) -> Cell:
        return ind_rnn
