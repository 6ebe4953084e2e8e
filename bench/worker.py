"""A contestant in a process of its own, where it may set its number of threads and keep what it has compiled."""

import importlib
import os
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from types import ModuleType
from typing import Any

from numpy.typing import NDArray

from bench.stepper import Kind, Outcome, Stepper, seconds_per_step
from tests.helpers.cases import Case

PEERS = ("PyTorch", "JAX", "ONNXRuntime")
_MODULES = {
    "fastrnn": "bench.project",
    "PyTorch": "bench.torch_peer",
    "JAX": "bench.jax_peer",
    "ONNXRuntime": "bench.onnx_peer",
}

# How the peers behave best: without its pool XLA saves a hand-over a call, and threads of OpenMP that spin for long
# make PyTorch up to 40 times slower wherever another process wants a core.
_ENVIRONMENT = {"JAX": {1: {"NPROC": "1"}}, "PyTorch": {2: {"GOMP_SPINCOUNT": "1000"}}}

_contestant: ModuleType
_steppers: dict[tuple[Case, Kind, str, str], Stepper] = {}


class Worker:
    """The far end of one contestant at one number of threads.

    Raises
    ------
    ModuleNotFoundError
        If the contestant is not installed.
    """

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self.threads = threads
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        self.versions: str = self._call(_open, name, threads).result()

    def __str__(self) -> str:
        return f"{self.name}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    def choices(self, case: Case, kind: Kind) -> tuple[list[str], list[str]]:
        """Return the calls and the settings that the contestant has for the case, and forget the last case."""
        choices: tuple[list[str], list[str]] = self._call(_choices, case, kind).result()
        return choices

    def first(self, case: Case, kind: Kind, call: str, setting: str) -> "Future[Outcome | NDArray]":
        """Begin the first step; what must be compiled is compiled."""
        return self._call(_first, case, kind, call, setting)

    def seconds_per_step(self, case: Case, kind: Kind, call: str, setting: str, budget: float) -> float:
        """Take steps for about ``budget`` seconds."""
        seconds: float = self._call(_seconds_per_step, case, kind, call, setting, budget).result()
        return seconds

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()

    def _call(self, function: Callable[..., Any], *arguments: object) -> "Future[Any]":
        return self._pool.submit(function, *arguments)


def _open(name: str, threads: int) -> str:
    global _contestant
    os.environ.update(_ENVIRONMENT.get(name, {}).get(threads, {}))
    _contestant = importlib.import_module(_MODULES[name])
    _contestant.use_threads(threads)
    versions: str = _contestant.versions()
    return versions


def _choices(case: Case, kind: Kind) -> tuple[list[str], list[str]]:
    _steppers.clear()
    return _contestant.calls(case, kind), _contestant.settings(case, kind)


def _stepper(*key: Any) -> Stepper:
    if key not in _steppers:
        _steppers[key] = _contestant.prepare(*key)
    return _steppers[key]


def _first(case: Case, kind: Kind, call: str, setting: str) -> Outcome | NDArray:
    return _stepper(case, kind, call, setting).first()


def _seconds_per_step(case: Case, kind: Kind, call: str, setting: str, budget: float) -> float:
    return seconds_per_step(_stepper(case, kind, call, setting), budget)
