"""Streams: a step, many steps, and learning from them are what `predict` and `fit` do with whole sequences."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

import fastrnn as fr
from tests.helpers.cells import CELLS, make_cell

Array = NDArray[Any]
STEPS = 12
STACKS: dict[str, Any] = {
    **{kind: lambda kind=kind: [make_cell(kind, 5, return_sequences=True), fr.Dense(2)] for kind in CELLS},
    "stack": lambda: [
        fr.Dense(4, "tanh"), fr.GRU(5, return_sequences=True, dropout=0.3, recurrent_dropout=0.2), fr.Dropout(0.2),
        fr.LSTM(4, return_sequences=True, zoneout=0.1), fr.Dense(3, "relu"), fr.Dense(2, "sigmoid"),
    ],
    "no top": lambda: [fr.SimpleRNN(2, return_sequences=True)],
}  # fmt: skip
OF_IDS: dict[str, Any] = {
    "embedding": lambda: [fr.Embedding(7, 3), fr.LSTM(5, return_sequences=True), fr.Dense(7, "softmax")],
    "one-hot": lambda: [fr.OneHot(7), fr.GRU(5, return_sequences=True, dropout=0.2), fr.Dense(7)],
}


def numbers(*shape: int, dtype: str = "float64") -> Array:
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def arrays_of(state: Any) -> list[Array]:
    """Return the arrays of a state, one after the other."""
    return [state] if isinstance(state, np.ndarray) else [array for part in state for array in arrays_of(part)]


def small(batch: int = 2, **settings: Any) -> tuple[Any, Any]:
    """Return a stream that learns, and its trainer."""
    model = fr.Sequential([fr.LSTM(4), fr.Dense(1)], input_size=3, dtype="float64")
    settings = {"tbptt": (2, 4), "tbptt_update": "chunk"} | settings
    trainer = fr.Trainer(model, optimizer=fr.SGD(0.1), **settings)
    return trainer.stream(batch), trainer


# ---------------------------------------------------------------------------------------------- steps


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("batch", [1, 6])
def test_steps_and_runs_are_those_of_predict(name: str, batch: int) -> None:
    model = fr.Sequential(STACKS[name](), input_size=3, dtype="float64")
    x = numbers(batch, STEPS, 3)
    y, state = model.predict(x, return_state=True)
    one, many = model.stream(batch), model.stream(batch)
    assert np.abs(np.stack([one.step(x[:, t]) for t in range(STEPS)], 1) - y).max() < 1e-14
    assert np.abs(np.concatenate([many.run(x[:, :5]), many.run(x[:, 5:6]), many.run(x[:, 6:])], 1) - y).max() < 1e-14
    for stream in (one, many):
        for a, b in zip(arrays_of(stream.state), arrays_of(state), strict=True):
            assert np.abs(a - b).max() < 1e-14


@pytest.mark.parametrize("name", OF_IDS)
def test_ids_are_taken_as_they_come(name: str) -> None:
    model = fr.Sequential(OF_IDS[name](), dtype="float64")
    x = np.random.default_rng(0).integers(0, 7, (3, STEPS))
    y = model.predict(x)
    one, many = model.stream(3), model.stream(3)
    assert np.abs(np.stack([one.step(x[:, t]) for t in range(STEPS)], 1) - y).max() < 1e-14
    assert np.abs(many.run(x) - y).max() < 1e-14
    for bad in ([7, 0, 0], [0, -1, 0]):
        with pytest.raises(ValueError, match="expected ids from 0 to 6"):
            one.step(np.array(bad))
    with pytest.raises(TypeError, match=r"expected .*astype\(int\)"):
        one.step(np.ones(3))
    assert_array_equal(one.step(x[:, 0]), many.step(x[:, 0]))


def test_a_layer_that_returns_its_last_step_answers_at_every_step() -> None:
    last = fr.Sequential([fr.GRU(4), fr.Dense(2)], input_size=3)
    every = fr.Sequential([fr.GRU(4, return_sequences=True), fr.Dense(2)], input_size=3)
    every.set_weights(last.get_weights())
    x = numbers(2, STEPS, 3, dtype="float32")
    assert_array_equal(last.stream(2).run(x), every.stream(2).run(x))
    assert_array_equal(last.stream(2).run(x)[:, -1], last.predict(x))


def test_long_runs_are_taken_in_blocks() -> None:
    model = fr.Sequential([fr.SimpleRNN(3), fr.Dense(1)], input_size=1)
    x = numbers(1, 2500, 1, dtype="float32")
    one, many = model.stream(), model.stream()
    assert_array_equal(np.stack([one.step(x[:, t]) for t in range(2500)], 1), many.run(x))
    for steps in range(1, 8):  # more lengths than are kept
        assert_array_equal(many.run(x[:, :steps])[:, -1], [one.step(x[:, t]) for t in range(steps)][-1])


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x.tolist(), lambda x: x.astype(np.float64), lambda x: x.astype(">f4"), np.asfortranarray,
        lambda x: np.repeat(x, 2, 1)[:, ::2], np.ma.masked_array,
    ],
)  # fmt: skip
def test_a_step_may_come_in_any_form(form: Any) -> None:
    model = fr.Sequential([fr.LSTM(4), fr.Dense(1)], input_size=3)
    x = numbers(2, 3, dtype="float32")
    assert_array_equal(model.stream(2).step(form(x)), model.stream(2).step(x))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e39, -1e300])
def test_numbers_that_are_none_leave_the_stream_as_it_was(bad: float) -> None:
    model = fr.Sequential([fr.LSTM(4), fr.Dense(1)], input_size=3)
    stream, other = model.stream(2), model.stream(2)
    x = np.ones((2, 3))
    stream.step(x)
    other.step(x)
    worse = x.copy()
    worse[1, 2] = bad
    with pytest.raises(ValueError, match=r"x has .* in row 1"):
        stream.step(worse)
    with pytest.raises(ValueError, match="x has"):
        stream.run(np.stack([x, worse], 1))
    assert_array_equal(stream.step(x), other.step(x))
    large = np.full((2, 3), 1e30, np.float32)  # whose square is beyond float32
    assert np.isfinite(stream.step(large)).all()


def test_an_unbuilt_model_is_built_by_the_first_step() -> None:
    for take in (lambda s: s.step(np.ones((2, 3))), lambda s: s.run(np.ones((2, 1, 3)))):
        model = fr.Sequential([fr.LSTM(4), fr.Dense(1)])
        stream = model.stream(2)
        stream.state = (np.ones((2, 4)), np.ones((2, 4)))
        y = take(stream).reshape(2, 1)
        assert model.input_size == 3
        assert_array_equal(y, model.predict(np.ones((2, 1, 3)), initial_state=(np.ones((2, 4)), np.ones((2, 4)))))


def test_a_step_is_by_the_weights_of_its_moment() -> None:
    model = fr.Sequential([fr.GRU(4), fr.Dense(1)], input_size=3)
    stream, x = model.stream(), np.ones((1, 3))
    stream.step(x)
    for change in (
        lambda: model.set_weights([w + 0.1 for w in model.get_weights()]),
        lambda: fr.Trainer(model).fit(np.ones((4, 2, 3)), np.ones((4, 1)), epochs=1, verbose=0),
        lambda: model.parameters()["gru.bias"].__iadd__(0.5),
        lambda: model.parameters()["gru.bias"].__iadd__(0.5),
    ):
        change()
        stream.reset()
        assert_array_equal(stream.step(x), model.predict(x[:, None]))


# ---------------------------------------------------------------------------------------------- state


def test_rows_are_reset_one_by_one() -> None:
    model = fr.Sequential([fr.LSTM(4, return_sequences=True), fr.GRU(3), fr.Dense(2)], input_size=3)
    x = numbers(3, STEPS, 3, dtype="float32")
    for rows, chosen in ((1, [1]), ([0, 2], [0, 2]), (np.array([False, True, True]), [1, 2]), (-1, [2]), ([], [])):
        stream, whole = model.stream(3), model.stream(3)
        stream.run(x)
        whole.run(x)
        stream.reset(rows)
        for own, before in zip(arrays_of(stream.state), arrays_of(whole.state), strict=True):
            for row in range(3):
                assert_array_equal(own[row], before[row] * (row not in chosen))
        fresh = model.stream(3).step(x[:, 0])
        after, went_on = stream.step(x[:, 0]), whole.step(x[:, 0])
        for row in range(3):
            assert_array_equal(after[row], (fresh if row in chosen else went_on)[row])


@pytest.mark.parametrize("rows", [3, [0, 5], 1.5, [0.5], "first", [True, False], -4, {1}])
def test_rows_that_there_are_not_are_refused(rows: Any) -> None:
    stream = fr.Sequential([fr.SimpleRNN(4)], input_size=3).stream(3)
    stream.step(np.ones((3, 3)))
    before = stream.state
    with pytest.raises(ValueError, match="expected rows from 0 to 2"):
        stream.reset(rows)
    assert_array_equal(stream.state, before)


def test_a_state_that_is_handed_out_is_a_copy() -> None:
    stream = fr.Sequential([fr.SimpleRNN(4)], input_size=3).stream(2)
    stream.state[...] = 7.0
    assert not stream.state.any()
    given = np.ones((2, 4), np.float32)
    stream.state = given
    given[...] = 7.0
    assert_array_equal(stream.state, np.ones((2, 4)))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_copy_goes_on_by_itself(copied: Any) -> None:
    x = numbers(2, 3)
    for stream in (fr.Sequential([fr.LSTM(4), fr.Dense(1)], input_size=3).stream(2), small()[0]):
        stream.step(x)
        other = copied(stream)
        y = stream.step(x)
        assert_array_equal(other.step(x), y)


# ---------------------------------------------------------------------------------------------- learning


def compare(layers: Any, x: Array, y: Array, truncation: Any, optimizer: Any = fr.SGD, **settings: Any) -> None:
    """Learn a step at a time; and by a fit, whose mean is over 2**n times the steps, with a rate that much larger."""
    steps, k1 = x.shape[1], truncation if isinstance(truncation, int) else truncation[0]
    whole, live = (fr.Sequential(layers, input_size=3 if x.ndim == 3 else None, dtype="float64") for _ in "12")
    settings |= {"tbptt": truncation, "tbptt_update": "chunk", "seed": 3}
    trainer = fr.Trainer(whole, optimizer=optimizer(0.01 * (steps // k1)), threads=1, **settings)
    trainer.fit(x, y, epochs=1, batch_size=len(x), shuffle=False, verbose=0)
    learner = fr.Trainer(live, optimizer=optimizer(0.01), **settings)
    stream = learner.stream(len(x))
    losses = [stream.learn(x[:, t], y[:, t]) for t in range(steps // 2)]
    losses += [stream.learn(x[:, steps // 2 :], y[:, steps // 2 :])] * (steps - steps // 2)
    assert abs(np.mean(losses) - trainer.history.history["loss"][0]) < 1e-12
    for a, b in zip(whole.get_weights(), live.get_weights(), strict=True):
        assert np.abs(a - b).max() < 1e-13
    assert not np.array_equal(live.get_weights()[0], fr.Sequential(layers, 3 if x.ndim == 3 else None).get_weights()[0])


@pytest.mark.parametrize("truncation", [1, 4, (1, 5), (2, 7), (8, 64), (4, 4)], ids=str)
@pytest.mark.parametrize("batch", [1, 5])
def test_learning_is_fitting(truncation: Any, batch: int) -> None:
    """For longer than the tapes are, which hold 256 steps and what a pass may still reach."""
    compare(STACKS["lstm"](), numbers(batch, 1024, 3), numbers(batch, 1024, 2), truncation)


@pytest.mark.parametrize("name", STACKS)
def test_every_layer_learns_from_a_stream(name: str) -> None:
    compare(STACKS[name](), numbers(3, 512, 3), 0.4 + 0.1 * np.tanh(numbers(3, 512, 2)), (2, 6))


@pytest.mark.parametrize("name", OF_IDS)
def test_classes_are_learnt_from_ids(name: str) -> None:
    ids = np.random.default_rng(0).integers(0, 7, (2, 513))
    compare(OF_IDS[name](), ids[:, :-1], ids[:, 1:], (2, 4), loss="sparse_categorical_crossentropy")


@pytest.mark.parametrize("loss", ["mae", fr.Huber(0.5), fr.BinaryCrossentropy(label_smoothing=0.1), "poisson"], ids=str)
def test_every_loss_is_learnt(loss: Any) -> None:
    layers = [fr.GRU(4, return_sequences=True), fr.Dense(2, "sigmoid")]
    y = np.random.default_rng(1).integers(0, 2, (2, 64, 2)).astype(np.float64)
    compare(layers, numbers(2, 64, 3), y, (2, 4), loss=loss)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), st.integers(1, 6), st.integers(0, 40), st.sampled_from(sorted(CELLS)), st.integers(0, 99))
def test_any_truncation_is_that_of_fit(batch: int, k1: int, more: int, kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = k1 * 2 ** int(rng.integers(1, 8))
    x, y = rng.standard_normal((batch, steps, 3)), rng.standard_normal((batch, steps, 2))
    compare([make_cell(kind, 5, return_sequences=True), fr.Dense(2)], x, y, (k1, k1 + more))


def test_an_optimizer_goes_on_between_streams_fits_and_files(tmp_path: Any) -> None:
    """One progress, whoever trains: the updates are counted, and what Adam keeps goes along."""
    x, y = numbers(2, 8, 3), numbers(2, 8, 1)

    def train(interrupted: bool) -> Any:
        model = fr.Sequential([fr.LSTM(4, return_sequences=True), fr.Dense(1)], input_size=3, dtype="float64")
        trainer = fr.Trainer(model, optimizer=fr.Adam(0.01), tbptt=4, tbptt_update="chunk")
        trainer.fit(x, y, epochs=2, shuffle=False, batch_size=2, verbose=0)
        stream = trainer.stream(2)
        for t in range(4):
            stream.learn(x[:, t], y[:, t])
        if interrupted:
            trainer.save_checkpoint(tmp_path / "run.ckpt")
            trainer = fr.Trainer.resume(tmp_path / "run.ckpt")
            state, stream = stream.state, trainer.stream(2)
            stream.state = state
        for t in range(4, 8):
            stream.learn(x[:, t], y[:, t])
        trainer.fit(x, y, epochs=1, shuffle=False, batch_size=2, verbose=0)
        assert trainer.progress.updates == 2 * 2 + 2 + 2
        return trainer.model.get_weights()

    for a, b in zip(train(False), train(True), strict=True):
        assert_array_equal(a, b)


def test_a_piece_that_is_cut_is_learnt_as_it_is() -> None:
    """It has its own share of the k1 steps, as the last piece of a sequence has in fit."""
    x, y = numbers(2, 3, 3), numbers(2, 3, 1)
    cuts = {
        "step": lambda s: s.step(x[:, 0]), "run": lambda s: s.run(x), "reset": lambda s: s.reset(),
        "rows": lambda s: s.reset(1), "look": lambda s: s.state, "set": lambda s: setattr(s, "state", s.state),
    }  # fmt: skip
    found = {}
    for name, cut in cuts.items():
        stream, trainer = small()
        for t in range(3):
            stream.learn(x[:, t], y[:, t])
        assert trainer.progress.updates == 1
        cut(stream)
        assert trainer.progress.updates == 2
        found[name] = trainer.model.get_weights()
        stream.learn(x[:, 0], y[:, 0])
    for weights in found.values():
        for a, b in zip(weights, found["step"], strict=True):
            assert_array_equal(a, b)
    whole = fr.Sequential([fr.LSTM(4, return_sequences=True), fr.Dense(1)], input_size=3, dtype="float64")
    trainer = fr.Trainer(whole, optimizer=fr.SGD(0.1 * 1.5), tbptt=(2, 4), tbptt_update="chunk")
    trainer.fit(x, y, epochs=1, shuffle=False, verbose=0)
    for a, b in zip(whole.get_weights(), found["step"], strict=True):
        assert np.abs(a - b).max() < 1e-14


def test_the_state_goes_on_through_learning() -> None:
    stream, trainer = small()
    trainer.optimizer = fr.SGD(1e-300)
    x, y = numbers(2, 9, 3), numbers(2, 9, 1)
    other = trainer.model.stream(2)
    other.run(x)
    stream.step(x[:, 0])
    for t in range(1, 6):
        stream.learn(x[:, t], y[:, t])
    stream.run(x[:, 6:8])
    stream.learn(x[:, 8], y[:, 8])
    for a, b in zip(stream.state, other.state, strict=True):
        assert np.abs(a - b).max() < 1e-14


def test_settings_may_change_while_a_stream_learns() -> None:
    x, y = numbers(2, 40, 3), numbers(2, 40, 1)
    stream, trainer = small()
    for t, (name, value) in enumerate(
        [
            ("optimizer", fr.SGD(1.0)), ("optimizer", fr.Adam(0.01)), ("tbptt", 3), ("loss", "mae"),
            ("clip_norm", 1.0), ("clip_value", 0.1), ("seed", 4), ("metrics", ["mae"]),
        ]
    ):  # fmt: skip
        stream.learn(x[:, t], y[:, t])
        setattr(trainer, name, value)
        before = trainer.model.get_weights()
        for later in range(t + 1, t + 7):
            assert np.isfinite(stream.learn(x[:, later], y[:, later]))
        assert not np.array_equal(before[0], trainer.model.get_weights()[0])
    trainer.tbptt = None
    with pytest.raises(ValueError, match=r"tbptt=None .* expected a truncation and 'chunk'"):
        stream.learn(x[:, 0], y[:, 0])


BAD: dict[str, Any] = {
    "rows": (lambda s: s.learn(np.ones((3, 3)), np.ones((2, 1))), "x has shape"),
    "features": (lambda s: s.learn(np.ones((2, 4)), np.ones((2, 1))), "x has shape"),
    "steps": (lambda s: s.learn(np.ones((2, 4, 3)), np.ones((2, 3, 1))), r"y has shape \(2, 3, 1\); expected"),
    "rows of steps": (lambda s: s.learn(np.ones((3, 4, 3)), np.ones((3, 4, 1))), "x has shape"),
    "NaN": (lambda s: s.learn(np.full((2, 3), np.nan), np.ones((2, 1))), "x has nan"),
    "targets": (lambda s: s.learn(np.ones((2, 3)), np.ones((2, 2))), r"y has shape \(2, 2\); expected \(2, 1\)"),
    "a number": (lambda s: s.learn(np.ones((2, 3)), 1.0), r"y has shape \(\); expected \(2, 1\)"),
    "target NaN": (lambda s: s.learn(np.ones((2, 3)), np.array([[1.0], [np.nan]])), "y has nan"),
    "empty": (lambda s: s.learn(np.ones((0, 3)), np.ones((0, 1))), "x has shape"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_refused_lesson_changes_nothing(name: str) -> None:
    (stream, trainer), (other, same) = small(), small()
    bad, message = BAD[name]
    x, y = numbers(2, 9, 3), numbers(2, 9, 1)
    for t in range(9):
        stream.learn(x[:, t], y[:, t])
        other.learn(x[:, t], y[:, t])
        with pytest.raises(ValueError, match=message):
            bad(stream)
    for a, b in zip(trainer.model.get_weights(), same.model.get_weights(), strict=True):
        assert_array_equal(a, b)


def test_streams_that_cannot_learn_say_why() -> None:
    model = fr.Sequential([fr.LSTM(4), fr.Dense(3)], input_size=3)
    with pytest.raises(ValueError, match="expected a truncation and 'chunk'"):
        fr.Trainer(model).stream()
    with pytest.raises(ValueError, match="expected a truncation and 'chunk'"):
        fr.Trainer(model, tbptt=5).stream()
    weighed = fr.SparseCategoricalCrossentropy(ignore_label=0)
    with pytest.raises(ValueError, match="class_weight or ignore_label; expected none for a stream"):
        fr.Trainer(model, weighed, tbptt=5, tbptt_update="chunk").stream()
    with pytest.raises(ValueError, match="batch is 0"):
        small(batch=0)
    with pytest.raises(AttributeError, match=r"trainer\.stream"):
        model.stream().learn(np.ones((1, 3)), np.ones((1, 3)))
    backwards = fr.Sequential([fr.Bidirectional(fr.LSTM(4)), fr.Dense(3)], input_size=3)
    with pytest.raises(ValueError, match="reads backwards"):
        backwards.stream()


def test_a_stream_does_not_learn_while_its_trainer_fits() -> None:
    stream, trainer = small()
    said = []

    def learn(epoch: int, figures: Any) -> None:
        with pytest.raises(RuntimeError, match="this trainer is fitting") as caught:
            stream.learn(np.ones((2, 3)), np.ones((2, 1)))
        said.append(str(caught.value))

    trainer.fit(np.ones((2, 4, 3)), np.ones((2, 1)), epochs=1, callbacks=[learn], verbose=0)
    assert len(said) == 1


def test_nothing_beside_the_buffers_is_written() -> None:
    from fastrnn.ground import memory

    with memory.guarded():
        compare(STACKS["stack"](), numbers(3, 512, 3), 0.4 + 0.1 * np.tanh(numbers(3, 512, 2)), (2, 6))
        model = fr.Sequential(STACKS["stack"](), input_size=3, dtype="float64")
        x = numbers(3, 40, 3)
        one, many = model.stream(3), model.stream(3)
        assert np.abs(np.stack([one.step(x[:, t]) for t in range(40)], 1) - many.run(x)).max() < 1e-14
