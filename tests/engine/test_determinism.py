"""The same seed gives the same bits: with any number of threads, in another process, with other threads at work."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import fastrnn as fr
from tests.helpers.cells import CELLS, make_cell
from tests.helpers.laws import flat, make_layer


class Run(NamedTuple):
    """A fit: N sequences of T steps in minibatches of B; units of the recurrent layers; the trainer's settings.

    ``kind`` is that of `tests.helpers.laws.make_layer`; ``ids``: "embedding" or "one_hot" for ids below I; ``drops``:
    dropout.
    """

    N: int
    B: int
    T: int
    I: int  # noqa: E741
    units: tuple[int, ...]
    every_step: bool = False
    lengths: bool = False
    trainer: dict[str, Any] = {}  # noqa: RUF012
    kind: str = "simple_rnn"
    ids: str = ""
    drops: bool = False

    @property
    def name(self) -> str:
        """What names the run in a test report."""
        words = [self.kind, f"N{self.N}-B{self.B}-T{self.T}-I{self.I}-H{self.units}", self.ids, "drops" * self.drops]
        return "-".join(word for word in words if word)


ONLINE = {"tbptt": (3, 5), "tbptt_update": "chunk", "optimizer": fr.SGD(0.05, momentum=0.9)}
RUNS = (
    Run(5, 1, 9, 1, (7,)),
    Run(13, 2, 8, 3, (5, 6)),
    Run(23, 7, 12, 2, (13,), every_step=True, lengths=True, trainer={"clip_norm": 0.1}),
    Run(40, 17, 10, 1, (33,), trainer={"clip_value": 0.01, "clip_norm": 0.05}),
    Run(70, 33, 11, 5, (18, 9), every_step=True, trainer=ONLINE),
    Run(90, 70, 25, 9, (50,), lengths=True, trainer={"clip_norm": 0.1, "loss": "mae"}),
    Run(64, 64, 40, 3, (70,), every_step=True, trainer={"tbptt": (7, 11)}),
    Run(13, 2, 8, 3, (5, 6), kind="lstm", drops=True),
    Run(70, 33, 31, 5, (18, 9), every_step=True, lengths=True, kind="lstm", drops=True),
    Run(64, 64, 40, 9, (20,), every_step=True, trainer=ONLINE, kind="lstm", ids="one_hot", drops=True),
    Run(40, 17, 10, 1, (33, 20), lengths=True, trainer={"clip_norm": 0.05}, kind="gru"),
    Run(70, 33, 31, 11, (18,), trainer={"recompute": "sqrt"}, kind="gru", ids="embedding", drops=True),
    Run(70, 33, 31, 5, (18, 9), every_step=True, lengths=True, kind="gru_reset_before", drops=True),
    Run(23, 7, 12, 2, (13, 5), every_step=True, lengths=True, trainer={"clip_norm": 0.1}, kind="bidirectional"),
    Run(70, 33, 31, 11, (18, 9), trainer={"tbptt": (7, 5)}, kind="bidirectional", ids="one_hot", drops=True),
    Run(70, 33, 31, 5, (17, 6), every_step=True, lengths=True, kind="backwards", drops=True),
)
"""Minibatches of 1 to 70 rows, sizes on and off multiples of 4; threads without rows or with uneven shares.

Threads that share out units are tested in `tests.helpers.training.test_splits`.
"""


def build(run: Run, dtype: str, threads: int) -> tuple[fr.Trainer, dict[str, Any]]:
    """Return the trainer of a run and its data."""
    rng = np.random.default_rng(run.N)
    options = {"dropout": 0.2, "recurrent_dropout": 0.3} if run.drops else {}
    below = {"": [], "embedding": [fr.Embedding(run.I, 6)], "one_hot": [fr.OneHot(run.I)]}[run.ids]
    last = len(run.units) - 1
    cells = [
        make_layer(run.kind, size, every_step=run.every_step or i < last, place=i, **options)
        for i, size in enumerate(run.units)
    ]
    above = [fr.Dropout(0.1)] if run.drops else []
    model = fr.Sequential([*below, *cells, *above, fr.Dense(2)], dtype=dtype, seed=3)
    if run.ids:
        x: Any = rng.integers(0, run.I, (run.N, run.T))
    else:
        x = rng.standard_normal((run.N, run.T, run.I)).astype(dtype)
    data = {
        "x": x,
        "y": rng.standard_normal((run.N, *([run.T] if run.every_step else []), 2)).astype(dtype),
        "lengths": rng.integers(0, run.T + 1, run.N) if run.lengths else None,
    }
    return fr.Trainer(model, metrics=["mae"], threads=threads, seed=4, **run.trainer), data


def fingerprint(run: Run, dtype: str, threads: int) -> str:
    """Fit, evaluate and predict; return a digest of all bits that come out."""
    trainer, data = build(run, dtype, threads)
    history = trainer.fit(**data, epochs=2, batch_size=run.B, validation_split=0.2, verbose=0)
    figures = trainer.evaluate(**data)
    outputs = trainer.model.predict(data["x"], data["lengths"], return_state=True, batch_size=run.B, threads=threads)
    digest = hashlib.sha256(repr((history.history, figures)).encode())
    for array in flat([trainer.model.get_weights(), outputs]):
        assert np.isfinite(array).all()
        digest.update(array.tobytes())
    return digest.hexdigest()


def fingerprints() -> list[str]:
    """Return the digests of some runs with two threads, every cell among them."""
    return [fingerprint(run, dtype, 2) for run in RUNS[1::3] for dtype in ("float32", "float64")]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_threads_change_no_bit(run: Run, dtype: str) -> None:
    alone = fingerprint(run, dtype, 1)
    others = (2, 3) if dtype == "float32" else (2, 5)
    assert [fingerprint(run, dtype, threads) for threads in others] == [alone, alone]


ANOTHER_PROCESS = """
import sys
sys.path.append(sys.argv[1])
from tests.engine.test_determinism import fingerprints
print(*fingerprints())
"""


def test_another_process_gives_the_same_bits(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ANOTHER_PROCESS, str(Path(__file__).parents[2])],
        cwd=tmp_path,
        env=os.environ | {"PYTHONHASHSEED": "12345", "PYTHONPATH": str(Path(fr.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == fingerprints()


def test_seeds_matter() -> None:
    """The tests above could not fail if seeds were ignored, or the digest saw nothing of the weights."""
    weights = [fr.Sequential([fr.SimpleRNN(4)], input_size=2, seed=seed).get_weights() for seed in (0, 0, 1)]
    assert all((a == b).all() for a, b in zip(weights[0], weights[1], strict=True))
    assert any((a != b).any() for a, b in zip(weights[0], weights[2], strict=True))
    x, y = np.random.default_rng(0).standard_normal((2, 20, 3, 1))
    orders = []
    for seed in (0, 0, 1):
        model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)], seed=0)
        fr.Trainer(model, seed=seed).fit(x, y[:, 0], batch_size=3, epochs=1, verbose=0)
        orders.append(model.get_weights()[0])
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != orders[2]).any()


def test_predictions_of_one_model_from_several_threads_at_once() -> None:
    trainer, data = build(RUNS[5], "float32", 1)
    model, x = trainer.model, data["x"]
    model.build(x.shape[2])
    pieces = [x[i : i + 1 + i % 5] for i in range(0, 60, 2)]
    expected = [model.predict(piece) for piece in pieces]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for got, want in zip(pool.map(model.predict, pieces), expected, strict=True):
                np.testing.assert_array_equal(got, want)


def test_models_may_be_trained_in_several_threads_at_once() -> None:
    runs = [(run, dtype, 2) for run in RUNS[:4] + RUNS[7:14:3] for dtype in ("float32", "float64")]
    expected = [fingerprint(*run) for run in runs]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda run: fingerprint(*run), runs)) == expected


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("rows", [5, 9, 13])
def test_a_thread_with_a_single_row_changes_no_bit(kind: str, rows: int) -> None:
    """Of a minibatch of several, which goes otherwise than a minibatch of one."""
    model = fr.Sequential([make_cell(kind, 7, return_sequences=True), make_cell(kind, 9)], input_size=10, seed=1)
    x = np.random.default_rng(0).standard_normal((rows, 5, 10), np.float32)
    expected = model.predict(x, batch_size=8, threads=1)
    for threads in (2, 3):
        np.testing.assert_array_equal(model.predict(x, batch_size=8, threads=threads), expected)
