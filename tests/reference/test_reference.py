"""The reference by itself: what it imports, worked examples, and laws that need no gradient check."""

import ast
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastrnn import reference
from fastrnn.reference.activations import ACTIVATIONS, sigmoid, softmax, softmax_backward
from fastrnn.reference.arrays import counted_steps
from fastrnn.reference.clipping import clip_norm, clip_value
from fastrnn.reference.dense import dense_backward, dense_forward
from fastrnn.reference.elman import elman_backward, elman_forward
from fastrnn.reference.losses import (
    LOSSES,
    LOSSES_OF_LOGITS,
    binary_accuracy,
    categorical_accuracy,
    loss_shares,
    mae,
    mae_backward,
    mse,
    sparse_categorical_accuracy,
)
from fastrnn.reference.model import gradients, online_gradients, predict
from fastrnn.reference.optimizers import adagrad_update, adam_update, rmsprop_update, sgd_update
from fastrnn.reference.tbptt import tbptt_pieces, tbptt_starts
from fastrnn.reference.training import start_training, train_step

RNN = {"kind": "simple_rnn", "activation": "tanh", "use_bias": True, "return_sequences": True}
LAST = {**RNN, "return_sequences": False}
DENSE = {"kind": "dense", "activation": "linear", "use_bias": True}


def simple_stack(rng, *, sequences):
    """Two recurrent layers between dense ones on x (3, 7, 2): layers, weights, x, y."""
    layers = [{**DENSE, "activation": "tanh"}, RNN, RNN if sequences else LAST, DENSE]
    shapes = [(2, 2), (2,), (2, 4), (4, 4), (4,), (4, 3), (3, 3), (3,), (3, 2), (2,)]
    weights = [0.5 * rng.standard_normal(shape) for shape in shapes]
    return layers, weights, rng.standard_normal((3, 7, 2)), rng.standard_normal((3, 7, 2) if sequences else (3, 2))


def assert_all_close(actual, desired, **tolerance):
    for left, right in zip(actual, desired, strict=True):
        assert_allclose(left, right, **tolerance)


def test_imports_nothing_but_numpy_and_itself():
    allowed = {
        "numpy",
        "fastrnn.reference",
        "typing",
        "collections.abc",
        "functools",
        "importlib",
        "pathlib",
        "pkgutil",
    }
    for file in Path(reference.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file.name}: relative import"
                names = [node.module]
            else:
                continue
            for name in names:
                parents = {".".join(name.split(".")[:depth]) for depth in range(1, name.count(".") + 2)}
                assert parents & allowed, f"{file.name} imports {name}"


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_are_those_of_the_outputs(name):
    f, derivative = ACTIVATIONS[name]
    a = np.linspace(-3.5, 3.3, 20)
    assert_allclose(derivative(f(a)), (f(a + 1e-6) - f(a - 1e-6)) / 2e-6, rtol=1e-8, atol=1e-9)


def test_sigmoid_keeps_its_tail_and_never_overflows():
    assert_allclose(
        sigmoid(np.array([-700.0, -40.0, 0.0, 800.0])), [np.exp(-700.0), np.exp(-40.0), 0.5, 1.0], rtol=1e-15
    )


def test_keras_worked_example():
    tape = elman_forward(
        [[[1, 3], [1, 1], [2, 3]]],
        [[1, 0, 2], [2, 1, 3]],
        [[1, 2, 1], [1, 0, 1], [0, 1, 0]],
        [0, 0, 1],
        np.zeros((1, 3)),
        None,
        "linear",
    )
    assert_array_equal(tape, [[[[0, 0, 0], [7, 3, 12], [13, 27, 16], [48, 45, 54]]]])


def test_shapes_and_dtypes_are_those_of_the_docstrings(rng):
    x, kernel, recurrent_kernel, bias, state = (
        rng.standard_normal(shape, dtype=np.float32) for shape in [(3, 5, 2), (2, 4), (4, 4), (4,), (3, 4)]
    )
    tape = elman_forward(x, kernel, recurrent_kernel, bias, state, None, "tanh")
    d_all = elman_backward(x, kernel, recurrent_kernel, tape, np.ones((3, 5, 4)), None, "tanh")
    assert tape.shape == (1, 3, 6, 4)
    assert [d.shape for d in d_all] == [(2, 4), (4, 4), (4,), (3, 5, 2), (3, 4)]
    for rows in [(3,), (3, 5)]:
        x = rng.standard_normal((*rows, 2), dtype=np.float32)
        y = dense_forward(x, kernel, bias, "linear")
        d_dense = dense_backward(x, kernel, y, y, "linear")
        assert y.shape == (*rows, 4)
        assert [d.shape for d in d_dense] == [(2, 4), (4,), (*rows, 2)]
    assert all(array.dtype == np.float64 for array in (tape, y, *d_all, *d_dense))


def test_a_step_past_the_length_leaves_the_state(rng):
    x, kernel, recurrent_kernel, bias, state = (
        rng.standard_normal(shape) for shape in [(3, 5, 2), (2, 4), (4, 4), (4,), (3, 4)]
    )
    counts = counted_steps([5, 2, 0], 3, 5)
    (states,) = elman_forward(x, kernel, recurrent_kernel, bias, state, counts, "tanh")
    (every,) = elman_forward(x, kernel, recurrent_kernel, bias, state, None, "tanh")
    assert_array_equal(states[0], every[0])
    assert_array_equal(states[1, :3], every[1, :3])
    assert_array_equal(states[1, 3:], every[1, [2, 2, 2]])
    assert_array_equal(states[2], np.tile(state[2], (6, 1)))


def test_splitting_a_sequence_equals_the_whole(rng):
    layers, weights, x, _ = simple_stack(rng, sequences=True)
    whole, final = predict(layers, weights, x, lengths=[7, 4, 2])
    head, middle = predict(layers, weights, x[:, :3], lengths=[3, 3, 2])
    tail, end = predict(layers, weights, x[:, 3:], lengths=[4, 1, 0], initial_state=middle)
    assert_array_equal(np.concatenate([head, tail], axis=1), whole)
    assert_all_close(end, final, rtol=0)


@pytest.mark.parametrize("tbptt", [None, 2, (3, 5), (5, 2)])
@pytest.mark.parametrize("sequences", [False, True])
def test_a_batch_is_its_rows_without_their_padding(rng, sequences, tbptt):
    layers, weights, x, y = simple_stack(rng, sequences=sequences)
    state = [rng.standard_normal((3, 4)), rng.standard_normal((3, 3))]
    lengths, sample_weight = np.array([7, 4, 1]), np.array([1.0, 2.0, 0.5])
    for n, length in enumerate(lengths):
        x[n, length:] = np.nan
        if sequences:
            y[n, length:] = np.nan
    batch = gradients(layers, weights, x, y, "mse", sample_weight, lengths, state, tbptt)
    shares = sample_weight * lengths if sequences else sample_weight
    shares = shares / shares.sum()
    total = 0.0
    d_weights = [np.zeros_like(weight) for weight in weights]
    for n, length in enumerate(lengths):
        target = y[n : n + 1, :length] if sequences else y[n : n + 1]
        own_state = [each[n : n + 1] for each in state]
        row = gradients(layers, weights, x[n : n + 1, :length], target, initial_state=own_state, tbptt=tbptt)
        total += shares[n] * row.loss
        d_weights = [sum_ + shares[n] * d for sum_, d in zip(d_weights, row.weights, strict=True)]
        assert_allclose(batch.x[n, :length], shares[n] * row.x[0], rtol=1e-12, atol=1e-15)
        assert_array_equal(batch.x[n, length:], 0.0)
        for i in range(2):
            assert_allclose(batch.initial_state[i][n], shares[n] * row.initial_state[i][0], rtol=1e-12, atol=1e-15)
            assert_array_equal(batch.final_state[i][n], row.final_state[i][0])
    assert_allclose(batch.loss, total, rtol=1e-14)
    assert_all_close(batch.weights, d_weights, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
def test_where_nothing_counts_the_loss_is_nan_and_gradients_are_zero(rng, loss):
    layers, weights, x, y = simple_stack(rng, sequences=True)
    for nothing in ({"sample_weight": np.zeros(3)}, {"lengths": np.zeros(3, dtype=int)}):
        result = gradients(layers, weights, x, y, loss, **nothing)
        assert np.isnan(result.loss)
        assert not any(d.any() for d in [*result.weights, result.x, *result.initial_state])
        assert list(online_gradients(layers, weights, x, y, loss, tbptt=2, **nothing)) == []


def test_losses_divide_by_the_weights_that_count():
    y = np.array([[[1.0, 2.0], [3.0, 5.0]], [[0.0, 1.0], [9.0, 9.0]]])
    target = np.zeros_like(y)
    shares = loss_shares((2, 2), [1.0, 3.0], [2, 1])
    assert_allclose(mse(y, target, shares), (1 + 4 + 9 + 25 + 3 * (0 + 1)) / (5 * 2))
    assert_allclose(mae(y, target, shares), (1 + 2 + 3 + 5 + 3 * (0 + 1)) / (5 * 2))
    assert_array_equal(mae_backward(y, target, shares)[1], [[0.0, 0.3], [0.0, 0.0]])
    assert_allclose(mse(y[:, 0], target[:, 0], loss_shares((2,), [1.0, 3.0], [2, 1])), (1 + 4 + 3 * (0 + 1)) / (4 * 2))
    assert_allclose(mse(y, target, loss_shares((2, 2), None, None)), np.mean(y**2))


def test_softmax_never_overflows_and_its_derivative_is_that_of_the_outputs():
    a = np.array([[-1e4, 0.0, 3.0], [800.0, 799.0, -800.0], [1.0, 1.0, 1.0]])
    e = np.exp([[-1e4, -3.0, 0.0], [0.0, -1.0, -1600.0], [0.0, 0.0, 0.0]])
    assert_allclose(softmax(a), e / e.sum(axis=1, keepdims=True), rtol=1e-15)
    d_y = np.array([1.0, -2.0, 0.5])
    for row in ([0.3, -1.0, 2.0], [0.0, 0.0, 0.0]):
        jacobian = [(softmax(row + h) - softmax(row - h)) / 2e-6 for h in 1e-6 * np.eye(3)]
        assert_allclose(softmax_backward(softmax(np.array(row)), d_y), np.dot(jacobian, d_y), rtol=1e-8)


TARGETS = {
    "binary_crossentropy": np.array([[0.0, 1.0, 0.25], [1.0, 0.5, 0.0]]),
    "categorical_crossentropy": np.array([[0.0, 1.0, 0.0], [0.2, 0.5, 0.3]]),
    "sparse_categorical_crossentropy": np.array([2, 0]),
}


@pytest.mark.parametrize("loss", TARGETS)
def test_a_crossentropy_of_logits_is_that_of_the_probabilities(rng, loss):
    a, shares = rng.standard_normal((2, 3)), np.array([0.25, 0.75])
    y = sigmoid(a) if loss == "binary_crossentropy" else softmax(a)
    value, backward = LOSSES[loss]
    value_of_logits, backward_of_logits = LOSSES_OF_LOGITS[loss]
    assert_allclose(value_of_logits(a, TARGETS[loss], shares), value(y, TARGETS[loss], shares), rtol=1e-14)
    d_y = backward(y, TARGETS[loss], shares)
    d_a = d_y * y * (1.0 - y) if loss == "binary_crossentropy" else softmax_backward(y, d_y)
    assert_allclose(backward_of_logits(a, TARGETS[loss], shares), d_a, rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("loss", TARGETS)
def test_a_crossentropy_of_logits_is_finite_however_wrong(loss):
    value, backward = LOSSES_OF_LOGITS[loss]
    a, shares = np.array([[1e4, -1e4, 0.0], [-1e4, 0.0, 1e4]]), np.array([0.5, 0.5])
    assert 1e3 < value(a, TARGETS[loss], shares) < 2e4 + 1
    assert np.abs(backward(a, TARGETS[loss], shares)).max() == pytest.approx(
        0.5 / 3 if loss == "binary_crossentropy" else 0.5
    )


@pytest.mark.parametrize("loss", ["binary_crossentropy", "categorical_crossentropy"])
def test_a_crossentropy_of_probabilities_is_held_away_from_infinity(loss):
    value, backward = LOSSES[loss]
    y, target = np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])
    assert_allclose(value(y, target, [1.0]), -np.log(1e-7), rtol=1e-8)
    assert not backward(y, target, [1.0]).any()


def test_accuracy_is_the_weighted_share_of_what_is_right():
    y = np.array([[0.2, 0.6, 0.2], [0.4, 0.4, 0.2], [0.1, 0.1, 0.8], [0.0, 0.0, 9.0]])
    shares = loss_shares((4,), [1.0, 2.0, 5.0, 3.0], [1, 1, 1, 0])
    assert_allclose(sparse_categorical_accuracy(y, [1, 1, 2, 0], shares), 6 / 8)  # the first of equals is class 0
    assert_allclose(categorical_accuracy(y, np.eye(3)[[1, 0, 0, 0]], shares), 3 / 8)
    assert_allclose(binary_accuracy(y, [[0, 1, 1], [0, 0, 0], [1, 1, 1], [0, 0, 0]], shares), (2 + 6 + 5) / 24)
    assert_allclose(binary_accuracy(y - 0.5, [[0, 1, 1], [0, 0, 0], [1, 1, 1], [0, 0, 0]], shares, 0.0), 13 / 24)


def test_clipping():
    gradients_ = [np.array([3.0, -0.5]), np.array([[-4.0]])]
    assert_all_close(clip_value(gradients_, 1.0), [[1.0, -0.5], [[-1.0]]])
    norm = np.sqrt(9 + 0.25 + 16)
    assert_all_close(clip_norm(gradients_, 2.0), [g * 2.0 / (norm + 1e-6) for g in gradients_], rtol=1e-15)
    assert_all_close(clip_norm(gradients_, 6.0), gradients_, rtol=0)
    assert_all_close(clip_norm([[3e200], [4e200]], 1.0), [[0.6], [0.8]], rtol=1e-15)
    assert_all_close(clip_norm([[0.0], []], 1.0), [[0.0], []], rtol=0)


def test_first_updates_by_hand():
    p, v = sgd_update([1.0], [0.5], [2.0], 0.1, 0.9, False, 0.2)
    assert_allclose(v, [0.9 * 2.0 + 0.7])
    assert_allclose(p, [1.0 - 0.1 * 2.5])
    p, _ = sgd_update([1.0], [0.5], [2.0], 0.1, 0.9, True, 0.2)
    assert_allclose(p, [1.0 - 0.1 * (0.7 + 0.9 * 2.5)])
    p, m, v, _ = adam_update([1.0], [0.5], [0.0], [0.0], [0.0], 1, 0.1, 0.9, 0.999, 1e-8)
    assert_allclose(m, [0.05])
    assert_allclose(v, [0.00025])
    assert_allclose(p, [1.0 - 0.1 * 0.5 / (0.5 + 1e-8)])
    p, v, velocity, _ = rmsprop_update([1.0], [0.5], [0.0], [2.0], [0.0], 0.1, 0.96, 0.9, 1e-3)
    assert_allclose(v, [0.01])
    assert_allclose(velocity, [0.9 * 2.0 + 0.5 / 0.101])
    assert_allclose(p, 1.0 - 0.1 * velocity)
    p, total = adagrad_update([1.0], [0.3], [0.16], 0.1, 1e-3)
    assert_allclose(total, [0.25])
    assert_allclose(p, [1.0 - 0.1 * 0.3 / 0.501])


def test_truncated_windows_by_hand():
    assert tbptt_pieces(3, 7) == [(0, 3), (3, 6), (6, 7)]
    assert tbptt_pieces(9, 7) == [(0, 7)]
    assert_array_equal(tbptt_starts(4, 6, np.array([7, 5, 2])), [2, 1, 0])


def test_a_dense_layer_learns_from_steps_out_of_the_recurrent_layers_reach(rng):
    layers, weights, x, y = simple_stack(rng, sequences=True)
    full = gradients(layers, weights, x, y)
    short = gradients(layers, weights, x, y, tbptt=(5, 1))
    assert_all_close(short.weights[-2:], full.weights[-2:], rtol=1e-12)
    assert_array_equal(np.flatnonzero(np.abs(short.x).sum(axis=(0, 2))), [4, 6])


def test_the_pieces_of_the_online_mode_add_up_while_the_weights_stay(rng):
    layers, weights, x, y = simple_stack(rng, sequences=True)
    arguments = {"sample_weight": [1.0, 0.0, 2.0], "lengths": [7, 5, 3], "tbptt": (2, 5)}
    whole = gradients(layers, weights, x, y, **arguments)
    pieces = online_gradients(layers, weights, x, y, **arguments)
    parts = [next(pieces), *(pieces.send(weights) for _ in range(3))]
    with pytest.raises(StopIteration) as end:
        pieces.send(weights)
    assert_allclose(sum(part.loss for part in parts), whole.loss, rtol=1e-14)
    for i, d in enumerate(whole.weights):
        assert_allclose(sum(part.weights[i] for part in parts), d, rtol=1e-12, atol=1e-15)
    assert_all_close(end.value.value, whole.final_state, rtol=0)


def test_one_output_a_sequence_is_one_update_in_either_mode(rng):
    layers, weights, x, y = simple_stack(rng, sequences=False)
    optimizer = {"kind": "adam", "learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
    steps = [
        train_step(layers, start_training(weights, optimizer), x, y, optimizer, tbptt=(2, 4), tbptt_update=mode)
        for mode in ("sequence", "chunk")
    ]
    assert steps[0][0] == steps[1][0]
    assert steps[0][1].step == steps[1][1].step == 1
    assert_all_close(steps[0][1].weights, steps[1][1].weights, rtol=0)


def test_permuting_the_batch_permutes_the_result(rng):
    layers, weights, x, y = simple_stack(rng, sequences=True)
    order, lengths = [2, 0, 1], np.array([7, 5, 3])
    straight = gradients(layers, weights, x, y, lengths=lengths, tbptt=(2, 3))
    permuted = gradients(layers, weights, x[order], y[order], lengths=lengths[order], tbptt=(2, 3))
    assert_allclose(permuted.loss, straight.loss, rtol=1e-14)
    assert_allclose(permuted.x, straight.x[order], rtol=1e-12)
    assert_all_close(permuted.weights, straight.weights, rtol=1e-11, atol=1e-15)


@pytest.fixture
def rng():
    return np.random.default_rng(20)
