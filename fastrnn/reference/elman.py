"""The Elman cell (Keras's SimpleRNN): forward through time and backward through a window of steps.

References
----------
Elman (1990), Finding structure in time, Cognitive Science 14.
Werbos (1990), Backpropagation through time: what it does and how to do it, Proceedings of the IEEE 78.
"""

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference.activations import ACTIVATIONS
from fastrnn.reference.arrays import Array, counted_steps, float64


def elman_forward(
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    bias: ArrayLike,
    initial_state: ArrayLike,
    lengths: ArrayLike | None,
    activation: str,
) -> Array:
    """Run the cell over all steps: h[t+1] = f(x[t] W + h[t] U + b), and h[t+1] = h[t] where t >= length.

    Parameters
    ----------
    x : (N, T, I)
    kernel : (I, H), W
    recurrent_kernel : (H, H), U
    bias : (H,), b
    initial_state : (N, H), h[0]
    lengths : (N,) int, or None: every step counts
    activation : a key of ``ACTIVATIONS``, f

    Returns
    -------
    states : (N, T + 1, H)
        ``states[:, 0]`` is the initial state, ``states[:, t + 1]`` the state after step t.
    """
    x, kernel, recurrent_kernel, bias, initial_state = float64(x, kernel, recurrent_kernel, bias, initial_state)
    f, _ = ACTIVATIONS[activation]
    rows, steps, _ = x.shape
    lengths = counted_steps(lengths, rows, steps)
    states = np.zeros((rows, steps + 1, recurrent_kernel.shape[0]))
    for n in range(rows):
        states[n, 0] = initial_state[n]
        for t in range(steps):
            if t >= lengths[n]:
                states[n, t + 1] = states[n, t]
                continue
            a = x[n, t] @ kernel + states[n, t] @ recurrent_kernel + bias
            states[n, t + 1] = f(a)
    return states


def elman_backward(
    x: ArrayLike,
    kernel: ArrayLike,
    recurrent_kernel: ArrayLike,
    states: ArrayLike,
    d_h: ArrayLike,
    lengths: ArrayLike | None,
    activation: str,
    starts: ArrayLike | None = None,
    stop: int | None = None,
) -> tuple[Array, Array, Array, Array, Array]:
    """Run one backward pass: row n from step ``stop - 1`` down to step ``starts[n]``.

    With the error e[t+1] of the state after step t, which is ``d_h[t]`` plus what step t + 1 hands down:

    - d_a = e[t+1] f'(h[t+1])
    - d_W += x[t]ᵀ d_a,  d_U += h[t]ᵀ d_a,  d_b += d_a
    - d_x[t] = d_a Wᵀ,  step t hands down d_a Uᵀ

    A step t >= length hands its error down unchanged. Full back-propagation through time is ``starts=None, stop=None``;
    truncated back-propagation is a sum of passes (``tbptt.py`` has their windows).

    Parameters
    ----------
    x, kernel, recurrent_kernel, lengths, activation : as in `elman_forward`
    states : (N, T + 1, H), from `elman_forward`
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
    x, kernel, recurrent_kernel, states, d_h = float64(x, kernel, recurrent_kernel, states, d_h)
    _, derivative = ACTIVATIONS[activation]
    rows, steps, _ = x.shape
    lengths = counted_steps(lengths, rows, steps)
    starts = np.zeros(rows, dtype=np.int64) if starts is None else np.asarray(starts, dtype=np.int64)
    stop = steps if stop is None else stop
    d_kernel = np.zeros_like(kernel)
    d_recurrent_kernel = np.zeros_like(recurrent_kernel)
    d_bias = np.zeros(recurrent_kernel.shape[0])
    d_x = np.zeros_like(x)
    d_initial_state = np.zeros((rows, recurrent_kernel.shape[0]))
    for n in range(rows):
        d_state = np.zeros(recurrent_kernel.shape[0])
        for t in reversed(range(starts[n], stop)):
            d_state = d_state + d_h[n, t]
            if t >= lengths[n]:
                continue
            d_a = d_state * derivative(states[n, t + 1])
            d_kernel += np.outer(x[n, t], d_a)
            d_recurrent_kernel += np.outer(states[n, t], d_a)
            d_bias += d_a
            d_x[n, t] = kernel @ d_a
            d_state = recurrent_kernel @ d_a
        if starts[n] == 0:
            d_initial_state[n] = d_state
    return d_kernel, d_recurrent_kernel, d_bias, d_x, d_initial_state
