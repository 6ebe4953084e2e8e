"""The GRU cell, its reset gate after or before the recurrent product: forward and backward through a window of steps.

References
----------
Cho et al. (2014), Learning phrase representations using RNN encoder-decoder for statistical machine translation,
EMNLP, section 2.3: the reset gate before the product.
Chung, Gulcehre, Cho, Bengio (2014), Empirical evaluation of gated recurrent neural networks on sequence modeling.
"""

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference.activations import ACTIVATIONS
from fastrnn.reference.arrays import Array, float64, or_ones


def gru_forward(
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    bias: ArrayLike,
    initial_state: ArrayLike,
    counts: ArrayLike | None,
    activation: str,
    recurrent_activation: str,
    reset_after: bool,
    recurrent_mask: ArrayLike | None = None,
) -> Array:
    """Run the cell over all steps; a step that does not count leaves h.

    The reset gate r multiplies p: with reset after, the product of the state; with reset before, the state itself.

    - a_z, a_r, a_g = x[t] W + b,  k = h[t] m
    - reset after:  z, r = s(a_z + k U_z + b'_z), s(a_r + k U_r + b'_r),  p = k U_g + b'_g,  g = act(a_g + r p)
    - reset before: z, r = s(a_z + k U_z), s(a_r + k U_r),  p = k,  g = act(a_g + (r p) U_g)
    - h[t+1] = (1 - z) g + z h[t]

    Parameters
    ----------
    x : (N, T, I)
    kernel : (I, 3H), W: the columns of z, r, g (Keras calls g h)
    recurrent_kernel : (H, 3H), U
    bias : (2, 3H) with reset after, b and b'; (3H,) with reset before, b
    initial_state : (N, H), h[0]
    counts : (N, T) bool, or None: every step counts
    activation, recurrent_activation : keys of ``ACTIVATIONS``, act and s
    reset_after : bool
    recurrent_mask : (N, H), m, or None: ones

    Returns
    -------
    tape : (5, N, T + 1, H), the state h and z, r, g, p
        ``h[:, 0]`` is the initial state, ``[:, t + 1]`` of all five what step t made.
    """
    x, kernel, recurrent_kernel, bias, initial_state = float64(x, kernel, recurrent_kernel, bias, initial_state)
    act, _ = ACTIVATIONS[activation]
    s, _ = ACTIVATIONS[recurrent_activation]
    (rows, steps, _), units = x.shape, recurrent_kernel.shape[0]
    counts, mask = or_ones(counts, (rows, steps)), or_ones(recurrent_mask, (rows, units))
    b, recurrent_b = bias if reset_after else (bias, np.zeros(3 * units))
    U_z, U_r, U_g = np.split(recurrent_kernel, 3, axis=1)
    b_z, b_r, b_g = np.split(recurrent_b, 3)
    tape = np.zeros((5, rows, steps + 1, units))
    h, z, r, g, p = tape
    h[:, 0] = initial_state
    for n in range(rows):
        for t in range(steps):
            if not counts[n, t]:
                tape[:, n, t + 1] = tape[:, n, t]
                continue
            a_z, a_r, a_g = np.split(x[n, t] @ kernel + b, 3)
            k = h[n, t] * mask[n]
            z[n, t + 1] = s(a_z + k @ U_z + b_z)
            r[n, t + 1] = s(a_r + k @ U_r + b_r)
            if reset_after:
                p[n, t + 1] = k @ U_g + b_g
                g[n, t + 1] = act(a_g + r[n, t + 1] * p[n, t + 1])
            else:
                p[n, t + 1] = k
                g[n, t + 1] = act(a_g + (r[n, t + 1] * p[n, t + 1]) @ U_g)
            h[n, t + 1] = (1.0 - z[n, t + 1]) * g[n, t + 1] + z[n, t + 1] * h[n, t]
    return tape


def gru_backward(
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    tape: ArrayLike,
    d_h: ArrayLike,
    counts: ArrayLike | None,
    activation: str,
    recurrent_activation: str,
    reset_after: bool,
    recurrent_mask: ArrayLike | None = None,
    starts: ArrayLike | None = None,
    stop: int | None = None,
) -> tuple[Array, Array, Array, Array, Array]:
    """Run one backward pass: row n from step ``stop - 1`` down to step ``starts[n]``, as in ``elman.py``.

    With the error e of h[t+1], which is ``d_h[t]`` plus what step t + 1 hands down:

    - d_a_g = e (1 - z) act'(g)
    - d_rp = d_a_g with reset after, d_a_g U_gᵀ with reset before;  d_p = d_rp r
    - d_a_r = d_rp p s'(r),  d_a_z = e (h[t] - g) s'(z)
    - d_W += x[t]ᵀ d_a,  d_b += d_a,  d_x[t] = d_a Wᵀ,  with d_a = d_a_z, d_a_r, d_a_g side by side
    - reset after: d_U += kᵀ d_b',  d_k = d_b' Uᵀ,  with d_b' = d_a_z, d_a_r, d_p side by side
    - reset before: d_U_zr += kᵀ d_a_zr,  d_U_g += (r p)ᵀ d_a_g,  d_k = d_a_zr U_zrᵀ + d_p
    - step t hands down e z + d_k m

    Parameters
    ----------
    x, kernel, recurrent_kernel, counts, activation, recurrent_activation, reset_after, recurrent_mask : as in
        `gru_forward`
    tape : (5, N, T + 1, H), from `gru_forward`
    d_h : (N, T, H), gradient of the loss by the output of each step, apart from the path through later steps
    starts : (N,) int, or None: 0 for every row
    stop : int, or None: T

    Returns
    -------
    d_kernel : (I, 3H)
    d_recurrent_kernel : (H, 3H)
    d_bias : (2, 3H) with reset after, (3H,) with reset before
    d_x : (N, T, I), zero outside the window
    d_initial_state : (N, H), zero in rows whose window does not reach step 0
    """
    x, kernel, recurrent_kernel, tape, d_h = float64(x, kernel, recurrent_kernel, tape, d_h)
    _, act_derivative = ACTIVATIONS[activation]
    _, s_derivative = ACTIVATIONS[recurrent_activation]
    h = tape[0]
    (rows, steps, _), units = x.shape, recurrent_kernel.shape[0]
    counts, mask = or_ones(counts, (rows, steps)), or_ones(recurrent_mask, (rows, units))
    starts = np.zeros(rows, dtype=np.int64) if starts is None else np.asarray(starts, dtype=np.int64)
    stop = steps if stop is None else stop
    U_zr, U_g = np.split(recurrent_kernel, [2 * units], axis=1)
    d_kernel = np.zeros_like(kernel)
    d_recurrent_kernel = np.zeros_like(recurrent_kernel)
    d_bias = np.zeros((2, 3 * units) if reset_after else 3 * units)
    d_x = np.zeros_like(x)
    d_initial_state = np.zeros((rows, units))
    for n in range(rows):
        e = np.zeros(units)
        for t in reversed(range(starts[n], stop)):
            e = e + d_h[n, t]
            if not counts[n, t]:
                continue
            z, r, g, p = tape[1:, n, t + 1]
            k = h[n, t] * mask[n]
            d_a_g = e * (1.0 - z) * act_derivative(g)
            d_rp = d_a_g if reset_after else U_g @ d_a_g
            d_p = d_rp * r
            d_a_r = d_rp * p * s_derivative(r)
            d_a_z = e * (h[n, t] - g) * s_derivative(z)
            d_a = np.concatenate([d_a_z, d_a_r, d_a_g])
            d_kernel += np.outer(x[n, t], d_a)
            d_x[n, t] = kernel @ d_a
            if reset_after:
                d_recurrent_b = np.concatenate([d_a_z, d_a_r, d_p])
                d_recurrent_kernel += np.outer(k, d_recurrent_b)
                d_bias += np.stack([d_a, d_recurrent_b])
                d_k = recurrent_kernel @ d_recurrent_b
            else:
                d_a_zr = d_a[: 2 * units]
                d_recurrent_kernel += np.hstack([np.outer(k, d_a_zr), np.outer(r * p, d_a_g)])
                d_bias += d_a
                d_k = U_zr @ d_a_zr + d_p
            e = e * z + d_k * mask[n]
        if starts[n] == 0:
            d_initial_state[n] = e
    return d_kernel, d_recurrent_kernel, d_bias, d_x, d_initial_state
