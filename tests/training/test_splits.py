"""Threads that share out a layer's units instead of the rows in training: the same bits, the reference's numbers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import fastrnn as fr
from fastrnn.code.target import LANES_OF
from fastrnn.engine import threads as sharing
from fastrnn.reference import model as reference
from tests.helpers.laws import DTYPES, FORWARDS, KINDS, Array, flat, make_layer, make_states
from tests.helpers.problems import as_list, assert_close, describe
from tests.helpers.training import fit_by_reference

BOUNDS = {"float64": 1e-12, "float32": 1e-4}
ROWS, STEPS, INPUTS, IDS = 19, 6, 3, 11


@pytest.fixture(autouse=True)
def _no_kernel_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "SPLIT_BYTES", 0)
    monkeypatch.setattr(sharing, "GRADIENT_SHARE", 10**9)


def build(kind: str, dtype: str, form: str, ids: str = "", drops: bool = False) -> fr.Sequential:
    """Return a model of two recurrent layers, one of six vectors of units and one that cannot be shared out.

    ``form``: "last" has the wide layer below and a dense one on top, "sequences" the wide layer on top of all.
    """
    options: dict[str, Any] = {"dropout": 0.3, "recurrent_dropout": 0.2} if drops else {}
    below = {"": [], "embedding": [fr.Embedding(IDS, 5)], "one_hot": [fr.OneHot(IDS)]}[ids]
    sizes = (6 * LANES_OF[dtype], 7)
    stack = [
        make_layer(kind, size, every_step=form == "sequences" or place == 0, place=place, **options)
        for place, size in enumerate(sizes if form == "last" else sizes[::-1])
    ]
    above = [fr.Dense(2)] if form == "last" else []
    model = fr.Sequential([*below, *stack, *above], input_size=IDS if ids else INPUTS, dtype=dtype)
    rng = np.random.default_rng(7)
    model.set_weights([rng.uniform(-1, 1, w.shape) / np.sqrt(len(w)) for w in model.get_weights()])
    return model


def make_data(model: fr.Sequential, ids: str = "", rows: int = ROWS) -> tuple[Array, Array, Array]:
    """Return x, y and lengths."""
    rng = np.random.default_rng(3)
    x = rng.integers(0, IDS, (rows, STEPS)) if ids else rng.standard_normal((rows, STEPS, INPUTS)).astype(model.dtype)
    every_step, outputs = model.output_form
    y = rng.standard_normal((rows, STEPS, outputs) if every_step else (rows, outputs)).astype(model.dtype)
    return x, y, rng.integers(0, STEPS + 1, rows)


def fit(model: fr.Sequential, threads: int, data: tuple[Array, Array, Array], size: int, **trainer: Any) -> list[Any]:
    """Fit with that many threads; return all that comes out."""
    x, y, lengths = data
    carry = trainer.pop("carry_state", False)
    fitter = fr.Trainer(model, threads=threads, seed=4, **trainer)
    history = fitter.fit(
        x, y, epochs=2, batch_size=size, lengths=None if carry else lengths, shuffle=not carry, carry_state=carry,
        verbose=0,
    )  # fmt: skip
    plan = fitter._plan
    assert plan is not None
    assert (plan.threads, plan.shards, plan.splits) == (threads, 1, threads > 1)
    return [np.array(history.history["loss"]), *model.get_weights()]


SETTINGS: dict[str, dict[str, Any]] = {
    "full": {"clip_norm": 0.5},
    "tbptt": {"tbptt": (2, 3)},
    "chunk": {"tbptt": (2, 3), "tbptt_update": "chunk", "optimizer": fr.SGD(0.05, momentum=0.9)},
    "recompute": {"recompute": "sqrt", "clip_value": 0.01},
    "carry": {"carry_state": True},
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("form", ["last", "sequences"])
@pytest.mark.parametrize(
    ("kind", "setting"),
    [(kind, setting) for setting in SETTINGS for kind in (KINDS if setting in ("full", "tbptt") else FORWARDS)],
)
def test_threads_change_no_bit_of_a_fit(kind: str, setting: str, form: str, dtype: str) -> None:
    """With lengths and dropout, ids below or not, and a last minibatch that is smaller; even shares and uneven ones."""
    carry = setting == "carry"
    ids = {"full": "embedding", "tbptt": "one_hot"}.get(setting, "")
    runs = []
    for threads in (1, 2 if form == "last" else 3):
        model = build(kind, dtype, form, ids, drops=True)
        data = make_data(model, ids, 2 * ROWS if carry else ROWS + 9)
        runs.append(fit(model, threads, data, ROWS, **SETTINGS[setting]))
    assert all(np.isfinite(array).all() for array in runs[0])
    for a, b in zip(*runs, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("form", ["last", "sequences"])
@pytest.mark.parametrize("kind", KINDS)
def test_two_threads_train_as_the_reference(kind: str, form: str) -> None:
    """With lengths and dropout, the last minibatch smaller."""
    model = build(kind, "float64", form, drops=True)
    x, y, lengths = make_data(model, rows=ROWS + 9)
    start = model.get_weights()
    optimizer = fr.SGD(0.2, momentum=0.9)
    trainer = fr.Trainer(model, optimizer=optimizer, tbptt=(3, 4), threads=2, seed=4)
    trainer.fit(x, y, epochs=2, batch_size=ROWS, lengths=lengths, shuffle=False, verbose=0)
    assert trainer._plan is not None
    assert trainer._plan.splits
    got = model.get_weights()
    model.set_weights(start)
    wanted = fit_by_reference(
        model, x, y, optimizer, epochs=2, batch_size=ROWS, lengths=lengths, tbptt=(3, 4), seed=4
    )  # fmt: skip
    for a, b in zip(got, wanted, strict=True):
        assert_close(a, b, 1e-11, scale=1.0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ids", ["", "embedding", "one_hot"])
@pytest.mark.parametrize("form", ["last", "sequences"])
@pytest.mark.parametrize("kind", KINDS)
def test_threads_change_no_bit_of_a_prediction(kind: str, form: str, ids: str, dtype: str) -> None:
    """Nor of losses, each thread with buffers of its own; and they are the reference's."""
    model = build(kind, dtype, form, ids)
    x, y, lengths = make_data(model, ids)
    initial = make_states(model, ROWS)
    alone, *others = (model.predict(x, lengths, initial, return_state=True, threads=n) for n in (1, 2, 3))
    assert [plan.shards for plan in model._plans.values()] == [1, 2, 3]
    for other in others:
        for a, b in zip(flat(other), flat(alone), strict=True):
            assert_array_equal(a, b)
    layers = [describe(layer) for layer in model.layers]
    slow, slow_states = reference.predict(
        layers, model.get_weights(), x, lengths, as_list(initial, len(model.state_sizes))
    )
    assert_close(alone[0], slow, BOUNDS[dtype], scale=1.0)
    for state, slow_state in zip(as_list(alone[1], len(slow_states)), slow_states, strict=True):
        assert_close(state, slow_state, BOUNDS[dtype], scale=1.0)
    figures = [fr.Trainer(model, threads=n).evaluate(x, y, lengths=lengths) for n in (1, 2, 3)]
    assert figures[1:] == figures[:1] * 2


@settings(max_examples=15)
@given(
    vectors=st.integers(4, 9),
    rest=st.integers(0, 3),
    rows=st.integers(9, 40),
    steps=st.integers(1, 6),
    kind=st.sampled_from(KINDS),
)
def test_any_number_of_rows_and_units(vectors: int, rest: int, rows: int, steps: int, kind: str) -> None:
    """Shares of units that are not even; units that are no whole vectors are not shared out."""
    rng = np.random.default_rng(rows)
    x, y = rng.standard_normal((rows, steps, 3)), rng.standard_normal((rows, 1))
    weights = []
    for threads in (1, 2):
        layer = make_layer(kind, vectors * LANES_OF["float64"] + rest)
        model = fr.Sequential([layer, make_layer(kind, 16, every_step=False), fr.Dense(1)])
        trainer = fr.Trainer(model, threads=threads, tbptt=(2, 3))
        trainer.fit(x, y, epochs=1, batch_size=rows, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        assert_array_equal(a, b)
