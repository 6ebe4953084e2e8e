"""Training that leaves the finite numbers: said once, when it happens, and no good weights are lost to it."""

import math
import warnings
from typing import Any

import numpy as np
import pytest

import fastrnn as fr
from tests.helpers.laws import Batch, make_batch


def diverging(epochs: int = 8, **settings: Any) -> tuple[fr.Trainer, Any]:
    """Return a trainer that is finite for some epochs, and the call that trains it."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((16, 10, 2)).astype("float32")
    model = fr.Sequential([fr.SimpleRNN(4, "linear"), fr.Dense(1)], input_size=2)
    trainer = fr.Trainer(model, **({"optimizer": fr.SGD(0.35)} | settings))

    def fit(**arguments: Any) -> dict[str, list[float]]:
        return trainer.fit(x, x.sum(axis=1)[:, :1], epochs, 8, shuffle=False, verbose=0, **arguments).history

    return trainer, fit


def test_one_warning_in_the_epoch_in_which_it_happens_with_the_cure() -> None:
    trainer, fit = diverging()
    finite: list[bool] = []
    told: list[int] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        history = fit(callbacks=[lambda epoch, _: (finite.append(trainer.is_finite), told.append(len(caught)))])
    first = next(e for e, loss in enumerate(history["loss"]) if not (math.isfinite(loss) and finite[e]))
    assert 0 < first < 6
    assert not np.isfinite(history["loss"][first + 1 :]).any()
    assert len(history["loss"]) == 8
    assert told == [0] * (first + 1) + [1] * (7 - first)
    assert [warning.category for warning in caught] == [fr.TrainingWarning]
    message = str(caught[0].message)
    assert f"in epoch {first + 1} of 8" in message
    for cure in ("expected finite numbers", "learning_rate of 0.35", "clip_norm=1.0", "scale x and y"):
        assert cure in message
    assert caught[0].filename == __file__
    with pytest.warns(fr.TrainingWarning, match="in epoch 1 of 8"):
        fit()


def test_weights_that_end_a_finite_epoch_are_told_of_at_once() -> None:
    """The loss of an epoch is of the weights before its last update."""
    model, x, y = make_batch("float32")
    trainer = fr.Trainer(model, optimizer=fr.SGD(1e38), clip_value=1e38)
    with pytest.warns(fr.TrainingWarning, match="^the weights are not finite in epoch 1 of 1") as told:
        history = trainer.fit(x * 1e3, y * 1e3, epochs=1, verbose=0).history
    assert math.isfinite(history["loss"][0])
    assert len(told) == 1


def test_an_optimizer_that_is_stuck_at_infinity_is_told_of() -> None:
    """Adam's mean of squares overflows long before its steps do, and then there are none."""
    model = fr.Sequential([fr.SimpleRNN(3, "linear"), fr.Dense(1)])
    with pytest.warns(fr.TrainingWarning, match="^the optimizer's state is not finite in epoch 1 of 2"):
        fr.Trainer(model).fit(np.full((4, 1, 1), 1e6), np.full(4, 1e15), epochs=2, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_as_an_error_it_ends_the_fit_after_its_epoch() -> None:
    trainer, fit = diverging()
    with warnings.catch_warnings(), pytest.raises(fr.TrainingWarning):
        warnings.simplefilter("error")
        fit()
    assert 1 < len(trainer.history.epoch) < 8


@pytest.mark.parametrize("monitor", ["loss", "mae"])
@pytest.mark.parametrize("best_only", [False, True])
@pytest.mark.parametrize("optimizer", [fr.SGD(0.35), fr.SGD(1e38)])
def test_no_good_file_is_replaced_and_no_good_weights_are_forgotten(
    optimizer: fr.SGD, best_only: bool, monitor: str, tmp_path: Any
) -> None:
    """The second optimizer has weights that are not finite after an epoch of the best loss."""
    trainer, fit = diverging(optimizer=optimizer, metrics=["mae"])
    good: list[list[Any]] = [trainer.model.get_weights()]
    losses: list[float] = []

    def remember(epoch: int, figures: dict[str, float]) -> None:
        if trainer.is_finite:
            losses.append(figures[monitor])
            good.append(trainer.model.get_weights())

    path = tmp_path / "run.ckpt"
    checkpoint = fr.ModelCheckpoint(path, monitor, save_best_only=best_only)
    stopping = fr.EarlyStopping(monitor, patience=99, restore_best_weights=True)
    with pytest.warns(fr.TrainingWarning):
        fit(callbacks=[remember, checkpoint, stopping])
    best = 1 + int(np.argmin(losses)) if losses else 0
    assert_same(trainer.model.get_weights(), good[best])
    assert stopping.best_epoch == (best - 1 if losses else None)
    if not losses:
        assert not path.exists()
        return
    assert_same(fr.load(path).get_weights(), good[best if best_only else -1])
    assert fr.Trainer.resume(path).is_finite


def assert_same(weights: list[Any], others: list[Any]) -> None:
    for a, b in zip(weights, others, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_good_file_of_an_earlier_fit_stays(tmp_path: Any) -> None:
    model, x, y = make_batch("float32")
    path = tmp_path / "run.ckpt"
    trainer = fr.Trainer(model)
    trainer.fit(x, y, epochs=1, callbacks=[fr.ModelCheckpoint(path)], verbose=0)
    whole = path.read_bytes()
    trainer.optimizer = fr.SGD(1e38)
    with pytest.warns(fr.TrainingWarning):
        trainer.fit(x, y * 1e9, epochs=3, callbacks=[fr.ModelCheckpoint(path)], verbose=0)
    assert path.read_bytes() == whole


def test_what_a_fit_that_stays_finite_says(recwarn: pytest.WarningsRecorder) -> None:
    batch: Batch = make_batch("float32")
    fr.Trainer(batch.model).fit(batch.x * 1e15, batch.y * 1e10, epochs=2, verbose=0)
    assert not recwarn.list
