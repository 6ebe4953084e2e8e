"""minLSTM: forget and input gates of the input alone, which share out the new state between them.

References
----------
Feng, Tung, Ahmed, Bengio and Hajimirsadeghi (2024), Were RNNs all we needed?, section 3.2.
"""

from typing import Any

import numpy as np

from fastrnn.reference.activations import ACTIVATIONS
from fastrnn.reference.arrays import Array
from fastrnn.reference.stepwise import Step, cell_of


def forward(
    x: Array, states: Array, k: Array, weights: list[Array], activation: str, recurrent_activation: str
) -> tuple[Array, list[Array]]:
    """f, i, n = x W + b; h = (s(f) h + s(i) act(n)) / (s(f) + s(i))."""
    (act, _), (s, _) = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    f, i, n = np.split(x @ weights[0] + weights[1], 3)
    f, i, n = s(f), s(i), act(n)
    return np.stack([(f * states[0] + i * n) / (f + i)]), [f, i, n]


def backward(
    x: Array, states: Array, k: Array, new: Array, kept: Array, e: Array, weights: list[Array], **settings: Any
) -> tuple[list[Array], Array, Array, Array]:
    """With q = e / (f + i): d_f = q (h - h') s'(f), d_i = q (n - h') s'(i), d_n = q i act'(n), d_h = q f."""
    (_, d_act), (_, d_s) = ACTIVATIONS[settings["activation"]], ACTIVATIONS[settings["recurrent_activation"]]
    f, i, n = kept
    q = e[0] / (f + i)
    d = np.concatenate([q * (states[0] - new[0]) * d_s(f), q * (n - new[0]) * d_s(i), q * i * d_act(n)])
    return [np.outer(x, d), d], weights[0] @ d, np.stack([q * f]), np.zeros_like(k)


CELLS = {
    "min_lstm": cell_of(
        Step(forward, backward, 1, 3, 3), {"activation": "linear", "recurrent_activation": "sigmoid"}, weights=2
    )
}
