"""Threads that run one compiled job together."""

from __future__ import annotations

import functools
import os
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fastrnn.kernels import crew
from fastrnn.memory import address, zeros


class Job(Protocol):
    """Compiled code that releases the interpreter's lock."""

    address: int
    """Of its machine code."""

    def __call__(self, job: int, call: int) -> None:
        """Run the job at address ``job`` as the thread whose record is at address ``call``."""


def available_threads() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def _compiled() -> crew.Crew:
    return crew.Crew()


class _Crew:
    """Threads besides the calling one; after a job they look for the next for a moment before they sleep."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._mail = zeros(crew.WORDS * threads, np.int64).reshape(threads, crew.WORDS)
        self._place = address(self._mail)
        self._pools = [ThreadPoolExecutor(1, thread_name_prefix="fastrnn") for _ in range(1, threads)]
        self._woken: list[Future[None] | None] = [None] * len(self._pools)

    def run(self, code: int, job: int, calls: int) -> None:
        """Run a job in all threads.

        What is handed over to threads, and waited for, is so within one compiled call: Ctrl-C, which may come anywhere
        between two steps of Python, leaves no thread waiting for another. A thread that was woken for nothing goes back
        to sleep.
        """
        lead = _compiled().lead
        lead(self._place, self._threads, 0, code, job, calls)
        while not self._mail[0, 0]:
            for i, pool in enumerate(self._pools, 1):
                woken = self._woken[i - 1]
                if self._mail[i, 0] == crew.GONE and (woken is None or woken.done()):
                    self._woken[i - 1] = pool.submit(self._attend, i)
            lead(self._place, self._threads, crew.PATIENCE, code, job, calls)

    def _attend(self, i: int) -> None:
        """Wait for jobs as thread ``i``, for a moment."""
        _compiled().attend(self._place + self._mail.strides[0] * i)


_idle: defaultdict[int, list[_Crew]] = defaultdict(list)
"""Crews that no team uses, by their number of threads."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)


class Team:
    """``threads`` threads that run a job together: the calling one and a crew, which no other team has meanwhile."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._crew: _Crew | None = None

    def __enter__(self) -> Self:
        if self.threads > 1:
            try:
                self._crew = _idle[self.threads].pop()
            except IndexError:
                self._crew = _Crew(self.threads)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._crew is not None:
            _idle[self.threads].append(self._crew)
            self._crew = None

    def run(self, driver: Job, job: int, calls: NDArray[np.int64]) -> None:
        """Run ``driver`` once in every thread, each with the record at its own address, and wait for all."""
        if self._crew is None:
            driver(job, int(calls[0]))
        else:
            self._crew.run(driver.address, job, address(calls))
