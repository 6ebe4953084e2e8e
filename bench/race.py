"""The contestants take turns, row by row; nobody is timed whose first step is not the reference's."""

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import NamedTuple

import numpy as np

from bench.check import reference_outcome, require_agreement
from bench.peak import load_bandwidth, peak_gflops
from bench.stepper import Kind
from bench.worker import Worker
from tests.helpers.cases import Case


class Entry(NamedTuple):
    """A contestant's worker, what a call from Python is (a step, an epoch), and one setting."""

    worker: Worker
    call: str
    setting: str

    def __str__(self) -> str:
        return f"{self.worker}, {self.call}: {self.setting}"


class Timing(NamedTuple):
    """The median seconds a step took one contestant, and each round's."""

    name: str
    threads: int
    call: str
    setting: str
    seconds: float
    rounds: list[float]


class Row(NamedTuple):
    """A case, its timings, and medians of what the machine itself reached in the same rounds.

    ``peak`` has GFLOP/s of multiply-adds by number of threads; ``bandwidth`` the GB/s of one core out of a buffer as
    large as the recurrent kernel, measured for batches of one, which read it once a time step if there is one.
    """

    kind: Kind
    case: Case
    timings: list[Timing]
    peak: dict[int, float]
    bandwidth: float | None

    @property
    def flops(self) -> int:
        """Floating-point operations of the products of one step."""
        return self.case.training_flops if self.kind == "train" else self.case.forward_flops

    @property
    def kernel_reads(self) -> int:
        """How often one step reads the recurrent kernel with a batch of one: each time step forward, and backward."""
        return self.case.T * (2 if self.kind == "train" else 1)


def run_row(
    kind: Kind,
    case: Case,
    workers: Sequence[Worker],
    threads: Sequence[int],
    rounds: int,
    budget: float,
    meter: Executor,
) -> Row:
    """Check each contestant in all its settings, pick the best, and time these in turn.

    ``meter`` runs what measures the machine itself, in a process of its own.

    Raises
    ------
    RuntimeError
        If a contestant disagrees with the reference.
    """
    contest = _best_entries(workers, kind, case, budget)
    times: list[list[float]] = [[] for _ in contest]
    peaks: list[list[float]] = []
    bandwidths: list[float] = []
    for _ in range(rounds):
        for entry, own in zip(contest, times, strict=True):
            own.append(_seconds(entry, kind, case, budget))
        peaks.append([meter.submit(peak_gflops, count).result() for count in threads])
        if case.B == 1 and case.recurrent_bytes:
            bandwidths.append(meter.submit(load_bandwidth, case.recurrent_bytes).result())
    timings = [
        Timing(worker.name, worker.threads, call, setting, float(np.median(own)), own)
        for (worker, call, setting), own in zip(contest, times, strict=True)
    ]
    peak = dict(zip(threads, np.median(peaks, axis=0).tolist(), strict=True))
    return Row(kind, case, timings, peak, float(np.median(bandwidths)) if bandwidths else None)


def _best_entries(workers: Sequence[Worker], kind: Kind, case: Case, budget: float) -> list[Entry]:
    """Return an entry for each call of each worker, with the setting that is the fastest at the worker's first call."""
    calls: dict[Worker, list[str]] = {}
    entries = []
    for worker in workers:
        calls[worker], settings = worker.choices(case, kind)
        entries += [Entry(worker, call, setting) for call in calls[worker][:1] for setting in settings]
    _check(entries, kind, case)
    best: dict[Worker, tuple[float, Entry]] = {}
    for entry in entries:
        seconds = min(_seconds(entry, kind, case, budget / 3) for _ in range(2))
        best[entry.worker] = min(best.get(entry.worker, (seconds, entry)), (seconds, entry), key=lambda pair: pair[0])
    others = [entry._replace(call=call) for _, entry in best.values() for call in calls[entry.worker][1:]]
    _check(others, kind, case)
    return [*(entry for _, entry in best.values()), *others]


def _check(entries: Sequence[Entry], kind: Kind, case: Case) -> None:
    """Let all take their first step, which compiles, at the same time; hold each against the reference."""
    outcomes = [entry.worker.first(case, kind, entry.call, entry.setting) for entry in entries]
    reference = reference_outcome(case, kind)
    for entry, outcome in zip(entries, outcomes, strict=True):
        require_agreement(str(entry), case, outcome.result(), reference)


def _seconds(entry: Entry, kind: Kind, case: Case, budget: float) -> float:
    return entry.worker.seconds_per_step(case, kind, entry.call, entry.setting, budget)
