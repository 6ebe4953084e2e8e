"""Dropout in training: how much falls out, where it is the same, where it is drawn anew, and that nothing else drops.

Most tests read the masks off the weights: where an input of ones is dropped, its row of the kernel gets no gradient.
"""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastrnn as fr
from fastrnn.engine.shard import dropout_key
from fastrnn.reference.dropout import dropout_mask
from tests.helpers.laws import DTYPES, KINDS, Array, copy_of, flat, make_layer

RATES = (0.1, 0.25, 0.5, 0.9)


def cell_masks(
    N: int,
    J: int,
    rate: float,
    *,
    dtype: str = "float64",
    epochs: int = 1,
    batch_size: int = 1000,
    seed: int = 0,
    threads: int = 1,
) -> Array:
    """Return the masks (N, J) of a cell's ``dropout``, read off a kernel of its own for every row.

    The state is 0, so that row r and its input j alone make the gradient of weight r J + j: -2 times the mask over N.
    """
    model = fr.Sequential([fr.SimpleRNN(1, "linear", use_bias=False, dropout=rate)], input_size=N * J, dtype=dtype)
    model.set_weights([np.zeros((N * J, 1)), np.zeros((1, 1))])
    x = np.eye(N).repeat(J, axis=1)[:, None, :]
    trainer = fr.Trainer(model, optimizer=fr.SGD(0.5), seed=seed, threads=threads)
    rows = min(N, batch_size)
    trainer.fit(x, np.full((N, 1), float(rows)), epochs=epochs, batch_size=rows, shuffle=False, verbose=0)
    return model.get_weights()[0].reshape(N, J)


def layer_masks(N: int, T: int, J: int, rate: float, *, dtype: str = "float64", seed: int = 0) -> Array:
    """Return the masks (N, T, J) of a Dropout layer, read off in the same way."""
    layers = [fr.Dropout(rate), fr.SimpleRNN(1, "linear", use_bias=False, return_sequences=True)]
    model = fr.Sequential(layers, input_size=N * T * J, dtype=dtype)
    model.set_weights([np.zeros((N * T * J, 1)), np.zeros((1, 1))])
    x = np.eye(N * T).repeat(J, axis=1).reshape(N, T, -1)
    trainer = fr.Trainer(model, optimizer=fr.SGD(0.5), seed=seed)
    trainer.fit(x, np.full((N, T, 1), float(N * T)), epochs=1, batch_size=N, shuffle=False, verbose=0)
    return model.get_weights()[0].reshape(N, T, J)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rate", RATES)
def test_the_share_that_is_dropped_and_the_scale_of_the_rest(rate: float, dtype: str) -> None:
    masks = (cell_masks(20, 100, rate, dtype=dtype), layer_masks(5, 8, 50, rate, dtype=dtype))
    for mask in masks:
        share = np.mean(mask == 0.0)
        assert abs(share - rate) < 4 * np.sqrt(rate * (1 - rate) / mask.size)
        assert_allclose(mask[mask != 0.0], 1.0 / (1.0 - rate), rtol=1e-6 if dtype == "float32" else 1e-12)


def test_masks_are_those_of_the_generator() -> None:
    """Element j of row r at step t: Philox's word for the counter (j, t, r, minibatch)."""
    mask = layer_masks(3, 7, 13, 0.25, seed=5)
    # The element is that of the whole input, of which every row and step lights up its own 13.
    whole = dropout_mask((3, 7, 3 * 7 * 13), 0.25, 0, (5, 0))
    places = np.arange(21)
    wanted = whole.reshape(21, 21, 13)[places, places].reshape(3, 7, 13)
    assert_allclose(mask, wanted, rtol=1e-12)


def test_a_layer_drops_other_elements_at_every_step() -> None:
    dropped = layer_masks(4, 6, 40, 0.5) == 0.0
    patterns = {row.tobytes() for row in dropped.reshape(24, 40)}
    assert len(patterns) == 24


def test_every_row_minibatch_and_seed_has_other_masks() -> None:
    first = cell_masks(8, 40, 0.5) == 0.0
    assert len({row.tobytes() for row in first}) == 8
    # In minibatches of two, row 2 is row 0 of the second minibatch.
    apart = cell_masks(8, 40, 0.5, batch_size=2) == 0.0
    assert len({row.tobytes() for row in apart}) == 8
    assert (apart != first).any()
    assert (cell_masks(8, 40, 0.5, seed=1) == 0.0).tobytes() != first.tobytes()
    assert_array_equal(cell_masks(8, 40, 0.5, threads=2) == 0.0, first)


def test_every_bit_of_a_seed_counts() -> None:
    """For the masks, the order of the rows and the initial weights; small seeds draw what they always drew."""
    seeds = [0, *(2**bit for bit in range(70)), 2**70 + 1]
    masks = {(cell_masks(2, 40, 0.5, seed=seed) == 0.0).tobytes() for seed in seeds}
    assert len(masks) == len(seeds)
    for seed in (0, 5, 2**32 - 1, 2**32, 2**70):
        assert_allclose(layer_masks(2, 3, 40, 0.5, seed=seed)[0, 0], dropout_mask((1, 1, 40), 0.5, 0, (seed, 0))[0, 0])
    assert dropout_key(2**32 - 1, 7) == (2**32 - 1, 7)
    weights = {fr.Sequential([fr.SimpleRNN(2)], 2, seed=seed).get_weights()[0].tobytes() for seed in seeds}
    orders = {str(fr.Trainer(fr.Sequential([fr.SimpleRNN(2)], 2), seed=seed).generator.state) for seed in seeds}
    assert len(weights) == len(orders) == len(seeds)


def test_every_epoch_has_other_masks() -> None:
    """An element that survives one of eight epochs is trained: a half that dropped the same would stay at zero."""
    assert np.mean(cell_masks(10, 100, 0.5, epochs=8) == 0.0) < 0.02


def trained_rows(layer: Any, N: int, T: int, J: int, seed: int) -> dict[str, Array]:
    """Return for the kernels of a cell which rows a training step of one minibatch moves, (rows,) bool by name."""
    model = fr.Sequential([layer, fr.Dense(1)], input_size=J, dtype="float64")
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(-0.1, 0.1, w.shape) for w in model.get_weights()])
    before = copy_of(model).parameters()
    trainer = fr.Trainer(model, optimizer=fr.SGD(1.0), seed=seed)
    trainer.fit(rng.uniform(0.5, 1.5, (N, T, J)), np.full((N, 1), 9.0), epochs=1, batch_size=N, verbose=0)
    moved = {name: view != before[name] for name, view in model.parameters().items() if "kernel" in name}
    for array in moved.values():
        # All columns alike, but for those of a gate that resets what has been dropped.
        assert_array_equal(array, np.outer(array.any(axis=1), array.any(axis=0)))
    return {name: array.any(axis=1) for name, array in moved.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_all_steps_of_a_sequence_and_all_gates_have_the_same_mask(kind: str) -> None:
    """A row of a kernel moves in all its columns or, dropped at every one of twelve steps, in none."""
    layer = make_layer(kind, 30, every_step=False, dropout=0.4, recurrent_dropout=0.6)
    moved = trained_rows(layer, N=1, T=12, J=40, seed=3)
    halves = ("forward.", "backward.") if kind == "bidirectional" else ("",)
    for place, half in enumerate(halves):
        for name, rate, stream in (("kernel", 0.4, 2 * place), ("recurrent_kernel", 0.6, 2 * place + 1)):
            (got,) = (array for key, array in moved.items() if key.endswith(f".{half}{name}") and "dense" not in key)
            assert_array_equal(got, dropout_mask((1, len(got)), rate, stream, (3, 0))[0] != 0.0)
            assert 0 < got.sum() < len(got)


def test_recurrent_dropout_drops_what_the_products_read_and_not_the_state() -> None:
    """A GRU that mixes in nothing new keeps its state: z is 1 whatever is dropped."""
    layer = fr.GRU(5, recurrent_dropout=0.5, return_sequences=True)
    model = fr.Sequential([layer], input_size=1, dtype="float64")
    kernel, recurrent, bias = model.get_weights()
    bias[0, :5] = 3.0
    kernel[:, :5] = -200.0
    kernel[:, 10:] = 1.0
    model.set_weights([kernel, np.zeros_like(recurrent), bias])
    # The first step opens z, all later ones shut it.
    x = np.array([1.0, -1.0, -1.0, -1.0])[None, :, None]
    y = model.predict(x)
    assert y.any()
    history = fr.Trainer(model, optimizer=fr.SGD(1e-300)).fit(x, y, epochs=3, verbose=0).history
    assert history["loss"] == pytest.approx([0.0] * 3, abs=1e-28)


def stack(rate: float, ids: bool = False) -> list[Any]:
    options: dict[str, Any] = {"dropout": rate, "recurrent_dropout": rate}
    return [
        *([fr.OneHot(6)] if ids else []),
        fr.LSTM(7, return_sequences=True, **options),
        *([fr.Dropout(rate)] if rate else []),
        fr.Bidirectional(fr.GRU(5, **options)),
        *([fr.Dropout(rate)] if rate else []),
        fr.Dense(2),
    ]


def make_data(dtype: str, ids: bool) -> tuple[Array, Array]:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 6, (11, 9)) if ids else rng.standard_normal((11, 9, 6)).astype(dtype)
    return x, rng.standard_normal((11, 2)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ids", [False, True], ids=["features", "ids"])
def test_nothing_is_dropped_outside_of_training(ids: bool, dtype: str) -> None:
    x, y = make_data(dtype, ids)
    drops, whole = (fr.Sequential(stack(rate, ids), input_size=6, dtype=dtype) for rate in (0.5, 0.0))
    trainers = [fr.Trainer(model, metrics=["mae"]) for model in (drops, whole)]
    trainers[0].fit(x, y, epochs=1, verbose=0)
    whole.set_weights(drops.get_weights())
    for a, b in zip(flat(drops.predict(x, return_state=True)), flat(whole.predict(x, return_state=True)), strict=True):
        assert_array_equal(a, b)
    assert trainers[0].evaluate(x, y) == trainers[1].evaluate(x, y)
    results = [model.gradients(x, y, wants=["initial_state"]) for model in (drops, whole)]
    assert results[0][0] == results[1][0]
    for a, b in zip(flat(results[0][1].values()), flat(results[1][1].values()), strict=True):
        assert_array_equal(a, b)


def test_validation_drops_nothing() -> None:
    x, y = make_data("float64", False)
    trainer = fr.Trainer(fr.Sequential(stack(0.5), input_size=6, dtype="float64"))
    history = trainer.fit(x, y, epochs=1, validation_data=(x, y), verbose=0).history
    assert history["val_loss"] == [trainer.evaluate(x, y)["loss"]]
    assert history["loss"] != history["val_loss"]


def test_a_rate_of_zero_is_no_dropout() -> None:
    x, y = make_data("float64", False)
    weights = []
    for layers in (stack(0.0), [*stack(0.0)[:-1], fr.Dropout(0.0), fr.Dense(2)]):
        model = fr.Sequential(layers, input_size=6, dtype="float64", seed=2)
        fr.Trainer(model).fit(x, y, epochs=2, batch_size=4, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ids", [False, True], ids=["features", "ids"])
@pytest.mark.parametrize("shuffle", [False, True], ids=["in order", "shuffled"])
def test_two_fits_in_a_row_are_one_long_fit(shuffle: bool, ids: bool, dtype: str) -> None:
    x, y = make_data(dtype, ids)
    weights, losses = [], []
    for fits in ([5], [2, 3], [1, 1, 1, 1, 1]):
        model = fr.Sequential(stack(0.3, ids), input_size=6, dtype=dtype)
        trainer = fr.Trainer(model, seed=8)
        losses.append([])
        for epochs in fits:
            losses[-1] += trainer.fit(x, y, epochs=epochs, batch_size=4, shuffle=shuffle, verbose=0).history["loss"]
            trainer.evaluate(x, y)
        weights.append(model.get_weights())
    assert losses[0] == losses[1] == losses[2]
    for other in weights[1:]:
        for a, b in zip(other, weights[0], strict=True):
            assert_array_equal(a, b)


def test_a_fit_of_another_shape_goes_on_with_the_next_masks() -> None:
    """The same minibatches, as one epoch or one by one in plans of other shapes."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((12, 9, 6)), rng.standard_normal((12, 2))
    weights = []
    for fits in ([(0, 12, 3)], [(0, 6, 3), (6, 9, 50), (9, 12, 3)]):
        model = fr.Sequential(stack(0.3), input_size=6, dtype="float64")
        trainer = fr.Trainer(model)
        for first, last, size in fits:
            trainer.fit(x[first:last], y[first:last], epochs=1, batch_size=size, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        assert_allclose(a, b, rtol=0, atol=1e-12)


def test_dropout_on_top_that_drops_nothing_leaves_long_gradients_alone() -> None:
    """The layer beneath is then the model's last: its errors come all at once, not window by window."""
    top = fr.LSTM(8, return_sequences=True)
    dropping = fr.Sequential([top, fr.Dropout(0.5)], input_size=3, dtype="float64")
    plain = fr.Sequential([top], input_size=3, dtype="float64")
    plain.set_weights(dropping.get_weights())
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((3, 700, 3)), rng.standard_normal((3, 700, 8))
    loss, gradients = dropping.gradients(x, y)
    expected_loss, expected = plain.gradients(x, y)
    assert loss == expected_loss
    for gradient, other in zip(gradients.values(), expected.values(), strict=True):
        np.testing.assert_array_equal(gradient, other)
