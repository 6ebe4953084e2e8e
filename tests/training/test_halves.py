"""Few rows and many units: the units go half by half, for two threads or one; same bits, the reference's numbers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import fastrnn as fr
from fastrnn.code.target import LANES_OF
from fastrnn.engine import threads as sharing
from fastrnn.engine.plan import Plan
from fastrnn.ground import memory
from fastrnn.reference import model as reference
from tests.helpers.cells import CELLS, make_cell
from tests.helpers.problems import assert_close, describe
from tests.helpers.training import fit_by_reference

HALVED = [kind for kind in CELLS if kind not in ("gru_reset_before", "mgu", "min_gru", "min_lstm", "ind_rnn")]
STEPS, INPUTS, IDS = 6, 3, 11


@pytest.fixture(autouse=True)
def _nothing_is_too_little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "SPLIT_WORK", 0)


def build(kind: str, dtype: str = "float64", vectors: int = 4, ids: str = "", **options: Any) -> fr.Sequential:
    """Return a model whose lower recurrent layer goes half by half, and the upper one does not."""
    below = {"": [], "embedding": [fr.Embedding(IDS, 5)], "one_hot": [fr.OneHot(IDS)]}[ids]
    lower = make_cell(kind, vectors * LANES_OF[dtype], return_sequences=True, **options)
    model = fr.Sequential([*below, lower, fr.GRU(7), fr.Dense(2)], IDS if ids else INPUTS, dtype)
    rng = np.random.default_rng(7)
    model.set_weights([rng.uniform(-1, 1, w.shape) / np.sqrt(len(w)) for w in model.get_weights()])
    return model


def make_data(model: fr.Sequential, rows: int, steps: int = STEPS) -> tuple[Any, Any, Any]:
    """Return x, y and lengths."""
    rng = np.random.default_rng(3)
    takes_ids = model.network.takes_ids
    x = rng.integers(0, IDS, (rows, steps)) if takes_ids else rng.standard_normal((rows, steps, INPUTS))
    return x, rng.standard_normal((rows, 2)), rng.integers(0, steps + 1, rows)


def test_some_layers_go_half_by_half() -> None:
    for kind in CELLS:
        layer = build(kind).layers[0]
        assert sharing.has_halves(layer, "float64", 1) == (kind in HALVED)
        assert not sharing.has_halves(layer, "float64", 8)
    assert not sharing.has_halves(build("lstm", vectors=3).layers[0], "float64", 1)
    assert not sharing.has_halves(make_cell("lstm", 33), "float64", 1)
    plan = Plan(build("lstm").network, 1, STEPS, threads=2, emits=True)
    assert (plan.splits, plan.shards) == (True, 1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("ids", ["", "embedding", "one_hot"])
@pytest.mark.parametrize("rows", [1, 2, 4, 7])
@pytest.mark.parametrize("kind", HALVED)
def test_threads_change_no_bit(kind: str, rows: int, ids: str, dtype: str) -> None:
    """Of a fit with lengths, the last minibatch smaller, and of what is predicted."""
    runs = []
    for threads in (1, 2):
        with memory.guarded():
            model = build(kind, dtype, 5, ids, dropout=0.2)
            x, y, lengths = make_data(model, rows + rows // 2)
            trainer = fr.Trainer(model, threads=threads, clip_norm=0.5)
            trainer.fit(x, y, epochs=2, batch_size=rows, lengths=lengths, verbose=0)
            assert trainer._plan is not None
            assert trainer._plan.splits == (threads == 2)
            outputs, state = model.predict(x[:rows], return_state=True, threads=threads)
            runs.append([*model.get_weights(), outputs, state[0], state[1]])
    for one, two in zip(*runs, strict=True):
        for a, b in zip(np.atleast_1d(one), np.atleast_1d(two), strict=True):
            assert_array_equal(a, b)


@pytest.mark.parametrize("form", [{}, {"tbptt": (2, 3)}, {"tbptt": (2, 3), "tbptt_update": "chunk"}], ids=str)
@pytest.mark.parametrize("kind", HALVED)
def test_two_threads_train_as_the_reference(kind: str, form: dict[str, Any]) -> None:
    model = build(kind, dropout=0.2)
    x, y, lengths = make_data(model, 6)
    start, optimizer = model.get_weights(), fr.SGD(0.2, momentum=0.9)
    trainer = fr.Trainer(model, optimizer=optimizer, threads=2, seed=4, **form)
    trainer.fit(x, y, epochs=2, batch_size=4, lengths=lengths, shuffle=False, verbose=0)
    got = model.get_weights()
    model.set_weights(start)
    wanted = fit_by_reference(model, x, y, optimizer, epochs=2, batch_size=4, lengths=lengths, seed=4, **form)
    for a, b in zip(got, wanted, strict=True):
        assert_close(a, b, 1e-11, scale=1.0)


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(HALVED), rows=st.integers(1, 7), vectors=st.integers(4, 7), steps=st.integers(1, 140),
    every_step=st.booleans(), backwards=st.booleans(), use_bias=st.booleans(), recompute=st.booleans(),
    has_lengths=st.booleans(), seed=st.integers(0, 99),
)  # fmt: skip
def test_gradients_are_the_reference_s(
    kind: str, rows: int, vectors: int, steps: int, every_step: bool, backwards: bool, use_bias: bool, recompute: bool,
    has_lengths: bool, seed: int,
) -> None:  # fmt: skip
    """Of weights, inputs and initial states; steps enough for several blocks and windows."""
    rng = np.random.default_rng(seed)
    layer = make_cell(
        kind, vectors * LANES_OF["float64"], return_sequences=every_step, go_backwards=backwards, use_bias=use_bias
    )
    model = fr.Sequential([layer, fr.Dense(2)], INPUTS, "float64")
    model.set_weights([rng.uniform(-1, 1, w.shape) / np.sqrt(len(w)) for w in model.get_weights()])
    assert sharing.has_halves(layer, "float64", rows)
    x = rng.standard_normal((rows, steps, INPUTS))
    y = rng.standard_normal((rows, steps, 2) if every_step else (rows, 2))
    lengths = rng.integers(0, steps + 1, rows) if has_lengths else None
    if lengths is not None and not lengths.any():
        lengths[0] = 1
    start = [rng.standard_normal((rows, layer.units)) for _ in layer.equation.states]
    initial = start[0] if len(start) == 1 else tuple(start)
    loss, gradients = model.gradients(
        x, y, lengths=lengths, initial_state=initial, wants=["x", "initial_state"],
        recompute="sqrt" if recompute and not backwards else None,
    )  # fmt: skip
    layers = [describe(each) for each in model.layers]
    slow = reference.gradients(layers, model.get_weights(), x, y, "mse", None, lengths, [initial])
    scale = max(float(np.abs(g).max()) for g in slow.weights)
    assert abs(loss - slow.loss) < 1e-12 * max(1.0, slow.loss)
    own = [gradients[name] for name in (*model.parameters(), "x")]
    for a, b in zip(own, [*slow.weights, slow.x], strict=True):
        assert_close(a, b, 1e-11, scale=scale)
    for a, b in zip(np.atleast_3d(gradients["initial_state"]).reshape(-1), np.ravel(slow.initial_state), strict=True):
        assert abs(a - b) <= 1e-11 * scale


def test_a_stream_learns_with_halves() -> None:
    """Its tapes are moved half by half."""
    x, y = np.random.default_rng(0).standard_normal((2, 1, 1024, INPUTS))
    y = y[..., :2]
    models = [fr.Sequential([fr.LSTM(32, return_sequences=True), fr.Dense(2)], INPUTS, "float64") for _ in "12"]
    settings = {"tbptt": (2, 7), "tbptt_update": "chunk"}
    fr.Trainer(models[0], optimizer=fr.SGD(0.01 * 512), **settings).fit(x, y, epochs=1, verbose=0)
    stream = fr.Trainer(models[1], optimizer=fr.SGD(0.01), **settings).stream()
    for t in range(1024):
        stream.learn(x[:, t], y[:, t])
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        assert np.abs(a - b).max() < 1e-12
    one, many = models[1].stream(), models[1].stream()
    assert np.abs(np.stack([one.step(x[:, t]) for t in range(50)], 1) - many.run(x[:, :50])).max() < 1e-13
