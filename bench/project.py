"""The project as a contestant, as a user calls it.

Training is ``Trainer.fit`` over a shuffled data set, one epoch a call; a forward pass is ``Sequential.predict``.
"""

import platform
import time

import llvmlite
import numba
import numpy as np

import fastrnn as fr
from bench.stepper import RUN_SECONDS, CallStepper, Kind, Outcome, Stepper
from tests.helpers.cases import LEARNING_RATE, Case, make_data, make_weights

_threads: int | None = None


def use_threads(threads: int) -> None:
    global _threads
    _threads = threads


def versions() -> str:
    return (
        f"fastrnn {fr.__version__}, Python {platform.python_version()}, numba {numba.__version__}, "
        f"llvmlite {llvmlite.__version__}, numpy {np.__version__}"
    )


def calls(case: Case, kind: Kind) -> list[str]:
    return ["epoch" if kind == "train" else "step"]


def settings(case: Case, kind: Kind) -> list[str]:
    return ["Trainer.fit" if kind == "train" else "Sequential.predict"]


def prepare(case: Case, kind: Kind, call: str, setting: str) -> Stepper:
    if kind == "train":
        return _FitStepper(case)
    model = make_model(case)
    x, _ = make_data(case)
    return CallStepper(lambda: model.predict(x, batch_size=case.B, threads=_threads))


def make_model(case: Case) -> fr.Sequential:
    """Return the case's model with its weights set."""
    model = fr.Sequential([getattr(fr, case.cell)(case.H), fr.Dense(1)], input_size=case.I, dtype=case.dtype)
    model.set_weights(make_weights(case))
    return model


def make_trainer(case: Case, threads: int | None = None) -> fr.Trainer:
    """Return a trainer of the case's model."""
    return fr.Trainer(make_model(case), loss="mse", optimizer=fr.Adam(LEARNING_RATE), threads=threads)


class _FitStepper:
    def __init__(self, case: Case) -> None:
        self._case = case
        self._steps = 0

    def first(self) -> Outcome:
        x, y = make_data(self._case)
        trainer = make_trainer(self._case, _threads)
        _, gradients = trainer.model.gradients(x, y, loss="mse")
        history = trainer.fit(x, y, epochs=1, batch_size=self._case.B, verbose=0)
        in_order = [gradients[name] for name in trainer.model.parameters()]
        return Outcome(history.history["loss"][0], in_order, trainer.model.get_weights())

    def run(self) -> int:
        if not self._steps:
            self._choose_steps()
        self._fit()
        return self._steps

    def _choose_steps(self) -> None:
        """Let the data set grow until an epoch of it takes long enough."""
        self._trainer = make_trainer(self._case, _threads)
        self._steps, seconds = 1, 0.0
        while seconds < RUN_SECONDS:
            self._steps *= 2
            self._x, self._y = make_data(self._case, self._steps)
            start = time.perf_counter()
            self._fit()
            seconds = time.perf_counter() - start

    def _fit(self) -> None:
        self._trainer.fit(self._x, self._y, epochs=1, batch_size=self._case.B, verbose=0)
