"""Recomputed states: the same loss, gradients and trained weights, whatever the length of the sequences."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import fastrnn as fr
from fastrnn.ground.memory import guarded
from tests.helpers.laws import DTYPES, FORWARDS, Array, flat, make_batch, make_states
from tests.helpers.problems import Problem, assert_close, problems
from tests.helpers.refusals import check
from tests.helpers.training import fit_by_reference

BOUNDS = {"float64": 1e-12, "float32": 1e-4}
STEPS = (1, 2, 3, 10, 26)


def assert_recomputed(
    model: fr.Sequential, x: Array, y: Array, wants: tuple[str, ...] = ("x", "initial_state"), **arguments: Any
) -> dict[str, Any]:
    """Assert that loss and gradients do not depend on ``recompute``; return them."""
    loss, kept = model.gradients(x, y, wants=wants, **arguments)
    again_loss, again = model.gradients(x, y, wants=wants, recompute="sqrt", **arguments)
    bound = BOUNDS[model.dtype]
    assert again_loss == pytest.approx(loss, rel=bound, abs=1e-300, nan_ok=True)
    assert again.keys() == kept.keys()
    scale = max(float(np.abs(kept[name]).max(initial=0.0)) for name in model.parameters())
    for a, b in zip(flat(again.values()), flat(kept.values()), strict=True):
        assert_close(a, b, bound, scale)
    return kept


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=25)
@given(data=st.data())
def test_gradients_are_the_same_for_random_stacks(dtype: str, data: st.DataObject) -> None:
    """With ids, lengths, weights, initial states and layers of all kinds."""
    problem: Problem = data.draw(problems(dtype, forwards=True))
    assert_recomputed(
        problem.model, problem.x, problem.y, ("x", "initial_state") if problem.x.ndim == 3 else ("initial_state",),
        loss=problem.loss, sample_weight=problem.sample_weight, lengths=problem.lengths,
        initial_state=problem.initial_state,
    )  # fmt: skip


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("kind", FORWARDS)
@pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_are_the_same_for_any_number_of_steps(dtype: str, every_step: bool, kind: str, steps: int) -> None:
    model, x, y = make_batch(dtype, kind, every_step=every_step, N=6, T=steps)
    kept = assert_recomputed(model, x, y)
    assert any(array.any() for array in flat([kept["initial_state"]]))
    rng = np.random.default_rng(steps)
    assert_recomputed(
        model, x, y, lengths=np.array([0, 1, steps // 2, steps, max(steps - 1, 0), steps // 3]),
        sample_weight=rng.uniform(0, 2, 6), initial_state=make_states(model, 6),
    )  # fmt: skip


@pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])
def test_long_windows(every_step: bool) -> None:
    """A segment of more steps than a window of the backward pass has."""
    model, x, y = make_batch("float64", "lstm", units=(3,), every_step=every_step, N=200, T=150)
    assert_recomputed(model, x, y, lengths=np.arange(200) % 151)


def stack(kind: str, drops: bool, ids: bool, every_step: bool) -> list[Any]:
    """Return layers of all sorts around two recurrent ones."""
    options: dict[str, Any] = {"dropout": 0.3, "recurrent_dropout": 0.4} if drops else {}
    cell: dict[str, Callable[..., Any]] = {"simple_rnn": fr.SimpleRNN, "lstm": fr.LSTM, "gru": fr.GRU}
    return [
        *([fr.Embedding(7, 5)] if ids else [fr.Dense(5, "tanh")]),
        cell[kind](6, return_sequences=True, **options),
        fr.Dense(4),
        *([fr.Dropout(0.25)] if drops else []),
        cell[kind](9, return_sequences=every_step, **options),
        *([fr.Dropout(0.5)] if drops else []),
        fr.Dense(2),
    ]


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])
@pytest.mark.parametrize("drops", [False, True], ids=["whole", "dropout"])
@pytest.mark.parametrize("kind", ["simple_rnn", "lstm", "gru"])
def test_trained_weights_are_the_same(kind: str, drops: bool, every_step: bool, steps: int) -> None:
    """Two epochs, the last minibatch smaller; the masks are drawn again as they were."""
    rng = np.random.default_rng(steps)
    ids = steps % 2 == 0
    x = rng.integers(0, 7, (11, steps)) if ids else rng.standard_normal((11, steps, 3))
    y = rng.standard_normal((11, steps, 2) if every_step else (11, 2))
    data = {"sample_weight": rng.uniform(0, 2, 11), "lengths": rng.integers(0, steps + 1, 11)}
    data["lengths"][0] = steps
    optimizer = fr.SGD(0.5, momentum=0.9)
    weights = []
    for recompute in (None, "sqrt"):
        model = fr.Sequential(stack(kind, drops, ids, every_step), input_size=7 if ids else 3, dtype="float64")
        start = model.get_weights()
        fr.Trainer(model, optimizer=optimizer, recompute=recompute, clip_norm=1.0, seed=5).fit(
            x, y, epochs=2, batch_size=4, shuffle=False, verbose=0, **data
        )
        weights.append(model.get_weights())
    for a, b in zip(weights[1], weights[0], strict=True):
        assert_close(a, b, 1e-11, scale=1.0)
    assert steps == 1 or all((a != b).any() for a, b in zip(weights[0], start, strict=True))
    model.set_weights(start)
    slow = fit_by_reference(model, x, y, optimizer, epochs=2, batch_size=4, seed=5, clip_norm=1.0, **data)
    for a, b in zip(weights[1], slow, strict=True):
        assert_close(a, b, 1e-10, scale=1.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])
def test_history_and_metrics_are_the_same(dtype: str, every_step: bool) -> None:
    histories = []
    for recompute in (None, "sqrt"):
        model, x, y = make_batch(dtype, "gru", every_step=every_step, N=70, T=30)
        trainer = fr.Trainer(model, recompute=recompute, metrics=["mae"], threads=2)
        history = trainer.fit(
            x, y, epochs=3, batch_size=33, validation_split=0.2, lengths=np.arange(70) % 31, verbose=0
        )
        histories.append(history.history)
        assert trainer._plan is not None
        assert trainer._plan.shards > 1
    assert histories[0].keys() == histories[1].keys()
    for name, values in histories[0].items():
        assert histories[1][name] == pytest.approx(values, rel=1e-4 if dtype == "float32" else 1e-10)


def test_the_final_states_are_those_of_the_model() -> None:
    """Computing gradients piece by piece leaves the model as it was."""
    model, x, y = make_batch("float64", "lstm", T=20)
    before = model.predict(x, return_state=True)
    model.gradients(x, y, recompute="sqrt")
    after = model.predict(x, return_state=True)
    for a, b in zip(flat(after), flat(before), strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("steps", [1, 9, 100])
@pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])
@pytest.mark.parametrize("kind", FORWARDS)
def test_updates_by_chunk_of_whole_sequences(kind: str, every_step: bool, steps: int, tmp_path: Path) -> None:
    """Without ``tbptt`` a sequence is one piece: the same bits, also when training goes on from a checkpoint."""
    weights = []
    for update in ("sequence", "chunk"):
        with guarded():
            model, x, y = make_batch("float32", kind, every_step=every_step, N=32, T=steps)
            trainer = fr.Trainer(model, tbptt_update=update, recompute="sqrt")
            trainer.fit(x, y, epochs=1, batch_size=20, lengths=np.arange(32) % (steps + 1), verbose=0)
            trainer.save_checkpoint(tmp_path / "run.ckpt")
            resumed = fr.Trainer.resume(tmp_path / "run.ckpt")
            resumed.fit(x, y, epochs=1, batch_size=20, verbose=0)
            weights.append(resumed.model.get_weights())
    for a, b in zip(*weights, strict=True):
        assert_array_equal(a, b)


REFUSED: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "another word": (
        lambda: fr.Trainer(make_batch("float32").model, recompute="all"), ["recompute is 'all'", "sqrt"]
    ),
    "another word for gradients": (
        lambda: make_batch("float32").gradients(recompute=True), ["recompute is True", "sqrt"]
    ),
    "a trainer with tbptt": (
        lambda: fr.Trainer(make_batch("float32").model, recompute="sqrt", tbptt=(2, 3)),
        ["recompute='sqrt' with tbptt=(2, 3)", "full BPTT"],
    ),
    "gradients with tbptt": (
        lambda: make_batch("float32").gradients(recompute="sqrt", tbptt=4), ["recompute='sqrt' with tbptt=4"]
    ),
    "a trainer of both directions": (
        lambda: fr.Trainer(make_batch("float32", "bidirectional").model, recompute="sqrt"),
        ["recompute='sqrt' with a layer that reads backwards", "forwards"],
    ),
    "gradients backwards": (
        lambda: make_batch("float32", "backwards").gradients(recompute="sqrt"),
        ["recompute='sqrt' with a layer that reads backwards", "forwards"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_it_does_not_go_with(case: str) -> None:
    call, parts = REFUSED[case]
    check(ValueError, parts, call)


def test_it_does_not_go_with_carried_states() -> None:
    model, x, y = make_batch("float32", "lstm", N=8)
    trainer = fr.Trainer(model, recompute="sqrt")
    check(
        ValueError,
        ["carry_state=True with recompute", "carry_state=False"],
        lambda: trainer.fit(x, y, batch_size=4, shuffle=False, carry_state=True, verbose=0),
        model,
    )
    trainer.fit(x, y, epochs=1, verbose=0)
