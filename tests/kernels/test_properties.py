"""The fast kernels against the slow reference, over random stacks, shapes, lengths, states and truncations.

A sample: `tests.searches.properties` goes on.
"""

import warnings
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import fastrnn as fr
from fastrnn.engine import program
from fastrnn.reference import model as reference
from fastrnn.reference.training import start_training, train_step
from tests.helpers.optimizers import OPTIMIZERS, describe_optimizer
from tests.helpers.problems import Problem, as_list, assert_close, describe, problems

WINDOWS = st.sampled_from([1, 20, 60, program.WINDOW_ROWS])
"""Windows of the way back from one step to more than a problem has."""
BOUNDS = {"float64": 1e-12, "float32": 1e-4}
"""The bounds that the docstrings of ``predict`` and ``gradients`` state."""


@pytest.mark.parametrize("dtype", BOUNDS)
@settings(max_examples=30)
@given(data=st.data())
def test_outputs_and_final_states(dtype: str, data: st.DataObject) -> None:
    problem = data.draw(problems(dtype))
    model, weights = problem.model, problem.model.get_weights()
    y, state = model.predict(problem.x, problem.lengths, problem.initial_state, return_state=True, batch_size=5)
    cells = len(model.state_sizes)
    slow, slow_states = reference.predict(problem.layers, weights, problem.x, problem.lengths, problem.initial_state)
    assert_close(y, slow, BOUNDS[dtype], scale=1.0)
    for a, b in zip(as_list(state, cells), slow_states, strict=True):
        assert_close(a, b, BOUNDS[dtype], scale=1.0)


@pytest.mark.parametrize("dtype", BOUNDS)
@settings(max_examples=50)
@given(data=st.data())
def test_loss_and_gradients(dtype: str, data: st.DataObject) -> None:
    problem = data.draw(problems(dtype))
    wants = ("x", "initial_state") if problem.x.ndim == 3 else ("initial_state",)
    with mock.patch.object(program, "WINDOW_ROWS", data.draw(WINDOWS)):
        loss, fast = problem.model.gradients(*problem.batch, wants=wants)
    slow = reference.gradients(problem.layers, problem.model.get_weights(), *problem.batch)
    assert loss == pytest.approx(slow.loss, rel=BOUNDS[dtype], abs=1e-300, nan_ok=True)
    # Errors that cancel below the top, as in a softmax of equal ones, leave gradients of rounding alone.
    scale = max(1e-3 * np.nan_to_num(slow.loss), *(float(np.abs(g).max()) for g in slow.weights))
    for name, gradient in zip(problem.model.parameters(), slow.weights, strict=True):
        assert_close(fast[name], gradient, BOUNDS[dtype], scale)
    if slow.x is not None:
        assert_close(fast["x"], slow.x, BOUNDS[dtype], scale)
    for a, b in zip(as_list(fast["initial_state"], len(slow.initial_state)), slow.initial_state, strict=True):
        assert_close(a, b, BOUNDS[dtype], scale)


@pytest.mark.parametrize("threads", [1, 2])
@settings(max_examples=30)
@given(data=st.data())
def test_training_steps(threads: int, data: st.DataObject) -> None:
    """Two epochs of minibatches in order: the weights after them are the reference's, unless the training diverges."""
    optimizer = data.draw(st.sampled_from(OPTIMIZERS))
    update = data.draw(st.sampled_from(["sequence", "sequence", "chunk"]))
    problem: Problem = data.draw(problems("float64", forwards=update == "chunk", drops=True))
    assume(problem.something_counts)
    clips = {
        "clip_value": data.draw(st.none() | st.sampled_from([0.01, 1.0])),
        "clip_norm": data.draw(st.none() | st.sampled_from([0.05, 5.0])),
    }
    size = data.draw(st.integers(1, len(problem.x)))
    progress = start_training(problem.model.get_weights(), describe_optimizer(optimizer))
    trainer = fr.Trainer(
        problem.model, problem.loss, optimizer, tbptt=problem.tbptt, tbptt_update=update, threads=threads, **clips
    )
    with mock.patch.object(program, "WINDOW_ROWS", data.draw(WINDOWS)), warnings.catch_warnings():
        warnings.simplefilter("ignore", fr.TrainingWarning)
        trainer.fit(
            problem.x, problem.y, epochs=2, batch_size=size,
            sample_weight=problem.sample_weight, lengths=problem.lengths, shuffle=False, verbose=0,
        )  # fmt: skip
    for epoch in range(2):
        for batch, first in enumerate(range(0, len(problem.x), size)):
            draw = epoch * -(-len(problem.x) // size) + batch
            rows = slice(first, first + size)
            weight, lengths = (None if a is None else a[rows] for a in (problem.sample_weight, problem.lengths))
            with np.errstate(over="ignore", invalid="ignore"):
                loss, progress, _ = train_step(
                    problem.layers, progress, problem.x[rows], problem.y[rows], describe_optimizer(optimizer),
                    problem.loss, weight, lengths, None, problem.tbptt, update, **clips, dropout=(0, draw),
                )  # fmt: skip
            assume(not loss >= 1e3)  # NaN where nothing counts
            assume(all(np.isfinite(weights).all() for weights in progress.weights))
    for fast, slow in zip(problem.model.get_weights(), progress.weights, strict=True):
        assert_close(fast, slow, 1e-9, scale=1.0)


@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("update", ["sequence", "chunk"])
@pytest.mark.parametrize("rows", [17, 33, 70])
def test_shards_train_as_the_reference(rows: int, update: str, every_step: bool) -> None:
    """Minibatches that are cut into shards, each with gradients of its own."""
    rng = np.random.default_rng(rows)
    stack = [fr.SimpleRNN(5, return_sequences=every_step), fr.Dense(2)]
    model = fr.Sequential(stack, input_size=3, dtype="float64")
    steps = 40
    x = rng.standard_normal((rows + 11, steps, 3))
    y = rng.standard_normal((rows + 11, *([steps] if every_step else []), 2))
    lengths, weight = rng.integers(0, steps + 1, len(x)), rng.uniform(0, 2, len(x))
    progress = start_training(model.get_weights(), describe_optimizer(OPTIMIZERS[3]))
    trainer = fr.Trainer(model, optimizer=OPTIMIZERS[3], tbptt=(7, 9), tbptt_update=update, clip_norm=0.5, threads=2)
    trainer.fit(x, y, epochs=1, batch_size=rows, sample_weight=weight, lengths=lengths, shuffle=False, verbose=0)
    for part in (slice(rows), slice(rows, None)):
        _, progress, _ = train_step(
            [describe(layer) for layer in stack], progress, x[part], y[part], describe_optimizer(OPTIMIZERS[3]), "mse",
            weight[part], lengths[part], None, (7, 9), update, clip_norm=0.5,
        )  # fmt: skip
    for fast, slow in zip(model.get_weights(), progress.weights, strict=True):
        assert_close(fast, slow, 1e-10, scale=1.0)
    assert trainer._plan is not None
    assert trainer._plan.shards > 1
