"""What holds for a cell because it is one: each of the table is held against the reference, and to the laws."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastrnn as fr
from fastrnn.reference import model as reference
from fastrnn.reference.recurrent import CELLS as KNOWN
from tests.helpers.cells import CELLS, FIRST, make_cell
from tests.helpers.problems import as_list, assert_close, describe

OTHERS = [kind for kind in CELLS if kind not in FIRST]
BOUNDS = {"float64": 1e-12, "float32": 1e-4}
N, T, F = 21, 7, 3
LENGTHS = np.array([7, 0, 3, 6, 5, 1, 7] * 3)


def make(kind: str, dtype: str = "float64", *, every_step: bool = False, both: bool = False, **options: Any) -> Any:
    """Return a stack of two layers of a cell, with random weights, and data for it."""
    rng = np.random.default_rng(3)
    last = make_cell(kind, 20, return_sequences=every_step, **options)
    stack = [make_cell(kind, 9, return_sequences=True, **options), fr.Bidirectional(last) if both else last]
    model = fr.Sequential([*stack, fr.Dense(2)], input_size=F, dtype=dtype)
    model.set_weights([rng.uniform(-0.4, 0.4, w.shape) for w in model.get_weights()])
    x = rng.standard_normal((N, T, F)).astype(dtype)
    return model, x, rng.standard_normal((N, T, 2) if every_step else (N, 2)).astype(dtype)


def test_the_table_holds_every_cell() -> None:
    kinds = {make(1).kind for make in CELLS.values()}
    assert kinds == set(fr.layers.CELLS) == set(KNOWN)
    assert {layer.__name__ for layer in fr.layers.CELLS.values()} <= set(fr.__all__)


@pytest.mark.parametrize("dtype", BOUNDS)
@pytest.mark.parametrize("way", ["last", "sequences", "backwards", "both", "no bias", "zoneout", "dropout"])
@pytest.mark.parametrize("kind", OTHERS)
def test_outputs_states_and_gradients_are_those_of_the_reference(kind: str, way: str, dtype: str) -> None:
    options: dict[str, Any] = {
        "sequences": {"every_step": True}, "backwards": {"go_backwards": True}, "both": {"both": True},
        "no bias": {"use_bias": False}, "zoneout": {"zoneout": 0.3},
        "dropout": {"dropout": 0.2, "recurrent_dropout": 0.3},
    }.get(way, {})  # fmt: skip
    model, x, y = make(kind, dtype, **options)
    layers, weights = [describe(layer) for layer in model.layers], model.get_weights()
    rng = np.random.default_rng(4)
    states = [tuple(rng.uniform(-1, 1, (N, size)).astype(dtype) for size in sizes) for sizes in model.state_sizes]
    initial: Any = [state if len(state) > 1 else state[0] for state in states]
    outputs, found = model.predict(x, LENGTHS, initial, return_state=True)
    slow, slow_states = reference.predict(layers, weights, x, LENGTHS, initial)
    for a, b in zip([outputs, *as_list(found, len(initial))], [slow, *slow_states], strict=True):
        assert_close(a, b, BOUNDS[dtype], 1.0)
    for tbptt in (None, (3, 5)):
        loss, gradients = model.gradients(x, y, "mse", None, LENGTHS, initial, tbptt=tbptt, wants=["x"])
        wanted = reference.gradients(layers, weights, x, y, "mse", None, LENGTHS, initial, tbptt)
        assert loss == pytest.approx(wanted.loss, rel=BOUNDS[dtype])
        scale = max(float(np.abs(g).max()) for g in wanted.weights)
        for a, b in zip(gradients.values(), [*wanted.weights, wanted.x], strict=True):
            assert_close(a, b, BOUNDS[dtype], scale)
    fr.Trainer(model, optimizer=fr.SGD(1.0), seed=5).fit(x, y, epochs=1, batch_size=N, shuffle=False, verbose=0)
    wanted = reference.gradients(layers, weights, x, y, "mse", dropout=(5, 0))
    for before, after, gradient in zip(weights, model.get_weights(), wanted.weights, strict=True):
        assert_allclose(before - after, gradient, rtol=0, atol=BOUNDS[dtype] * 10)


@pytest.mark.parametrize("kind", OTHERS)
def test_the_same_bits_for_any_threads_and_across_a_stop(kind: str, tmp_path: Path) -> None:
    runs = []
    for threads in (1, 2, 3):
        model, x, y = make(kind, "float32", zoneout=0.2, dropout=0.1)
        trainer = fr.Trainer(model, threads=threads, clip_norm=1.0)
        trainer.fit(x, y, epochs=2, batch_size=16, lengths=LENGTHS, verbose=0)
        trainer.save_checkpoint(tmp_path / "run.ckpt")
        resumed = fr.Trainer.resume(tmp_path / "run.ckpt")
        for each in (trainer, resumed):
            each.fit(x, y, epochs=1, batch_size=16, lengths=LENGTHS, verbose=0)
            runs.append(np.concatenate([w.ravel() for w in each.model.get_weights()]))
    for run in runs[1:]:
        assert_array_equal(run, runs[0])


@pytest.mark.parametrize("kind", OTHERS)
def test_recomputing_streaming_carrying_and_a_file_change_nothing(kind: str, tmp_path: Path) -> None:
    model, x, y = make(kind, every_step=True)
    expected = model.gradients(x, y)[1]
    again = model.gradients(x, y, recompute="sqrt")[1]
    for name, gradient in expected.items():
        assert_allclose(again[name], gradient, rtol=1e-12, atol=1e-14)
    outputs = model.predict(x)
    stream = model.stream(batch=N)
    assert_allclose(np.stack([stream.step(x[:, t]) for t in range(T)], axis=1), outputs, rtol=1e-12, atol=1e-14)
    model.save(tmp_path / "model.safetensors")
    loaded = fr.load(tmp_path / "model.safetensors")
    assert loaded.layers == model.layers
    assert_array_equal(loaded.predict(x), outputs)
    trainer = fr.Trainer(model, tbptt=3, tbptt_update="chunk")
    history = trainer.fit(x, y, epochs=30, batch_size=N, carry_state=True, shuffle=False, verbose=0).history["loss"]
    assert history[-1] < history[0]


@pytest.mark.parametrize("kind", [kind for kind in OTHERS if not CELLS[kind](1).recurrent_gates])
def test_a_cell_without_a_recurrent_matrix_refuses_its_dropout(kind: str) -> None:
    with pytest.raises(ValueError, match=r"recurrent_dropout=0.1; expected 0: the cell has no recurrent matrix"):
        CELLS[kind](3, recurrent_dropout=0.1)


# ---------------------------------------------------------------------------------------------- zoneout


@pytest.mark.parametrize("kind", FIRST)
def test_zoneout_outside_of_training_mixes_old_and_new_states(kind: str) -> None:
    """By steps: the state is what the cell makes without zoneout, and the old one, each by its share."""
    plain = fr.Sequential([make_cell(kind, 5)], input_size=F, dtype="float64")
    zoned = fr.Sequential([make_cell(kind, 5, zoneout=0.25)], input_size=F, dtype="float64")
    zoned.set_weights(plain.get_weights())
    x = np.random.default_rng(0).standard_normal((2, T, F))
    steps, stream = plain.stream(batch=2), zoned.stream(batch=2)
    for t in range(T):
        before = steps.state
        steps.step(x[:, t])
        found, old = steps.state, before
        if isinstance(found, tuple):
            steps.state = tuple(0.75 * new + 0.25 * was for new, was in zip(found, old, strict=True))
        else:
            steps.state = 0.75 * found + 0.25 * old
        shown = steps.state[0] if isinstance(found, tuple) else steps.state
        assert_allclose(stream.step(x[:, t]), shown, rtol=1e-12)


@pytest.mark.parametrize("kind", FIRST)
def test_zoneout_keeps_about_its_share_of_the_units_in_training(kind: str) -> None:
    """All weights 0 but the bias: a unit that has kept its state through all steps is where it began."""
    layer = make_cell(kind, 512, zoneout=0.5)
    model = fr.Sequential([layer], input_size=1, dtype="float64")
    flat = [np.zeros_like(w) for w in model.get_weights()]
    flat[-1][...] = 1.0
    model.set_weights(flat)
    x, y = np.zeros((4, 2, 1)), np.zeros((4, 512))
    before = model.get_weights()[-1].copy()
    trainer = fr.Trainer(model, optimizer=fr.SGD(1.0), seed=1)
    trainer.fit(x, y, epochs=1, batch_size=4, verbose=0)
    moved = np.abs(model.get_weights()[-1] - before).reshape(-1, 512).max(axis=0)
    # Of 4 rows of 2 steps, all kept: a chance of 2**-8 a unit; of h or c a little more.
    assert (moved == 0.0).mean() < 0.05
    assert len(np.unique(moved.round(12))) >= 3
