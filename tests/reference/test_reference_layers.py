"""The reference's layers: worked examples, gradients against central differences, laws of reading backwards."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastrnn.reference.bidirectional import merge_forward
from fastrnn.reference.gru import gru_backward, gru_forward
from fastrnn.reference.lstm import lstm_backward, lstm_forward
from fastrnn.reference.model import gradients, online_gradients, predict
from tests.helpers.laws import moved_to_end
from tests.reference.test_reference_gradients import assert_all_close, assert_slopes, central_differences, weighted_loss

CELLS = [
    {"kind": "simple_rnn", "return_sequences": False},
    {"kind": "lstm", "return_sequences": True},
    {"kind": "gru", "return_sequences": True},
    {"kind": "gru", "reset_after": False, "return_sequences": False},
]
BIDIRECTIONAL = {"kind": "bidirectional", "merge_mode": "concat"}
DENSE = {"kind": "dense"}
GATES = {"simple_rnn": 1, "gru": 3, "lstm": 4}
LENGTHS = [5, 3]


def make_weights(rng, layers, inputs, units=3):
    """Weights of a stack on so many inputs (or ids below ``inputs``), and the size of its output."""
    weights, below = [], inputs
    for layer in layers:
        both = layer["kind"] == "bidirectional"
        part = layer["layer"] if both else layer
        shapes, width = [], units
        if part["kind"] in GATES:
            gates = GATES[part["kind"]] * units
            two_biases = part["kind"] == "gru" and part.get("reset_after", True)
            shapes = [(below, gates), (units, gates), (2, gates) if two_biases else (gates,)]
            width = 2 * units if both and layer["merge_mode"] == "concat" else units
        elif part["kind"] in {"dense", "embedding"}:
            shapes = [(below, units), (units,)][: 1 + (part["kind"] == "dense")]
        else:
            width = below
        if not part.get("use_bias", True):
            shapes.pop()
        weights += [0.5 * rng.standard_normal(shape) for shape in shapes * (1 + both)]
        below = width
    return weights, below


def make_states(rng, layers, rows, units=3):
    """An initial state for every cell."""
    states = []
    for layer in layers:
        part = layer.get("layer", layer)
        if part["kind"] in GATES:
            shape = (*([2] if part["kind"] == "lstm" else []), rows, units)
            states += [rng.standard_normal(shape) for _ in range(2 if "layer" in layer else 1)]
    return states


def reversed_rows(x, lengths):
    """Every row reversed within its own length."""
    result = x.copy()
    for n, length in enumerate(lengths):
        result[n, :length] = x[n, :length][::-1]
    return result


def shows_padding_first(layers):
    """Whether the outputs of a padded row are its last ones."""
    return sum(layer.get("go_backwards", False) and layer.get("return_sequences", False) for layer in layers) % 2 == 1


def sigmoid(a):
    return 1.0 / (1.0 + np.exp(-a))


@pytest.fixture
def rng():
    return np.random.default_rng(17)


# ---------------------------------------------------------------------------------------------- worked examples


def test_lstm_worked_example():
    """One unit, gates i f g o, piecewise linear: 7 = 1·2 + 1·3 + 2 goes into the input gate, and so on."""
    states = lstm_forward(
        [[[2.0], [1.0]]], [[1, 2, 3, 4]], [[1, 0, -1, 1]], [2, 1, 0, -1], [[[3.0]], [[5.0]]], None, "linear", "relu"
    )
    h, c, i, f, g, o = states[:, 0, :, 0]
    assert_array_equal([i[1], f[1], g[1], o[1]], [7, 5, 3, 10])
    assert_array_equal([c[1], h[1]], [5 * 5 + 7 * 3, 10 * 46])
    assert_array_equal([i[2], f[2], g[2], o[2]], [463, 3, -457, 463])
    assert_array_equal([c[2], h[2]], [3 * 46 - 463 * 457, 463 * (3 * 46 - 463 * 457)])


def test_gru_worked_example():
    """Two units whose candidates cross over: the reset gate of one unit acts before or after the crossing."""
    kernel = [[1.0, 0.0, 2.0, 3.0, 1.0, -1.0]]
    recurrent_kernel = np.hstack([np.zeros((2, 4)), [[0.0, 1.0], [1.0, 0.0]]])
    bias = [[0.0, 0.5, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 4.0, 6.0]]
    h = [[10.0, 20.0]]
    after = gru_forward([[[1.0]]], kernel, recurrent_kernel, bias, h, None, "linear", "linear", True)
    before = gru_forward([[[1.0]]], kernel, recurrent_kernel, bias[0], h, None, "linear", "linear", False)
    z, r = np.array([1.0, 0.5]), np.array([2.0, 3.0])
    g_after = np.array([1 + 2 * (20 + 4), -1 + 3 * (10 + 6)])
    g_before = np.array([1 + 3 * 20, -1 + 2 * 10])
    for tape, g in ((after, g_after), (before, g_before)):
        assert_array_equal(tape[1:4, 0, 1], [z, r, g])
        assert_array_equal(tape[0, 0, 1], (1 - z) * g + z * np.array(h[0]))


def test_where_nothing_crosses_over_the_reset_gate_may_act_before_or_after(rng):
    kernel, recurrent_kernel, bias = (rng.standard_normal(shape) for shape in [(2, 9), (3, 9), (9,)])
    recurrent_kernel[:, 6:] *= np.eye(3)
    x, h, both = rng.standard_normal((2, 4, 2)), rng.standard_normal((2, 3)), np.stack([bias, np.zeros(9)])
    after = gru_forward(x, kernel, recurrent_kernel, both, h, None, "tanh", "sigmoid", True)
    before = gru_forward(x, kernel, recurrent_kernel, bias, h, None, "tanh", "sigmoid", False)
    assert_allclose(after[:4], before[:4], rtol=1e-13)


def test_shapes_and_dtypes_are_those_of_the_docstrings(rng):
    x, state, d_h = (rng.standard_normal(shape, dtype=np.float32) for shape in [(3, 5, 2), (2, 3, 4), (3, 5, 4)])
    for forward, backward, gates, bias, settings, own_state, rows in [
        (lstm_forward, lstm_backward, 16, (16,), ("tanh", "sigmoid"), state, 6),
        (gru_forward, gru_backward, 12, (2, 12), ("tanh", "sigmoid", True), state[0], 5),
        (gru_forward, gru_backward, 12, (12,), ("tanh", "sigmoid", False), state[0], 5),
    ]:
        shapes = [(2, gates), (4, gates), bias]
        weights = [rng.standard_normal(shape, dtype=np.float32) for shape in shapes]
        tape = forward(x, *weights, own_state, None, *settings)
        d_all = backward(x, *weights[:2], tape, d_h, None, *settings)
        assert tape.shape == (rows, 3, 6, 4)
        assert [d.shape for d in d_all] == [*shapes, x.shape, own_state.shape]
        assert all(array.dtype == np.float64 for array in (tape, *d_all))


def test_merging_by_hand():
    a, b = [[1.0, 2.0]], [[3.0, 5.0]]
    merged = {"concat": [[1, 2, 3, 5]], "sum": [[4, 7]], "mul": [[3, 10]], "ave": [[2, 3.5]]}
    for mode, y in merged.items():
        assert_array_equal(merge_forward(a, b, mode), y)


# ---------------------------------------------------------------------------------------------- central differences


def stacks():
    """Name each stack; those on ids begin with an embedding."""
    found = {}
    for cell in CELLS:
        name = cell["kind"] + ("" if cell.get("reset_after", True) else "-before")
        for sequences in (False, True):
            own = {**cell, "return_sequences": sequences}
            ending = "-sequences" if sequences else ""
            found[name + ending] = [own]
            found[f"{name}-back{ending}"] = [{**own, "go_backwards": True}, DENSE]
            found[f"{name}-bidirectional{ending}"] = [{**BIDIRECTIONAL, "layer": own}]
        found[f"{name}-no-bias"] = [{**cell, "use_bias": False}, {**DENSE, "use_bias": False}]
        if name != "simple_rnn":
            found[f"{name}-activations"] = [{**cell, "activation": "sigmoid", "recurrent_activation": "tanh"}]
    rnn, lstm, gru, before = ({**cell, "return_sequences": True} for cell in CELLS)
    for mode in ("sum", "mul", "ave"):
        found[mode] = [{**BIDIRECTIONAL, "layer": rnn, "merge_mode": mode}]
        found[f"{mode}-last"] = [{**BIDIRECTIONAL, "layer": CELLS[0], "merge_mode": mode}]
    found["deep"] = [DENSE, {**BIDIRECTIONAL, "layer": lstm}, {**gru, "go_backwards": True}, DENSE, before, DENSE]
    found["deep-last"] = [
        {**gru, "go_backwards": True},
        {**BIDIRECTIONAL, "layer": {**lstm, "return_sequences": False}},
    ]
    found["no-bias-bidirectional"] = [{**BIDIRECTIONAL, "layer": {**gru, "use_bias": False}}, DENSE]
    found["embedding"] = [{"kind": "embedding"}, DENSE, {**BIDIRECTIONAL, "layer": gru}, DENSE]
    found["one-hot"] = [{"kind": "one_hot", "vocabulary": 4}, lstm, {**rnn, "go_backwards": True}]
    masked = {"dropout": 0.4, "recurrent_dropout": 0.4}
    for cell in (rnn, lstm, gru, before):
        both = {**BIDIRECTIONAL, "layer": {**cell, **masked}}
        drop = {"kind": "dropout", "rate": 0.3}
        name = f"dropout-{cell['kind']}" + ("" if cell.get("reset_after", True) else "-before")
        found[name] = [drop, both, drop, {**cell, **masked, "return_sequences": False}, drop, DENSE]
    found["dropout-one-hot"] = [{"kind": "one_hot", "vocabulary": 4}, {**gru, **masked}]
    return found


STACKS = stacks()


@pytest.mark.parametrize("name", STACKS)
def test_full_gradients(rng, name):
    layers, ids = STACKS[name], STACKS[name][0]["kind"] in {"embedding", "one_hot"}
    weights, outputs = make_weights(rng, layers, 4 if ids else 2)
    x = rng.integers(0, 4, (2, 5)) if ids else rng.standard_normal((2, 5, 2))
    states = make_states(rng, layers, 2)
    sequences = predict(layers, weights, x, LENGTHS, states)[0].ndim == 3
    y = rng.standard_normal((2, 5, outputs) if sequences else (2, outputs))
    row_weight = np.array([1.0, 2.0])
    dropout = (11, 2) if name.startswith("dropout") else None

    def value():
        if dropout:
            return gradients(layers, weights, x, y, "mse", row_weight, LENGTHS, states, dropout=dropout).loss
        output, target = predict(layers, weights, x, LENGTHS, states)[0], y
        if sequences and shows_padding_first(layers):
            output, target = output[:, ::-1], target[:, ::-1]
        return weighted_loss("mse", output, target, row_weight, np.array(LENGTHS))

    result = gradients(layers, weights, x, y, "mse", row_weight, LENGTHS, states, dropout=dropout)
    assert_allclose(result.loss, value(), rtol=1e-13)
    desired = central_differences(value, [*weights, *states])
    assert all(d.any() for d in desired)
    assert_slopes([*result.weights, *result.initial_state], desired)
    if ids:
        assert result.x is None
    else:
        assert_slopes([result.x], central_differences(value, [x]))
    for tbptt in (5, (5, 99), (99, 99)):
        beyond = gradients(layers, weights, x, y, "mse", row_weight, LENGTHS, states, tbptt, dropout)
        for left, right in zip(beyond.weights, result.weights, strict=True):
            assert_allclose(left, right, rtol=1e-13, atol=0)


# ---------------------------------------------------------------------------------------------- laws


@pytest.mark.parametrize("name", STACKS)
def test_a_batch_is_its_rows_without_their_padding(rng, name):
    layers, ids = STACKS[name], STACKS[name][0]["kind"] in {"embedding", "one_hot"}
    weights, outputs = make_weights(rng, layers, 4 if ids else 2)
    x = rng.integers(0, 4, (3, 5)) if ids else rng.standard_normal((3, 5, 2))
    states, lengths, sample_weight = make_states(rng, layers, 3), np.array([5, 3, 1]), np.array([1.0, 2.0, 0.5])
    sequences = predict(layers, weights, x)[0].ndim == 3
    y = rng.standard_normal((3, 5, outputs) if sequences else (3, outputs))
    steps = np.arange(5)
    if not ids:
        x[steps >= lengths[:, None]] = np.nan
    own_targets = y.copy()
    if sequences and shows_padding_first(layers):
        y = moved_to_end(y, lengths)
        y[steps[::-1] >= lengths[:, None]] = np.nan
    elif sequences:
        y[steps >= lengths[:, None]] = np.nan
    batch = gradients(layers, weights, x, y, "mse", sample_weight, lengths, states)
    shares = sample_weight * lengths if sequences else sample_weight
    shares = shares / shares.sum()
    d_weights = [np.zeros_like(weight) for weight in weights]
    for n, length in enumerate(lengths):
        target = own_targets[n : n + 1, :length] if sequences else y[n : n + 1]
        own = [state[..., n : n + 1, :] for state in states]
        row = gradients(layers, weights, x[n : n + 1, :length], target, initial_state=own)
        d_weights = [total + shares[n] * d for total, d in zip(d_weights, row.weights, strict=True)]
        if not ids:
            assert_allclose(batch.x[n, :length], shares[n] * row.x[0], rtol=1e-10, atol=1e-15)
            assert_array_equal(batch.x[n, length:], 0.0)
        for i in range(len(states)):
            assert_array_equal(batch.final_state[i][..., n, :], row.final_state[i][..., 0, :])
            d_state = shares[n] * row.initial_state[i][..., 0, :]
            assert_allclose(batch.initial_state[i][..., n, :], d_state, rtol=1e-10, atol=1e-15)
    for left, right in zip(batch.weights, d_weights, strict=True):
        assert_allclose(left, right, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_reading_backwards_is_reading_reversed_rows(rng, cell, sequences):
    layers = [{**cell, "return_sequences": sequences}]
    back = [{**layers[0], "go_backwards": True}]
    weights, outputs = make_weights(rng, layers, 2)
    x, states, lengths = rng.standard_normal((3, 5, 2)), make_states(rng, layers, 3), [5, 3, 0]
    y = rng.standard_normal((3, 5, outputs) if sequences else (3, outputs))
    turned = reversed_rows(x, lengths)
    shown, (state,) = predict(back, weights, x, lengths, states)
    expected, (last,) = predict(layers, weights, turned, lengths, states)
    assert_array_equal(shown, moved_to_end(expected, lengths) if sequences else expected)
    assert_array_equal(state, last)
    target = moved_to_end(y, lengths) if sequences else y
    actual = gradients(back, weights, x, target, lengths=lengths, initial_state=states)
    desired = gradients(layers, weights, turned, y, lengths=lengths, initial_state=states)
    assert_allclose(actual.x, reversed_rows(desired.x, lengths), rtol=1e-12)
    assert_all_close([*actual.weights, *actual.initial_state], [*desired.weights, *desired.initial_state])


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_bidirectional_layer_is_two_layers_aligned_in_time(rng, cell):
    one = {**cell, "return_sequences": True}
    layers = [{**BIDIRECTIONAL, "layer": one}]
    weights, _ = make_weights(rng, layers, 2)
    x, states, lengths = rng.standard_normal((3, 5, 2)), make_states(rng, layers, 3), [5, 3, 0]
    a, final_a = predict([one], weights[:3], x, lengths, states[:1])
    b, final_b = predict([{**one, "go_backwards": True}], weights[3:], x, lengths, states[1:])
    y, final = predict(layers, weights, x, lengths, states)
    both = np.concatenate([a, b[:, ::-1]], axis=-1)
    both[np.arange(5) >= np.array(lengths)[:, None]] = 0.0
    assert_array_equal(y, both)
    for left, right in zip(final, [*final_a, *final_b], strict=True):
        assert_array_equal(left, right)
    last = [{**BIDIRECTIONAL, "layer": {**one, "return_sequences": False}}]
    h_a, h_b = (state[0] if cell["kind"] == "lstm" else state for state in final)
    assert_array_equal(predict(last, weights, x, lengths, states)[0], np.concatenate([h_a, h_b], axis=-1))


@pytest.mark.parametrize("name", STACKS)
def test_a_row_of_length_0_shows_its_initial_states_and_counts_for_nothing(rng, name):
    layers, ids = STACKS[name], STACKS[name][0]["kind"] in {"embedding", "one_hot"}
    weights, _ = make_weights(rng, layers, 4 if ids else 2)
    x = rng.integers(0, 4, (2, 5)) if ids else rng.standard_normal((2, 5, 2))
    states = make_states(rng, layers, 2)
    output, final = predict(layers, weights, x, [5, 0], states)
    y = rng.standard_normal(output.shape)
    result = gradients(layers, weights, x, y, lengths=[5, 0], initial_state=states)
    for before, after, d in zip(states, final, result.initial_state, strict=True):
        assert_array_equal(after[..., 1, :], before[..., 1, :])
        assert_array_equal(d[..., 1, :], 0.0)
    if not ids:
        assert_array_equal(result.x[1], 0.0)
    if len(layers) == 1 and layers[0]["kind"] in GATES:
        h = states[0][0] if layers[0]["kind"] == "lstm" else states[0]
        assert_array_equal(output[1], np.broadcast_to(h[1], output[1].shape))
    alone = gradients(layers, weights, x[:1], y[:1], initial_state=[state[..., :1, :] for state in states])
    assert result.loss == pytest.approx(alone.loss, rel=1e-13)
    assert_all_close(result.weights, alone.weights)


# ---------------------------------------------------------------------------------------------- truncation


DEPTHS = [1, 2, (2, 3), (3, 1), (4, 2), (1, 9), (9, 2)]


@pytest.mark.parametrize("tbptt", DEPTHS)
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_cell_that_reads_backwards_truncates_like_one_that_reads_the_flipped_sequence(rng, cell, tbptt):
    layers = [DENSE, cell, DENSE]
    back = [DENSE, {**cell, "go_backwards": True}, DENSE]
    weights, outputs = make_weights(rng, layers, 2)
    x, states = rng.standard_normal((2, 7, 2)), make_states(rng, layers, 2)
    y = rng.standard_normal((2, 7, outputs) if cell["return_sequences"] else (2, outputs))
    actual = gradients(back, weights, x[:, ::-1], y, initial_state=states, tbptt=tbptt)
    desired = gradients(layers, weights, x, y, initial_state=states, tbptt=tbptt)
    assert_allclose(actual.x[:, ::-1], desired.x, rtol=1e-12, atol=1e-16)
    for left, right in zip(
        [*actual.weights, *actual.initial_state], [*desired.weights, *desired.initial_state], strict=True
    ):
        assert_allclose(left, right, rtol=1e-11, atol=1e-16)


@pytest.mark.parametrize("tbptt", DEPTHS)
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_halves_of_a_sum_truncate_each_by_itself(rng, cell, tbptt):
    """With merge_mode="sum" each half has the errors of a layer alone whose target lacks the other half's output."""
    one = {**cell, "return_sequences": True}
    back = {**one, "go_backwards": True}
    layers = [{**BIDIRECTIONAL, "layer": one, "merge_mode": "sum"}]
    weights, outputs = make_weights(rng, layers, 2)
    x, y, states, lengths = (
        rng.standard_normal((2, 7, 2)),
        rng.standard_normal((2, 7, outputs)),
        make_states(rng, layers, 2),
        [7, 4],
    )
    a, _ = predict([one], weights[:3], x, lengths, states[:1])
    b = predict([back], weights[3:], x, lengths, states[1:])[0][:, ::-1]
    both = gradients(layers, weights, x, y, "mse", None, lengths, states, tbptt)
    first = gradients([one], weights[:3], x, y - b, "mse", None, lengths, states[:1], tbptt)
    second = gradients([back], weights[3:], x, (y - a)[:, ::-1], "mse", None, lengths, states[1:], tbptt)
    assert_all_close(both.weights, [*first.weights, *second.weights])
    assert_all_close(both.initial_state, [*first.initial_state, *second.initial_state])
    assert_allclose(both.x, first.x + second.x, rtol=1e-10, atol=1e-15)


def test_windows_of_a_padded_row_read_backwards_by_hand():
    """One unit, T = 5, one row of length 3: steps s = 2, 3, 4 read t = 2, 1, 0; pieces of 2 end at s = 2, 4, 5."""
    layers = [{"kind": "simple_rnn", "activation": "linear", "return_sequences": True, "go_backwards": True}]
    w, u, x = 0.5, 0.8, np.array([3.0, -1.0, 2.0, np.nan, np.nan])
    weights = [np.array([[w]]), np.array([[u]]), np.array([0.0])]
    h = [0.3]
    for t in (2, 1, 0):
        h.append(x[t] * w + u * h[-1])
    y, final = predict(layers, weights, x[None, :, None], [3], [[[0.3]]])
    assert_allclose(y[0, :, 0], [0.0, 0.0, h[1], h[2], h[3]], rtol=1e-15)
    assert_allclose(final[0], [[h[3]]], rtol=1e-15)
    e = 2.0 * np.array(h[1:]) / 3.0
    target = np.zeros((1, 5, 1))
    # The pass of s in [2, 4) has the errors of both its steps, that of s = 4 the last one.
    depth_1 = gradients(layers, weights, x[None, :, None], target, lengths=[3], initial_state=[[[0.3]]], tbptt=(2, 1))
    assert_allclose(depth_1.weights[0], [[e[1] * x[1] + e[2] * x[0]]], rtol=1e-13)
    depth_2 = gradients(layers, weights, x[None, :, None], target, lengths=[3], initial_state=[[[0.3]]], tbptt=(2, 2))
    by_step = [e[0] + u * e[1], e[1] + u * e[2], e[2]]
    assert_allclose(depth_2.weights[0], [[by_step[0] * x[2] + by_step[1] * x[1] + by_step[2] * x[0]]], rtol=1e-13)
    assert_array_equal(depth_2.initial_state[0], [[0.0]])
    depth_4 = gradients(layers, weights, x[None, :, None], target, lengths=[3], initial_state=[[[0.3]]], tbptt=(2, 4))
    assert_allclose(depth_4.initial_state[0], [[u * (e[0] + u * e[1])]], rtol=1e-13)


@pytest.mark.parametrize(
    ("cell", "forward", "backward", "settings"),
    [
        (CELLS[1], lstm_forward, lstm_backward, ("tanh", "sigmoid")),
        (CELLS[2], gru_forward, gru_backward, ("tanh", "sigmoid", True)),
        (CELLS[3], gru_forward, gru_backward, ("tanh", "sigmoid", False)),
    ],
)
def test_online_gradients_walk_gates_that_older_weights_made(rng, cell, forward, backward, settings):
    layers = [{**cell, "return_sequences": True}]
    old, outputs = make_weights(rng, layers, 2)
    new = [weight + 0.1 * rng.standard_normal(weight.shape) for weight in old]
    x, y, (state,) = rng.standard_normal((3, 4, 2)), rng.standard_normal((3, 4, outputs)), make_states(rng, layers, 3)
    pieces = online_gradients(layers, old, x, y, initial_state=[state], tbptt=(2, 3))
    next(pieces)
    second = pieces.send(new)
    head = forward(x[:, :2], *old, state, None, *settings)
    middle = head[:2, :, 2] if cell["kind"] == "lstm" else head[0, :, 2]
    tail = forward(x[:, 2:], *new, middle, None, *settings)
    tape = np.concatenate([head, tail[:, :, 1:]], axis=2)
    d_h = np.zeros_like(y)
    d_h[:, 2:] = 2.0 * (tape[0, :, 3:] - y[:, 2:]) / y.size
    *d_weights, d_x, _ = backward(x, *new[:2], tape, d_h, None, *settings, starts=[1, 1, 1])
    assert_all_close([*second.weights, second.x], [*d_weights, d_x])
