"""Memory: buffers are made once for a shape, they are hardly more than what has to be kept, and none of it is lost."""

import ctypes
import gc
import os
import tracemalloc
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.code.target import LANES_OF
from fastrnn.engine.plan import Data, Plan
from fastrnn.ground import memory
from fastrnn.model.sequential import PLANS
from fastrnn.operations.products import padded
from tests.helpers.cases import GRID, Case
from tests.helpers.laws import FORWARDS, KINDS, make_layer

STATM = Path("/proc/self/statm")
STORED = {"SimpleRNN": 1, "GRU": 5, "LSTM": 6}
"""Numbers that a cell keeps of a step for every unit: h; h and the gates; h, c and the gates."""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes in bytes of the buffers that plans make."""
    sizes: list[int] = []

    def zeros(count: int, dtype: Any) -> Any:
        sizes.append(count * np.dtype(dtype).itemsize)
        return make(count, dtype)

    make = memory.zeros
    for module in ("ground.memory", "engine.plan", "engine.update"):
        monkeypatch.setattr(f"fastrnn.{module}.zeros", zeros)
    return sizes


def make_fit(kind: str, threads: int = 1, steps: int = 50, **settings: Any) -> tuple[fr.Trainer, Callable[[int], Any]]:
    """Return a trainer and its fit for a number of epochs; at 50 steps its buffers of states alone are 200 kB."""
    drops = {"dropout": 0.1, "recurrent_dropout": 0.1}
    layers = [make_layer(kind, 32, **drops), fr.Dropout(0.2), make_layer(kind, 20, every_step=False), fr.Dense(1)]
    trainer = fr.Trainer(fr.Sequential(layers), threads=threads, metrics=["mae"], **settings)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((96, steps, 4)).astype(np.float32), rng.standard_normal((96, 1)).astype(np.float32)
    lengths = np.arange(96) % (steps + 1)
    return trainer, lambda epochs: trainer.fit(x, y, epochs=epochs, batch_size=32, lengths=lengths, verbose=0)


SETTINGS: dict[str, dict[str, Any]] = {"full": {}, "tbptt": {"tbptt": (10, 20)}, "recompute": {"recompute": "sqrt"}}
runs = pytest.mark.parametrize(
    ("kind", "setting"),
    [(kind, setting) for setting in SETTINGS for kind in (FORWARDS if setting == "recompute" else KINDS)],
)


@runs
@pytest.mark.parametrize("threads", [1, 2])
def test_minibatches_allocate_nothing(kind: str, setting: str, threads: int) -> None:
    """From the second one of its shape on; an epoch may make a new order of its 96 rows, and lines of histories."""
    trainer, fit = make_fit(kind, threads, **SETTINGS[setting])
    fit(1)
    plan = trainer._plan
    gc.freeze()  # what is there by now need not be looked through
    tracemalloc.start()
    try:
        fit(2)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        fit(3)
        gc.collect()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert trainer._plan is plan
    assert after - before < 5_000
    assert peak - before < 60_000


@runs
def test_a_second_fit_of_a_shape_makes_no_buffer(kind: str, setting: str, made: list[int]) -> None:
    _, fit = make_fit(kind, **SETTINGS[setting])
    fit(1)
    assert sum(made) > 200_000
    made.clear()
    fit(2)
    assert made == []


@pytest.mark.parametrize("kind", ["lstm", "bidirectional"])
def test_predictions_and_evaluations_of_a_shape_make_buffers_once(kind: str, made: list[int]) -> None:
    trainer, fit = make_fit(kind)
    fit(1)
    x, y = np.ones((40, 50, 4), np.float32), np.ones((40, 1), np.float32)
    trainer.model.predict(x)
    trainer.evaluate(x, y)
    made.clear()
    trainer.model.predict(-x)
    trainer.evaluate(-x, y)
    assert made == []


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not STATM.exists(), reason="reads the resident memory from /proc")
@pytest.mark.parametrize(("kind", "setting"), [("lstm", "full"), ("gru", "recompute"), ("bidirectional", "tbptt")])
def test_resident_memory_does_not_grow(kind: str, setting: str) -> None:
    """Over 300 minibatches: two lost kilobytes each would show."""
    _, fit = make_fit(kind, 2, steps=12, **SETTINGS[setting])
    fit(20)
    before = resident()
    fit(100)
    assert resident() - before < 600_000


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """Number of plans alive, of all that are made, and as many weights' gradients, while nobody looks for cycles."""
    known: list[Any] = []

    def note(plan: Plan, *arguments: Any, **settings: Any) -> None:
        make(plan, *arguments, **settings)
        known.append((weakref.ref(plan), weakref.ref(plan.gradients.base)))

    def alive() -> int:
        numbers = {sum(part() is not None for part in parts) for parts in zip(*known, strict=True)}
        assert len(numbers) == 1
        return numbers.pop()

    make = Plan.__init__
    monkeypatch.setattr(Plan, "__init__", note)
    gc.disable()
    yield alive
    gc.enable()


@pytest.mark.parametrize("kind", ["simple_rnn", "gru", "bidirectional"])
def test_plans_and_buffers_go_with_their_owner(kind: str, plans: Callable[[], int]) -> None:
    x, y = np.ones((12, 5, 3), np.float32), np.ones((12, 1), np.float32)
    trainer = fr.Trainer(fr.Sequential([make_layer(kind, 4, every_step=False), fr.Dense(1)]), threads=2)
    for rows in (12, 8, 4):
        trainer.fit(x, y, epochs=1, batch_size=rows, validation_split=0.25, verbose=0)
    with pytest.raises(KeyError):
        trainer.fit(x, y, callbacks=[lambda epoch, figures: figures["none"]], batch_size=8, verbose=0)
    assert plans() == 1 + len(trainer.model._plans) == 2
    trainer.model.gradients(x, y)
    assert plans() == 2
    for rows in range(1, 13):
        trainer.model.predict(x[:rows])
        trainer.model.predict(x[:rows])
    assert plans() == 1 + PLANS
    model = trainer.model
    del trainer
    assert plans() == PLANS
    del model
    assert plans() == 0


def make_plan(case: Case, **settings: Any) -> tuple[fr.Trainer, int]:
    """Return the trainer of a case with its plan made, and what has to be kept, in bytes.

    That is the inputs of the minibatch, what the cell keeps (`STORED`), the outputs of the dense layer, the parameters,
    their gradients and Adam's two moments.
    """
    layer = getattr(fr, case.cell)(case.H, recurrent_initializer="zeros")
    model = fr.Sequential([layer, fr.Dense(1)], input_size=case.I, dtype=case.dtype)
    trainer = fr.Trainer(model, threads=1, **settings)
    data = Data(np.zeros((case.B, case.T, case.I), case.dtype), np.zeros((case.B, 1), case.dtype))
    trainer._training_plan(data, case.B, False, threads=1)
    activations = case.B * (case.T * (case.I + STORED[case.cell] * case.H) + 1)
    return trainer, (activations + 4 * model.count_params()) * np.dtype(case.dtype).itemsize


@pytest.mark.parametrize("case", [case for case in GRID if case.B > 1], ids=lambda case: str(case.name))
def test_buffers_are_hardly_more_than_what_has_to_be_kept(case: Case, made: list[int]) -> None:
    """Beyond a fifth more there is only what does not grow with a shape: room for the products of small ones."""
    _, kept = make_plan(case)
    assert sum(made) < kept * 1.2 + 120_000


def test_recomputing_keeps_about_the_root_of_the_steps(made: list[int]) -> None:
    sizes = []
    for steps in (2_500, 10_000):
        made.clear()
        make_plan(Case("LSTM", 8, steps, 16, 64), recompute="sqrt")
        sizes.append(sum(made))
    made.clear()
    make_plan(Case("LSTM", 8, 10_000, 16, 64))
    assert sizes[1] < 2.1 * sizes[0]
    assert sizes[1] < sum(made) / 25


# ---------------------------------------------------------------------------------------------- guards


class Writes(fr.Callback):
    """After the first epoch, writes a few bytes beside a buffer of the plan: ``place`` bytes from its beginning."""

    def __init__(self, field: str, place: int) -> None:
        self.field, self.place = field, place

    def begin(self, trainer: fr.Trainer, epochs: int, samples: int) -> None:
        self.plan = trainer._plan

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        assert self.plan is not None
        (spec,) = (state.spec for state in self.plan.lowered[0].states)
        ctypes.memset(int(spec[self.field][0]) + self.place, 0, 4)


def fit_beside(field: str, place: int) -> None:
    trainer = fr.Trainer(fr.Sequential([fr.GRU(5)], input_size=2), threads=1)
    trainer.fit(np.ones((4, 3, 2)), np.ones((4, 5)), epochs=2, callbacks=[Writes(field, place)], verbose=0)


H_BYTES = 4 * 4 * 4 * padded(5, LANES_OF["float32"])
"""Of the tape of four states for four rows."""


@pytest.mark.parametrize(
    ("field", "place", "named"),
    [
        ("h", H_BYTES, f"h ({H_BYTES // 4} float32, {H_BYTES} bytes) was written beside: 0 bytes past its end, 1 word"),
        ("h", H_BYTES + 4000, "bytes) was written beside: 4000 bytes past its end"),
        ("h", -4, "4 bytes before its beginning"),
        ("kernel", -64, "parameters ("),
        ("d_kernel", -64, "gradients ("),
        ("lengths", 4 * 8, "batch_lengths (4 int64, 32 bytes) was written beside: 0 bytes past its end"),
    ],
)
def test_guards_name_what_was_written_beside(field: str, place: int, named: str) -> None:
    with memory.guarded():
        fit_beside(field, 4)
        with pytest.raises(memory.OverrunError) as caught:
            fit_beside(field, place)
    assert named in str(caught.value)


def test_guards_change_nothing_but_what_is_read_unwritten() -> None:
    """Buffers for what is written first hold NaN and the id -1; those that have to be zero are zero, aligned all."""
    with memory.guarded() as guards:
        for make, value in ((memory.empty, np.nan), (memory.zeros, 0.0)):
            for count in (1, 7, 100):
                buffer = make(count, np.float32)
                np.testing.assert_array_equal(buffer, np.full(count, value, np.float32))
                assert memory.address(buffer) % memory.ALIGNMENT == 0
        assert (memory.empty(3, np.int64) == -1).all()
        assert np.isnan(memory.result((2, 3), "float64", "y")).all()
        guards.check()
    assert memory.guards() is None
    np.testing.assert_array_equal(memory.empty(3, np.int64), 0)


def test_guards_let_go_of_what_nobody_holds() -> None:
    with memory.guarded() as guards:
        buffer = memory.zeros(5, "float64")
        guards.check()
        assert len(guards._buffers) == 1
        del buffer
        guards.check()
        assert not guards._buffers
