"""The Elman cell (Keras's SimpleRNN): forward through time and backward through a window of steps.

References
----------
Elman (1990), Finding structure in time, Cognitive Science 14.
Werbos (1990), Backpropagation through time: what it does and how to do it, Proceedings of the IEEE 78.
"""

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference.activations import ACTIVATIONS
from fastrnn.reference.arrays import Array, float64, or_ones


def elman_forward(
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    bias: ArrayLike,
    initial_state: ArrayLike,
    counts: ArrayLike | None,
    activation: str,
    recurrent_mask: ArrayLike | None = None,
) -> Array:
    """Run the cell over all steps: h[t+1] = f(x[t] W + (h[t] m) U + b), and h[t+1] = h[t] where t does not count.

    Parameters
    ----------
    x : (N, T, I)
    kernel : (I, H), W
    recurrent_kernel : (H, H), U
    bias : (H,), b
    initial_state : (N, H), h[0]
    counts : (N, T) bool, or None: every step counts
    activation : a key of ``ACTIVATIONS``, f
    recurrent_mask : (N, H), m, or None: ones

    Returns
    -------
    tape : (1, N, T + 1, H), the states h
        ``h[:, 0]`` is the initial state, ``h[:, t + 1]`` the state after step t.
    """
    x, kernel, recurrent_kernel, bias, initial_state = float64(x, kernel, recurrent_kernel, bias, initial_state)
    f, _ = ACTIVATIONS[activation]
    (rows, steps, _), units = x.shape, recurrent_kernel.shape[0]
    counts, mask = or_ones(counts, (rows, steps)), or_ones(recurrent_mask, (rows, units))
    tape = np.zeros((1, rows, steps + 1, units))
    (h,) = tape
    h[:, 0] = initial_state
    for n in range(rows):
        for t in range(steps):
            if not counts[n, t]:
                h[n, t + 1] = h[n, t]
                continue
            h[n, t + 1] = f(x[n, t] @ kernel + (h[n, t] * mask[n]) @ recurrent_kernel + bias)
    return tape


def elman_backward(
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    tape: ArrayLike,
    d_h: ArrayLike,
    counts: ArrayLike | None,
    activation: str,
    recurrent_mask: ArrayLike | None = None,
    starts: ArrayLike | None = None,
    stop: int | None = None,
) -> tuple[Array, Array, Array, Array, Array]:
    """Run one backward pass: row n from step ``stop - 1`` down to step ``starts[n]``.

    With the error e[t+1] of the state after step t, which is ``d_h[t]`` plus what step t + 1 hands down:

    - d_a = e[t+1] f'(h[t+1])
    - d_W += x[t]ᵀ d_a,  d_U += (h[t] m)ᵀ d_a,  d_b += d_a
    - d_x[t] = d_a Wᵀ,  step t hands down (d_a Uᵀ) m

    A step that does not count hands its error down unchanged. Full back-propagation through time is
    ``starts=None, stop=None``; truncated back-propagation is a sum of passes (``tbptt.py`` has their windows).

    Parameters
    ----------
    x, kernel, recurrent_kernel, counts, activation, recurrent_mask : as in `elman_forward`
    tape : (1, N, T + 1, H), from `elman_forward`
    d_h : (N, T, H), gradient of the loss by the output of each step, apart from the path through later steps
    starts : (N,) int, or None: 0 for every row
    stop : int, or None: T

    Returns
    -------
    d_kernel : (I, H)
    d_recurrent_kernel : (H, H)
    d_bias : (H,)
    d_x : (N, T, I), zero outside the window
    d_initial_state : (N, H), zero in rows whose window does not reach step 0
    """
    x, kernel, recurrent_kernel, tape, d_h = float64(x, kernel, recurrent_kernel, tape, d_h)
    _, derivative = ACTIVATIONS[activation]
    (h,) = tape
    (rows, steps, _), units = x.shape, recurrent_kernel.shape[0]
    counts, mask = or_ones(counts, (rows, steps)), or_ones(recurrent_mask, (rows, units))
    starts = np.zeros(rows, dtype=np.int64) if starts is None else np.asarray(starts, dtype=np.int64)
    stop = steps if stop is None else stop
    d_kernel = np.zeros_like(kernel)
    d_recurrent_kernel = np.zeros_like(recurrent_kernel)
    d_bias = np.zeros(units)
    d_x = np.zeros_like(x)
    d_initial_state = np.zeros((rows, units))
    for n in range(rows):
        e = np.zeros(units)
        for t in reversed(range(starts[n], stop)):
            e = e + d_h[n, t]
            if not counts[n, t]:
                continue
            d_a = e * derivative(h[n, t + 1])
            d_kernel += np.outer(x[n, t], d_a)
            d_recurrent_kernel += np.outer(h[n, t] * mask[n], d_a)
            d_bias += d_a
            d_x[n, t] = kernel @ d_a
            e = (recurrent_kernel @ d_a) * mask[n]
        if starts[n] == 0:
            d_initial_state[n] = e
    return d_kernel, d_recurrent_kernel, d_bias, d_x, d_initial_state
