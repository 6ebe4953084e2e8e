"""A stack of layers: outputs, gradients, and gradients piece by piece while the weights change.

A layer is described by a plain dict:

- ``{"kind": "simple_rnn", "activation": "tanh", "use_bias": True, "return_sequences": False}``
- ``{"kind": "dense", "activation": "linear", "use_bias": True}``

The sizes are those of the weights: one flat list of arrays, layer after layer, each in Keras's order (kernel,
recurrent kernel, bias; kernel, bias). Below the last recurrent layer every layer works on sequences (N, T, ·). States
are lists with one (N, H) a recurrent layer, from the bottom up.
"""

from collections.abc import Generator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastrnn.reference.arrays import Array, Description, Lengths, counted_steps, float64
from fastrnn.reference.dense import dense_backward, dense_forward
from fastrnn.reference.elman import elman_backward, elman_forward
from fastrnn.reference.losses import LOSSES, loss_shares
from fastrnn.reference.tbptt import Truncation, tbptt_depths, tbptt_pieces, tbptt_starts


class Gradients(NamedTuple):
    """The loss, its gradients by weights, x and initial state, and the state after the last step run."""

    loss: float
    weights: list[Array]
    x: Array
    initial_state: list[Array]
    final_state: list[Array]


class Tape(NamedTuple):
    """What a backward pass needs.

    ``outputs[0]`` is x, ``outputs[i + 1]`` what layer i makes of ``outputs[i]``; ``states[i]`` (N, T + 1, H) belongs to
    the recurrent layer i and is empty for a dense one.
    """

    outputs: list[Array]
    states: list[Array]
    lengths: Lengths


def predict(
    layers: Sequence[Description],
    weights: Sequence[ArrayLike],
    x: ArrayLike,
    lengths: ArrayLike | None = None,
    initial_state: Sequence[ArrayLike] | None = None,
) -> tuple[Array, list[Array]]:
    """Return the output, (N, O) or (N, T, O), and the final state of every recurrent layer.

    Parameters
    ----------
    layers, weights : as the head of this file says
    x : (N, T, I)
    lengths : (N,) int, or None: every step counts
    initial_state : one (N, H) a recurrent layer, or None: zeros
    """
    tape = _new_tape(layers, weights, x, lengths, initial_state)
    steps = tape.outputs[0].shape[1]
    _forward(layers, weights, tape, 0, steps)
    return tape.outputs[-1].copy(), _state_after(layers, tape, steps)


def gradients(
    layers: Sequence[Description],
    weights: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    loss: str = "mse",
    sample_weight: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    initial_state: Sequence[ArrayLike] | None = None,
    tbptt: Truncation = None,
) -> Gradients:
    """Return the loss and its gradients, full or truncated; the gradients of the truncated passes add up.

    All layers of a pass cover the same window: the top recurrent layer hands errors for the whole window to the layers
    beneath. A dense layer above it gets its gradient at every step, also where the window (k2 < k1) leaves steps out.

    Parameters
    ----------
    layers, weights, x, lengths, initial_state : as in `predict`
    y : (N, O) or (N, T, O), like the output
    loss : a key of ``LOSSES``
    sample_weight : (N,), or None: 1 for every row
    tbptt : (k1, k2), or k for (k, k), or None for full back-propagation
    """
    tape = _new_tape(layers, weights, x, lengths, initial_state)
    steps = tape.outputs[0].shape[1]
    _forward(layers, weights, tape, 0, steps)
    shares = loss_shares(np.shape(y), sample_weight, tape.lengths)
    k1, k2 = tbptt_depths(tbptt, steps)
    d_weights = [np.zeros(np.shape(weight)) for weight in weights]
    d_x = np.zeros_like(tape.outputs[0])
    d_initial_state = [np.zeros_like(state) for state in _state_after(layers, tape, steps)]
    value = 0.0
    for first, stop in _pieces(shares, k1, steps):
        part = _backward(layers, weights, tape, y, loss, _shares_of_piece(shares, first, stop), k2, stop)
        value += part.loss
        d_weights = [total + d for total, d in zip(d_weights, part.weights, strict=True)]
        d_x = d_x + part.x
        d_initial_state = [total + d for total, d in zip(d_initial_state, part.initial_state, strict=True)]
    return Gradients(value, d_weights, d_x, d_initial_state, _state_after(layers, tape, steps))


def online_gradients(
    layers: Sequence[Description],
    weights: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    loss: str = "mse",
    sample_weight: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    initial_state: Sequence[ArrayLike] | None = None,
    tbptt: Truncation = None,
) -> Generator[Gradients, Sequence[ArrayLike], list[Array]]:
    """Yield the gradients of one piece after the other; take the weights to go on with; return the final state.

    A piece [first, stop) runs forward with the current weights from the state the last piece left. Its backward pass
    goes through the stored states, of which the older ones were made by older weights, with the current weights. The
    losses of the pieces are shares of the loss of the whole sequence. A piece in which nothing counts yields nothing;
    an output (N, O) makes the whole sequence one piece.

    Parameters
    ----------
    As in `gradients`.

    Examples
    --------
    >>> pieces = online_gradients(layers, weights, x, y, tbptt=4)  # doctest: +SKIP
    >>> first = next(pieces)  # doctest: +SKIP
    >>> second = pieces.send(updated_weights)  # doctest: +SKIP
    """
    tape = _new_tape(layers, weights, x, lengths, initial_state)
    steps = tape.outputs[0].shape[1]
    shares = loss_shares(np.shape(y), sample_weight, tape.lengths)
    k1, k2 = tbptt_depths(tbptt, steps)
    for first, stop in _pieces(shares, k1, steps):
        _forward(layers, weights, tape, first, stop)
        piece = _shares_of_piece(shares, first, stop)
        if piece.any():
            weights = yield _backward(layers, weights, tape, y, loss, piece, k2, stop)
    return _state_after(layers, tape, steps)


def _pieces(shares: Array, k1: int, steps: int) -> list[tuple[int, int]]:
    return [(0, steps)] if shares.ndim == 1 else tbptt_pieces(k1, steps)


def _shares_of_piece(shares: Array, first: int, stop: int) -> Array:
    if shares.ndim == 1:
        return shares
    piece = np.zeros_like(shares)
    piece[:, first:stop] = shares[:, first:stop]
    return piece


def _state_after(layers: Sequence[Description], tape: Tape, stop: int) -> list[Array]:
    return [
        states[:, stop].copy() for layer, states in zip(layers, tape.states, strict=True) if layer["kind"] != "dense"
    ]


def _split_weights(layers: Sequence[Description], weights: Sequence[ArrayLike]) -> list[list[Array]]:
    """Return the weights of each layer, with zeros for a bias that is not used."""
    left = float64(*weights)
    split = []
    for layer in layers:
        matrices = 1 if layer["kind"] == "dense" else 2
        own, left = left[:matrices], left[matrices:]
        if layer.get("use_bias", True):
            own, left = [*own, left[0]], left[1:]
        else:
            own = [*own, np.zeros(own[0].shape[1])]
        split.append(own)
    return split


def _new_tape(
    layers: Sequence[Description],
    weights: Sequence[ArrayLike],
    x: ArrayLike,
    lengths: ArrayLike | None,
    initial_state: Sequence[ArrayLike] | None,
) -> Tape:
    (x,) = float64(x)
    rows, steps, _ = x.shape
    given = None if initial_state is None else iter(float64(*initial_state))
    outputs: list[Array] = [x]
    all_states: list[Array] = []
    for layer, (*_, bias) in zip(layers, _split_weights(layers, weights), strict=True):
        units = bias.shape[0]
        if layer["kind"] == "dense":
            all_states.append(np.zeros(0))
            outputs.append(np.zeros((*outputs[-1].shape[:-1], units)))
            continue
        states = np.zeros((rows, steps + 1, units))
        if given is not None:
            states[:, 0] = next(given)
        all_states.append(states)
        # Views: filling in the states fills in the outputs.
        outputs.append(states[:, 1:] if layer.get("return_sequences", False) else states[:, steps])
    return Tape(outputs, all_states, counted_steps(lengths, rows, steps))


def _forward(layers: Sequence[Description], weights: Sequence[ArrayLike], tape: Tape, first: int, stop: int) -> None:
    """Fill in the tape for the steps first <= t < stop, which go on from the states after step first - 1."""
    piece_lengths = np.clip(tape.lengths - first, 0, stop - first)
    for i, (layer, own) in enumerate(zip(layers, _split_weights(layers, weights), strict=True)):
        x, y, states = tape.outputs[i], tape.outputs[i + 1], tape.states[i]
        if layer["kind"] == "dense":
            kernel, bias = own
            if x.ndim == 3:
                y[:, first:stop] = dense_forward(x[:, first:stop], kernel, bias, layer["activation"])
            else:
                y[:] = dense_forward(x, kernel, bias, layer["activation"])
        else:
            kernel, recurrent_kernel, bias = own
            states[:, first : stop + 1] = elman_forward(
                x[:, first:stop], kernel, recurrent_kernel, bias, states[:, first], piece_lengths, layer["activation"]
            )


def _backward(
    layers: Sequence[Description],
    weights: Sequence[ArrayLike],
    tape: Tape,
    y: ArrayLike,
    loss: str,
    shares: Array,
    k2: int,
    stop: int,
) -> Gradients:
    """One pass from the errors at the places that have shares, through the last k2 steps before ``stop``."""
    value, value_backward = LOSSES[loss]
    starts = tbptt_starts(k2, stop, tape.lengths)
    d_weights: list[Array] = []
    d_initial_state: list[Array] = []
    d_y = value_backward(tape.outputs[-1], y, shares)
    for i, (layer, own) in reversed(list(enumerate(zip(layers, _split_weights(layers, weights), strict=True)))):
        x, states = tape.outputs[i], tape.states[i]
        if layer["kind"] == "dense":
            kernel, _ = own
            *d_own, d_y = dense_backward(x, kernel, tape.outputs[i + 1], d_y, layer["activation"])
        else:
            kernel, recurrent_kernel, _ = own
            d_h = d_y
            if not layer.get("return_sequences", False):
                # The last state is that after the last step that counts: the steps behind it hand the error down.
                d_h = np.zeros_like(states[:, 1:])
                d_h[:, -1] = d_y
            *d_own, d_y, d_state = elman_backward(
                x, kernel, recurrent_kernel, states, d_h, tape.lengths, layer["activation"], starts, stop
            )
            d_initial_state.insert(0, d_state)
        d_weights = [*(d_own if layer.get("use_bias", True) else d_own[:-1]), *d_weights]
    return Gradients(
        value(tape.outputs[-1], y, shares), d_weights, d_y, d_initial_state, _state_after(layers, tape, stop)
    )
