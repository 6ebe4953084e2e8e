"""Means over nothing: NaN wherever they are shown, never the best, said once, and nothing to learn from."""

import math
import os
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from fastrnn.reference.training import start_training, train_step
from tests.helpers.laws import make_batch
from tests.helpers.problems import describe
from tests.searches.figures import check

NAN = pytest.approx(math.nan, nan_ok=True)
NOTHING: dict[str, dict[str, Any]] = {
    "lengths are all 0": {"lengths": np.zeros(6, int)},
    "sample_weight is all 0": {"sample_weight": np.zeros(6)},
    "no row has both a length and a sample_weight above 0": {
        "lengths": [1, 2, 0, 0, 3, 0], "sample_weight": [0.0, 0.0, 1.0, 2.0, 0.0, 0.0]
    },
}  # fmt: skip
both_forms = pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])
each_nothing = pytest.mark.parametrize("why", NOTHING)


@both_forms
@each_nothing
def test_evaluation_of_nothing_is_nan_and_says_why(why: str, every_step: bool) -> None:
    model, x, y = make_batch("float32", every_step=every_step, N=6)
    trainer = fr.Trainer(model, metrics=["mae", "mse"])
    with pytest.warns(fr.TrainingWarning, match=f"^evaluate: {why}, so that nothing counts") as told:
        figures = trainer.evaluate(x, y, **NOTHING[why])
    assert figures == {"loss": NAN, "mae": NAN, "mse": NAN}
    assert len(told) == 1
    assert told[0].filename == __file__


@both_forms
@each_nothing
def test_gradients_of_nothing_are_zero_and_their_loss_is_nan(why: str, every_step: bool) -> None:
    model, x, y = make_batch("float64", every_step=every_step, N=6)
    loss, gradients = model.gradients(x, y, **NOTHING[why])
    assert math.isnan(loss)
    assert not any(gradient.any() for gradient in gradients.values())


@pytest.mark.parametrize("update", ["sequence", "chunk"])
@each_nothing
def test_the_reference_has_the_same_law(why: str, update: str) -> None:
    model, x, y = make_batch("float64", N=6)
    optimizer = {"kind": "adam", "learning_rate": 0.1, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}
    start = start_training(model.get_weights(), optimizer)
    loss, progress, _ = train_step(
        [describe(layer) for layer in model.layers], start, x, y, optimizer, tbptt=3, tbptt_update=update,
        **NOTHING[why],
    )  # fmt: skip
    assert math.isnan(loss)
    assert progress == start


@pytest.mark.parametrize("split", [0.0, 0.5])
@each_nothing
def test_nothing_to_learn_from_is_refused_before_any_work(why: str, split: float) -> None:
    """Also where all that counts is held out."""
    model = fr.Sequential([fr.SimpleRNN(2), fr.Dense(1)])
    nothing = {name: np.concatenate([part, 1 + 0 * np.asarray(part)]) for name, part in NOTHING[why].items()}
    if not split:
        nothing = NOTHING[why]
    rows = 12 if split else 6
    trainer, told = fr.Trainer(model), []
    where = " in the rows that validation_split leaves" if split else ""
    with pytest.raises(ValueError, match=f"^{why}{where}, so that nothing counts; expected"):
        trainer.fit(
            np.ones((rows, 4, 2)), np.ones((rows, 1)), **nothing, validation_split=split, verbose=0,
            callbacks=[lambda *a: told.append(a)],
        )  # fmt: skip
    assert not model.built
    assert trainer.history.epoch == told == []


@pytest.mark.parametrize("form", ["dict", "split"])
@each_nothing
def test_validation_of_nothing_is_nan_never_best_and_said_once(why: str, form: str, tmp_path: Any) -> None:
    model, x, y = make_batch("float32", N=12)
    start = model.get_weights()
    trainer = fr.Trainer(model, metrics=["mae"])
    stopping = fr.EarlyStopping("val_mae", patience=3, restore_best_weights=True)
    kept = fr.ModelCheckpoint(tmp_path / "best.ckpt", save_best_only=True)
    if form == "dict":
        settings: dict[str, Any] = {"validation_data": {"x": x[6:], "y": y[6:], **NOTHING[why]}}
        rows = slice(6)
    else:
        weights = {name: np.concatenate([1 + 0 * np.asarray(part), part]) for name, part in NOTHING[why].items()}
        settings, rows = {"validation_split": 0.5, **weights}, slice(None)
    with pytest.warns(fr.TrainingWarning, match=f"^validation: {why}, so that nothing counts") as told:
        history = trainer.fit(x[rows], y[rows], epochs=9, callbacks=[stopping, kept], verbose=0, **settings).history
    assert len(told) == 1
    assert told[0].filename == __file__
    assert history["val_loss"] == history["val_mae"] == [NAN] * 3
    assert np.isfinite(history["loss"] + history["mae"]).all()
    assert (stopping.best_epoch, stopping.stopped_epoch) == (None, 2)
    assert math.isinf(stopping.best)
    assert math.isinf(kept.best)
    assert os.listdir(tmp_path) == []
    for a, b in zip(model.get_weights(), start, strict=True):
        assert_array_equal(a, b)


def test_the_warning_may_be_an_error_and_nothing_is_done() -> None:
    model, x, y = make_batch("float32", N=6)
    before, trainer = model.get_weights(), fr.Trainer(model)
    with warnings.catch_warnings(), pytest.raises(fr.TrainingWarning):
        warnings.simplefilter("error", fr.TrainingWarning)
        trainer.fit(x, y, validation_data={"x": x, "y": y, "lengths": np.zeros(6, int)}, verbose=0)
    assert trainer.history.epoch == []
    assert_array_equal(model.get_weights()[0], before[0])


def test_an_epoch_is_the_mean_of_the_minibatches_in_which_something_counts() -> None:
    model, x, y = make_batch("float64", N=12)
    weights = np.repeat([0.0, 2.0, 0.0, 1.0], 3)
    trainer = fr.Trainer(model, optimizer=fr.SGD(1e-30))
    history = trainer.fit(x, y, 1, 3, sample_weight=weights, shuffle=False, verbose=0).history
    assert history["loss"] == pytest.approx([trainer.evaluate(x, y, sample_weight=weights)["loss"]], rel=1e-12)
    assert trainer.progress.updates == 2


def test_nan_in_a_history_is_kept_by_a_checkpoint_and_drawn(tmp_path: Any) -> None:
    model, x, y = make_batch("float32", N=6)
    trainer = fr.Trainer(model)
    with pytest.warns(fr.TrainingWarning):
        trainer.fit(x, y, 2, validation_data={"x": x, "y": y, "lengths": np.zeros(6, int)}, verbose=0)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    assert fr.Trainer.resume(tmp_path / "run.ckpt").history.history["val_loss"] == [NAN] * 2
    pytest.importorskip("matplotlib").use("Agg")
    assert len(trainer.history.plot()) == 1


def test_some_of_the_search() -> None:
    """`python -m tests.searches.figures` goes on from here."""
    kinds = {check(seed) for seed in range(40)}
    assert kinds == {"figures", "nothing to learn from", "validation of nothing"}
