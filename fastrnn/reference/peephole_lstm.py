"""LSTM with peepholes: the gates see the cell state, by weights of each unit's own.

References
----------
Gers and Schmidhuber (2000), Recurrent nets that time and count, IJCNN.
Graves (2013), Generating sequences with recurrent neural networks, equations 7 to 11.
"""

from typing import Any

import numpy as np

from fastrnn.reference.activations import ACTIVATIONS
from fastrnn.reference.arrays import Array
from fastrnn.reference.stepwise import Step, cell_of


def forward(
    x: Array, states: Array, k: Array, weights: list[Array], activation: str, recurrent_activation: str
) -> tuple[Array, list[Array]]:
    """i = s(a_i + p_i c), f = s(a_f + p_f c), c' = f c + i act(a_g), o = s(a_o + p_o c'), h' = o act(c')."""
    kernel, recurrent_kernel, p_i, p_f, p_o, bias = weights
    (act, _), (s, _) = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    a_i, a_f, a_g, a_o = np.split(x @ kernel + k @ recurrent_kernel + bias, 4)
    i, f, g = s(a_i + p_i * states[1]), s(a_f + p_f * states[1]), act(a_g)
    c = f * states[1] + i * g
    o = s(a_o + p_o * c)
    return np.stack([o * act(c), c]), [i, f, g, o]


def backward(
    x: Array, states: Array, k: Array, new: Array, kept: Array, e: Array, weights: list[Array], **settings: Any
) -> tuple[list[Array], Array, Array, Array]:
    """d_o = e_h act(c') s'(o); e_c' = e_c + e_h o act'(c') + d_o p_o; d_c as in an LSTM, and + d_i p_i + d_f p_f."""
    kernel, recurrent_kernel, p_i, p_f, p_o, _ = weights
    (act, d_act), (_, d_s) = ACTIVATIONS[settings["activation"]], ACTIVATIONS[settings["recurrent_activation"]]
    i, f, g, o = kept
    c, shown = new[1], act(new[1])
    d_o = e[0] * shown * d_s(o)
    e_c = e[1] + e[0] * o * d_act(shown) + d_o * p_o
    d_i, d_f, d_g = e_c * g * d_s(i), e_c * states[1] * d_s(f), e_c * i * d_act(g)
    d = np.concatenate([d_i, d_f, d_g, d_o])
    own = [np.outer(x, d), np.outer(k, d), d_i * states[1], d_f * states[1], d_o * c, d]
    d_states = np.stack([np.zeros_like(k), e_c * f + d_i * p_i + d_f * p_f])
    return own, kernel @ d, d_states, recurrent_kernel @ d


CELLS = {
    "peephole_lstm": cell_of(
        Step(forward, backward, 2, 4, 4), {"activation": "tanh", "recurrent_activation": "sigmoid"}, weights=6
    )
}
