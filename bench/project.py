"""The project as a contestant, as a user calls it: ``Trainer.fit`` over a shuffled data set, one epoch a call."""

import platform
import time

import llvmlite
import numba
import numpy as np

import fastrnn as fr
from bench.stepper import RUN_SECONDS, Outcome
from tests.cases import LEARNING_RATE, Case, make_data, make_weights

_threads: int | None = None


def use_threads(threads: int) -> None:
    global _threads
    _threads = threads


def versions() -> str:
    return (
        f"fastrnn {fr.__version__}, Python {platform.python_version()}, numba {numba.__version__}, "
        f"llvmlite {llvmlite.__version__}, numpy {np.__version__}"
    )


def settings(case: Case) -> list[str]:
    return ["epoch: Trainer.fit"]


def make_trainer(case: Case, threads: int | None = None) -> fr.Trainer:
    """Return a trainer of the case's model with its weights set."""
    model = fr.Sequential([getattr(fr, case.cell)(case.H), fr.Dense(1)], input_size=case.I, dtype=case.dtype)
    model.set_weights(make_weights(case))
    return fr.Trainer(model, loss="mse", optimizer=fr.Adam(LEARNING_RATE), threads=threads)


def prepare(case: Case, setting: str) -> "_FitStepper":
    return _FitStepper(case)


class _FitStepper:
    def __init__(self, case: Case) -> None:
        self._case = case
        self._trainer = make_trainer(case, _threads)
        self._steps = 1
        self._fit_epoch()
        # The data set grows until an epoch of it takes long enough.
        while self._fit_epoch() < RUN_SECONDS:
            self._steps *= 2

    def _fit_epoch(self) -> float:
        self._x, self._y = make_data(self._case, self._steps)
        start = time.perf_counter()
        self.run()
        return time.perf_counter() - start

    def first_step(self) -> Outcome:
        x, y = make_data(self._case)
        trainer = make_trainer(self._case, _threads)
        _, gradients = trainer.model.gradients(x, y, loss="mse")
        history = trainer.fit(x, y, epochs=1, batch_size=self._case.B, verbose=0)
        in_order = [gradients[name] for name in trainer.model.parameters()]
        return Outcome(history.history["loss"][0], in_order, trainer.model.get_weights())

    def run(self) -> int:
        self._trainer.fit(self._x, self._y, epochs=1, batch_size=self._case.B, verbose=0)
        return self._steps
