"""What holds for a case of `tests.helpers.settings`, whatever it chooses.

The guards around all buffers stay whole; there are the same bits with and without guards, with any number of threads
and when training goes on from a checkpoint; outputs in minibatches, step by step and with recomputed states are those
of the whole; nothing is NaN where the activations are bounded; and, in a third of the cases, all is what the slow
reference computes.
"""

import contextlib
import ctypes
import mmap
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr
from fastrnn.ground import memory
from fastrnn.reference import model as reference
from fastrnn.reference.training import start_training, train_step
from tests.helpers.laws import each
from tests.helpers.problems import (
    Problem,
    assert_close,
    is_away_from_certainty,
    is_away_from_kinks,
    is_bounded,
    is_tame,
    is_well_conditioned,
)
from tests.helpers.settings import OPTIMIZERS, Case, Made, make_data, make_model, make_problem, make_trainer, value

Array = NDArray[Any]
Results = dict[str, Any]
BOUNDS = {"float64": 1e-12, "float32": 1e-4}
EPOCHS = 2
BORDERS = (
    "engine.program.WINDOW_ROWS",
    "engine.threads.SPLIT_BYTES",
    "engine.threads.SPLIT_WORK",
    "engine.threads.SHARD_ROWS",
    "engine.threads.GRADIENT_SHARE",
    "engine.recurrent.JOINED_TERMS",
)
"""Sizes that decide how the engine cuts its work; cases move some of them to where small models cross them."""


class Refused(Exception):
    """The settings do not go together, and a line said so."""


def check(case: Case) -> None:
    """Assert all that holds for a case.

    Raises
    ------
    Refused
        The settings are refused together.
    AssertionError, fastrnn.ground.memory.OverrunError
        Something does not hold.
    """
    do, compare = TASKS[value(case, "task")]
    with contextlib.ExitStack() as stack:
        for place in BORDERS:
            border = value(case, place.rpartition(".")[2].lower())
            stack.enter_context(mock.patch(f"fastrnn.{place}", border))
        made = make_data(case)
        with memory.guarded():  # first: what is written beside a buffer is named rather than a crash
            guarded = do(case, made, value(case, "threads"))
        plain = do(case, made, 1)
    assert_same(guarded, plain, "with guards and threads")
    problem = make_problem(case, made)
    if is_bounded(problem) and counts(problem):
        for name, figures in plain.items():
            assert all(np.isfinite(a).all() for a in arrays_of(figures)), f"{name} is not finite"
    if value(case, "reference"):
        compare(case, problem, plain)


# ---------------------------------------------------------------------------------------------- tasks


def predict(case: Case, made: Made, threads: int) -> Results:
    """Predict in every way there is."""
    model, x, lengths = make_model(case, made.weights), in_form(made.x, case), fenced(made.lengths)
    start = None if made.initial_state is None else each(fenced, made.initial_state)
    arguments = {"lengths": lengths, "initial_state": start, "return_state": True, "threads": threads}
    found: Results = {
        "outputs": model.predict(x, **arguments),
        "in minibatches": model.predict(x, **arguments, batch_size=value(case, "predict_batch")),
        "plain": model.predict(x, threads=threads),
        "plain once more": [model.predict(x, threads=threads) for _ in range(2)],
    }
    assert_same({"": found["plain once more"]}, {"": [found["plain"]] * 2}, "in the same call once more")
    if not model.reads_backwards:
        stream = model.stream(batch=len(made.x))
        found["steps"] = [stream.step(made.x[:, t]) for t in range(min(4, made.x.shape[1]))]
    return found


def predictions_are_right(case: Case, problem: Problem, results: Results) -> None:
    if not is_tame(problem):
        return
    bound = BOUNDS[value(case, "dtype")]
    weights = problem.model.get_weights()
    y, states = reference.predict(problem.layers, weights, problem.x, problem.lengths, problem.initial_state)
    slow = [y, *arrays_of([list(state) if state.ndim == 3 else state for state in states])]
    for name in ("outputs", "in minibatches"):
        assert_all_close(arrays_of(results[name]), slow, bound, 1.0, name)
    if problem.model.output_form[0]:
        y, _ = reference.predict(problem.layers, weights, problem.x)
        steps = results.get("steps", [])
        assert_all_close(steps, [y[:, t] for t in range(len(steps))], bound, 1.0, "steps")


def gradients(case: Case, made: Made, threads: int) -> Results:
    """Compute gradients, truncated if that is chosen, and with recomputed states if that can be."""
    model, x, y = make_model(case, made.weights), in_form(made.x, case), in_form(made.y, case)
    start = None if made.initial_state is None else each(fenced, made.initial_state)
    arguments: dict[str, Any] = {
        "loss": made.loss, "sample_weight": fenced(made.sample_weight), "lengths": fenced(made.lengths),
        "initial_state": start, "wants": ["initial_state"] if model.network.takes_ids else ["x", "initial_state"],
    }  # fmt: skip
    found = {"gradients": model.gradients(x, y, **arguments, tbptt=value(case, "tbptt"))}
    if not model.reads_backwards and value(case, "tbptt") is None:
        found["recomputed"] = model.gradients(x, y, **arguments, recompute="sqrt")
    return found


def gradients_are_right(case: Case, problem: Problem, results: Results) -> None:
    if not is_smooth(problem):
        return
    bound = BOUNDS[value(case, "dtype")]
    slow = reference.gradients(problem.layers, problem.model.get_weights(), *problem.batch)
    scale = max(*(float(np.abs(g).max()) for g in slow.weights), 1e-3 * slow.loss)  # NaN, where nothing counts, loses
    wanted = [np.array(slow.loss), *slow.weights, *([] if slow.x is None else [slow.x])]
    wanted += arrays_of([list(state) if state.ndim == 3 else state for state in slow.initial_state])
    for name, figures in results.items():
        assert_all_close(arrays_of(figures), wanted, bound, scale, name)


def fit(case: Case, made: Made, threads: int) -> Results:
    """Train, evaluate and predict; under guards, train with a checkpoint in between as well."""
    x, y = in_form(made.x, case), in_form(made.y, case)
    weight, lengths = fenced(made.sample_weight), fenced(made.lengths)
    given: dict[str, Any] = {
        "sample_weight": weight, "lengths": lengths, "verbose": 0, "batch_size": value(case, "batch_size"),
        "shuffle": value(case, "shuffle"), "carry_state": value(case, "carry_state"),
    }  # fmt: skip
    if value(case, "validation") == "data":
        given["validation_data"] = (x, y, weight, lengths)
    elif holds_out(case, made.x):
        given["validation_split"] = 0.5
    try:
        whole = make_trainer(case, made, threads)
        whole.fit(x, y, **given, epochs=EPOCHS)
    except (TypeError, ValueError) as error:
        if "expected" not in str(error) or "\n" in str(error):
            raise
        raise Refused(str(error)) from None
    found: Results = {"history": arrays_of(whole.history.history), "weights": whole.model.get_weights()}
    if memory.guards() is not None:
        parts = make_trainer(case, made, threads)
        parts.fit(x, y, **given, epochs=EPOCHS - 1)
        with tempfile.TemporaryDirectory() as folder:
            parts.save_checkpoint(Path(folder) / "run.ckpt")
            parts = fr.Trainer.resume(Path(folder) / "run.ckpt")
        parts.fit(x, y, **given, epochs=1)
        resumed = {"history": parts.history.history, "weights": parts.model.get_weights()}
        assert_same(resumed, found, "from a checkpoint")
    found["evaluated"] = whole.evaluate(x, y, weight, lengths)
    if value(case, "again"):  # another shape: other buffers, which go on with the same progress
        half = len(made.x) - len(made.x) // 2
        found["again"] = whole.fit(x[:half], y[:half], epochs=1, batch_size=3, verbose=0).history
    return found | {"outputs": [whole.model.predict(x, threads=threads) for _ in range(2)]}


def training_is_right(case: Case, problem: Problem, results: Results) -> None:
    """In float64, the trained weights are those of the reference."""
    if value(case, "dtype") == "float32" or not is_bounded(problem) or not is_smooth(problem):
        return
    optimizer = OPTIMIZERS[value(case, "optimizer")]
    described = {"kind": optimizer.kind, **{name: getattr(optimizer, name) for name in optimizer.__struct_fields__}}
    progress = start_training(problem.model.get_weights(), described)
    rows, draws = len(problem.x), 0
    if holds_out(case, problem.x):
        rows -= int(rows * 0.5)
    shuffling = np.random.default_rng(value(case, "seed"))
    size = min(rows, value(case, "batch_size"))
    settings = {name: value(case, name) for name in ("tbptt", "tbptt_update", "clip_value", "clip_norm")}
    for _ in range(EPOCHS):
        order = shuffling.permutation(rows) if value(case, "shuffle") else np.arange(rows)
        state = None
        for first in range(0, rows, size):
            places = order[first : first + size]
            weight, lengths = (None if a is None else a[places] for a in (problem.sample_weight, problem.lengths))
            _, progress, state = train_step(
                problem.layers, progress, problem.x[places], problem.y[places], described, problem.loss, weight,
                lengths, state if value(case, "carry_state") else None, **settings,
                dropout=(value(case, "seed"), draws),
            )  # fmt: skip
            draws += 1
    assert_all_close(results["weights"], progress.weights, 1e-7, 1.0, "weights")


TASKS: dict[str, tuple[Callable[[Case, Made, int], Results], Callable[[Case, Problem, Results], None]]] = {
    "fit": (fit, training_is_right),
    "gradients": (gradients, gradients_are_right),
    "predict": (predict, predictions_are_right),
}
"""What is done with a case, and how it is held against the reference."""


# ---------------------------------------------------------------------------------------------- what is asked


def is_smooth(problem: Problem) -> bool:
    """Whether the reference can be compared: nothing huge or ill-conditioned, no kink near, no probability 0 or 1."""
    with np.errstate(all="ignore"):
        conditioned = is_tame(problem) and is_well_conditioned(problem)
        return conditioned and is_away_from_kinks(problem) and is_away_from_certainty(problem)


def counts(problem: Problem) -> bool:
    """Whether there is something that loss and metrics are means over, in the rows that are trained on or held out."""
    half = len(problem.x) - len(problem.x) // 2
    given = (a for a in (problem.sample_weight, problem.lengths) if a is not None)
    return all(a[:half].any() and a[half:].any() for a in given)


def holds_out(case: Case, x: Array) -> bool:
    """Whether the second half of the rows is for validation."""
    return value(case, "validation") == "split" and len(x) > 1 and not value(case, "carry_state")


def assert_same(got: Results, wanted: Results, how: str) -> None:
    """Assert the same bits in what both have; NaN is NaN."""
    assert got.keys() == wanted.keys()
    for name, figures in got.items():
        for place, (a, b) in enumerate(zip(arrays_of(figures), arrays_of(wanted[name]), strict=True)):
            np.testing.assert_array_equal(a, b, f"{name}[{place}] {how}")


def assert_all_close(got: list[Array], wanted: list[Array], bound: float, scale: float, name: str) -> None:
    for place, (a, b) in enumerate(zip(got, wanted, strict=True)):
        if np.isnan(b).all():
            assert np.isnan(a).all()
            continue
        try:
            assert_close(a, b, bound, scale)
        except AssertionError:
            error = float(np.abs(a - b).max())
            raise AssertionError(f"{name}[{place}] is {error:.3g} from the reference, scale {scale:.3g}") from None


def arrays_of(results: Any) -> list[Array]:
    """Return everything that comes out of a call as a list of arrays."""
    if isinstance(results, dict):
        return arrays_of(list(results.values()))
    if isinstance(results, list | tuple):
        return [a for result in results for a in arrays_of(result)]
    return [np.array(results)]


# ---------------------------------------------------------------------------------------------- arrays


def in_form(array: Array, case: Case) -> Any:
    """Return an array in the form in which the user hands it over."""
    form = value(case, "form")
    if form == "as read":
        return fenced(array)
    if form == "list":
        return array.tolist()
    if form == "not contiguous":
        return np.repeat(array, 2, axis=0)[::2]
    return array.astype(np.float64 if array.dtype == np.float32 else np.uint8 if array.dtype == np.int64 else ">f8")


_libc = ctypes.CDLL(None) if sys.platform.startswith("linux") else None


def fenced(array: Any) -> Any:
    """Return a copy that ends where memory does: whoever reads beyond it crashes."""
    if _libc is None or array is None or not array.size:
        return array
    size = -(-array.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    pages = mmap.mmap(-1, size + mmap.PAGESIZE)
    end = ctypes.addressof(ctypes.c_char.from_buffer(pages)) + size
    assert _libc.mprotect(ctypes.c_void_p(end), ctypes.c_size_t(mmap.PAGESIZE), 0) == 0
    copy = np.frombuffer(pages, array.dtype, array.size, size - array.nbytes).reshape(array.shape)
    copy[...] = array
    return copy
