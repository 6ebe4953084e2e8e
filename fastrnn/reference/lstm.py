"""The LSTM cell: forward through time and backward through a window of steps.

References
----------
Hochreiter, Schmidhuber (1997), Long short-term memory, Neural Computation 9.
Gers, Schmidhuber, Cummins (2000), Learning to forget: continual prediction with LSTM, Neural Computation 12.
"""

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference.activations import ACTIVATIONS
from fastrnn.reference.arrays import Array, float64, or_ones


def lstm_forward(
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    bias: ArrayLike,
    initial_state: ArrayLike,
    counts: ArrayLike | None,
    activation: str,
    recurrent_activation: str,
    recurrent_mask: ArrayLike | None = None,
) -> Array:
    """Run the cell over all steps; a step that does not count leaves h and c.

    - a_i, a_f, a_g, a_o = x[t] W + (h[t] m) U + b
    - i, f, o = s(a_i), s(a_f), s(a_o),  g = act(a_g)
    - c[t+1] = f c[t] + i g
    - h[t+1] = o act(c[t+1])

    Parameters
    ----------
    x : (N, T, I)
    kernel : (I, 4H), W: the columns of i, f, g, o (Keras calls g c)
    recurrent_kernel : (H, 4H), U
    bias : (4H,), b
    initial_state : (2, N, H), h[0] and c[0]
    counts : (N, T) bool, or None: every step counts
    activation, recurrent_activation : keys of ``ACTIVATIONS``, act and s
    recurrent_mask : (N, H), m, or None: ones

    Returns
    -------
    tape : (6, N, T + 1, H), the states h and c and the gates i, f, g, o
        ``[:, 0]`` of h and c is the initial state, ``[:, t + 1]`` of all six what step t made.
    """
    x, kernel, recurrent_kernel, bias, initial_state = float64(x, kernel, recurrent_kernel, bias, initial_state)
    act, _ = ACTIVATIONS[activation]
    s, _ = ACTIVATIONS[recurrent_activation]
    (rows, steps, _), units = x.shape, recurrent_kernel.shape[0]
    counts, mask = or_ones(counts, (rows, steps)), or_ones(recurrent_mask, (rows, units))
    tape = np.zeros((6, rows, steps + 1, units))
    h, c, i, f, g, o = tape
    tape[:2, :, 0] = initial_state
    for n in range(rows):
        for t in range(steps):
            if not counts[n, t]:
                tape[:, n, t + 1] = tape[:, n, t]
                continue
            a = x[n, t] @ kernel + (h[n, t] * mask[n]) @ recurrent_kernel + bias
            a_i, a_f, a_g, a_o = np.split(a, 4)
            i[n, t + 1] = s(a_i)
            f[n, t + 1] = s(a_f)
            g[n, t + 1] = act(a_g)
            o[n, t + 1] = s(a_o)
            c[n, t + 1] = f[n, t + 1] * c[n, t] + i[n, t + 1] * g[n, t + 1]
            h[n, t + 1] = o[n, t + 1] * act(c[n, t + 1])
    return tape


def lstm_backward(
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    tape: ArrayLike,
    d_h: ArrayLike,
    counts: ArrayLike | None,
    activation: str,
    recurrent_activation: str,
    recurrent_mask: ArrayLike | None = None,
    starts: ArrayLike | None = None,
    stop: int | None = None,
) -> tuple[Array, Array, Array, Array, Array]:
    """Run one backward pass: row n from step ``stop - 1`` down to step ``starts[n]``, as in ``elman.py``.

    With the errors e_h and e_c of h[t+1] and c[t+1], which are ``d_h[t]`` and 0 plus what step t + 1 hands down:

    - d_o = e_h act(c[t+1]),  e_c += e_h o act'(c[t+1])
    - d_i = e_c g,  d_f = e_c c[t],  d_g = e_c i
    - d_a = d_i s'(i), d_f s'(f), d_g act'(g), d_o s'(o), side by side
    - d_W += x[t]ᵀ d_a,  d_U += (h[t] m)ᵀ d_a,  d_b += d_a
    - d_x[t] = d_a Wᵀ,  step t hands down e_h = (d_a Uᵀ) m and e_c f

    Parameters
    ----------
    x, kernel, recurrent_kernel, counts, activation, recurrent_activation, recurrent_mask : as in `lstm_forward`
    tape : (6, N, T + 1, H), from `lstm_forward`
    d_h : (N, T, H), gradient of the loss by the output of each step, apart from the path through later steps
    starts : (N,) int, or None: 0 for every row
    stop : int, or None: T

    Returns
    -------
    d_kernel : (I, 4H)
    d_recurrent_kernel : (H, 4H)
    d_bias : (4H,)
    d_x : (N, T, I), zero outside the window
    d_initial_state : (2, N, H), zero in rows whose window does not reach step 0
    """
    x, kernel, recurrent_kernel, tape, d_h = float64(x, kernel, recurrent_kernel, tape, d_h)
    act, act_derivative = ACTIVATIONS[activation]
    _, s_derivative = ACTIVATIONS[recurrent_activation]
    h, c, *_ = tape
    (rows, steps, _), units = x.shape, recurrent_kernel.shape[0]
    counts, mask = or_ones(counts, (rows, steps)), or_ones(recurrent_mask, (rows, units))
    starts = np.zeros(rows, dtype=np.int64) if starts is None else np.asarray(starts, dtype=np.int64)
    stop = steps if stop is None else stop
    d_kernel = np.zeros_like(kernel)
    d_recurrent_kernel = np.zeros_like(recurrent_kernel)
    d_bias = np.zeros(4 * units)
    d_x = np.zeros_like(x)
    d_initial_state = np.zeros((2, rows, units))
    for n in range(rows):
        e_h = np.zeros(units)
        e_c = np.zeros(units)
        for t in reversed(range(starts[n], stop)):
            e_h = e_h + d_h[n, t]
            if not counts[n, t]:
                continue
            i, f, g, o = tape[2:, n, t + 1]
            act_c = act(c[n, t + 1])
            d_o = e_h * act_c
            e_c = e_c + e_h * o * act_derivative(act_c)
            d_i = e_c * g
            d_f = e_c * c[n, t]
            d_g = e_c * i
            d_a = np.concatenate(
                [d_i * s_derivative(i), d_f * s_derivative(f), d_g * act_derivative(g), d_o * s_derivative(o)]
            )
            d_kernel += np.outer(x[n, t], d_a)
            d_recurrent_kernel += np.outer(h[n, t] * mask[n], d_a)
            d_bias += d_a
            d_x[n, t] = kernel @ d_a
            e_h = (recurrent_kernel @ d_a) * mask[n]
            e_c = e_c * f
        if starts[n] == 0:
            d_initial_state[:, n] = e_h, e_c
    return d_kernel, d_recurrent_kernel, d_bias, d_x, d_initial_state
