"""The reference's dropout: Philox's known answers, and what the masks do to a layer."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fastrnn.reference.dropout import dropout_mask, philox4x32
from fastrnn.reference.model import gradients, online_gradients, predict
from fastrnn.reference.training import start_training, train_step
from tests.reference.test_reference_layers import BIDIRECTIONAL, CELLS, DENSE, make_states, make_weights

SEED = 0x9000_0007
DROPOUT = (SEED, 3)


@pytest.fixture
def rng():
    return np.random.default_rng(4)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_known_answers_of_philox(counter, key, words):
    counter, key, words = ([int(word, 16) for word in text.split()] for text in (counter, key, words))
    assert [int(word) for word in philox4x32(counter, key)] == words


@pytest.mark.parametrize("seed", [SEED, 2**32 + SEED])
def test_a_mask_is_its_definition_element_by_element(seed):
    mask = dropout_mask((2, 3, 4), 0.3, 9, (seed, 3), first=5)
    first, second = (int(word) for word in np.random.SeedSequence(seed).generate_state(2))
    for r, t, j in np.ndindex(mask.shape):
        word, *_ = philox4x32((j, 5 + t, r, 3), (SEED, 9) if seed == SEED else (first, second ^ 9))
        assert mask[r, t, j] == (0.0 if word < int(0.3 * 2**32) else 1.0 / 0.7)
    assert_array_equal(dropout_mask((2, 4), 0.3, 9, DROPOUT), dropout_mask((2, 3, 4), 0.3, 9, DROPOUT)[:, 0])


def test_a_mask_keeps_the_mean_and_differs_by_everything_it_depends_on():
    shape, rate = (40, 50, 60), 0.4
    masks = [
        dropout_mask(shape, rate, *rest)
        for rest in [(4, (1, 0)), (5, (1, 0)), (4, (2, 0)), (4, (1, 1)), (4, (1, 0), 1)]
    ]
    for i, mask in enumerate(masks):
        assert_allclose(mask.mean(), 1.0, atol=0.01)
        for other in masks[:i]:
            assert_allclose(np.mean((mask > 0) == (other > 0)), 0.6**2 + 0.4**2, atol=0.01)


def test_without_dropout_or_rate_nothing_is_dropped():
    assert_array_equal(dropout_mask((2, 3), 0.5, 0, None), np.ones((2, 3)))
    assert_array_equal(dropout_mask((2, 3), 0.0, 0, DROPOUT), np.ones((2, 3)))


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_a_cells_masks_act_as_rows_of_its_kernels(rng, cell, go_backwards):
    """For one sequence, masked inputs and states are rows of the kernels scaled by the masks."""
    layers = [DENSE, {**cell, "go_backwards": go_backwards, "dropout": 0.5, "recurrent_dropout": 0.4}]
    weights, outputs = make_weights(rng, layers, 4)
    x, state = rng.standard_normal((3, 6, 4)), make_states(rng, layers, 3)
    y = rng.standard_normal((3, 6, outputs) if cell["return_sequences"] else (3, outputs))
    actual = gradients(layers, weights, x, y, initial_state=state, dropout=DROPOUT)
    mask = dropout_mask((3, weights[2].shape[0]), 0.5, 4, DROPOUT)
    recurrent_mask = dropout_mask((3, weights[3].shape[0]), 0.4, 5, DROPOUT)
    value, d_kernel, d_recurrent_kernel = 0.0, 0.0, 0.0
    for n in range(3):
        scales = mask[n, :, None], recurrent_mask[n, :, None]
        masked = [*weights[:2], scales[0] * weights[2], scales[1] * weights[3], *weights[4:]]
        own_state = [each[..., n : n + 1, :] for each in state]
        row = gradients(layers, masked, x[n : n + 1], y[n : n + 1], initial_state=own_state)
        value += row.loss / 3
        d_kernel += scales[0] * row.weights[2] / 3
        d_recurrent_kernel += scales[1] * row.weights[3] / 3
        assert_allclose(actual.x[n], row.x[0] / 3, rtol=1e-10, atol=1e-15)
        assert_allclose(actual.final_state[0][..., n, :], row.final_state[0][..., 0, :], rtol=1e-12)
    assert_allclose(actual.loss, value, rtol=1e-12)
    assert_allclose(actual.weights[2], d_kernel, rtol=1e-10, atol=1e-15)
    assert_allclose(actual.weights[3], d_recurrent_kernel, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("sequences", [False, True])
def test_a_bidirectional_layers_halves_have_streams_of_their_own(rng, sequences):
    half = {**CELLS[0], "return_sequences": sequences, "dropout": 0.5}
    both = [{**BIDIRECTIONAL, "layer": half}]
    weights, _ = make_weights(rng, both, 4)
    x = rng.standard_normal((3, 5, 4))
    masked = [x * dropout_mask((3, 4), 0.5, stream, DROPOUT)[:, None] for stream in (0, 2)]
    parts = [
        predict(both, weights, each)[0][..., part] for each, part in zip(masked, (np.s_[:3], np.s_[3:]), strict=True)
    ]
    y = np.concatenate(parts, axis=-1)
    assert gradients(both, weights, x, y, dropout=DROPOUT).loss < 1e-30
    assert gradients(both, weights, x, y).loss > 1e-3


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_a_dropout_layer_masks_what_passes_through_it(rng, place):
    layers = [DENSE, {**CELLS[0], "return_sequences": True}, {**CELLS[0], "return_sequences": False}, DENSE]
    weights, _ = make_weights(rng, layers, 4)
    counts = [0, 2, 5, 8]
    x = rng.standard_normal((3, 5, 4))
    below = predict(layers[:place], weights[: counts[place]], x)[0] if place else x
    masked = below * dropout_mask(below.shape, 0.5, 4 * place, DROPOUT)
    if place == 3:
        assert masked.ndim == 2
        y = masked @ weights[8] + weights[9]
    else:
        y = predict(layers[place:], weights[counts[place] :], masked)[0]
    dropping = [*layers[:place], {"kind": "dropout", "rate": 0.5}, *layers[place:]]
    assert gradients(dropping, weights, x, y, dropout=DROPOUT).loss < 1e-30
    assert gradients(dropping, weights, x, y).loss > 1e-3
    assert_array_equal(predict(dropping, weights, x)[0], predict(layers, weights, x)[0])


def test_the_pieces_of_the_online_mode_drop_what_the_whole_sequence_drops(rng):
    layers = [{"kind": "embedding"}, {"kind": "dropout", "rate": 0.3}]
    for cell in CELLS:
        layers += [{**cell, "return_sequences": True, "dropout": 0.2, "recurrent_dropout": 0.4}]
    layers += [{"kind": "dropout", "rate": 0.3}, DENSE]
    weights, outputs = make_weights(rng, layers, 5)
    ids, y = rng.integers(0, 5, (3, 7)), rng.standard_normal((3, 7, outputs))
    arguments = {
        "lengths": [7, 5, 3],
        "tbptt": (2, 5),
        "dropout": DROPOUT,
        "initial_state": make_states(rng, layers, 3),
    }
    whole = gradients(layers, weights, ids, y, **arguments)
    pieces = online_gradients(layers, weights, ids, y, **arguments)
    parts = [next(pieces), *(pieces.send(weights) for _ in range(3))]
    assert_allclose(sum(part.loss for part in parts), whole.loss, rtol=1e-13)
    for i, d in enumerate(whole.weights):
        assert_allclose(sum(part.weights[i] for part in parts), d, rtol=1e-11, atol=1e-15)
    for left, right in zip(parts[-1].final_state, whole.final_state, strict=True):
        assert_array_equal(left, right)


def test_a_training_step_takes_the_gradients_with_dropout(rng):
    layers = [{"kind": "dropout", "rate": 0.5}, CELLS[0]]
    weights, outputs = make_weights(rng, layers, 4)
    x, y = rng.standard_normal((3, 5, 4)), rng.standard_normal((3, outputs))
    optimizer = {"kind": "sgd", "learning_rate": 1.0, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    for update in ("sequence", "chunk"):
        start = start_training(weights, optimizer)
        loss, progress, _ = train_step(layers, start, x, y, optimizer, tbptt_update=update, dropout=DROPOUT)
        result = gradients(layers, weights, x, y, dropout=DROPOUT)
        assert loss == result.loss
        for before, after, d in zip(weights, progress.weights, result.weights, strict=True):
            assert_array_equal(after, before - d)
