"""The trainer's surface: defaults, callbacks, progress, interruption."""

import inspect
import io
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from fastrnn.engine import team
from tests.helpers.laws import make_batch


class Listener(fr.Callback):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def begin(self, trainer: fr.Trainer, epochs: int, samples: int) -> None:
        self.told.append(("begin", epochs, samples))

    def progress(self, epoch: int, samples: int) -> None:
        self.told.append(("progress", epoch, samples))

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        self.told.append(("epoch", epoch, sorted(figures)))

    def end(self) -> None:
        self.told.append("end")


def test_defaults_are_those_of_the_contract() -> None:
    def defaults(function: Any) -> dict[str, Any]:
        return {
            name: p.default for name, p in inspect.signature(function).parameters.items() if p.default is not p.empty
        }

    assert defaults(fr.Trainer) == {
        "loss": "mse", "optimizer": None, "metrics": (), "clip_value": None, "clip_norm": None, "tbptt": None,
        "tbptt_update": "sequence", "threads": None, "seed": 0, "recompute": None,
    }  # fmt: skip
    assert defaults(fr.Trainer.fit) == {
        "epochs": 10, "batch_size": 32, "validation_data": None, "validation_split": 0.0, "sample_weight": None,
        "lengths": None, "shuffle": True, "carry_state": False, "callbacks": (), "verbose": None,
    }  # fmt: skip
    trainer = fr.Trainer(fr.Sequential([fr.SimpleRNN(1)]))
    assert trainer.optimizer == fr.Adam(learning_rate=1e-3, beta_1=0.9, beta_2=0.999, epsilon=1e-8)
    assert fr.SGD() == fr.SGD(learning_rate=0.01, momentum=0.0, nesterov=False, weight_decay=0.0)
    assert fr.RMSProp() == fr.RMSProp(learning_rate=0.01, rho=0.99, momentum=0.0, epsilon=1e-8)
    assert fr.Adagrad() == fr.Adagrad(learning_rate=0.01, epsilon=1e-10)


def test_fit_builds_the_model_and_tells_every_epoch() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 40, 6, 2))
    model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)])
    trainer = fr.Trainer(model, metrics=["mae", "mse"])
    history = trainer.fit(x, y[:, 0, 0], validation_split=0.25)
    assert isinstance(history, fr.History)
    assert list(history.history) == ["loss", "mae", "mse", "val_loss", "val_mae", "val_mse"]
    assert history.epoch == list(range(10))
    assert all(len(values) == 10 and all(type(v) is float for v in values) for values in history.history.values())
    assert history.history["mse"] == history.history["loss"]
    assert model.built
    assert trainer.evaluate(x, y[:, 0, 0]).keys() == {"loss", "mae", "mse"}


def test_callbacks_are_told_in_order() -> None:
    model, x, y = make_batch("float32")
    listener, calls = Listener(), []
    trainer = fr.Trainer(model)
    history = trainer.fit(
        x,
        y,
        epochs=2,
        batch_size=4,
        validation_data=(x, y),
        callbacks=[listener, lambda *told: calls.append(told)],
        verbose=0,
    )
    assert listener.told[0] == ("begin", 2, 11)
    assert listener.told[-1] == "end"
    assert [told for told in listener.told if told[0] == "epoch"] == [
        ("epoch", e, ["loss", "val_loss"]) for e in range(2)
    ]
    for epoch in range(2):
        done = [told[2] for told in listener.told if told[:2] == ("progress", epoch)]
        assert done == sorted(set(done))
        assert done[-1] == 11
    assert [epoch for epoch, _ in calls] == [0, 1]
    assert [figures["loss"] for _, figures in calls] == history.history["loss"]


def test_a_callback_sees_the_model_as_it_is_after_the_epoch() -> None:
    model, x, y = make_batch("float64")
    seen = []
    trainer = fr.Trainer(model, seed=2)
    trainer.fit(
        x,
        y,
        epochs=3,
        batch_size=4,
        callbacks=[lambda *_: seen.append((model.get_weights()[0], model.predict(x)))],
        verbose=0,
    )
    assert_array_equal(seen[-1][0], model.get_weights()[0])
    assert_array_equal(seen[-1][1], model.predict(x))
    assert (seen[0][0] != seen[1][0]).any()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_breaking_off_tells_the_end_leaves_no_thread_and_the_trainer_goes_on(error: type[BaseException]) -> None:
    model, x, y = make_batch("float32")
    listener = Listener()

    def stop(epoch: int, figures: dict[str, float]) -> None:
        if epoch == 1:
            raise error

    def serving() -> int:
        return list(team._serving.values()).count(getattr(team._own, "crew", None))

    trainer, before = fr.Trainer(model, threads=3), serving()
    with pytest.raises(error):
        trainer.fit(x, y, epochs=5, callbacks=[listener, stop], verbose=0)
    assert listener.told[-1] == "end"
    assert serving() <= max(before, 2)
    assert len(trainer.fit(x, y, epochs=2, verbose=0).epoch) == 2


def test_the_progress_bar_writes_where_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    model, x, y = make_batch("float32")
    target = io.StringIO()
    trainer = fr.Trainer(model)
    trainer.evaluate(x, y)
    capsys.readouterr()  # the first use may tell that it compiles
    trainer.fit(x, y, epochs=1, callbacks=[fr.ProgressBar(target)], verbose=0)
    assert "epoch 1/1" in target.getvalue()
    assert capsys.readouterr().err == ""


def test_validation_data_may_have_weights_and_lengths() -> None:
    model, x, y = make_batch("float64")
    weights, lengths = np.arange(11.0), np.arange(11) % 9
    trainer = fr.Trainer(model)
    for extra in ((), (weights,), (weights, lengths), (None, lengths), (weights.astype(int), lengths), (weights > 4,)):
        by_name = dict(zip(("sample_weight", "lengths"), extra, strict=False))
        for given in ((x, y, *extra), [x, y, *extra], {"x": x, "y": y, **by_name}):
            history = trainer.fit(x, y, epochs=1, validation_data=given, verbose=0)
            assert history.history["val_loss"] == [trainer.evaluate(x, y, **by_name)["loss"]]
        assert trainer.evaluate(x, y, *extra) == trainer.evaluate(x, y, **by_name)


def test_a_batch_larger_than_the_data_is_all_of_it() -> None:
    results = []
    for size in (11, 12, 10_000):
        model, x, y = make_batch("float32")
        fr.Trainer(model).fit(x, y, epochs=2, batch_size=size, shuffle=False, verbose=0)
        results.append(model.get_weights()[0])
    assert_array_equal(results[0], results[1])
    assert_array_equal(results[0], results[2])


def test_one_model_may_have_two_trainers() -> None:
    model, x, y = make_batch("float32")
    before = fr.Trainer(model).evaluate(x, y)["loss"]
    for trainer in (fr.Trainer(model, optimizer=fr.SGD(0.1)), fr.Trainer(model, optimizer=fr.Adam(0.01))):
        for _ in range(3):
            trainer.fit(x, y, epochs=5, verbose=0)
    assert fr.Trainer(model).evaluate(x, y)["loss"] < before


def test_weights_set_between_fits_are_those_that_are_trained() -> None:
    model, x, y = make_batch("float64")
    weights = model.get_weights()
    trainer = fr.Trainer(model, optimizer=fr.SGD(0.1))
    trainer.fit(x, y, epochs=2, shuffle=False, verbose=0)
    after = model.get_weights()
    model.set_weights(weights)
    trainer.fit(x, y, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), after, strict=True):
        assert_array_equal(a, b)


def test_a_diverged_run_shows_nan() -> None:
    model = fr.Sequential([fr.SimpleRNN(3, "linear"), fr.Dense(1)])
    x = np.full((4, 30, 1), 10.0)
    trainer = fr.Trainer(model, optimizer=fr.SGD(100.0))
    with pytest.warns(fr.TrainingWarning, match="diverged"):
        losses = trainer.fit(x, np.ones((4, 1)), epochs=6, verbose=0).history["loss"]
    assert np.isnan(losses[-1])
    assert np.isnan(model.get_weights()[0]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", [fr.Adam, fr.RMSProp, fr.Adagrad])
def test_an_epsilon_too_small_for_the_dtype_keeps_the_quotient_finite(make: Any, dtype: str) -> None:
    """The weights of a feature that is always 0 have no gradient, and stay as they are."""
    model = fr.Sequential([fr.SimpleRNN(3), fr.Dense(1)], input_size=2, dtype=dtype)
    before = model.get_weights()[0]
    x = np.stack([np.ones((4, 5)), np.zeros((4, 5))], axis=2)
    fr.Trainer(model, optimizer=make(0.01, epsilon=1e-320)).fit(x, np.ones((4, 1)), epochs=3, verbose=0)
    after = model.get_weights()[0]
    assert_array_equal(after[1], before[1])
    assert np.isfinite(after).all()
    assert (after[0] != before[0]).all()
