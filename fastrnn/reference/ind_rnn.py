"""IndRNN: every unit sees its own old state alone, by a weight of its own.

References
----------
Li, Li, Cook, Zhu and Gao (2018), Independently recurrent neural network (IndRNN), CVPR, equation 2.
"""

from typing import Any

import numpy as np

from fastrnn.reference.activations import ACTIVATIONS
from fastrnn.reference.arrays import Array
from fastrnn.reference.stepwise import Step, cell_of


def forward(x: Array, states: Array, k: Array, weights: list[Array], activation: str) -> tuple[Array, list[Array]]:
    """h = act(x W + u h + b)."""
    kernel, u, bias = weights
    act, _ = ACTIVATIONS[activation]
    return np.stack([act(x @ kernel + u * states[0] + bias)]), []


def backward(
    x: Array, states: Array, k: Array, new: Array, kept: Array, e: Array, weights: list[Array], **settings: Any
) -> tuple[list[Array], Array, Array, Array]:
    """d = e act'(h'); d_u = d h, d_h = d u."""
    kernel, u, _ = weights
    _, d_act = ACTIVATIONS[settings["activation"]]
    d = e[0] * d_act(new[0])
    return [np.outer(x, d), d * states[0], d], kernel @ d, np.stack([d * u]), np.zeros_like(k)


CELLS = {"ind_rnn": cell_of(Step(forward, backward, 1, 0, 1), {"activation": "relu"}, weights=3)}
