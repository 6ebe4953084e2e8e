"""Threads that run one compiled job together."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
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


_idle: defaultdict[int, list[ThreadPoolExecutor]] = defaultdict(list)
"""Pools that no team uses, by their number of threads."""


def _take_pool(threads: int) -> ThreadPoolExecutor:
    """Return an idle pool of so many threads, all of them started."""
    try:
        return _idle[threads].pop()
    except IndexError:
        pool = ThreadPoolExecutor(threads, thread_name_prefix="fastrnn")
    ready = threading.Barrier(threads + 1)
    try:
        for _ in range(threads):
            pool.submit(ready.wait)
        ready.wait()
    except BaseException:
        ready.abort()
        pool.shutdown()
        raise
    return pool


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)


class Team:
    """``threads`` threads that run a job together.

    A job's threads wait for each other at barriers inside the compiled code, so none may be missing: they are started,
    and have answered, when the team is made, and the calling thread, which Ctrl-C may interrupt anywhere, only waits
    for them. A single thread is the calling one. After the ``with`` block the threads sleep until another team of the
    same size needs them.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._is_clean = True

    def __enter__(self) -> Self:
        if self.threads > 1:
            self._pool = _take_pool(self.threads)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            if self._is_clean:
                _idle[self.threads].append(self._pool)
            else:
                self._pool.shutdown()
            self._pool = None

    def run(self, driver: Job, job: int, calls: Sequence[int]) -> None:
        """Run ``driver`` once in every thread, each with its own record, and wait for all."""
        if self._pool is None:
            driver(job, calls[0])
            return
        self._is_clean = False
        lead: Future[None] | None = None
        try:
            lead = self._pool.submit(_lead, self._pool, driver, job, calls)
            lead.result()
        except BaseException:
            if lead is None:
                self._pool.shutdown()
            else:
                wait([lead])
            raise
        self._is_clean = True


def _lead(pool: ThreadPoolExecutor, driver: Job, job: int, calls: Sequence[int]) -> None:
    """Start the other members, run the first one's part and wait for the others."""
    others = [pool.submit(driver, job, call) for call in calls[1:]]
    driver(job, calls[0])
    wait(others)
