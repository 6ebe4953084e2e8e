"""Threads that run one compiled job together."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import os
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fastrnn.ground.memory import address, zeros
from fastrnn.operations import crew

IDLE_SECONDS = 10.0
"""How long a thread sleeps before it ends."""


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
def _lead() -> Callable[..., int]:
    """The compiled `fastrnn.kernels.jobs.crew.lead`, which releases the interpreter's lock."""
    return ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 6)(crew.lead.address())


@functools.cache
def _attend() -> Callable[[int], None]:
    """The compiled `fastrnn.kernels.jobs.crew.attend`, the same."""
    return ctypes.CFUNCTYPE(None, ctypes.c_int64)(crew.attend.address())


class _Crew:
    """Threads besides the calling one; after a job they look for the next for a moment, sleep for a while, and end.

    They are daemons: a process that ends does not wait for them to be woken, wherever Ctrl-C has struck. They are
    started by C code, which Ctrl-C leaves done or not begun, and one that nobody needs ends by itself, so that a crew
    may be dropped at any moment.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.process = os.getpid()
        self._mail = zeros(crew.WORDS * threads, np.int64).reshape(threads, crew.WORDS)
        self._place = address(self._mail)
        self._is_there = [False] * threads
        self._asleep = [threading.Lock() for _ in range(threads)]
        for lock in self._asleep:
            lock.acquire()

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
        lead, patience = _lead(), 0
        while not lead(self._place, threads, patience, code, job, calls):
            for i in range(1, threads):
                if self._mail[i, 0] == crew.GONE:
                    self._wake(i)
            if not waits:
                return False
            patience = crew.PATIENCE
        return True

    def _wake(self, i: int) -> None:
        """Wake thread ``i``, or start it; one that is just ending is found out, and replaced, the next time."""
        if not self._is_there[i]:
            self._is_there[i] = True
            try:
                start_new_thread(self._serve, (i,))
            except RuntimeError:
                self._is_there[i] = False
                raise
        elif self._asleep[i].locked():
            with contextlib.suppress(RuntimeError):  # a signal's handler that ran a job may have woken it
                self._asleep[i].release()

    def _serve(self, i: int) -> None:
        """Wait for jobs for a moment, and sleep, in turn, as thread ``i``, until nobody has woken it for a while."""
        _serving[threading.get_ident()] = self
        _attend()(self._place + self._mail.strides[0] * i)
        while self._asleep[i].acquire(timeout=IDLE_SECONDS):
            _attend()(self._place + self._mail.strides[0] * i)
        del _serving[threading.get_ident()]
        self._is_there[i] = False


_serving: dict[int, _Crew] = {}
"""The crew of each thread of a crew."""
_own = threading.local()
"""Its ``crew``: that of the thread that asks, which uses it for one job at a time."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_serving.clear)


@atexit.register
def _let_all_sleep() -> None:
    """Wait a second at most until no thread is in compiled code, whose memory a process that ends gives back."""
    for _ in range(1000):
        if all([crew.sleeps for crew in list(_serving.values())]):
            return
        time.sleep(0.001)


class Team:
    """``threads`` threads that run a job together: the calling one and some of its crew."""

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def run(self, driver: Job, job: int, calls: NDArray[np.int64], alone: int | None = None) -> None:
        """Run ``driver`` once in every thread, each with the record at its own address, and wait for all.

        If threads must be woken, and there is a record ``alone`` for doing it all in this thread, that is done, and
        they are awake the next time.
        """
        if self.threads == 1:
            driver(job, int(calls[0]))
            return
        own: _Crew | None = getattr(_own, "crew", None)
        if own is None or own.threads < self.threads or own.process != os.getpid():
            own = _own.crew = _Crew(self.threads)
        done = own.run(self.threads, driver.address, job, address(calls), waits=alone is None)
        if not done and alone is not None:
            driver(job, alone)
