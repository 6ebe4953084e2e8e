"""Callbacks that watch a figure: which epoch is the best, when a fit is over, and what is kept on disk."""

import itertools
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from fastrnn.training.history import History
from tests.helpers.laws import Array, make_batch

NAN = math.nan


class Run:
    """A trainer whose validation losses are given; it remembers the weights after every epoch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, values: list[float], trainer: fr.Trainer | None = None) -> None:
        self.model, self.x, self.y = make_batch("float32")
        self.trainer = fr.Trainer(self.model, metrics=["mae"], seed=1) if trainer is None else trainer
        self.model = self.trainer.model
        self.start, self.weights = self.model.get_weights(), list[list[Array]]()
        told = iter(values)
        monkeypatch.setattr(self.trainer, "_evaluate", lambda data: {"loss": next(told), "mae": 0.5})
        self.epochs = len(values)

    def fit(self, *callbacks: Any) -> fr.History:
        def remember(epoch: int, figures: dict[str, float]) -> None:
            self.weights.append(self.model.get_weights())
            self.model.predict(self.x)  # lays these weights out

        return self.trainer.fit(
            self.x, self.y, epochs=self.epochs, validation_data=(self.x, self.y),
            callbacks=[remember, *callbacks], verbose=0,
        )  # fmt: skip

    def assert_weights(self, expected: list[Array]) -> None:
        for a, b in zip(self.model.get_weights(), expected, strict=True):
            assert_array_equal(a, b)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "best.ckpt"


# ---------------------------------------------------------------------------------------------- stopping


@pytest.mark.parametrize("elsewhere", [False, True], ids=["callback", "thread"])
def test_a_callback_stops_the_fit_after_its_epoch(elsewhere: bool) -> None:
    model, x, y = make_batch("float32")
    trainer, told = fr.Trainer(model), []

    def stop(epoch: int, figures: dict[str, float]) -> None:
        if epoch == 1:
            thread = threading.Thread(target=trainer.stop)
            (thread.run if not elsewhere else thread.start)()
            if elsewhere:
                thread.join()

    history = trainer.fit(x, y, epochs=9, validation_split=0.3, callbacks=[stop, lambda *a: told.append(a)], verbose=0)
    assert history.epoch == trainer.history.epoch == [0, 1]
    assert len(history.history["val_loss"]) == len(told) == 2
    assert len(trainer.fit(x, y, epochs=3, verbose=0).epoch) == 3


def test_a_fit_may_be_stopped_before_it_begins_and_stopping_none_does_nothing() -> None:
    class Stops(fr.Callback):
        def begin(self, trainer: fr.Trainer, epochs: int, samples: int) -> None:
            trainer.stop()

    model, x, y = make_batch("float32")
    before, trainer = model.get_weights(), fr.Trainer(model)
    assert trainer.fit(x, y, callbacks=[Stops()], verbose=0).epoch == []
    for a, b in zip(model.get_weights(), before, strict=True):
        assert_array_equal(a, b)
    trainer.stop()
    assert trainer.fit(x, y, epochs=2, verbose=0).epoch == [0, 1]


def test_stopping_within_an_epoch_ends_it_whole() -> None:
    class Stops(fr.Callback):
        def begin(self, trainer: fr.Trainer, epochs: int, samples: int) -> None:
            self.trainer = trainer

        def progress(self, epoch: int, samples: int) -> None:
            self.trainer.stop()

    one, x, y = make_batch("float32")
    other = make_batch("float32").model
    fr.Trainer(one).fit(x, y, epochs=5, batch_size=1, callbacks=[Stops()], verbose=0)
    fr.Trainer(other).fit(x, y, epochs=1, batch_size=1, verbose=0)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        assert_array_equal(a, b)


# ---------------------------------------------------------------------------------------------- early stopping


@pytest.mark.parametrize(
    ("values", "settings", "epochs", "best"),
    [
        ([3, 2, 2, 1], {}, 3, 1),
        ([3, 2, 1, 0], {}, 4, 3),
        ([3, 2, 2, 1], {"patience": 1}, 3, 1),
        ([3, 2, 2, 1, 1, 1, 0], {"patience": 2}, 6, 3),
        ([3, 2.5, 2, 1.9, 1], {"min_delta": 0.5}, 2, 0),
        ([3, 2, 1.6, 1, 1], {"min_delta": 0.5, "patience": 2}, 5, 3),
        ([1, 2, 3, 2, 9], {"mode": "max"}, 4, 2),
        ([1, 2, 2.4, 9], {"mode": "max", "min_delta": 0.5}, 3, 1),
        ([3, NAN, 2], {}, 2, 0),
        ([3, NAN, 2, NAN, NAN, 1], {"patience": 2}, 5, 2),
        ([NAN, 3, 4], {}, 1, None),
        ([NAN, 3, 4, 5, 0], {"patience": 2}, 4, 1),
        ([math.inf, math.inf, 1], {}, 1, None),
        ([-math.inf, 1, 1], {"mode": "min"}, 2, 0),
    ],
)
@pytest.mark.parametrize("restore", [False, True])
def test_early_stopping(monkeypatch, values, settings, epochs, best, restore):
    run = Run(monkeypatch, values)
    stopping = fr.EarlyStopping(restore_best_weights=restore, **settings)
    history = run.fit(stopping)
    assert_array_equal(history.history["val_loss"], values[:epochs])
    assert stopping.best_epoch == best
    assert best is None or stopping.best == values[best]
    assert stopping.stopped_epoch == (epochs - 1 if epochs < len(values) else None)
    if not restore:
        run.assert_weights(run.weights[-1])
    else:
        run.assert_weights(run.start if best is None else run.weights[best])
    predicted = fr.Sequential(run.model.layers, input_size=3)
    predicted.set_weights(run.model.get_weights())
    assert_array_equal(run.model.predict(run.x), predicted.predict(run.x))


def test_the_best_weights_come_back_when_a_fit_is_broken_off(monkeypatch):
    def interrupt(epoch: int, figures: dict[str, float]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    run = Run(monkeypatch, [3.0, 1.0, 2.0, 2.0])
    with pytest.raises(KeyboardInterrupt):
        run.fit(fr.EarlyStopping(patience=5, restore_best_weights=True), interrupt)
    run.assert_weights(run.weights[1])


def test_early_stopping_begins_anew_with_every_fit(monkeypatch):
    run = Run(monkeypatch, [1.0, 2.0, 9.0, 8.0, 7.0])
    stopping = fr.EarlyStopping()
    assert len(run.fit(stopping).epoch) == 2
    run.epochs = 3
    assert len(run.fit(stopping).epoch) == 3
    assert (stopping.best, stopping.best_epoch, stopping.stopped_epoch) == (7.0, 2, None)


def test_what_is_best_goes_by_the_name():
    for name in ("accuracy", "val_accuracy"):
        assert fr.EarlyStopping(name).mode == fr.ModelCheckpoint("a", name).mode == "max"
        assert fr.EarlyStopping(name, mode="min").mode == fr.ModelCheckpoint("a", name, mode="min").mode == "min"
    for name in ("loss", "val_loss", "mae", "val_mse"):
        assert fr.EarlyStopping(name).mode == fr.ModelCheckpoint("a", name).mode == "min"


@pytest.mark.parametrize("monitor", ["loss", "mae", "val_mae"])
def test_every_figure_can_be_watched(monitor):
    model, x, y = make_batch("float32")
    stopping = fr.EarlyStopping(monitor, patience=3)
    trainer = fr.Trainer(model, metrics=["mae"])
    history = trainer.fit(x, y, epochs=3, validation_split=0.3, callbacks=[stopping], verbose=0)
    assert trainer.figures == ["loss", "mae", "val_loss", "val_mae"]
    assert stopping.best == min(history.history[monitor])


# ---------------------------------------------------------------------------------------------- checkpoints


def epochs_in(path: Any) -> int:
    return len(fr.Trainer.resume(path).history.epoch)


def test_every_epoch_is_saved(monkeypatch, path):
    run, seen = Run(monkeypatch, [1.0, 2.0, 3.0]), []
    run.fit(fr.ModelCheckpoint(path), lambda *_: seen.append(epochs_in(path)))
    assert seen == [1, 2, 3]
    for a, b in zip(fr.load(path).get_weights(), run.weights[2], strict=True):
        assert_array_equal(a, b)
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    ("values", "settings", "kept"),
    [
        ([3.0, 1.0, 2.0], {}, [1, 2, 2]),
        ([3.0, 1.0, 2.0, 0.5], {"mode": "max"}, [1, 1, 1, 1]),
        ([3.0, NAN, 2.0], {}, [1, 1, 3]),
        ([3.0, 3.0], {}, [1, 1]),
    ],
)
def test_the_best_epoch_is_saved(monkeypatch, path, values, settings, kept):
    run, seen = Run(monkeypatch, values), []
    run.fit(fr.ModelCheckpoint(path, save_best_only=True, **settings), lambda *_: seen.append(epochs_in(path)))
    assert seen == kept
    for a, b in zip(fr.load(path).get_weights(), run.weights[kept[-1] - 1], strict=True):
        assert_array_equal(a, b)


def test_nothing_is_saved_of_a_run_that_is_nan_from_the_start(monkeypatch, path):
    Run(monkeypatch, [NAN, NAN]).fit(fr.ModelCheckpoint(path, save_best_only=True))
    assert os.listdir(path.parent) == []


def test_figures_are_not_looked_at_where_every_epoch_is_saved(path):
    model, x, y = make_batch("float32")
    fr.Trainer(model).fit(x, y, epochs=1, callbacks=[fr.ModelCheckpoint(path)], verbose=0)
    assert epochs_in(path) == 1


def test_a_resumed_trainer_goes_on_comparing_with_its_best(monkeypatch, path, tmp_path):
    """Resumed from the best epoch, or from a later one beside it."""
    last = tmp_path / "last.ckpt"
    run = Run(monkeypatch, [3.0, 1.0, 2.0])
    run.fit(fr.ModelCheckpoint(path, save_best_only=True), fr.ModelCheckpoint(last))
    for source, values, kept in ((last, [1.5], 2), (path, [1.5, 1.0], 2), (last, [1.5, 0.5, 0.7], 5)):
        resumed = Run(monkeypatch, values, fr.Trainer.resume(source))
        resumed.fit(fr.ModelCheckpoint(path, save_best_only=True))
        assert epochs_in(path) == kept


def test_the_same_callback_in_the_next_fit_goes_on_comparing(monkeypatch, path):
    run = Run(monkeypatch, [3.0, 1.0, 2.0, 1.5])
    checkpoint = fr.ModelCheckpoint(path, save_best_only=True)
    run.epochs = 2
    run.fit(checkpoint)
    run.fit(checkpoint)
    assert epochs_in(path) == 2
    assert checkpoint.best == 1.0


@pytest.mark.parametrize("there", ["another run", "model", "text"])
def test_what_is_not_of_this_run_is_replaced(monkeypatch, path, there):
    if there == "another run":
        Run(monkeypatch, [0.1, 0.1]).fit(fr.ModelCheckpoint(path, save_best_only=True))
    elif there == "model":
        make_batch("float32").model.save(path)
    else:
        path.write_text("something else")
    run = Run(monkeypatch, [3.0, 2.0, 4.0])
    run.epochs = 1
    run.trainer.fit(run.x, run.y, epochs=3, verbose=0)
    run.fit()
    run.epochs = 2
    run.fit(fr.ModelCheckpoint(path, save_best_only=True))
    assert epochs_in(path) == 5
    assert fr.Trainer.resume(path).history.history["val_loss"][-1] == 2.0


def test_a_new_trainer_begins_a_run_of_its_own(monkeypatch, path):
    Run(monkeypatch, [0.1]).fit(fr.ModelCheckpoint(path, save_best_only=True))
    run = Run(monkeypatch, [3.0, 2.0, 4.0])
    run.fit(fr.ModelCheckpoint(path, save_best_only=True))
    assert fr.Trainer.resume(path).history.history["val_loss"] == [3.0, 2.0]


@pytest.mark.parametrize("optimizer", [fr.Adam(0.01), fr.Adagrad(0.1)])
def test_a_run_that_was_interrupted_ends_as_if_it_had_not(path, optimizer):
    def interrupt(epoch: int, figures: dict[str, float]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    model, x, y = make_batch("float32")
    whole = fr.Trainer(make_batch("float32").model, optimizer=optimizer)
    whole.fit(x, y, epochs=6, batch_size=4, verbose=0)
    with pytest.raises(KeyboardInterrupt):
        fr.Trainer(model, optimizer=optimizer).fit(
            x, y, epochs=6, batch_size=4, callbacks=[fr.ModelCheckpoint(path), interrupt], verbose=0
        )
    resumed = fr.Trainer.resume(path)
    resumed.fit(x, y, epochs=6 - len(resumed.history.epoch), batch_size=4, verbose=0)
    assert resumed.history.history == whole.history.history
    for a, b in zip(resumed.model.get_weights(), whole.model.get_weights(), strict=True):
        assert_array_equal(a, b)


# ---------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("name", "error", "match"),
    [
        ("absent/best.ckpt", FileNotFoundError, "absent is no folder; create it first"),
        ("", IsADirectoryError, "it is no file; expected the name of a file"),
        pytest.param(
            "/proc/best.ckpt", OSError, "/proc/best.ckpt cannot be written: .*; choose another folder",
            marks=pytest.mark.skipif(not os.path.isdir("/proc"), reason="no /proc"),
        ),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_written_is_refused_before_training(tmp_path, name, error, match):
    model, x, y = make_batch("float32")
    before, trainer = model.get_weights(), fr.Trainer(model)
    with pytest.raises(error, match=match):
        trainer.fit(x, y, callbacks=[fr.ModelCheckpoint(tmp_path / name)], verbose=0)
    for a, b in zip(model.get_weights(), before, strict=True):
        assert_array_equal(a, b)
    assert trainer.history.epoch == os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("monitor", "validates", "message"),
    [
        ("val_los", True, "monitor is 'val_los'; expected one of loss, mae, val_loss, val_mae"),
        ("accuracy", False, "monitor is 'accuracy'; expected one of loss, mae"),
        (
            "val_loss",
            False,
            "monitor is 'val_loss'; expected one of loss, mae, or validation_data or validation_split for the others",
        ),
    ],
)
@pytest.mark.parametrize("kind", [fr.EarlyStopping, fr.ModelCheckpoint])
def test_a_figure_that_there_is_not_is_refused_before_training(tmp_path, kind, monitor, validates, message):
    model, x, y = make_batch("float32")
    before, trainer = model.get_weights(), fr.Trainer(model, metrics=["mae"])
    if kind is fr.EarlyStopping:
        callback = kind(monitor, restore_best_weights=True)
    else:
        callback = kind(tmp_path / "best.ckpt", monitor, save_best_only=True)
    with pytest.raises(ValueError, match=f"^{message}") as refusal:
        trainer.fit(x, y, validation_split=0.3 if validates else 0.0, callbacks=[callback], verbose=0)
    assert validates or "one of loss, mae" in str(refusal.value)
    for a, b in zip(model.get_weights(), before, strict=True):
        assert_array_equal(a, b)
    assert trainer.history.epoch == os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: fr.EarlyStopping(patience=-1), ValueError, "patience is -1; expected a whole number from 0 up"),
        (lambda: fr.EarlyStopping(patience=1.5), ValueError, "patience is 1.5; expected"),
        (lambda: fr.EarlyStopping(min_delta=-0.1), ValueError, "min_delta is -0.1; expected a number from 0 up"),
        (lambda: fr.EarlyStopping(min_delta=NAN), ValueError, "min_delta is nan; expected a number"),
        (lambda: fr.EarlyStopping("val_loss", 3, True), ValueError, "min_delta is True; expected a number"),
        (lambda: fr.EarlyStopping(restore_best_weights="no"), ValueError, "restore_best_weights is 'no'; expected"),
        (lambda: fr.ModelCheckpoint("a", save_best_only="no"), ValueError, "save_best_only is 'no'; expected True or"),
        (lambda: fr.ModelCheckpoint("a", save_best_only=1), ValueError, "save_best_only is 1; expected True or False"),
        (lambda: fr.EarlyStopping(mode="best"), ValueError, "mode is 'best'; expected one of min, max"),
        (lambda: fr.EarlyStopping(monitor=3), TypeError, "monitor is 3; expected the name of a figure"),
        (lambda: fr.ModelCheckpoint("a", mode="auto"), ValueError, "mode is 'auto'; expected one of min, max"),
        (lambda: fr.ModelCheckpoint("a", None), TypeError, "monitor is None; expected the name of a figure"),
        (lambda: fr.ModelCheckpoint(3), TypeError, "path is 3; expected the name of a file"),
    ],
)
def test_settings_out_of_range(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_numpys_numbers_are_numbers():
    assert fr.EarlyStopping(patience=np.int64(2), min_delta=np.float32(0.5)).patience == 2
    assert fr.EarlyStopping(restore_best_weights=np.True_).restore_best_weights is True


def interrupted_somewhere(call: Callable[[], None]) -> Iterator[None]:
    """Break a call off at each of its steps of Python in turn, as Ctrl-C does."""
    for stop in itertools.count(1):
        steps = itertools.count(1)

        def trace(frame: Any, event: str, argument: Any, stop: int = stop, steps: Any = steps) -> Any:
            frame.f_trace_opcodes = True
            if next(steps) == stop:
                raise KeyboardInterrupt
            return trace

        try:
            sys.settrace(trace)
            call()
        except KeyboardInterrupt:
            sys.settrace(None)
            yield
        else:
            sys.settrace(None)
            return


def test_a_history_enters_each_epoch_once_wherever_it_is_broken_off() -> None:
    history = History()
    for _ in interrupted_somewhere(lambda: history.append(len(history.epoch), {"loss": float(len(history.epoch))})):
        assert history.history["loss"] == history.epoch == list(range(len(history.epoch))) if history.epoch else True
    assert len(history.epoch) > 5


def test_settings_broken_off_on_their_way_count_the_next_time() -> None:
    x, y = np.ones((4, 3, 2)), np.ones((4, 1))
    trainer = fr.Trainer(fr.Sequential([fr.SimpleRNN(2), fr.Dense(1)]), optimizer=fr.SGD(0.1))
    trainer.fit(x, y, epochs=1, verbose=0)
    plan = trainer._plan
    assert plan is not None
    trainer.optimizer = fr.SGD(1e-30)
    for _ in interrupted_somewhere(lambda: plan.tune(trainer.training)):
        before = trainer.model.get_weights()
        trainer.fit(x, y, epochs=1, verbose=0)
        for a, b in zip(trainer.model.get_weights(), before, strict=True):
            assert_array_equal(a, b)
        trainer.optimizer = fr.SGD(0.1)
        trainer.fit(x, y, epochs=1, verbose=0)
        trainer.optimizer = fr.SGD(1e-30)
