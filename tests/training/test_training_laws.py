"""Laws of training: epochs, minibatches, weights, carried states and validation add up as they should."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from tests.helpers.laws import DTYPES, ROUNDING, Array, assert_near, copy_of, make_batch

pytestmark = pytest.mark.parametrize("dtype", DTYPES)
both_forms = pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])
RESTING = fr.SGD(1e-30)
"""Steps too small to move a weight."""


def means(
    model: fr.Sequential, x: Array, y: Array, weight: Array | None = None, lengths: Array | None = None
) -> dict[str, float]:
    """Return mse and mae by hand."""
    error = model.predict(x, lengths).astype(np.float64) - y
    weight = np.ones(len(x)) if weight is None else weight
    lengths = np.full(len(x), x.shape[1]) if lengths is None else lengths
    if y.ndim == 3:
        counts = weight[:, None] * (np.arange(x.shape[1]) < lengths[:, None])
    else:
        counts = weight * (lengths > 0)
    return {
        name: float((counts[..., None] * value).sum() / (counts.sum() * y.shape[-1]))
        for name, value in (("mse", error**2), ("mae", np.abs(error)))
    }


def assert_same_weights(one: fr.Sequential, other: fr.Sequential) -> None:
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        assert_array_equal(a, b)


def assert_weights_near(one: fr.Sequential, other: fr.Sequential) -> None:
    assert_near(one.get_weights(), other.get_weights(), scale=1.0)


@both_forms
@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_evaluate_is_the_mean_by_hand(dtype: str, every_step: bool, loss: str) -> None:
    """Also over more sequences than are computed at a time."""
    model, x, y = make_batch(dtype, every_step=every_step, N=300)
    rng = np.random.default_rng(1)
    trainer = fr.Trainer(model, loss, metrics=["mae", "mse"])
    for settings in ({}, {"sample_weight": rng.uniform(0, 3, 300), "lengths": rng.integers(0, 9, 300)}):
        figures = trainer.evaluate(x, y, **settings)
        by_hand = means(model, x, y, settings.get("sample_weight"), settings.get("lengths"))
        assert figures == pytest.approx({"loss": by_hand[loss], **by_hand}, rel=ROUNDING[dtype])


@both_forms
def test_evaluate_is_the_loss_of_gradients(dtype: str, every_step: bool) -> None:
    model, x, y = make_batch(dtype, every_step=every_step)
    loss, _ = model.gradients(x, y, loss="mae")
    assert fr.Trainer(model, "mae").evaluate(x, y)["loss"] == pytest.approx(loss, rel=ROUNDING[dtype])


@both_forms
@pytest.mark.parametrize("batch_size", [1, 4, 11, 50])
def test_history_is_the_mean_over_the_epoch_by_the_weights_that_count(
    dtype: str, every_step: bool, batch_size: int
) -> None:
    """Not the mean of the minibatches' means: the last minibatch is smaller, rows differ in weight and length."""
    model, x, y = make_batch(dtype, every_step=every_step)
    weights, lengths = np.arange(11) % 4 + 0.5, np.arange(11) % 9
    trainer = fr.Trainer(model, optimizer=RESTING, metrics=["mae"])
    history = trainer.fit(x, y, 2, batch_size, sample_weight=weights, lengths=lengths, verbose=0).history
    by_hand = means(model, x, y, weights, lengths)
    assert history == {
        "loss": pytest.approx([by_hand["mse"]] * 2, rel=ROUNDING[dtype]),
        "mae": pytest.approx([by_hand["mae"]] * 2, rel=ROUNDING[dtype]),
    }


@pytest.mark.parametrize(
    "optimizer",
    [
        *(fr.SGD(0.1), fr.SGD(0.1, momentum=0.9), fr.SGD(0.1, momentum=0.9, nesterov=True), fr.Adam()),
        *(fr.RMSProp(), fr.RMSProp(momentum=0.9), fr.Adagrad()),
    ],
)
def test_fitting_twice_goes_on_where_the_first_fit_ended(dtype: str, optimizer: Any) -> None:
    once, x, y = make_batch(dtype)
    twice = copy_of(once)
    history = fr.Trainer(once, optimizer=optimizer).fit(x, y, epochs=5, batch_size=4, shuffle=False, verbose=0).history
    trainer = fr.Trainer(twice, optimizer=optimizer)
    first = trainer.fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0).history
    second = trainer.fit(x, y, epochs=3, batch_size=4, shuffle=False, verbose=0).history
    assert first["loss"] + second["loss"] == history["loss"]
    assert_same_weights(once, twice)


def test_fitting_twice_goes_on_with_the_shuffling_too(dtype: str) -> None:
    once, x, y = make_batch(dtype)
    twice = copy_of(once)
    fr.Trainer(once, seed=5).fit(x, y, epochs=4, batch_size=3, verbose=0)
    trainer = fr.Trainer(twice, seed=5)
    trainer.fit(x, y, epochs=1, batch_size=3, verbose=0)
    trainer.fit(x, y, epochs=3, batch_size=3, verbose=0)
    assert_same_weights(once, twice)


def test_a_fit_of_another_shape_keeps_the_optimizers_state(dtype: str) -> None:
    """The same minibatches of 3 rows, given as one epoch or piecemeal in other shapes, make the same updates."""
    once, x, y = make_batch(dtype, N=12)
    piecemeal = copy_of(once)
    fr.Trainer(once, optimizer=fr.Adam(0.01)).fit(x, y, epochs=1, batch_size=3, shuffle=False, verbose=0)
    trainer = fr.Trainer(piecemeal, optimizer=fr.Adam(0.01))
    for rows, size in ((slice(0, 6), 3), (slice(6, 9), 50), (slice(9, 12), 3)):
        trainer.fit(x[rows], y[rows], epochs=1, batch_size=size, shuffle=False, verbose=0)
    assert_weights_near(piecemeal, once)


def test_evaluating_and_predicting_between_fits_changes_nothing(dtype: str) -> None:
    plain, x, y = make_batch(dtype)
    watched = copy_of(plain)
    trainers = [fr.Trainer(model, seed=1) for model in (plain, watched)]
    for _ in range(3):
        for trainer in trainers:
            trainer.fit(x, y, epochs=1, batch_size=4, verbose=0)
        trainers[1].evaluate(x, y)
        watched.predict(x[:3])
        watched.gradients(x, y)
    assert_same_weights(plain, watched)


@both_forms
def test_one_minibatch_is_one_step_along_its_gradient(dtype: str, every_step: bool) -> None:
    model, x, y = make_batch(dtype, every_step=every_step)
    before = model.get_weights()
    loss, gradients = model.gradients(x, y)
    history = fr.Trainer(model, optimizer=fr.SGD(0.25)).fit(x, y, epochs=1, batch_size=11, verbose=0).history
    assert history["loss"] == pytest.approx([loss], rel=ROUNDING[dtype])
    wanted = [
        weight - weight.dtype.type(0.25) * gradient for weight, gradient in zip(before, gradients.values(), strict=True)
    ]
    assert_near(model.get_weights(), wanted, scale=1.0)


@both_forms
def test_clipping_bounds_the_step(dtype: str, every_step: bool) -> None:
    _, x, y = make_batch(dtype, every_step=every_step)
    for clip in ({"clip_value": 1e-3}, {"clip_norm": 1e-3}):
        model, _, _ = make_batch(dtype, every_step=every_step)
        before, (_, gradients) = model.get_weights(), model.gradients(x, y)
        fr.Trainer(model, optimizer=fr.SGD(1.0), **clip).fit(x, y, epochs=1, batch_size=11, verbose=0)
        steps = [a.astype(np.float64) - b for a, b in zip(before, model.get_weights(), strict=True)]
        if "clip_value" in clip:
            wanted = [np.clip(g, -1e-3, 1e-3) for g in gradients.values()]
        else:
            norm = np.sqrt(sum((g.astype(np.float64) ** 2).sum() for g in gradients.values()))
            wanted = [g * (1e-3 / (norm + 1e-6)) for g in gradients.values()]
        for step, want in zip(steps, wanted, strict=True):
            np.testing.assert_allclose(step, want, rtol=0, atol=1e-6 if dtype == "float32" else 1e-13)


@both_forms
def test_a_row_of_weight_zero_might_as_well_be_missing(dtype: str, every_step: bool) -> None:
    """In a minibatch of its own it makes no update either; the optimizer's clock aside, which SGD does not have."""
    model, x, y = make_batch(dtype, every_step=every_step)
    other = copy_of(model)
    weights = np.array([1, 1, 0, 0, 1, 0, 1, 1, 1, 1, 1.0])
    settings = {"epochs": 2, "shuffle": False, "verbose": 0}
    fr.Trainer(model, optimizer=fr.SGD(0.1)).fit(x, y, batch_size=2, sample_weight=weights, **settings)
    keep = [[0, 1], [4], [6, 7], [8, 9], [10]]
    trainer = fr.Trainer(other, optimizer=fr.SGD(0.1))
    for _ in range(2):
        for rows in keep:
            trainer.fit(x[rows], y[rows], epochs=1, batch_size=2, shuffle=False, verbose=0)
    assert_weights_near(model, other)


@pytest.mark.parametrize(("pieces", "chunk"), [(2, 6), (4, 3), (2, 3), (2, 2)])
def test_carried_states_make_short_windows_train_like_a_long_one(dtype: str, pieces: int, chunk: int) -> None:
    """Rows of consecutive windows with ``carry_state`` are truncated, online back-propagation over the long sequences.

    The long window's loss is divided by ``pieces`` times as many steps, so its learning rate is as much larger.
    """
    short, x, y = make_batch(dtype, N=5, T=12)
    long = copy_of(short)
    steps = 12 // pieces
    windows = [np.concatenate([a[:, t : t + steps] for t in range(0, 12, steps)]) for a in (x, y)]
    online = {"tbptt": chunk, "tbptt_update": "chunk"}
    fr.Trainer(short, optimizer=fr.SGD(0.2, momentum=0.5), **online).fit(
        *windows, epochs=2, batch_size=5, shuffle=False, carry_state=True, verbose=0
    )
    fr.Trainer(long, optimizer=fr.SGD(0.2 * pieces, momentum=0.5), **online).fit(
        x, y, epochs=2, batch_size=5, shuffle=False, verbose=0
    )
    assert_weights_near(short, long)


def test_the_state_is_carried_within_an_epoch_and_starts_anew_with_the_next(dtype: str) -> None:
    model, x, y = make_batch(dtype, N=4, T=12)
    windows = [np.concatenate([a[:, t : t + 4] for t in range(0, 12, 4)]) for a in (x, y)]
    settings = {"epochs": 2, "batch_size": 4, "shuffle": False, "verbose": 0}
    carried = fr.Trainer(model, optimizer=RESTING).fit(*windows, carry_state=True, **settings).history["loss"]
    apart = fr.Trainer(model, optimizer=RESTING).fit(*windows, **settings).history["loss"]
    assert carried == pytest.approx([fr.Trainer(model).evaluate(x, y)["loss"]] * 2, rel=ROUNDING[dtype])
    assert carried[0] != pytest.approx(apart[0], rel=1e-4)


@both_forms
def test_updates_by_chunk_are_updates_by_sequence_where_there_is_one_chunk(dtype: str, every_step: bool) -> None:
    models = [make_batch(dtype, every_step=every_step).model for _ in range(3)]
    _, x, y = make_batch(dtype, every_step=every_step)
    kinds = ({}, {"tbptt": 8, "tbptt_update": "chunk"}, {"tbptt": (20, 30), "tbptt_update": "chunk"})
    for model, kind in zip(models, kinds, strict=True):
        fr.Trainer(model, optimizer=fr.Adam(0.01), **kind).fit(x, y, epochs=2, batch_size=4, shuffle=False, verbose=0)
    assert_weights_near(models[1], models[0])
    assert_weights_near(models[2], models[0])


def test_validation_split_takes_the_end(dtype: str) -> None:
    split, x, y = make_batch(dtype)
    given = copy_of(split)
    weights, lengths = np.arange(11) + 1.0, np.arange(11) % 8 + 1
    settings = {"epochs": 3, "batch_size": 4, "verbose": 0}
    one = fr.Trainer(split, metrics=["mae"]).fit(
        x, y, validation_split=0.3, sample_weight=weights, lengths=lengths, **settings
    )
    end = (x[8:], y[8:], weights[8:], lengths[8:])
    other = fr.Trainer(given, metrics=["mae"]).fit(
        x[:8], y[:8], validation_data=end, sample_weight=weights[:8], lengths=lengths[:8], **settings
    )
    assert one.history == other.history
    assert list(one.history) == ["loss", "mae", "val_loss", "val_mae"]
    assert_same_weights(split, given)


def test_validation_is_of_the_weights_after_the_epoch(dtype: str) -> None:
    model, x, y = make_batch(dtype)
    trainer = fr.Trainer(model)
    history = trainer.fit(x[:7], y[:7], epochs=3, validation_data=(x[7:], y[7:]), verbose=0).history
    assert history["val_loss"][-1] == trainer.evaluate(x[7:], y[7:])["loss"]
    assert len(set(history["val_loss"])) == 3


def test_validation_may_have_other_numbers_of_sequences_and_steps(dtype: str) -> None:
    model, x, y = make_batch(dtype)
    _, longer, longer_y = make_batch(dtype, N=300, T=13)
    trainer = fr.Trainer(model)
    history = trainer.fit(x, y, epochs=1, validation_data=(longer, longer_y), verbose=0).history
    assert history["val_loss"] == [trainer.evaluate(longer, longer_y)["loss"]]


def test_shuffling_visits_every_row_once_an_epoch_in_a_new_order(dtype: str) -> None:
    """With steps too small to move a weight, every order gives the epoch's mean; real steps tell orders apart."""
    model, x, y = make_batch(dtype)
    trainer = fr.Trainer(model, optimizer=RESTING)
    shuffled = trainer.fit(x, y, epochs=4, batch_size=1, verbose=0).history["loss"]
    assert shuffled == pytest.approx([trainer.evaluate(x, y)["loss"]] * 4, rel=ROUNDING[dtype])
    results = []
    for shuffle in (True, False):
        moved = copy_of(model)
        fr.Trainer(moved, optimizer=fr.SGD(0.1)).fit(x, y, epochs=1, batch_size=1, shuffle=shuffle, verbose=0)
        results.append(moved.get_weights()[0])
    assert (results[0] != results[1]).any()


def test_training_lowers_the_loss_of_a_task_that_can_be_learned(dtype: str) -> None:
    """The mean of the sequence, from 64 random ones."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 10, 1)).astype(dtype)
    model = fr.Sequential([fr.SimpleRNN(8), fr.Dense(1)], dtype=dtype)
    losses = (
        fr.Trainer(model, optimizer=fr.Adam(0.01))
        .fit(x, x.mean(axis=1), epochs=60, batch_size=16, verbose=0)
        .history["loss"]
    )
    assert losses[-1] < 0.02 * losses[0]


def test_a_short_row_lengthens_the_passes_of_its_own_minibatch_only(dtype: str) -> None:
    steps, lengths = 20, np.array([20, 1, 20, 20])
    trainer = fr.Trainer(fr.Sequential([fr.SimpleRNN(3), fr.Dense(1)], dtype=dtype), tbptt=(2, 3), threads=1)
    firsts = []
    for part in (slice(0, 2), slice(2, 4), slice(0, 4)):
        data = np.ones((4, steps, 1))[part], np.ones((4, 1))[part]
        trainer.fit(*data, epochs=1, batch_size=2, lengths=lengths[part], shuffle=False, verbose=0)
        assert trainer._plan is not None
        firsts.append(int(trainer._plan._calls[0]["pass_first"][0]))
    assert firsts == [0, steps - 3, steps - 3]


@pytest.mark.parametrize("update", ["sequence", "chunk"])
def test_a_minibatch_in_which_nothing_counts_makes_no_update(update: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((8, 6, 2)), rng.standard_normal((8, 1))
    model = fr.Sequential([fr.SimpleRNN(3), fr.Dense(1)], input_size=2, dtype=dtype)
    trainer = fr.Trainer(model, optimizer=fr.Adam(0.1), tbptt=3, tbptt_update=update)
    other = fr.Trainer(copy_of(model), optimizer=fr.Adam(0.1), tbptt=3, tbptt_update=update)
    other.fit(x[:4], y[:4], epochs=4, batch_size=4, shuffle=False, verbose=0)
    counts = np.repeat([1.0, 0.0], 4)
    trainer.fit(x, y, epochs=2, batch_size=4, sample_weight=counts, shuffle=False, verbose=0)
    trainer.fit(x, y, epochs=2, batch_size=4, lengths=6 * counts.astype(int), shuffle=False, verbose=0)
    assert trainer.progress.updates == 4
    assert_same_weights(model, other.model)


@pytest.mark.filterwarnings("ignore::fastrnn.TrainingWarning")  # the loss itself is infinite
@pytest.mark.parametrize("first", ["features", "embedding"])
@pytest.mark.parametrize("power", [0.51, 0.97])
def test_the_norm_is_right_wherever_the_gradients_are_finite(dtype: str, power: float, first: str) -> None:
    """Also where their squares overflow: the update has the length of the clip, in the direction of the gradients."""
    size = float(np.finfo(dtype).max) ** power
    layers = [*([fr.Embedding(5, 3)] if first == "embedding" else []), fr.SimpleRNN(4), fr.Dense(2)]
    model = fr.Sequential(layers, input_size=5 if first == "embedding" else 3, dtype=dtype)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 5, (6, 4)) if first == "embedding" else rng.standard_normal((6, 4, 3))
    y = size * rng.uniform(0.5, 1.0, (6, 2))
    _, gradients = model.gradients(x, y)
    flat = np.concatenate([(g / size).ravel() for g in gradients.values()]).astype(np.float64)
    assert np.isfinite(flat).all()
    before = np.concatenate([w.ravel() for w in model.get_weights()]).astype(np.float64)
    fr.Trainer(model, optimizer=fr.SGD(1.0), clip_norm=0.5).fit(x, y, epochs=1, batch_size=6, verbose=0)
    step = before - np.concatenate([w.ravel() for w in model.get_weights()])
    np.testing.assert_allclose(
        step, 0.5 * flat / np.linalg.norm(flat), rtol=0, atol=1e-6 if dtype == "float32" else 1e-12
    )
