"""Threads that run one compiled job together."""

from __future__ import annotations

import atexit
import functools
import os
import threading
import time
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
    """Threads besides the calling one; after a job they look for the next for a moment before they sleep.

    They are daemons: a process that ends does not wait for them to be woken, wherever Ctrl-C has struck.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.process = os.getpid()
        self._mail = zeros(crew.WORDS * threads, np.int64).reshape(threads, crew.WORDS)
        self._place = address(self._mail)
        self._asleep = [threading.Lock() for _ in range(threads)]
        self._is_dismissed = False
        for i in range(1, threads):
            self._asleep[i].acquire()
            threading.Thread(target=self._serve, args=(i,), name="fastrnn", daemon=True).start()
        _crews.append(self)

    @property
    def sleeps(self) -> bool:
        """Whether no thread is in compiled code."""
        return not self._mail[:, 0][1:].any()

    def run(self, threads: int, code: int, job: int, calls: int, *, waits: bool) -> bool:
        """Run a job in the first ``threads`` threads, the calling one among them; if some sleep, only if it ``waits``.

        What is handed over to threads, and waited for, is so within one compiled call: Ctrl-C, which may come anywhere
        between two steps of Python, leaves no thread waiting for another. A thread that was woken for nothing goes back
        to sleep.
        """
        lead = _compiled().lead
        lead(self._place, threads, 0, code, job, calls)
        while not self._mail[0, 0]:
            for i in range(1, threads):
                if self._mail[i, 0] == crew.GONE:
                    self._wake(i)
            if not waits:
                return False
            lead(self._place, threads, crew.PATIENCE, code, job, calls)
        return True

    def dismiss(self) -> None:
        """Let the threads end."""
        _crews.remove(self)
        self._is_dismissed = True
        for i in range(1, self.threads):
            self._wake(i)

    def _wake(self, i: int) -> None:
        if self._asleep[i].locked():
            self._asleep[i].release()

    def _serve(self, i: int) -> None:
        """Sleep, and wait for jobs for a moment, in turn, as thread ``i``."""
        while True:
            self._asleep[i].acquire()
            if self._is_dismissed:
                return
            _compiled().attend(self._place + self._mail.strides[0] * i)


_crews: list[_Crew] = []
"""All crews."""
_idle: list[_Crew] = []
"""Those that no team has."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle.clear)
    os.register_at_fork(after_in_child=_crews.clear)


@atexit.register
def _let_all_sleep() -> None:
    """Wait a second at most until no thread is in compiled code, whose memory a process that ends gives back."""
    for _ in range(1000):
        if all(crew.sleeps for crew in _crews):
            return
        time.sleep(0.001)


def _take_crew(threads: int) -> _Crew:
    """Return an idle crew of at least so many threads, or a new one in the place of an idle one that is too small."""
    try:
        found = _idle.pop()
    except IndexError:
        return _Crew(threads)
    if found.threads >= threads:
        return found
    found.dismiss()
    return _Crew(threads)


class Team:
    """``threads`` threads that run a job together: the calling one and some of a crew, which no other team has then."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._crew: _Crew | None = None

    def __enter__(self) -> Self:
        if self.threads > 1:
            self._crew = _take_crew(self.threads)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._crew is not None:
            _idle.append(self._crew)
            self._crew = None

    def run(self, driver: Job, job: int, calls: NDArray[np.int64], alone: int | None = None) -> None:
        """Run ``driver`` once in every thread, each with the record at its own address, and wait for all.

        If threads must be woken, and there is a record ``alone`` for doing it all in this thread, that is done, and
        they are awake the next time.
        """
        if self._crew is None:
            driver(job, int(calls[0]))
            return
        if self._crew.process != os.getpid():
            self._crew = _Crew(self.threads)
        done = self._crew.run(self.threads, driver.address, job, address(calls), waits=alone is None)
        if not done and alone is not None:
            driver(job, alone)
