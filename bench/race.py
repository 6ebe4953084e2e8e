"""The contestants take turns, row by row; nobody is timed whose first step is not the reference's."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np

from bench.check import reference_outcome, require_agreement
from bench.peak import peak_gflops
from bench.worker import Worker
from tests.cases import Case


class Timing(NamedTuple):
    """The median seconds a training step took one contestant, and each round's."""

    name: str
    threads: int
    setting: str
    seconds: float
    rounds: list[float]


class Row(NamedTuple):
    """A case, its timings, and the median multiply-add peak in GFLOP/s by number of threads."""

    case: Case
    timings: list[Timing]
    peak: dict[int, float]


def run_row(case: Case, workers: Sequence[Worker], threads: Sequence[int], rounds: int, budget: float) -> Row:
    """Pick each contestant's best settings, check them, and time them in turn.

    Raises
    ------
    RuntimeError
        If a contestant disagrees with the reference.
    """
    reference = reference_outcome(case)
    contest = [(worker, setting) for worker in workers for setting in _best_settings(worker, case, budget)]
    for worker, setting in contest:
        require_agreement(f"{worker}, {setting}", case, worker.first_step(case, setting), reference)
    times: list[list[float]] = [[] for _ in contest]
    peaks: list[dict[int, float]] = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for _ in range(rounds):
            for (worker, setting), own in zip(contest, times, strict=True):
                own.append(worker.seconds_per_step(case, setting, budget))
            peaks.append({count: pool.submit(peak_gflops, count).result() for count in threads})
    timings = [
        Timing(worker.name, worker.threads, setting, float(np.median(own)), own)
        for (worker, setting), own in zip(contest, times, strict=True)
    ]
    return Row(case, timings, {count: float(np.median([peak[count] for peak in peaks])) for count in threads})


def _best_settings(worker: Worker, case: Case, budget: float) -> list[str]:
    """Return the fastest setting of each kind of call (a step, an epoch), by two short runs each."""
    best: dict[str, tuple[float, str]] = {}
    for setting in worker.settings(case):
        worker.seconds_per_step(case, setting, 0.0)
        seconds = min(worker.seconds_per_step(case, setting, budget / 3) for _ in range(2))
        call = setting.split(":")[0]
        best[call] = min(best.get(call, (seconds, setting)), (seconds, setting))
    return [setting for _, setting in best.values()]
