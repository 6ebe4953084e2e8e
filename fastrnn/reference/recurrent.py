"""A recurrent layer as model.py sees it: its cells' order of steps, their dropout, their truncation, their outputs.

A cell is one recurrent direction; a layer has one, a ``bidirectional`` two. Cells read forwards only: a cell that reads
backwards is given x, the steps that count and the errors reversed in time, and its tape stays in its own order.
"""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.reference.arrays import Array, Counts, Description, Lengths
from fastrnn.reference.bidirectional import merge_backward, merge_forward
from fastrnn.reference.dropout import Dropout, dropout_mask
from fastrnn.reference.elman import elman_backward, elman_forward
from fastrnn.reference.gru import gru_backward, gru_forward
from fastrnn.reference.lstm import lstm_backward, lstm_forward
from fastrnn.reference.stepwise import Cell
from fastrnn.reference.tbptt import tbptt_starts

CELLS = {
    "simple_rnn": Cell(elman_forward, elman_backward, 0, {"activation": "tanh"}),
    "lstm": Cell(
        lstm_forward, lstm_backward, slice(0, 2), {"activation": "tanh", "recurrent_activation": "sigmoid"}, blocks=4
    ),
    "gru": Cell(
        gru_forward,
        gru_backward,
        0,
        {"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": True},
        blocks=3,
    ),
}
for _module in iter_modules([str(Path(__file__).parent)]):
    if _module.name not in ("recurrent", "model", "training"):
        CELLS |= getattr(import_module(f"fastrnn.reference.{_module.name}"), "CELLS", {})
"""Every kind of cell: these, and those that files of their own add."""


def cells_of(layer: Description) -> list[Description]:
    """Return the descriptions of a layer's cells; none for a layer that is not recurrent."""
    if layer["kind"] == "bidirectional":
        return [{**layer["layer"], "go_backwards": backwards} for backwards in (False, True)]
    return [layer] if layer["kind"] in CELLS else []


def reads_backwards(cell: Description) -> bool:
    """Whether a cell runs from the last step to the first."""
    return bool(cell.get("go_backwards", False))


def returns_sequences(layer: Description) -> bool:
    """Whether a recurrent layer gives an output a step rather than its final state."""
    return bool(layer.get("layer", layer).get("return_sequences", False))


def state_after(cell: Description, tape: Array, steps: int) -> Array:
    """Return a cell's state after so many steps: (N, H), an LSTM's (2, N, H) h and c."""
    return tape[CELLS[cell["kind"]].state, :, steps].copy()


def recurrent_forward(
    layer: Description,
    number: int,
    weights: Sequence[Array],
    x: Array,
    counts: Counts,
    states: Sequence[Array | float],
    dropout: Dropout,
) -> tuple[Array, list[Array]]:
    """Run a layer's cells.

    Parameters
    ----------
    number : int, the layer's place in the model, for its streams of dropout
    weights : kernel, recurrent kernel, bias of each cell
    x : (N, T, I)
    counts : (N, T), where the padding is: behind a row's steps, or before them
    states : the initial state of each cell
    dropout : as in `fastrnn.reference.dropout.dropout_mask`

    Returns
    -------
    y : (N, H) or (N, T, H); H twice as many where two cells are merged by "concat"
    tapes : one a cell, in its own order of steps
    """
    tapes = []
    for k, cell in enumerate(cells_of(layer)):
        own = _own_weights(cell, weights, k)
        mask, recurrent_mask = _masks(cell, 4 * number + 2 * k, x, own, dropout)
        seen, seen_counts = _own_order(cell, x * mask[:, None]), _own_order(cell, counts)
        settings = {**_settings(cell), **_noise(cell, 4 * number + 2 * k, x, own, recurrent_mask, dropout)}
        tapes.append(CELLS[cell["kind"]].forward(seen, *own, states[k], seen_counts, **settings))
    outputs = _outputs(layer, tapes, counts)
    if layer["kind"] == "bidirectional":
        return merge_forward(outputs[0], outputs[1], layer["merge_mode"]), tapes
    return outputs[0], tapes


def recurrent_backward(
    layer: Description,
    number: int,
    weights: Sequence[Array],
    x: Array,
    counts: Counts,
    tapes: Sequence[Array],
    d_y: Array,
    dropout: Dropout,
    pieces: Sequence[tuple[int, int]],
    k2: int,
) -> tuple[list[Array], Array, list[Array]]:
    """Run a layer's cells backward: each takes the errors of each piece through the k2 steps before the piece's end.

    Parameters
    ----------
    layer, number, weights, x, counts, dropout : as in `recurrent_forward`
    tapes : from `recurrent_forward`
    d_y : like y, gradient of the loss by y
    pieces : (first, stop) of each, in a cell's own order of steps

    Returns
    -------
    d_weights : like weights
    d_x : (N, T, I)
    d_states : like the initial states
    """
    d_outputs = [d_y]
    if layer["kind"] == "bidirectional":
        forward, backward = _outputs(layer, tapes, counts)
        d_outputs = list(merge_backward(forward, backward, d_y, layer["merge_mode"]))
    d_weights: list[Array] = []
    d_x = np.zeros_like(x)
    d_states = []
    for k, (cell, tape, d_output) in enumerate(zip(cells_of(layer), tapes, d_outputs, strict=True)):
        own = _own_weights(cell, weights, k)
        mask, recurrent_mask = _masks(cell, 4 * number + 2 * k, x, own, dropout)
        seen, seen_counts = _own_order(cell, x * mask[:, None]), _own_order(cell, counts)
        d_h = _errors(layer, cell, tape, d_output, counts)
        noise = _noise(cell, 4 * number + 2 * k, x, own, recurrent_mask, dropout)
        passes = []
        for first, stop in pieces:
            errors = np.zeros_like(d_h)
            errors[:, first:stop] = d_h[:, first:stop]
            starts = tbptt_starts(k2, stop, _ends(seen_counts))
            settings = {**_settings(cell), **noise, "starts": starts, "stop": stop}
            passes.append(
                CELLS[cell["kind"]].backward(
                    seen, *own[: CELLS[cell["kind"]].weights_back], tape, errors, seen_counts, **settings
                )
            )
        *d_own, d_seen, d_state = (np.sum(parts, axis=0) for parts in zip(*passes, strict=True))
        d_weights += d_own
        d_x += _own_order(cell, d_seen) * mask[:, None]
        d_states.append(d_state)
    return d_weights, d_x, d_states


def _settings(cell: Description) -> dict[str, Any]:
    return {name: cell.get(name, default) for name, default in CELLS[cell["kind"]].settings.items()}


def _own_weights(cell: Description, weights: Sequence[Array], k: int) -> Sequence[Array]:
    """Return the weights of a layer's k-th cell."""
    count = CELLS[cell["kind"]].weights
    return weights[count * k : count * (k + 1)]


def _masks(cell: Description, stream: int, x: Array, weights: Sequence[Array], dropout: Dropout) -> tuple[Array, Array]:
    """Return the masks of a cell's input (N, I) and of its state (N, H), one a sequence."""
    inputs, units = weights[0].shape[0], weights[0].shape[1] // CELLS[cell["kind"]].blocks
    mask = dropout_mask((len(x), inputs), cell.get("dropout", 0.0), stream, dropout)
    return mask, dropout_mask((len(x), units), cell.get("recurrent_dropout", 0.0), stream + 1, dropout)


def _noise(
    cell: Description, stream: int, x: Array, weights: Sequence[Array], recurrent_mask: Array, dropout: Dropout
) -> dict[str, Array]:
    """Return the mask of the state and, for zoneout, the share of each old state in the new one, (S, N, T, H)."""
    rate = cell.get("zoneout", 0.0)
    if not rate:
        return {"recurrent_mask": recurrent_mask}
    (rows, steps, _), units = x.shape, recurrent_mask.shape[1]
    states = 2 if isinstance(CELLS[cell["kind"]].state, slice) else 1
    zone = np.full((states, rows, steps, units), rate)
    if dropout is not None:
        streams = [stream + (s + 1) * 2**24 for s in range(states)]
        zone = np.stack([dropout_mask((rows, steps, units), rate, own, dropout) == 0.0 for own in streams]) * 1.0
    return {"recurrent_mask": recurrent_mask, "zone": zone[:, :, ::-1] if reads_backwards(cell) else zone}


def _own_order(cell: Description, array: NDArray[Any]) -> NDArray[Any]:
    """Turn an array (N, T, ...) from time into a cell's order of steps, or back."""
    return array[:, ::-1] if reads_backwards(cell) else array


def _ends(counts: Counts) -> Lengths:
    """Return where each row ends in a cell's order of steps, (N,): after the last step that counts in that order."""
    places = np.arange(1, counts.shape[1] + 1)
    return np.asarray(np.max(np.where(counts, places, 0), axis=1), np.int64)


def turns(layer: Description) -> bool:
    """Whether a layer's outputs come from the input's last step to its first, and so the padding of what is above."""
    return layer["kind"] != "bidirectional" and reads_backwards(layer) and returns_sequences(layer)


def _is_shown(layer: Description, cell: Description, counts: Counts) -> Counts:
    """Return where a cell's outputs, in its own order of steps, are its states, (N, T); elsewhere they are 0.

    Behind a row's last step its last state is repeated, but both halves of a bidirectional layer show 0 at padding,
    and a layer that reads backwards shows 0 at the padding before its first step: all as Keras.
    """
    seen = _own_order(cell, counts)
    if layer["kind"] == "bidirectional":
        return seen
    return np.logical_or.accumulate(seen, axis=1) if reads_backwards(cell) else np.ones_like(seen)


def _outputs(layer: Description, tapes: Sequence[Array], counts: Counts) -> list[Array]:
    """Return what each cell puts out, (N, H) or (N, T, H); halves of a bidirectional layer in the input's order."""
    outputs = []
    for cell, tape in zip(cells_of(layer), tapes, strict=True):
        h = tape[0, :, 1:]
        if returns_sequences(layer):
            shown = np.where(_is_shown(layer, cell, counts)[:, :, None], h, 0.0)
            outputs.append(_own_order(cell, shown) if layer["kind"] == "bidirectional" else shown)
        else:
            outputs.append(h[:, -1])
    return outputs


def _errors(layer: Description, cell: Description, tape: Array, d_output: Array, counts: Counts) -> Array:
    """Return the gradient by the output of each of a cell's steps, in its own order, (N, T, H)."""
    if returns_sequences(layer):
        d_h = _own_order(cell, d_output) if layer["kind"] == "bidirectional" else d_output
        return np.where(_is_shown(layer, cell, counts)[:, :, None], d_h, 0.0)
    # The last state is that after the last step that counts: the steps behind it hand the error down.
    d_h = np.zeros_like(tape[0, :, 1:])
    d_h[:, -1] = d_output
    return d_h
