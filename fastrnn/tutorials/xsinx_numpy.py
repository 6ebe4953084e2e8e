"""xsinx as a plain NumPy program, a loop over the steps with the gradient written out: as published, and the true one.

The published program goes back through a window from its newest group to its oldest, and at each step the gradient of
the hidden layer overwrites the one that was there, where it should be added to it: an update uses that of the oldest
group alone. Everything else is the recipe of `fastrnn.tutorials.xsinx`; the state is carried on from epoch to epoch as
well.

Where it ends is not decided by the seed alone: a difference in the last digit of a weight grows until it shows. On
another processor, or with the same sums in another order, the same seed may draw another picture. Of 13 seeds with 20
runs each, the weights changed in their last digits, 7 of the 260 runs drew the published one, by seeds 1, 2, 5 and 8.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

POINTS, UNITS, WINDOW, RATE = 6, 20, 5, 0.023
"""Points in a group, units, groups in a window, learning rate."""


class Net(NamedTuple):
    """The weights, changed in place; several nets lie side by side along the axes before the last two.

    Attributes
    ----------
    w, v, b : hidden layer: of the state (20, 20), of a group (20, 6), bias (20, 1)
    z, c : output layer: of the state (6, 20), bias (6, 1)
    """

    w: Array
    v: Array
    b: Array
    z: Array
    c: Array

    @classmethod
    def of(cls, w: Array, v: Array, z: Array) -> "Net":
        """Begin with biases of 0."""
        return cls(w, v, np.zeros_like(w[..., :1]), z, np.zeros_like(z[..., :1]))

    def step(self, state: Array, group: Array) -> Array:
        """Read a group (6, 1) in a state (20, 1); returns the next state."""
        return np.tanh(self.w @ state + self.v @ group + self.b)

    def answer(self, state: Array) -> Array:
        """Return the output (6, 1) in a state."""
        return self.z @ state + self.c


def draw_net(seed: int) -> tuple[Array, Net]:
    """Draw the noise (100, 6) of the series and a net, in the published program's order: NumPy's old generator."""
    random = np.random.RandomState(seed)
    noise = random.uniform(-0.01, 0.01, (100, POINTS))
    shapes = (UNITS, UNITS), (UNITS, POINTS), (POINTS, UNITS)
    return noise, Net.of(*(random.standard_normal(shape) for shape in shapes))


def train_epoch(net: Net, x: Array, y: Array, state: Array, overwrite: bool) -> tuple[Array, Array]:
    """Go through all windows of 5 groups, an update each, from the squared error of the last group.

    Parameters
    ----------
    net : changed
    x, y : (100, 6, 1) or, for nets side by side, (100, S, 6, 1)
    state : (20, 1), before the first window; the state at the end of a window begins the next one
    overwrite : the gradient of each step overwrites that of the step after it, as published; else they are added up

    Returns
    -------
    fit : (96, 6, 1), the answer to each window before its update
    state : at the end of the last window
    """
    fit = []
    for first in range(len(x) - WINDOW + 1):
        window = x[first : first + WINDOW]
        states = [state]
        for group in window:
            states.append(net.step(states[-1], group))
        state = states[-1]
        fit.append(net.answer(state))
        d_output = 2 * (fit[-1] - y[first + WINDOW - 1])
        d_state = net.z.mT @ d_output
        gradients: list[Any] = [0.0, 0.0, 0.0]
        for t in reversed(range(WINDOW)):
            d_sum = d_state * (1 - states[t + 1] ** 2)
            of_step = d_sum * states[t].mT, d_sum * window[t].mT, d_sum
            gradients = [new if overwrite else old + new for old, new in zip(gradients, of_step, strict=True)]
            d_state = net.w.mT @ d_sum
        for weights, gradient in zip(net, (*gradients, d_output * state.mT, d_output), strict=True):
            weights -= RATE * gradient
    return np.array(fit), state


def forecast(net: Net, x: Array, state: Array, groups: int) -> Array:
    """Answer the last `groups` windows of x, without updates; returns (groups, 6, 1)."""
    said = []
    for end in range(len(x) - groups + 1, len(x) + 1):
        for group in x[end - WINDOW : end]:
            state = net.step(state, group)
        said.append(net.answer(state))
    return np.array(said)
