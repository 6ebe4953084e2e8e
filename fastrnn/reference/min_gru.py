"""minGRU: gates of the input alone, so that the state of a step is a mean of the old one and a candidate.

References
----------
Feng, Tung, Ahmed, Bengio and Hajimirsadeghi (2024), Were RNNs all we needed?, section 3.1.
"""

from typing import Any

import numpy as np

from fastrnn.reference.activations import ACTIVATIONS
from fastrnn.reference.arrays import Array
from fastrnn.reference.stepwise import Step, cell_of


def forward(
    x: Array, states: Array, k: Array, weights: list[Array], activation: str, recurrent_activation: str
) -> tuple[Array, list[Array]]:
    """z, n = x W + b; h = (1 - s(z)) h + s(z) act(n)."""
    (act, _), (s, _) = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    z, n = np.split(x @ weights[0] + weights[1], 2)
    z, n = s(z), act(n)
    return np.stack([(1.0 - z) * states[0] + z * n]), [z, n]


def backward(
    x: Array, states: Array, k: Array, new: Array, kept: Array, e: Array, weights: list[Array], **settings: Any
) -> tuple[list[Array], Array, Array, Array]:
    """d_z = e (n - h) s'(z), d_n = e z act'(n), d_h = e (1 - z)."""
    (_, d_act), (_, d_s) = ACTIVATIONS[settings["activation"]], ACTIVATIONS[settings["recurrent_activation"]]
    z, n = kept
    d = np.concatenate([e[0] * (n - states[0]) * d_s(z), e[0] * z * d_act(n)])
    return [np.outer(x, d), d], weights[0] @ d, np.stack([e[0] * (1.0 - z)]), np.zeros_like(k)


CELLS = {
    "min_gru": cell_of(
        Step(forward, backward, 1, 2, 2), {"activation": "linear", "recurrent_activation": "sigmoid"}, weights=2
    )
}
