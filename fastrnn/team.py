"""Threads that run one compiled job together."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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
    """``threads`` threads, the calling one among them, that are all alive before a job begins.

    A job's threads wait for each other at barriers inside the compiled code, so none may be missing: the helpers are
    started, and have answered, when the team is made. They end with the ``with`` block.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._helpers: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        if self.threads > 1:
            self._helpers = ThreadPoolExecutor(self.threads - 1, thread_name_prefix="fastrnn")
            ready = threading.Barrier(self.threads)
            try:
                for _ in range(self.threads - 1):
                    self._helpers.submit(ready.wait)
            except RuntimeError:
                ready.abort()
                self._helpers.shutdown()
                raise
            ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._helpers is not None:
            self._helpers.shutdown()
            self._helpers = None

    def run(self, driver: Job, job: int, calls: Sequence[int]) -> None:
        """Run ``driver`` once in every thread, each with its own record, and wait for all."""
        if self._helpers is None:
            driver(job, calls[0])
            return
        waiting = [self._helpers.submit(driver, job, call) for call in calls[1:]]
        driver(job, calls[0])
        for helper in waiting:
            helper.result()
