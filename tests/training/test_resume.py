"""Checkpoints: a trainer that was saved and resumed goes on as if nothing had happened; all else is refused."""

import copy
import errno
import inspect
import os
import pickle
import threading
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from fastrnn.engine.team import Team
from fastrnn.forecast import Forecaster
from fastrnn.ground.files import FileFormatError, write_tensors
from fastrnn.storage.trainer_file import CheckpointHeader, TrainerSettings, checkpoint_of
from fastrnn.training.history import History
from tests.helpers.laws import make_batch

OPTIMIZERS = {
    "sgd": fr.SGD(0.05),
    "momentum": fr.SGD(0.05, momentum=0.9, nesterov=True),
    "adam": fr.Adam(0.01),
    "rmsprop": fr.RMSProp(0.01),
    "rmsprop with momentum": fr.RMSProp(0.001, momentum=0.9),
    "adagrad": fr.Adagrad(0.1),
}
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
SETTINGS: dict[str, Any] = {
    "loss": "mae", "optimizer": fr.RMSProp(0.02, rho=0.8, momentum=0.5, epsilon=1e-3), "metrics": ["mse", "mae"],
    "clip_value": 0.5, "clip_norm": 0.25, "tbptt": (3, 4), "tbptt_update": "chunk", "threads": 2, "seed": 2**70,
    "recompute": None,
}  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.ckpt"


def make_trainer(dtype: str = "float32", **settings: Any) -> fr.Trainer:
    """Return a trainer of a stack with every kind of dropout."""
    stack = [
        fr.LSTM(5, return_sequences=True, dropout=0.2, recurrent_dropout=0.3),
        fr.Dropout(0.25),
        fr.GRU(4, return_sequences=True),
        fr.Dense(2),
    ]
    return fr.Trainer(fr.Sequential(stack, input_size=3, dtype=dtype, seed=1), **{"seed": 3, **settings})


def make_data(samples: int = 12, steps: int = 8) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {"x": rng.standard_normal((samples, steps, 3)), "y": rng.standard_normal((samples, steps, 2)), "verbose": 0}


def assert_same(one: fr.Trainer, other: fr.Trainer) -> None:
    """Assert that weights and history have the same bits."""
    for a, b in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()
    assert one.history.epoch == other.history.epoch
    assert list(one.history.history) == list(other.history.history)
    for name, values in one.history.history.items():
        assert_array_equal(values, other.history.history[name])


# ---------------------------------------------------------------------------------------------- going on


@every_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("settings", "fit"),
    [
        ({}, {"batch_size": 5}),
        ({"metrics": ["mae"], "clip_norm": 0.1}, {"batch_size": 4, "validation_split": 0.25}),
        ({"tbptt": 3}, {"batch_size": 4, "shuffle": False, "carry_state": True}),
        ({"tbptt": (2, 3), "tbptt_update": "chunk", "threads": 2}, {"batch_size": 3}),
        ({"recompute": "sqrt"}, {"batch_size": 12, "sample_weight": np.arange(12.0)}),
    ],
    ids=["plain", "validation", "carry", "chunk", "recompute"],
)
def test_a_fit_saved_and_resumed_is_one_fit(path, optimizer, dtype, settings, fit):
    once, halves = (make_trainer(dtype, optimizer=optimizer, **settings) for _ in range(2))
    data = make_data() | fit
    once.fit(epochs=4, **data)
    halves.fit(epochs=2, **data)
    halves.save_checkpoint(path)
    resumed = fr.Trainer.resume(path)
    assert_same(resumed, halves)
    resumed.fit(epochs=2, **data)
    assert_same(resumed, once)
    halves.fit(epochs=2, **data)
    assert_same(halves, once)


@every_optimizer
def test_the_next_fit_may_have_another_shape(path, optimizer):
    """The optimizer's state and dropout's count go with the weights, not with the shape of a minibatch."""
    trainer = make_trainer(optimizer=optimizer)
    trainer.fit(epochs=2, batch_size=4, **make_data())
    trainer.save_checkpoint(path)
    resumed = fr.Trainer.resume(path)
    for one in (trainer, resumed):
        one.fit(epochs=1, batch_size=5, **make_data(steps=6))
        one.fit(epochs=1, batch_size=4, **make_data())
    assert_same(resumed, trainer)


def test_saving_twice_without_training_in_between_changes_nothing(path):
    trainer = make_trainer()
    trainer.fit(epochs=1, **make_data())
    trainer.save_checkpoint(path)
    first = path.read_bytes()
    trainer.save_checkpoint(path)
    assert path.read_bytes() == first
    fr.Trainer.resume(path).save_checkpoint(path)
    assert path.read_bytes() == first


def test_saving_before_any_fit(path):
    trainer = make_trainer()
    trainer.save_checkpoint(path)
    resumed = fr.Trainer.resume(path)
    assert resumed.history.epoch == []
    for one in (trainer, resumed):
        one.fit(epochs=2, batch_size=5, **make_data())
    assert_same(resumed, trainer)


def test_a_model_without_weights_has_nothing_to_save(path):
    with pytest.raises(ValueError, match="no weights yet; expected input_size"):
        fr.Trainer(fr.Sequential([fr.SimpleRNN(2)])).save_checkpoint(path)
    assert not path.exists()


def test_saving_from_a_callback_holds_the_epoch_that_has_ended(path):
    once = make_trainer()

    def save(epoch: int, figures: dict[str, float]) -> None:
        if epoch == 1:
            once.save_checkpoint(path)

    once.fit(epochs=5, batch_size=5, callbacks=[save], **make_data())
    resumed = fr.Trainer.resume(path)
    assert resumed.history.epoch == [0, 1]
    resumed.fit(epochs=3, batch_size=5, **make_data())
    assert_same(resumed, once)


def test_saving_in_the_middle_of_an_epoch(path):
    class Saves(fr.Callback):
        weights: Any = None

        def begin(self, trainer: fr.Trainer, epochs: int, samples: int) -> None:
            self.trainer = trainer

        def progress(self, epoch: int, samples: int) -> None:
            if self.weights is None and epoch == 1 and samples < 12:
                self.trainer.save_checkpoint(path)
                self.weights = self.trainer.model.get_weights()

    saves, trainer = Saves(), make_trainer()
    trainer.fit(epochs=3, batch_size=1, callbacks=[saves], **make_data())
    resumed = fr.Trainer.resume(path)
    assert resumed.history.epoch == [0]
    for a, b in zip(resumed.model.get_weights(), saves.weights, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("place", ["callback", "minibatch"])
def test_a_fit_that_was_interrupted_can_be_saved(path, place, monkeypatch):
    trainer = make_trainer(threads=1)
    trainer.fit(epochs=1, batch_size=5, **make_data())
    run, calls = Team.run, []

    def interrupted(self: Team, *arguments: Any) -> None:
        run(self, *arguments)
        calls.append(self)
        if len(calls) == 5:
            raise KeyboardInterrupt

    def interrupt(epoch: int, figures: dict[str, float]) -> None:
        raise KeyboardInterrupt

    if place == "minibatch":
        monkeypatch.setattr(Team, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        callbacks = [interrupt] if place == "callback" else []
        trainer.fit(epochs=5, batch_size=5, callbacks=callbacks, **make_data())
    monkeypatch.undo()
    trainer.save_checkpoint(path)
    resumed = fr.Trainer.resume(path)
    assert_same(resumed, trainer)
    for one in (trainer, resumed):
        one.fit(epochs=2, batch_size=4, **make_data())
    assert_same(resumed, trainer)


def test_history_of_all_fits(path):
    trainer = make_trainer(metrics=["mae"])
    first = trainer.fit(epochs=2, **make_data())
    second = trainer.fit(epochs=1, validation_split=0.25, **make_data())
    assert first.epoch == [0, 1]
    assert second.epoch == [0]
    assert trainer.history.epoch == [0, 1, 2]
    history = trainer.history.history
    assert history["loss"] == first.history["loss"] + second.history["loss"]
    assert_array_equal(history["val_mae"], [np.nan, np.nan, *second.history["val_mae"]])
    trainer.fit(epochs=1, **make_data())
    assert [np.isnan(v) for v in trainer.history.history["val_loss"]] == [True, True, False, True]
    trainer.save_checkpoint(path)
    resumed = fr.Trainer.resume(path)
    assert_same(resumed, trainer)
    assert all(type(v) is float for v in resumed.history.history["val_loss"])


@pytest.mark.parametrize("place", range(4))
def test_an_epoch_is_in_all_lists_of_a_history_or_in_none(place):
    """Wherever between them Ctrl-C comes."""
    interrupts = [place]

    class Figures(dict):
        def get(self, *arguments):
            if interrupts and interrupts.pop() == 0:
                raise KeyboardInterrupt
            return super().get(*arguments)

    history = History({"loss": [1.0], "mae": [2.0]})
    if place < 3:
        interrupts[:] = [0, *[1] * place]
        with pytest.raises(KeyboardInterrupt):
            history.append(1, Figures(loss=3.0, mae=4.0, val_loss=5.0))
    else:
        history.append(1, Figures(loss=3.0, mae=4.0, val_loss=5.0))
    history.append(2, {"loss": 6.0, "mae": 7.0})
    assert history.epoch == [0, 1, 2]
    expected = {"loss": [1.0, 3.0, 6.0], "mae": [2.0, 4.0, 7.0], "val_loss": [np.nan, 5.0, np.nan]}
    for name, values in history.history.items():
        assert_array_equal(values, expected[name])
    assert list(history.history) == list(expected)


# ---------------------------------------------------------------------------------------------- copies

COPIES = {"pickle": lambda whole: pickle.loads(pickle.dumps(whole)), "deepcopy": copy.deepcopy}
every_copy = pytest.mark.parametrize("make_copy", COPIES.values(), ids=COPIES)


@every_copy
@every_optimizer
def test_a_copy_of_a_trainer_goes_on_as_it_does(make_copy, optimizer):
    """In its own time: what one learns the other does not know."""
    trainer = make_trainer(optimizer=optimizer, metrics=["mae"])
    copies = [make_copy(trainer)]
    trainer.fit(epochs=2, batch_size=5, **make_data())
    copies[0].fit(epochs=2, batch_size=5, **make_data())
    assert_same(copies[0], trainer)
    copies.append(make_copy(trainer))
    copies.append(make_copy(copies[1]))
    trainer.fit(epochs=2, batch_size=5, **make_data())
    for other in copies:
        other.fit(epochs=2, batch_size=5, **make_data())
        assert_same(other, trainer)


@every_copy
def test_a_trainer_and_its_callbacks_are_copied_after_a_fit_and_within(make_copy, tmp_path):
    watching = [
        fr.EarlyStopping("loss", patience=2),
        fr.ModelCheckpoint(tmp_path / "best.ckpt", "loss", save_best_only=True),
        fr.ProgressBar(),
    ]
    trainer, within = make_trainer(), []

    def take(epoch: int, figures: dict[str, float]) -> None:
        if epoch == 1:
            within.append(make_copy((trainer, watching)))

    data = make_data()
    trainer.fit(epochs=2, batch_size=5, callbacks=[*watching, take], **data)
    after, callbacks = make_copy((trainer, watching))
    assert [callback.best for callback in callbacks[:2]] == [watching[0].best] * 2
    for one in (trainer, after, within[0][0]):
        one.fit(epochs=2, batch_size=5, callbacks=watching if one is trainer else callbacks, **data)
        assert_same(one, trainer)
    assert within[0][1][0].best < np.inf


@every_copy
def test_a_trainer_whose_model_has_no_weights_is_copied(make_copy):
    x, y = np.ones((4, 3, 2)), np.ones((4, 1))
    trainers = [fr.Trainer(fr.Sequential([fr.SimpleRNN(3), fr.Dense(1)], seed=5))]
    trainers.append(make_copy(trainers[0]))
    for trainer in trainers:
        trainer.fit(x, y, epochs=2, verbose=0)
    assert_same(*trainers)
    assert repr(make_copy(trainers[0].history).history) == repr(trainers[0].history.history)


def test_settings_come_back(path):
    model, x, y = make_batch("float32")
    trainer = fr.Trainer(model, **SETTINGS)
    trainer.fit(x, y, epochs=1, verbose=0)
    trainer.save_checkpoint(path)
    resumed = fr.Trainer.resume(path)
    assert (resumed.loss, resumed.optimizer, resumed.metrics) == ("mae", SETTINGS["optimizer"], ["mse", "mae"])
    assert resumed.training == trainer.training
    assert resumed.threads == 2
    assert checkpoint_of(resumed)[1].trainer == TrainerSettings(**SETTINGS)
    fr.Trainer(model, recompute="sqrt").save_checkpoint(path)
    assert fr.Trainer.resume(path).training.recompute


def test_every_setting_of_a_trainer_is_saved():
    names = [name for name in inspect.signature(fr.Trainer).parameters if name != "model"]
    assert list(TrainerSettings.__struct_fields__) == names == list(SETTINGS)


def test_numpys_numbers_are_numbers(path):
    model, _, _ = make_batch("float32")
    fr.Trainer(model, threads=np.int64(2), seed=np.int32(4), clip_norm=np.float32(0.5)).save_checkpoint(path)
    resumed = fr.Trainer.resume(path)
    assert (resumed.threads, resumed.training.dropout_seed, resumed.training.clip_norm) == (2, 4, 0.5)


# ---------------------------------------------------------------------------------------------- other kinds


def test_load_reads_the_model_of_a_checkpoint(path):
    trainer = make_trainer()
    trainer.fit(epochs=1, **make_data())
    trainer.save_checkpoint(path)
    x = make_data()["x"]
    assert fr.load(path).predict(x).tobytes() == trainer.model.predict(x).tobytes()


def test_a_plain_model_cannot_be_resumed(path):
    make_trainer().model.save(path)
    with pytest.raises(FileFormatError, match=r"run.ckpt: a file of kind 'model'; expected .*'checkpoint'.*save_che"):
        fr.Trainer.resume(path)


def test_a_checkpoint_is_no_forecaster(path):
    make_trainer().save_checkpoint(path)
    with pytest.raises(FileFormatError, match="a file of kind 'checkpoint'; expected a file of kind 'model'"):
        Forecaster.load(path)


@pytest.mark.parametrize("wrong", [3, None, True, b"run.ckpt", ["run.ckpt"]])
@pytest.mark.parametrize(
    "call",
    [
        lambda path: make_trainer().save_checkpoint(path),
        lambda path: make_trainer().model.save(path),
        fr.Trainer.resume,
        fr.load,
        Forecaster.load,
    ],
    ids=["save_checkpoint", "save", "resume", "load", "load of a forecaster"],
)
def test_a_path_is_text_or_a_path(call, wrong):
    """A number is not taken for a descriptor, which reading would close."""
    with pytest.raises(TypeError, match=r"^path is .*; expected the name of a file, such as ") as refusal:
        call(wrong)
    assert repr(wrong) in str(refusal.value)


# ---------------------------------------------------------------------------------------------- failures while saving


@pytest.mark.parametrize(
    ("name", "error"), [("absent/run.ckpt", FileNotFoundError), ("", IsADirectoryError), ("/proc/run.ckpt", OSError)]
)
def test_a_place_that_cannot_be_written(tmp_path, name, error):
    if name.startswith("/proc") and not os.path.isdir("/proc"):
        pytest.skip("no /proc")
    trainer = make_trainer()
    trainer.fit(epochs=1, **make_data())
    with pytest.raises(error, match="as it was"):
        trainer.save_checkpoint(tmp_path / name)
    assert os.listdir(tmp_path) == []
    trainer.fit(epochs=1, **make_data())


def test_a_full_disk_leaves_the_old_checkpoint(path, monkeypatch):
    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    trainer = make_trainer()
    trainer.save_checkpoint(path)
    before = path.read_bytes()
    trainer.fit(epochs=1, **make_data())
    with monkeypatch.context() as patch, pytest.raises(OSError, match="as it was"):
        patch.setattr(os, "fsync", fail)
        trainer.save_checkpoint(path)
    assert os.listdir(path.parent) == [path.name]
    assert path.read_bytes() == before


def test_saving_while_another_thread_fits_is_refused(path):
    trainer, failures = make_trainer(), []

    def elsewhere() -> None:
        try:
            trainer.save_checkpoint(path)
        except RuntimeError as error:
            failures.append(str(error))

    def save(epoch: int, figures: dict[str, float]) -> None:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()

    trainer.fit(epochs=1, callbacks=[save], **make_data())
    assert len(failures) == 1
    assert "fitting in another thread; expected" in failures[0]
    assert not path.exists()
    elsewhere()
    assert path.exists()


# ---------------------------------------------------------------------------------------------- refusals


def assert_refused(path, match="expected"):
    for read in (fr.Trainer.resume, fr.load):
        with pytest.raises(FileFormatError, match=match) as refusal:
            read(path)
        assert str(refusal.value).startswith(str(path))
        assert "\n" not in str(refusal.value)


def test_a_file_cut_off_or_changed(path):
    trainer = fr.Trainer(fr.Sequential([fr.SimpleRNN(2)], input_size=1))
    trainer.fit(np.ones((2, 3, 1)), np.ones((2, 2)), epochs=2, verbose=0)
    trainer.save_checkpoint(path)
    whole = path.read_bytes()
    for end in range(0, len(whole), 61):
        path.write_bytes(whole[:end])
        assert_refused(path)
        path.write_bytes(whole[:end] + bytes([whole[end] ^ 16]) + whole[end + 1 :])
        assert_refused(path)


def test_a_later_version_of_the_format(path):
    make_trainer().save_checkpoint(path)
    data = path.read_bytes().replace(rb"{\"version\":1,", rb"{\"version\":2,", 1)
    path.write_bytes(data)
    assert_refused(path, "version 2 of the file format; expected version 1: upgrade fastrnn")


def test_no_file_and_a_foreign_one(path):
    with pytest.raises(FileNotFoundError, match=r"run\.ckpt"):
        fr.Trainer.resume(path)
    path.write_text("not a checkpoint")
    assert_refused(path)


def saved() -> tuple[dict[str, Any], CheckpointHeader]:
    """Return the arrays and the header of a checkpoint of a small model with one epoch behind it."""
    trainer = fr.Trainer(fr.Sequential([fr.SimpleRNN(2)], input_size=1), optimizer=fr.SGD(0.1, momentum=0.5))
    trainer.fit(np.ones((2, 3, 1)), np.ones((2, 2)), epochs=1, verbose=0)
    return checkpoint_of(trainer)


ZEROS = np.zeros(2, np.float32)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"optimizer.velocity.simple_rnn.bias": None}, "no array 'simple_rnn.bias'"),
        ({"optimizer.velocity.simple_rnn.more": ZEROS}, "an array 'simple_rnn.more'"),
        ({"optimizer.velocity.simple_rnn.bias": np.zeros(3, np.float32)}, r"simple_rnn.bias of float32 and shape \(3,"),
        ({"optimizer.velocity.simple_rnn.bias": np.zeros(2)}, "simple_rnn.bias of float64"),
        ({"optimizer.mean.simple_rnn.bias": ZEROS}, "an array 'optimizer.mean.simple_rnn.bias'"),
        ({"simple_rnn.bias": ZEROS}, "an array 'simple_rnn.bias'"),
        ({"history.loss": None}, "no array 'loss'"),
        ({"history.mae": np.zeros(1)}, "an array 'mae'"),
        ({"history.loss": np.zeros((2, 2))}, r"loss of float64 and shape \(2, 2\)"),
        ({"history.loss": np.zeros(1, np.float32)}, "loss of float32"),
    ],
)
def test_arrays_that_are_not_those_of_the_header(path, changes, match):
    tensors, header = saved()
    write_tensors(path, {k: v for k, v in (tensors | changes).items() if v is not None}, header)
    with pytest.raises(FileFormatError, match=match) as refusal:
        fr.Trainer.resume(path)
    assert "run.ckpt" in str(refusal.value)


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("", {"updates": -1}),
        ("", {"updates": 2**63}),
        ("", {"draws": 1.5}),
        ("", {"figures": ["loss", 1]}),
        ("", {"more": 1}),
        ("", {"trainer": {}}),
        ("model", {"input_size": 2}),
        ("model", {"layers": [{"type": "Dense", "units": 2}]}),
        ("shuffling", {"state": "x"}),
        ("shuffling", {"state": "-1"}),
        ("shuffling", {"inc": "1" * 33}),
        ("shuffling", {"has_uint32": 2}),
        ("shuffling", {"uinteger": 2**32}),
        ("trainer", {"loss": "other"}),
        ("trainer", {"metrics": "mae"}),
        ("trainer", {"metrics": ["other"]}),
        ("trainer", {"optimizer": {"type": "Other"}}),
        ("trainer", {"optimizer": {"type": "SGD", "momentum": 2}}),
        ("trainer", {"optimizer": {"type": "Adam"}}),
        ("trainer", {"optimizer": None}),
        ("trainer", {"clip_norm": -1.0}),
        ("trainer", {"clip_value": "1"}),
        ("trainer", {"tbptt": [1, 2, 3]}),
        ("trainer", {"tbptt": [0, 2]}),
        ("trainer", {"tbptt_update": "other"}),
        ("trainer", {"threads": 0}),
        ("trainer", {"seed": -1}),
        ("trainer", {"recompute": True}),
        ("trainer", {"more": 1}),
    ],
    ids=str,
)
def test_a_hostile_description(path, part, change):
    """Each with a right digest and the arrays of the unchanged description, which alone is resumed."""

    class Envelope(msgspec.Struct, tag="checkpoint"):
        model: dict[str, Any]
        trainer: dict[str, Any]
        updates: Any
        draws: Any
        shuffling: dict[str, Any]
        figures: Any
        more: Any = msgspec.UNSET

    tensors, header = saved()
    plain = msgspec.to_builtins(header)
    del plain["type"]
    write_tensors(path, tensors, Envelope(**plain))
    assert fr.Trainer.resume(path).history.epoch == [0]
    if part:
        plain[part] |= change
    else:
        plain |= change
    write_tensors(path, tensors, Envelope(**plain))
    with pytest.raises(FileFormatError, match="expected") as refusal:
        fr.Trainer.resume(path)
    assert str(path) in str(refusal.value)
