"""The reference's gradients against central differences: full, truncated and online."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from fastrnn.reference.model import gradients, online_gradients, predict

STEPS = 7
CELLS = {
    "r": {"kind": "simple_rnn"},
    "l": {"kind": "lstm"},
    "g": {"kind": "gru"},
    "b": {"kind": "gru", "reset_after": False},
}
GATES = {"r": 1, "l": 4, "g": 3, "b": 3}


def directions(shape):
    """Return two random directions in the space of arrays of a shape: a wrong element shows along both of them."""
    return np.random.default_rng(5).standard_normal((2, *shape))


def central_differences(f, arrays, step=1e-6):
    """Return the slopes of f along `directions` of each array, moving one array at a time."""
    result = []
    for array in arrays:
        centre, d = array.copy(), []
        for direction in directions(array.shape):
            array[...] = centre + step * direction
            above = f()
            array[...] = centre - step * direction
            d.append((above - f()) / (2.0 * step))
        array[...] = centre
        result.append(np.array(d))
    return result


def assert_slopes(actual, desired):
    """Assert that gradients have these slopes along `directions`."""
    assert_all_close([np.tensordot(directions(d.shape), d, d.ndim) for d in actual], desired)


def assert_all_close(actual, desired):
    for left, right in zip(actual, desired, strict=True):
        assert_allclose(left, right, rtol=1e-6, atol=1e-9)


def make_stack(rng, kinds, activation, dense_activation, *, sequences, use_bias=True):
    """Layers of the kinds (keys of CELLS, or "d") on 2 inputs, with 3, 2, 3, ... units, and their weights."""
    last = max(i for i, kind in enumerate(kinds) if kind in CELLS)
    layers, weights, below = [], [], 2
    for i, kind in enumerate(kinds):
        units = 3 - i % 2
        if kind in CELLS:
            layer = {**CELLS[kind], "activation": activation, "return_sequences": sequences or i < last}
            shapes = [(below, GATES[kind] * units), (units, GATES[kind] * units)]
        else:
            layer = {"kind": "dense", "activation": dense_activation}
            shapes = [(below, units)]
        layers.append({**layer, "use_bias": use_bias})
        weights += [0.7 * rng.standard_normal(shape) for shape in shapes]
        if use_bias:
            weights.append(0.3 * rng.standard_normal((*([2] if kind == "g" else []), shapes[0][1])))
        below = units
    return layers, weights, below


def make_batch(rng, layers, outputs, *, sequences, steps=STEPS):
    x = rng.standard_normal((2, steps, 2))
    y = rng.standard_normal((2, steps, outputs) if sequences else (2, outputs))
    states = [
        rng.standard_normal((*([2] if layer["kind"] == "lstm" else []), 2, 3 - i % 2))
        for i, layer in enumerate(layers)
        if layer["kind"] != "dense"
    ]
    return x, y, states


def make_targets(rng, loss, shape):
    """Targets of the kind that a loss takes, for outputs of a shape."""
    if loss == "binary_crossentropy":
        return rng.uniform(0.0, 1.0, shape)
    if loss == "categorical_crossentropy":
        return rng.dirichlet(np.ones(shape[-1]), shape[:-1])
    if loss == "sparse_categorical_crossentropy":
        return rng.integers(0, shape[-1], shape[:-1])
    return rng.standard_normal(shape)


def loss_of_places(loss, output, y):
    """The definition for each place; the outputs are probabilities."""
    if loss in ("mse", "mae"):
        return np.mean({"mse": np.square, "mae": np.abs}[loss](output - y), axis=-1)
    if loss == "binary_crossentropy":
        return -np.mean(y * np.log(output) + (1.0 - y) * np.log(1.0 - output), axis=-1)
    target = y if loss == "categorical_crossentropy" else np.eye(output.shape[-1])[y]
    return -np.log(np.prod(output**target, axis=-1))


def weighted_loss(loss, output, y, sample_weight, lengths):
    """The definition, as masks: sum(weight * loss) / sum(weight)."""
    each = loss_of_places(loss, output, y)
    weight = sample_weight if each.ndim == 1 else sample_weight[:, None] * (np.arange(each.shape[1]) < lengths[:, None])
    return np.sum(weight * each) / np.sum(weight)


FULL_CASES = [
    # kinds, recurrent activation, dense activation, return_sequences, use_bias, loss, sample_weight, lengths
    ("r", "tanh", None, True, True, "mse", None, None),
    ("r", "sigmoid", None, False, True, "mse", None, [7, 3]),
    ("rd", "tanh", "linear", False, True, "mse", None, None),
    ("rd", "tanh", "linear", True, True, "mse", [1.0, 2.5], [5, 7]),
    ("rd", "relu", "linear", True, True, "mse", [2.0, 0.5], None),
    ("rd", "relu", "relu", False, True, "mse", None, [7, 4]),
    ("rd", "linear", "sigmoid", True, True, "mse", None, [2, 7]),
    ("rd", "sigmoid", "tanh", True, False, "mae", [0.3, 1.0], [7, 6]),
    ("rd", "tanh", "linear", False, False, "mae", [1.0, 0.0], [6, 7]),
    ("rrd", "tanh", "linear", False, True, "mse", [1.0, 2.0], [7, 4]),
    ("rrd", "tanh", "linear", True, True, "mae", None, [3, 7]),
    ("rrr", "sigmoid", None, True, False, "mse", None, None),
    ("drdrdd", "tanh", "tanh", True, True, "mse", [1.0, 2.0], [7, 1]),
    ("drdrdd", "linear", "sigmoid", False, True, "mse", [1.0, 2.0], [7, 0]),
    ("rd", "tanh", "softmax", True, True, "mse", [1.0, 2.0], [7, 3]),
    ("drdd", "tanh", "softmax", False, False, "mae", None, [4, 7]),
    ("r", "sigmoid", None, True, True, "binary_crossentropy", [1.0, 2.0], [7, 3]),
    ("rd", "tanh", "sigmoid", True, True, "binary_crossentropy", [1.0, 2.0], [7, 3]),
    ("rdd", "tanh", "sigmoid", False, True, "binary_crossentropy", [1.0, 0.5], None),
    ("rd", "tanh", "softmax", True, True, "categorical_crossentropy", None, [4, 7]),
    ("rd", "relu", "softmax", False, False, "categorical_crossentropy", [1.0, 0.5], [7, 6]),
    ("rrdd", "tanh", "softmax", True, True, "sparse_categorical_crossentropy", [1.0, 0.5], [7, 2]),
    ("rd", "sigmoid", "softmax", False, True, "sparse_categorical_crossentropy", None, None),
]


@pytest.mark.parametrize(
    ("kinds", "activation", "dense_activation", "sequences", "use_bias", "loss", "sample_weight", "lengths"), FULL_CASES
)
def test_full_gradients(kinds, activation, dense_activation, sequences, use_bias, loss, sample_weight, lengths):
    rng = np.random.default_rng(8)
    layers, weights, outputs = make_stack(
        rng, kinds, activation, dense_activation, sequences=sequences, use_bias=use_bias
    )
    x, y, state = make_batch(rng, layers, outputs, sequences=sequences)
    y = make_targets(rng, loss, y.shape)
    row_weight = np.ones(2) if sample_weight is None else np.array(sample_weight)
    row_length = np.full(2, STEPS) if lengths is None else np.array(lengths)

    if not sequences:
        row_weight = np.where(row_length == 0, 0.0, row_weight)

    def value():
        return weighted_loss(loss, predict(layers, weights, x, lengths, state)[0], y, row_weight, row_length)

    result = gradients(layers, weights, x, y, loss, sample_weight, lengths, state)
    assert_allclose(result.loss, value(), rtol=1e-13)
    desired = central_differences(value, [*weights, x, *state])
    assert all(d.any() for d in desired)
    assert_slopes([*result.weights, result.x, *result.initial_state], desired)
    for tbptt in (STEPS, (STEPS, 99), (99, 99)):
        beyond = gradients(layers, weights, x, y, loss, sample_weight, lengths, state, tbptt)
        for left, right in zip([*beyond.weights, beyond.x], [*result.weights, result.x], strict=True):
            assert_allclose(left, right, rtol=1e-14, atol=0)


def truncated_by_definition(layers, weights, x, y, state, share, k1, k2):
    """Slopes of every pass of one row, in which only its window depends on what moves.

    The states that enter the window are frozen. Errors before the window see only the layers above the last recurrent
    one, on frozen inputs. The share is that of one output element of one step.
    """
    steps = x.shape[1]
    top = 1 + max(i for i, layer in enumerate(layers) if layer["kind"] != "dense")
    count = sum((1 if layer["kind"] == "dense" else 2) + layer["use_bias"] for layer in layers[:top])
    hidden = predict(layers[:top], weights[:count], x, initial_state=state)[0]
    total = [0.0] * (len(weights) + 1 + len(state))
    previous = 0
    for boundary in sorted({*range(k1, steps, k1), steps}):
        start = max(0, boundary - k2)
        entering = state if start == 0 else predict(layers, weights, x[:, :start], initial_state=state)[1]
        errors = slice(max(previous, start), boundary)

        def value(start=start, boundary=boundary, entering=entering, errors=errors, previous=previous):
            output = predict(layers, weights, x[:, start:boundary], initial_state=entering)[0]
            if y.ndim == 2:
                return share * np.sum((output - y) ** 2)
            inside = np.sum((output[:, errors.start - start :] - y[:, errors]) ** 2)
            early = hidden[:, previous : errors.start]
            if top < len(layers) and early.shape[1]:
                early = predict(layers[top:], weights[count:], early)[0]
                inside += np.sum((early - y[:, previous : errors.start]) ** 2)
            return share * inside

        if y.ndim == 3 or boundary == steps:
            moved = [*weights, x, *(entering if start == 0 else [])]
            for i, part in enumerate(central_differences(value, moved)):
                total[i] = total[i] + part
        previous = boundary
    return total


@pytest.mark.parametrize("k", [(1, 1), (2, 2), (3, 5), (2, 3), (4, 2), (3, 1), (5, 9), (9, 3)])
@pytest.mark.parametrize(
    ("kinds", "sequences"),
    [("rd", True), ("rd", False), ("rrd", True), ("rdr", True), ("ld", True), ("gd", False), ("bl", True)],
)
def test_truncated_gradients_are_those_of_frozen_states(kinds, sequences, k):
    rng = np.random.default_rng(11)
    layers, weights, outputs = make_stack(rng, kinds, "tanh", "sigmoid", sequences=sequences)
    x, y, state = make_batch(rng, layers, outputs, sequences=sequences)
    lengths, sample_weight = np.array([STEPS, 5]), np.array([1.0, 3.0])
    result = gradients(layers, weights, x, y, "mse", sample_weight, lengths, state, k)
    share = sample_weight / (np.sum(sample_weight * (lengths if sequences else 1)) * outputs)
    desired = [0.0] * len(weights)
    for n, length in enumerate(lengths):
        row = slice(n, n + 1)
        target = y[row, :length] if sequences else y[row]
        own_state = [each[..., row, :].copy() for each in state]
        own = truncated_by_definition(layers, weights, x[row, :length].copy(), target, own_state, share[n], *k)
        desired = [d + part for d, part in zip(desired, own, strict=False)]
        d_x, d_state = own[len(weights)], own[len(weights) + 1 :]
        assert_slopes([result.x[row, :length]], [d_x])
        assert_slopes([d[..., row, :] for d in result.initial_state], d_state)
    assert_slopes(result.weights, desired)


def test_online_gradients_walk_stored_states_with_current_weights():
    """One unit, a frozen output: the path from the error at t back to step s is a product, written out."""
    rng = np.random.default_rng(3)
    layers = [{"kind": "simple_rnn", "activation": "tanh", "use_bias": True, "return_sequences": True}]
    x, y, (k1, k2) = rng.standard_normal((1, 9, 1)), rng.standard_normal((1, 9, 1)), (2, 5)
    weights = [np.array([[0.8]]), np.array([[0.6]]), np.array([0.1])]
    states = [0.4]
    pieces = online_gradients(layers, weights, x, y, initial_state=[[[0.4]]], tbptt=(k1, k2))
    piece = next(pieces)
    previous = 0
    for boundary in (2, 4, 6, 8, 9):
        w, u, b = (weight.item() for weight in weights)
        for t in range(previous, boundary):
            states.append(np.tanh(x[0, t, 0] * w + states[t] * u + b))
        loss, d_w, d_u, d_b = 0.0, 0.0, 0.0, 0.0
        for t in range(previous, boundary):
            error = states[t + 1] - y[0, t, 0]
            loss += error**2 / 9
            for s in range(max(0, boundary - k2), t + 1):
                path = np.prod([1 - states[r + 1] ** 2 for r in range(s, t + 1)]) * u ** (t - s)
                d_w += 2 / 9 * error * path * x[0, s, 0]
                d_u += 2 / 9 * error * path * states[s]
                d_b += 2 / 9 * error * path
        assert_allclose(piece.loss, loss, rtol=1e-12)
        assert_allclose(piece.final_state[0], [[states[-1]]], rtol=1e-12)
        assert_allclose([d.item() for d in piece.weights], [d_w, d_u, d_b], rtol=1e-12)
        weights = [weight - 0.5 * d for weight, d in zip(weights, piece.weights, strict=True)]
        previous = boundary
        if boundary < 9:
            piece = pieces.send(weights)
    with pytest.raises(StopIteration) as end:
        pieces.send(weights)
    assert_allclose(end.value.value[0], [[states[-1]]], rtol=1e-12)
