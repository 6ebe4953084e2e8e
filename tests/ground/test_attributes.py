"""Public attributes: what is set counts from then on, or is refused with what to do instead; nothing is only shown."""

import copy
import pickle
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from fastrnn import initializers
from fastrnn.forecast import Forecaster
from fastrnn.layers import Layer
from fastrnn.model.stream import Stream
from fastrnn.optimizers import Optimizer
from fastrnn.text import TextModel
from tests.helpers.laws import Batch, make_batch, make_states
from tests.searches.changes import check


def make_trainer(**settings: Any) -> tuple[fr.Trainer, Batch]:
    batch = make_batch("float64", N=12)
    return fr.Trainer(batch.model, **settings), batch


@fr.cell("z")
def own(z: Any, h: Any) -> Any:
    return z + h


def make_all() -> dict[type, Any]:
    """Return an object of every public class that has attributes, by its class."""
    trainer, batch = make_trainer()
    layers = (
        [kind(3) for kind in (*fr.layers.CELLS.values(), fr.Dense, fr.OneHot)]
        + [fr.Embedding(3, 2), fr.Dropout(0.5), fr.Bidirectional(fr.GRU(2))]
        + [fr.Recurrent(own, 3)]
    )  # fmt: skip
    draws = [kind() for kind in (initializers.Zeros, initializers.Orthogonal, initializers.GlorotUniform)]
    objects = [
        *(trainer, batch.model, batch.model.stream(), trainer.history),
        *(fr.EarlyStopping(), fr.ModelCheckpoint("a"), fr.ProgressBar(), fr.Callback()),
        *(
            *(make() for make in fr.optimizers.OPTIMIZERS.values()),
            *(make() for make in fr.losses.LOSSES.values()),
            *layers,
            *draws,
        ),
        *(initializers.Constant(1), initializers.Normal(1), initializers.Uniform(0, 1), initializers.TorchUniform()),
        *(Forecaster(), TextModel()),
    ]
    return {type(thing): thing for thing in objects}


SETTINGS: dict[str, Any] = {
    "loss": "mae", "optimizer": fr.RMSProp(0.02), "metrics": ["mae"], "clip_value": 1e-3, "clip_norm": 1e-2, "tbptt": 3,
    "tbptt_update": "chunk", "threads": 2, "seed": 7, "recompute": "sqrt",
}  # fmt: skip
"""Other values than the defaults for all that a trainer is told."""
TAKEN: dict[type, set[str]] = {
    fr.Trainer: {*SETTINGS, "history"},
    Stream: {"state"},
    fr.EarlyStopping: {"monitor", "mode", "patience", "min_delta", "restore_best_weights"},
    fr.ModelCheckpoint: {"monitor", "mode", "path", "save_best_only"},
    Forecaster: {"recipe", *Forecaster.__dataclass_fields__},
    TextModel: {"recipe", *TextModel.__dataclass_fields__},
}
"""What may be set; each has its test here, or is data or a result that stands for itself."""


def public(thing: Any) -> list[str]:
    names = (name for name in dir(thing) if not name.startswith("_"))
    return [name for name in names if not callable(getattr(type(thing), name, None))]


def test_the_list_is_whole() -> None:
    classes = {value for name in fr.__all__ if isinstance(value := getattr(fr, name), type)}
    assert classes - {fr.TrainingWarning} <= make_all().keys()
    assert {value for value in vars(initializers).values() if isinstance(value, type)} & make_all().keys()
    assert set(SETTINGS) == {field.name for field in msgspec.structs.fields(make_trainer()[0].settings)}


@pytest.mark.parametrize("kind", make_all(), ids=lambda kind: kind.__name__)
def test_what_cannot_be_set_says_what_can(kind: type) -> None:
    thing = make_all()[kind]
    for name in public(thing):
        if name in TAKEN.get(kind, ()):
            setattr(thing, name, getattr(thing, name))
            continue
        with pytest.raises(AttributeError, match=rf"^{name} of a {kind.__name__} cannot be set.*; expected \S+"):
            setattr(thing, name, None)


@pytest.mark.parametrize(
    "kind", [k for k in make_all() if k not in (fr.Callback, fr.ProgressBar)], ids=lambda k: k.__name__
)
def test_a_name_that_there_is_not_is_refused(kind: type) -> None:
    with pytest.raises(AttributeError, match=r"'?learningrate'?.*; expected \S+"):
        make_all()[kind].learningrate = 0.1


def test_a_class_of_ones_own_may_have_more() -> None:
    class Mine(fr.EarlyStopping):
        def __init__(self) -> None:
            super().__init__()
            self.told = 3

    class Named(fr.Trainer):
        label = "a"

    mine, named = Mine(), Named(make_trainer()[0].model)
    mine.told, named.tag = 4, "b"
    assert (mine.told, named.tag) == (4, "b")


def test_lists_are_not_changed_in_place() -> None:
    trainer, batch = make_trainer(metrics=["mae"])
    for change in (
        lambda: trainer.metrics.append("mse"),
        lambda: trainer.metrics.clear(),
        lambda: trainer.figures.append("bits"),
        lambda: trainer.model.layers.append(fr.Dense(1)),
        lambda: trainer.model.layers.__setitem__(0, fr.LSTM(3)),
        lambda: trainer.model.state_sizes.pop(),
    ):
        with pytest.raises(AttributeError, match=r"cannot be changed; expected \S+"):
            change()
    trainer.metrics += ["mse"]
    assert trainer.metrics == ["mae", "mse"]
    assert list(trainer.fit(batch.x, batch.y, epochs=1, verbose=0).history) == ["loss", "mae", "mse"]
    layers = trainer.model.layers
    assert isinstance(layers, list)
    assert type(layers[:-1]) is type(layers * 1) is type(copy.deepcopy(layers)) is list
    assert pickle.loads(pickle.dumps(layers)) == layers


# ---------------------------------------------------------------------------------------------- a trainer's settings


def run(trainer: fr.Trainer, batch: Batch, epochs: int, *callbacks: Any) -> dict[str, list[float]]:
    return trainer.fit(batch.x, batch.y, epochs, 4, callbacks=callbacks, validation_split=0.25, verbose=0).history


def outcome(trainer: fr.Trainer) -> list[Any]:
    return [trainer.history.history, *trainer.model.get_weights()]


def assert_same(one: fr.Trainer, other: fr.Trainer) -> None:
    assert one.settings == other.settings
    assert one.history.history == other.history.history
    for a, b in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        assert_array_equal(a, b)


def needs(name: str) -> dict[str, Any]:
    """Settings without which one has no effect."""
    return {"tbptt_update": {"tbptt": 3}, "seed": {}}.get(name, {})


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_counts_as_if_it_had_been_given(name: str) -> None:
    made, batch = make_trainer(**needs(name), **{name: SETTINGS[name]})
    told, _ = make_trainer(**needs(name))
    plain, _ = make_trainer(**needs(name))
    setattr(told, name, SETTINGS[name])
    for trainer in (made, told, plain):
        run(trainer, batch, 2)
    assert_same(told, made)
    if name not in ("metrics", "threads"):
        assert any((a != b).any() for a, b in zip(told.model.get_weights(), plain.model.get_weights(), strict=True))
    assert told.evaluate(batch.x, batch.y) == made.evaluate(batch.x, batch.y)


@pytest.mark.parametrize("when", ["between fits", "in a callback"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_run_that_is_saved_after_a_change_goes_on_as_it_is_resumed(name: str, when: str, tmp_path: Any) -> None:
    """And not as it would have gone on without the change."""
    trainer, batch = make_trainer(**needs(name))
    plain, _ = make_trainer(**needs(name))

    def change(epoch: int, figures: dict[str, float]) -> None:
        if epoch == 1:
            setattr(trainer, name, SETTINGS[name])
            trainer.save_checkpoint(tmp_path / "run.ckpt")

    if when == "between fits" or name in ("loss", "metrics", "recompute"):
        run(trainer, batch, 2)
        change(1, {})
        run(trainer, batch, 2)
    else:
        run(trainer, batch, 4, change)
    resumed = fr.Trainer.resume(tmp_path / "run.ckpt")
    run(resumed, batch, 2)
    assert_same(resumed, trainer)
    run(plain, batch, 4)
    if name not in ("metrics", "threads"):
        assert any((a != b).any() for a, b in zip(trainer.model.get_weights(), plain.model.get_weights(), strict=True))


@pytest.mark.parametrize("name", ["loss", "metrics", "recompute"])
def test_what_the_data_were_checked_with_waits_for_the_end_of_the_fit(name: str) -> None:
    trainer, batch = make_trainer()
    with pytest.raises(AttributeError, match=f"{name} of a Trainer cannot be set during a fit; expected"):
        run(trainer, batch, 1, lambda *_: setattr(trainer, name, SETTINGS[name]))
    setattr(trainer, name, SETTINGS[name])
    run(trainer, batch, 1)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("loss", "l2", ValueError), ("optimizer", "adm", ValueError), ("metrics", "mae", TypeError),
        ("metrics", ["accuracy", "bits"], ValueError), ("clip_value", 0, ValueError), ("clip_norm", -1.0, ValueError),
        ("tbptt", 0, ValueError), ("tbptt_update", "step", ValueError), ("threads", 0, ValueError),
        ("seed", -1, ValueError), ("recompute", "log", ValueError), ("history", {}, TypeError),
    ],
)  # fmt: skip
def test_a_setting_is_checked_when_it_is_set(name: str, value: Any, error: type[Exception]) -> None:
    trainer, batch = make_trainer()
    same, _ = make_trainer()
    with pytest.raises(error, match="; expected"):
        setattr(trainer, name, value)
    run(trainer, batch, 1)
    run(same, batch, 1)
    assert_same(trainer, same)


def test_settings_that_do_not_go_together_are_refused_when_the_second_is_set() -> None:
    trainer, _ = make_trainer(tbptt=3)
    with pytest.raises(ValueError, match="recompute='sqrt' with tbptt"):
        trainer.recompute = "sqrt"
    trainer.tbptt = None
    trainer.recompute = "sqrt"
    with pytest.raises(ValueError, match="recompute='sqrt' with tbptt"):
        trainer.tbptt = 3
    backwards = fr.Trainer(make_batch("float32", "backwards").model)
    with pytest.raises(ValueError, match="tbptt_update='chunk' with a layer that reads backwards"):
        backwards.tbptt_update = "chunk"


def test_none_is_the_default_optimizer() -> None:
    trainer, _ = make_trainer(optimizer=fr.SGD())
    trainer.optimizer = None
    assert trainer.optimizer == fr.Adam(1e-3)


def test_figures_are_added_to_in_a_fit_only() -> None:
    class Adds(fr.Callback):
        def begin(self, trainer: fr.Trainer, epochs: int, samples: int) -> None:
            trainer.figures += ["bits"]

    trainer, batch = make_trainer()
    stopping = fr.EarlyStopping("bits")
    run(trainer, batch, 1, Adds(), lambda epoch, figures: figures.update(bits=1.0), stopping)
    assert stopping.best == 1.0
    with pytest.raises(AttributeError, match="figures of a Trainer cannot be set between fits"):
        trainer.figures += ["bits"]


# ---------------------------------------------------------------------------------------------- optimizers


def test_a_learning_rate_may_follow_a_plan() -> None:
    """Epoch by epoch, by fits of one epoch and by a callback; the moments go on, so that it is not begun anew."""
    rates = [1e-2, 1e-3, 1e-9, 1e-2]
    by_fits, batch = make_trainer()
    for rate in rates:
        by_fits.optimizer = fr.Adam(rate)
        by_fits.fit(batch.x, batch.y, 1, 4, verbose=0)
    by_callback, _ = make_trainer(optimizer=fr.Adam(rates[0]))
    moved = [by_callback.model.get_weights()[0]]

    def follow(epoch: int, figures: dict[str, float]) -> None:
        moved.append(by_callback.model.get_weights()[0])
        by_callback.optimizer = fr.Adam([*rates, 1.0][epoch + 1])

    by_callback.fit(batch.x, batch.y, 4, 4, callbacks=[follow], verbose=0)
    by_fits.optimizer = by_callback.optimizer
    assert_same(by_callback, by_fits)
    steps = [np.abs(b - a).max() for a, b in pairwise(moved)]
    assert steps[2] < 1e-7 < steps[1] < steps[0]
    assert by_callback.progress.updates == 12


def test_another_kind_of_optimizer_begins_anew_and_the_same_goes_on() -> None:
    """What is anew is as in a trainer that was just made for these weights."""
    for first, then, anew in (
        (fr.Adam(0.01), fr.RMSProp(0.01), True),
        (fr.RMSProp(0.01), fr.Adam(0.01), True),
        (fr.Adam(0.01), fr.Adam(0.02, beta_1=0.5), False),
        (fr.SGD(0.1, momentum=0.9), fr.SGD(0.1, momentum=0.8), False),
        (fr.SGD(0.1, momentum=0.9), fr.SGD(0.1), True),
        (fr.SGD(0.1), fr.SGD(0.1, momentum=0.9), True),
        (fr.RMSProp(0.01), fr.RMSProp(0.01, momentum=0.5), False),
    ):
        trainer, batch = make_trainer(optimizer=first)
        trainer.fit(batch.x, batch.y, 2, 4, shuffle=False, verbose=0)
        other = fr.Trainer(copy.deepcopy(trainer.model), optimizer=then)
        trainer.optimizer = then
        for one in (trainer, other):
            one.fit(batch.x, batch.y, 2, 4, shuffle=False, verbose=0)
        pairs = zip(trainer.model.get_weights(), other.model.get_weights(), strict=True)
        assert all((a == b).all() for a, b in pairs) == anew, (first, then)


def test_an_optimizer_that_is_set_and_set_back_was_never_away() -> None:
    trainer, batch = make_trainer()
    plain, _ = make_trainer()
    for one in (trainer, plain):
        run(one, batch, 1)
    trainer.optimizer, trainer.optimizer = fr.SGD(), fr.Adam()
    for one in (trainer, plain):
        run(one, batch, 1)
    assert_same(trainer, plain)


@pytest.mark.parametrize("thing", [fr.Adam(), fr.LSTM(3), initializers.Normal(1.0)], ids=lambda t: type(t).__name__)
def test_frozen_things_stay_equal_hashable_and_files_schema(thing: Any) -> None:
    kind, other = type(thing), copy.deepcopy(thing)
    assert pickle.loads(pickle.dumps(thing)) == other == thing
    assert hash(other) == hash(thing)
    base = next(base for base in (Layer, Optimizer, initializers.Initializer) if isinstance(thing, base))
    assert base.__setattr__ is kind.__setattr__
    assert msgspec.json.decode(msgspec.json.encode(thing), type=kind) == thing
    with pytest.raises(AttributeError, match="cannot be set; expected another"):
        del thing.learning_rate


def test_some_of_the_search() -> None:
    """`python -m tests.searches.changes` goes on from here."""
    told = {name for seed in range(8) for name in check(seed)}
    assert told == SETTINGS.keys()


# ---------------------------------------------------------------------------------------------- the other classes


@pytest.mark.parametrize("kind", ["simple_rnn", "lstm"])
def test_a_stream_goes_on_from_the_state_that_is_set(kind: str) -> None:
    model, x, _ = make_batch("float64", kind, N=2)
    stream, states = model.stream(2), make_states(model, 2)
    stream.step(x[:, 0])
    stream.state = states
    assert_array_equal(stream.step(x[:, 1])[:, None], model.predict(x[:, 1:2], initial_state=states))
    stream.state = None
    assert_array_equal(stream.step(x[:, 0])[:, None], model.predict(x[:, :1]))
    with pytest.raises(ValueError, match=r"initial_state.*; expected"):
        stream.state = make_states(model, 3)
    with pytest.raises(ValueError, match=r"initial_state.*; expected"):
        stream.state = [3.0]
    assert_array_equal(stream.step(x[:, 1])[:, None], model.predict(x[:, :2])[:, 1:])


def test_early_stopping_takes_what_is_set() -> None:
    def epochs(change: Callable[[fr.EarlyStopping], Any]) -> int:
        trainer, batch = make_trainer(optimizer=fr.SGD(1e-30))
        stopping = fr.EarlyStopping("loss")
        change(stopping)
        return len(run(trainer, batch, 9, stopping)["loss"])

    assert epochs(lambda s: None) < 9
    assert epochs(lambda s: setattr(s, "patience", 20)) == 9
    assert epochs(lambda s: setattr(s, "min_delta", 1e9)) == 2
    for name, value in (("patience", -1), ("min_delta", -0.1), ("restore_best_weights", "no"), ("mode", "best")):
        with pytest.raises(ValueError, match=f"{name} is .*; expected"):
            setattr(fr.EarlyStopping(), name, value)
    stopping = fr.EarlyStopping()
    stopping.monitor = "val_accuracy"
    assert stopping.mode == "max"
    stopping.mode = "min"
    stopping.reset()
    assert stopping.is_better(1.0)
    with pytest.raises(TypeError, match="monitor is 3; expected"):
        stopping.monitor = 3


def test_settings_of_a_watcher_that_are_set_in_a_fit() -> None:
    """The figure, and whether weights come back, are those of the beginning."""
    trainer, batch = make_trainer()
    stopping = fr.EarlyStopping("loss", patience=99)

    def change(epoch: int, figures: dict[str, float]) -> None:
        stopping.monitor, stopping.restore_best_weights, stopping.mode = "bits", True, "max"

    run(trainer, batch, 3, change, stopping)
    assert stopping.best == min(trainer.history.history["loss"])
    with pytest.raises(ValueError, match="monitor is 'bits'; expected one of"):
        run(trainer, batch, 1, stopping)


def test_a_checkpoint_goes_where_its_path_points(tmp_path: Any) -> None:
    trainer, batch = make_trainer()
    checkpoint = fr.ModelCheckpoint(tmp_path / "0", "loss")

    def move(epoch: int, figures: dict[str, float]) -> None:
        checkpoint.path = tmp_path / str(epoch)

    run(trainer, batch, 3, move, checkpoint)
    assert [len(fr.Trainer.resume(tmp_path / str(e)).history.epoch) for e in range(3)] == [1, 2, 3]
    checkpoint.save_best_only, checkpoint.mode = True, "max"
    checkpoint.path = tmp_path / "best"
    run(trainer, batch, 3, checkpoint)
    assert checkpoint.best == max(trainer.history.history["loss"][3:])
    with pytest.raises(ValueError, match=r"whose ending \.onnx"):
        checkpoint.path = "m.onnx"
    with pytest.raises(ValueError, match="save_best_only is 1; expected"):
        checkpoint.save_best_only = 1
