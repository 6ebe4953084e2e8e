"""A contestant in a process of its own, where it may set its number of threads and keep what it has compiled."""

import importlib
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import ModuleType
from typing import Any

from bench.stepper import Outcome, Stepper, seconds_per_step
from tests.cases import Case

PEERS = ("PyTorch", "JAX")
_MODULES = {"fastrnn": "bench.project", "PyTorch": "bench.torch_peer", "JAX": "bench.jax_peer"}

# How the peers behave best: without its pool XLA saves a hand-over a call, and threads of OpenMP that spin for long
# make PyTorch up to 40 times slower wherever another process wants a core.
_ENVIRONMENT = {"JAX": {1: {"NPROC": "1"}}, "PyTorch": {2: {"GOMP_SPINCOUNT": "1000"}}}

_contestant: ModuleType
_steppers: dict[tuple[Case, str], Stepper] = {}


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
        self.versions: str = self._call(_open, name, threads)

    def __str__(self) -> str:
        return f"{self.name}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    def settings(self, case: Case) -> list[str]:
        """Return the settings that the contestant has for the case, and forget the last case."""
        result: list[str] = self._call(_settings, case)
        return result

    def first_step(self, case: Case, setting: str) -> Outcome:
        """Train one step."""
        result: Outcome = self._call(_first_step, case, setting)
        return result

    def seconds_per_step(self, case: Case, setting: str, budget: float) -> float:
        """Train for about ``budget`` seconds."""
        result: float = self._call(_seconds_per_step, case, setting, budget)
        return result

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()

    def _call(self, function: Callable[..., Any], *arguments: object) -> Any:
        return self._pool.submit(function, *arguments).result()


def _open(name: str, threads: int) -> str:
    global _contestant
    os.environ.update(_ENVIRONMENT.get(name, {}).get(threads, {}))
    _contestant = importlib.import_module(_MODULES[name])
    _contestant.use_threads(threads)
    versions: str = _contestant.versions()
    return versions


def _settings(case: Case) -> list[str]:
    _steppers.clear()
    settings: list[str] = _contestant.settings(case)
    return settings


def _stepper(case: Case, setting: str) -> Stepper:
    if (case, setting) not in _steppers:
        _steppers[case, setting] = _contestant.prepare(case, setting)
    return _steppers[case, setting]


def _first_step(case: Case, setting: str) -> Outcome:
    return _stepper(case, setting).first_step()


def _seconds_per_step(case: Case, setting: str, budget: float) -> float:
    return seconds_per_step(_stepper(case, setting), budget)
