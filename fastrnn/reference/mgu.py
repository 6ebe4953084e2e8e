"""MGU: one gate both forgets and resets.

References
----------
Zhou, Wu, Zhang and Zhou (2016), Minimal gated unit for recurrent neural networks, equation 10.
"""

from typing import Any

import numpy as np

from fastrnn.reference.activations import ACTIVATIONS
from fastrnn.reference.arrays import Array
from fastrnn.reference.stepwise import Step, cell_of


def forward(
    x: Array, states: Array, k: Array, weights: list[Array], activation: str, recurrent_activation: str
) -> tuple[Array, list[Array]]:
    """f = s(x W_f + k U_f + b_f); n = act(x W_n + (f k) U_n + b_n); h = (1 - f) h + f n."""
    kernel, recurrent_kernel, bias = weights
    (act, _), (s, _) = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    units = len(k)
    a = x @ kernel + bias
    f = s(a[:units] + k @ recurrent_kernel[:, :units])
    n = act(a[units:] + (f * k) @ recurrent_kernel[:, units:])
    return np.stack([(1.0 - f) * states[0] + f * n]), [f, n]


def backward(
    x: Array, states: Array, k: Array, new: Array, kept: Array, e: Array, weights: list[Array], **settings: Any
) -> tuple[list[Array], Array, Array, Array]:
    """d_n = e f act'(n); d_q = d_n U_nᵀ of q = f k; d_f = (e (n - h) + d_q k) s'(f)."""
    kernel, recurrent_kernel, _ = weights
    (_, d_act), (_, d_s) = ACTIVATIONS[settings["activation"]], ACTIVATIONS[settings["recurrent_activation"]]
    f, n = kept
    units = len(k)
    d_n = e[0] * f * d_act(n)
    d_q = recurrent_kernel[:, units:] @ d_n
    d_f = (e[0] * (n - states[0]) + d_q * k) * d_s(f)
    d = np.concatenate([d_f, d_n])
    d_recurrent = np.hstack([np.outer(k, d_f), np.outer(f * k, d_n)])
    d_k = recurrent_kernel[:, :units] @ d_f + d_q * f
    return [np.outer(x, d), d_recurrent, d], kernel @ d, np.stack([e[0] * (1.0 - f)]), d_k


CELLS = {
    "mgu": cell_of(
        Step(forward, backward, 1, 2, 2), {"activation": "tanh", "recurrent_activation": "sigmoid"}, weights=3
    )
}
