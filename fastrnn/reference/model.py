"""A stack of layers: outputs, gradients, and gradients piece by piece while the weights change.

A layer is described by a plain dict; what is missing takes the value shown:

- ``{"kind": "simple_rnn", "activation": "tanh", "use_bias": True, "return_sequences": False, "go_backwards": False,
  "dropout": 0.0, "recurrent_dropout": 0.0}``
- ``{"kind": "lstm", ...}``: the same, and ``"recurrent_activation": "sigmoid"``
- ``{"kind": "gru", ...}``: the same as ``lstm``, and ``"reset_after": True``
- ``{"kind": "bidirectional", "layer": {"kind": "lstm", ...}, "merge_mode": "concat"}``
- ``{"kind": "dense", "activation": "linear", "use_bias": True}``, whose activation may also be "softmax"
- ``{"kind": "embedding"}``, ``{"kind": "one_hot", "vocabulary": V}``: the first layer, on ids (N, T)
- ``{"kind": "dropout", "rate": 0.5}``

The sizes are those of the weights: one flat list of arrays, layer after layer, each in Keras's order (kernel,
recurrent kernel, bias; kernel, bias; embeddings), a bidirectional's forward cell before its backward one. States are
lists with one entry a cell in the same order: (N, H), an LSTM's (2, N, H) for h and c. Below the last recurrent layer
every layer works on sequences (N, T, ·).
"""

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn.reference.arrays import Array, Counts, Description, counted_steps, float64
from fastrnn.reference.dense import dense_backward, dense_forward
from fastrnn.reference.dropout import Dropout, dropout_mask
from fastrnn.reference.embedding import embedding_backward, embedding_forward
from fastrnn.reference.losses import LOSSES, LOSSES_OF_LOGITS, loss_shares
from fastrnn.reference.recurrent import (
    CELLS,
    cells_of,
    reads_backwards,
    recurrent_backward,
    recurrent_forward,
    state_after,
    turns,
)
from fastrnn.reference.tbptt import Truncation, tbptt_depths, tbptt_pieces


class Gradients(NamedTuple):
    """The loss, its gradients by weights, x (None for ids) and initial state, and the state after the last step run."""

    loss: float
    weights: list[Array]
    x: Array | None
    initial_state: list[Array]
    final_state: list[Array]


class Tape(NamedTuple):
    """What a backward pass needs.

    ``outputs[0]`` is x, ``outputs[i + 1]`` what layer i makes of ``outputs[i]``; ``cells[i]`` has a tape for each cell
    of layer i.
    """

    outputs: list[NDArray[Any]]
    cells: list[list[Array]]


def predict(
    layers: Sequence[Description],
    weights: Sequence[ArrayLike],
    x: ArrayLike,
    lengths: ArrayLike | None = None,
    initial_state: Sequence[ArrayLike] | None = None,
) -> tuple[Array, list[Array]]:
    """Return the output, (N, O) or (N, T, O), and the final state of every cell.

    Parameters
    ----------
    layers, weights : as the head of this file says
    x : (N, T, I), or ids (N, T)
    lengths : (N,) int, or None: every step counts. Above a layer that gives its outputs backwards a row's padding
        stands before its steps
    initial_state : one entry a cell, or None: zeros
    """
    x = _start(layers, x)
    tape = _forward(layers, weights, x, counted_steps(lengths, *x.shape[:2]), _states(layers, initial_state), None)
    return tape.outputs[-1], _states_after(layers, tape, x.shape[1])


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
    dropout: Dropout = None,
) -> Gradients:
    """Return the loss and its gradients, full or truncated; the gradients of the truncated passes add up.

    Where every cell reads forwards, a pass runs through all layers, and all cover the same window: the top recurrent
    layer hands errors for the whole window to the layers beneath. A dense layer above it gets its gradient at every
    step, also where the window (k2 < k1) leaves steps out. As soon as one cell reads backwards, every cell truncates by
    itself, in its own order of steps, all the errors that arrive from above.

    Parameters
    ----------
    layers, weights, x, lengths, initial_state : as in `predict`
    y : (N, O) or (N, T, O), like the output; (N,) or (N, T) int for the sparse cross-entropy
    loss : a key of ``LOSSES``; a cross-entropy is that of the logits, unless a recurrent layer's sigmoid is the output
    sample_weight : (N,), or None: 1 for every row; where nothing counts, the loss is NaN and its gradients are 0
    tbptt : (k1, k2), or k for (k, k), or None for full back-propagation
    dropout : (seed, minibatch) of the masks, or None: nothing is dropped
    """
    x, layers = _start(layers, x), _with_top_of(loss, layers)
    rows, steps = x.shape[:2]
    counts = counted_steps(lengths, rows, steps)
    tape = _forward(layers, weights, x, counts, _states(layers, initial_state), dropout)
    shares = loss_shares(tape.outputs[-1].shape[:-1], sample_weight, lengths)
    if shares.ndim == 2 and sum(turns(layer) for layer in layers) % 2:
        shares = shares[:, ::-1]
    k1, k2 = tbptt_depths(tbptt, steps)
    if any(reads_backwards(cell) for layer in layers for cell in cells_of(layer)):
        passes = [(shares, tbptt_pieces(k1, steps))]
    else:
        joint = _joint_pieces(shares, k1, steps)
        passes = [(_shares_of_piece(shares, first, stop), [(0, stop)]) for first, stop in joint]
    parts = [
        _backward(layers, weights, tape, counts, y, loss, errors, pieces, k2, dropout) for errors, pieces in passes
    ]
    d_x = [part.x for part in parts if part.x is not None]
    return Gradients(
        sum(part.loss for part in parts) if shares.any() else np.nan,
        _sums([part.weights for part in parts]),
        np.sum(d_x, axis=0) if d_x else None,
        _sums([part.initial_state for part in parts]),
        _states_after(layers, tape, steps),
    )


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
    dropout: Dropout = None,
) -> Generator[Gradients, Sequence[ArrayLike], list[Array]]:
    """Yield the gradients of one piece after the other; take the weights to go on with; return the final state.

    A piece [first, stop) runs forward with the current weights from the state the last piece left. Its backward pass
    goes through the stored tapes, of which the older steps were made by older weights, with the current weights. The
    losses of the pieces are shares of the loss of the whole sequence. A piece in which nothing counts yields nothing;
    an output (N, O) makes the whole sequence one piece. Every cell must read forwards.

    Parameters
    ----------
    As in `gradients`.

    Examples
    --------
    >>> pieces = online_gradients(layers, weights, x, y, tbptt=4)  # doctest: +SKIP
    >>> first = next(pieces)  # doctest: +SKIP
    >>> second = pieces.send(updated_weights)  # doctest: +SKIP
    """
    x, layers = _start(layers, x), _with_top_of(loss, layers)
    rows, steps = x.shape[:2]
    counts = counted_steps(lengths, rows, steps)
    k1, k2 = tbptt_depths(tbptt, steps)
    # Room for the whole sequence; every piece overwrites its own steps.
    tape = _forward(layers, weights, x, counts, _states(layers, initial_state), dropout)
    shares = loss_shares(tape.outputs[-1].shape[:-1], sample_weight, lengths)
    for first, stop in _joint_pieces(shares, k1, steps):
        states = _states_after(layers, tape, first)
        piece = _forward(layers, weights, x[:, first:stop], counts[:, first:stop], states, dropout, first)
        _overwrite(tape, piece, first, stop)
        errors = _shares_of_piece(shares, first, stop)
        if errors.any():
            weights = yield _backward(layers, weights, tape, counts, y, loss, errors, [(0, stop)], k2, dropout)
    return _states_after(layers, tape, steps)


def _start(layers: Sequence[Description], x: ArrayLike) -> NDArray[Any]:
    ids = layers[0]["kind"] in {"embedding", "one_hot"}
    return np.asarray(x, dtype=np.int64 if ids else np.float64)


def _with_top_of(loss: str, layers: Sequence[Description]) -> Sequence[Description]:
    """Leave out the sigmoid or the softmax of a dense layer on top, if the loss is a cross-entropy: it takes logits."""
    top = layers[-1]
    if loss not in LOSSES_OF_LOGITS or top["kind"] != "dense" or top.get("activation") not in {"sigmoid", "softmax"}:
        return layers
    return [*layers[:-1], {**top, "activation": "linear"}]


def _takes_logits(loss: str, layers: Sequence[Description]) -> bool:
    """Whether the outputs of layers from `_with_top_of` are logits to the loss, rather than a sigmoid's numbers."""
    top = layers[-1]
    return loss in LOSSES_OF_LOGITS and top.get("layer", top).get("activation") != "sigmoid"


def _states(layers: Sequence[Description], initial_state: Sequence[ArrayLike] | None) -> list[Array | float]:
    """Return the initial state of every cell; 0.0 stands for zeros of its shape."""
    if initial_state is None:
        return [0.0 for layer in layers for _ in cells_of(layer)]
    return [*float64(*initial_state)]


def _states_after(layers: Sequence[Description], tape: Tape, steps: int) -> list[Array]:
    cells = [cell for layer in layers for cell in cells_of(layer)]
    tapes = [cell_tape for cell_tapes in tape.cells for cell_tape in cell_tapes]
    return [state_after(cell, cell_tape, steps) for cell, cell_tape in zip(cells, tapes, strict=True)]


def _joint_pieces(shares: Array, k1: int, steps: int) -> list[tuple[int, int]]:
    return [(0, steps)] if shares.ndim == 1 else tbptt_pieces(k1, steps)


def _shares_of_piece(shares: Array, first: int, stop: int) -> Array:
    if shares.ndim == 1:
        return shares
    piece = np.zeros_like(shares)
    piece[:, first:stop] = shares[:, first:stop]
    return piece


def _counts_above(layers: Sequence[Description], counts: Counts) -> list[Counts]:
    """Return which steps count, (N, T), in the input of each layer, and at the end in the output."""
    above = [counts]
    for layer in layers:
        above.append(above[-1][:, ::-1] if turns(layer) else above[-1])
    return above


def _sums(parts: Sequence[Sequence[Array]]) -> list[Array]:
    return [np.sum(terms, axis=0) for terms in zip(*parts, strict=True)]


def _overwrite(tape: Tape, piece: Tape, first: int, stop: int) -> None:
    for whole, part in zip(tape.outputs[1:], piece.outputs[1:], strict=True):
        if whole.ndim == 3:
            whole[:, first:stop] = part
        else:
            whole[:] = part
    for wholes, parts in zip(tape.cells, piece.cells, strict=True):
        for whole, part in zip(wholes, parts, strict=True):
            whole[:, :, first + 1 : stop + 1] = part[:, :, 1:]


def _weights_given(layer: Description) -> list[bool]:
    """Return whether the list has each of the weights that a layer computes with: it leaves out a bias not used."""
    bias = layer.get("layer", layer).get("use_bias", True)
    of_kind = {"dense": [True, bias], "embedding": [True], "one_hot": [], "dropout": []}
    if layer["kind"] in of_kind:
        return of_kind[layer["kind"]]
    return [given for cell in cells_of(layer) for given in (*[True] * (CELLS[cell["kind"]].weights - 1), bias)]


def _split_weights(layers: Sequence[Description], weights: Sequence[ArrayLike]) -> list[list[Array]]:
    """Return the weights of each layer, with zeros for a bias that is not used."""
    left = iter(float64(*weights))
    split = []
    for layer in layers:
        cell = layer.get("layer", layer)
        two_biases = cell["kind"] == "gru" and cell.get("reset_after", True)
        own: list[Array] = []
        for given in _weights_given(layer):
            own.append(next(left) if given else np.zeros((*([2] if two_biases else []), own[0].shape[1])))
        split.append(own)
    return split


def _forward(
    layers: Sequence[Description],
    weights: Sequence[ArrayLike],
    x: NDArray[Any],
    counts: Counts,
    states: Sequence[Array | float],
    dropout: Dropout,
    first: int = 0,
) -> Tape:
    """Run all layers over the steps of x, the first of which is step ``first`` of the sequence."""
    tape = Tape([x], [])
    states_left, counts_of = iter(states), _counts_above(layers, counts)
    for i, (layer, own) in enumerate(zip(layers, _split_weights(layers, weights), strict=True)):
        x = tape.outputs[-1]
        tapes: list[Array] = []
        if layer["kind"] == "dense":
            kernel, bias = own
            y = dense_forward(x, kernel, bias, layer.get("activation", "linear"))
        elif layer["kind"] == "embedding":
            y = embedding_forward(x, own[0])
        elif layer["kind"] == "one_hot":
            y = np.eye(layer["vocabulary"])[x]
        elif layer["kind"] == "dropout":
            y = x * dropout_mask(x.shape, layer["rate"], 4 * i, dropout, first)
        else:
            own_states = [next(states_left) for _ in cells_of(layer)]
            y, tapes = recurrent_forward(layer, i, own, x, counts_of[i], own_states, dropout)
        tape.outputs.append(y)
        tape.cells.append(tapes)
    return tape


def _backward(
    layers: Sequence[Description],
    weights: Sequence[ArrayLike],
    tape: Tape,
    counts: Counts,
    y: ArrayLike,
    loss: str,
    shares: Array,
    pieces: Sequence[tuple[int, int]],
    k2: int,
    dropout: Dropout,
) -> Gradients:
    """One pass from the errors at the places that have shares; every cell takes those of each piece k2 steps back."""
    value, value_backward = (LOSSES_OF_LOGITS if _takes_logits(loss, layers) else LOSSES)[loss]
    split, counts_of = _split_weights(layers, weights), _counts_above(layers, counts)
    d_weights: list[Array] = []
    d_states: list[Array] = []
    d_y = value_backward(tape.outputs[-1], y, shares)
    for i, layer in reversed(list(enumerate(layers))):
        x, own = tape.outputs[i], split[i]
        d_own: list[Array] = []
        if layer["kind"] == "dense":
            *d_own, d_y = dense_backward(x, own[0], tape.outputs[i + 1], d_y, layer.get("activation", "linear"))
        elif layer["kind"] == "embedding":
            d_own = [embedding_backward(x, own[0], d_y)]
        elif layer["kind"] == "dropout":
            d_y = d_y * dropout_mask(x.shape, layer["rate"], 4 * i, dropout)
        elif cells_of(layer):
            d_own, d_y, d_own_states = recurrent_backward(
                layer, i, own, x, counts_of[i], tape.cells[i], d_y, dropout, pieces, k2
            )
            d_states = [*d_own_states, *d_states]
        used = [d for d, given in zip(d_own, _weights_given(layer), strict=True) if given]
        d_weights = [*used, *d_weights]
    d_x = None if tape.outputs[0].ndim == 2 else d_y
    last = max(stop for _, stop in pieces)
    return Gradients(value(tape.outputs[-1], y, shares), d_weights, d_x, d_states, _states_after(layers, tape, last))
