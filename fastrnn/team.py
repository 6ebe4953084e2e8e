"""Threads that run one compiled job together."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from types import TracebackType
from typing import Protocol, Self


class Job(Protocol):
    """Compiled code that releases the interpreter's lock."""

    def __call__(self, job: int, call: int) -> None:
        """Run the job at address ``job`` as the thread whose record is at address ``call``."""


def available_threads() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Team:
    """``threads`` threads that run a job together.

    A job's threads wait for each other at barriers inside the compiled code, so none may be missing: they are started,
    and have answered, when the team is made, and the calling thread, which Ctrl-C may interrupt anywhere, only waits
    for them. A single thread is the calling one. The threads end with the ``with`` block.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self.threads > 1:
            pool = ThreadPoolExecutor(self.threads, thread_name_prefix="fastrnn")
            ready = threading.Barrier(self.threads + 1)
            try:
                for _ in range(self.threads):
                    pool.submit(ready.wait)
                ready.wait()
            except BaseException:
                ready.abort()
                pool.shutdown()
                raise
            self._pool = pool
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def run(self, driver: Job, job: int, calls: Sequence[int]) -> None:
        """Run ``driver`` once in every thread, each with its own record, and wait for all."""
        if self._pool is None:
            driver(job, calls[0])
            return
        first = self._pool.submit(_lead, self._pool, driver, job, calls)
        try:
            first.result()
        except BaseException:
            wait([first])
            raise


def _lead(pool: ThreadPoolExecutor, driver: Job, job: int, calls: Sequence[int]) -> None:
    """Start the other members, run the first one's part and wait for the others."""
    others = [pool.submit(driver, job, call) for call in calls[1:]]
    driver(job, calls[0])
    wait(others)
