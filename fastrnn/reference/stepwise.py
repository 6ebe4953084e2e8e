"""The loop of every cell that is written as one step, and its truncated backward passes.

A step is two functions of one row. ``forward(x, states, k, weights, **settings)`` takes x[t] (I,), the old states
(S, H) and k, h as the recurrent product reads it; it returns the new states and what the backward step needs.
``backward(x, states, k, new, kept, e, weights, **settings)`` takes the errors e (S, H) of the new states, and returns
the gradients by the weights, by x, by the old states and by k.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference.arrays import Array, float64, or_ones


class Cell(NamedTuple):
    """A kind of cell.

    Attributes
    ----------
    forward, backward : the loops: of tapes and gradients
    state : which rows of the tape are its state
    settings : its own, and their defaults
    weights : how many it has, with the bias
    weights_back : how many of them ``backward`` takes
    blocks : of H columns in its kernel
    """

    forward: Callable[..., Array]
    backward: Callable[..., tuple[Array, ...]]
    state: int | slice
    settings: dict[str, Any]
    weights: int = 3
    weights_back: int = 2
    blocks: int = 1


class Step(NamedTuple):
    """One step of a cell; ``states`` and ``kept`` are numbers of a unit on its tape, ``blocks`` those of the kernel."""

    forward: Callable[..., tuple[Array, list[Array]]]
    backward: Callable[..., tuple[list[Array], Array, Array, Array]]
    states: int
    kept: int
    blocks: int


def cell_of(step: Step, settings: dict[str, Any], *, weights: int) -> Cell:
    """Return the cell that a step makes."""
    forward, backward = partial(stepwise_forward, step), partial(stepwise_backward, step)
    return Cell(
        forward, backward, slice(0, step.states) if step.states > 1 else 0, settings, weights, weights, step.blocks
    )


def stepwise_forward(
    step: Step,
    x: ArrayLike,
    *rest: Any,
    recurrent_mask: ArrayLike | None = None,
    zone: ArrayLike | None = None,
    **settings: Any,
) -> Array:
    """Run a cell over all steps; one that does not count leaves the states.

    Parameters
    ----------
    x : (N, T, I)
    rest : the weights, then the initial states (N, H) or (S, N, H), then (N, T) which steps count, or None
    recurrent_mask : (N, H), or None: ones
    zone : (S, N, T, H), the share of the old state in the new one, or None: 0

    Returns
    -------
    tape : (S + kept, N, T + 1, H)
    """
    x, *weights, initial = float64(x, *rest[:-1])
    (rows, steps, _), units = x.shape, weights[0].shape[1] // step.blocks
    counts = or_ones(rest[-1], (rows, steps))
    mask = or_ones(recurrent_mask, (rows, units))
    shares = np.zeros((step.states, rows, steps, units)) if zone is None else np.asarray(zone)
    tape = np.zeros((step.states + step.kept, rows, steps + 1, units))
    tape[: step.states, :, 0] = initial
    for n in range(rows):
        for t in range(steps):
            old = tape[: step.states, n, t]
            if not counts[n, t]:
                tape[: step.states, n, t + 1] = old
                continue
            new, kept = step.forward(x[n, t], old, old[0] * mask[n], weights, **settings)
            tape[: step.states, n, t + 1] = new + shares[:, n, t] * (old - new)
            tape[step.states :, n, t + 1] = np.reshape(kept, (step.kept, units))
    return tape


def stepwise_backward(
    step: Step,
    x: ArrayLike,
    *rest: Any,
    recurrent_mask: ArrayLike | None = None,
    zone: ArrayLike | None = None,
    starts: ArrayLike | None = None,
    stop: int | None = None,
    **settings: Any,
) -> tuple[Array, ...]:
    """Run one backward pass: row n from step ``stop - 1`` down to step ``starts[n]``, as in ``elman.py``.

    Parameters
    ----------
    x, recurrent_mask, zone : as in `stepwise_forward`
    rest : the weights, the tape, then (N, T, H) the gradient by each output, then (N, T) which steps count, or None

    Returns
    -------
    gradients by the weights in their order, by x and by the initial states
    """
    x, *weights, tape, d_h = float64(x, *rest[:-1])
    (rows, steps, _), units = x.shape, tape.shape[-1]
    counts, mask = or_ones(rest[-1], (rows, steps)), or_ones(recurrent_mask, (rows, units))
    shares = np.zeros((step.states, rows, steps, units)) if zone is None else np.asarray(zone)
    starts = np.zeros(rows, dtype=np.int64) if starts is None else np.asarray(starts, dtype=np.int64)
    stop = steps if stop is None else stop
    d_weights = [np.zeros_like(weight) for weight in weights]
    d_x = np.zeros_like(x)
    d_initial = np.zeros((step.states, rows, units))
    for n in range(rows):
        e = np.zeros((step.states, units))
        for t in reversed(range(starts[n], stop)):
            e[0] += d_h[n, t]
            if not counts[n, t]:
                continue
            old, share = tape[: step.states, n, t], shares[:, n, t]
            k, kept = old[0] * mask[n], tape[step.states :, n, t + 1]
            new = tape[: step.states, n, t + 1]
            if zone is not None:
                new, _ = step.forward(x[n, t], old, k, weights, **settings)
            own, d_x[n, t], d_old, d_k = step.backward(
                x[n, t], old, k, new, kept, e * (1.0 - share), weights, **settings
            )
            for total, part in zip(d_weights, own, strict=True):
                total += part
            e = e * share + d_old
            e[0] += d_k * mask[n]
        if starts[n] == 0:
            d_initial[:, n] = e
    return (*d_weights, d_x, d_initial if step.states > 1 else d_initial[0])
