"""What the kernels are compiled for, and the lines that say why the first run waits, and how far it is."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from fastrnn.engine.team import available_threads
from fastrnn.ground.console import Console, tell
from fastrnn.kernels.machine import cache
from fastrnn.kernels.machine.operation import Compiled, check_compiles
from fastrnn.kernels.machine.store import locked
from fastrnn.kernels.machine.target import TARGET
from fastrnn.kernels.machine.undisturbed import Undisturbed
from fastrnn.kernels.machine.vector import LANES_OF

_announced: set[str] = set()
OFTEN = 10.0
"""Seconds between two lines on the way where they cannot be written over."""


def prepare(functions: Iterable[Compiled], dtype: str, kinds: Iterable[str], driver: Callable[[], Any]) -> None:
    """Compile, or load, what a plan calls, and the driver, telling how far that is.

    ``kinds`` are those of the recurrent layers.
    """
    needed = [function for function in dict.fromkeys(functions) if not function.is_ready(dtype)]
    if not needed:
        return
    with announced(dtype, kinds, len(needed) + 1) as tell_done:
        for done, function in enumerate(needed, 1):
            tell_done(done, not function.code(dtype).cache_hits)
        driver()
        tell_done(len(needed) + 1, False)


@contextlib.contextmanager
def announced(dtype: str, kinds: Iterable[str], total: int) -> Iterator[Callable[[int, bool], None]]:
    """Say that kernels are being compiled, and give what tells how many of the ``total`` are done.

    Where this machine has none for ``dtype`` yet, that is said at once, and a second process, where there is a
    processor for it, compiles a part of them for recurrent layers of ``kinds``; else as soon as one is compiled.
    """
    check_compiles()
    is_first = dtype not in _announced and not cache.is_compiled(dtype)
    notice = Notice(dtype, total)
    with notice, _second_process(dtype, kinds) if is_first else contextlib.nullcontext():
        if is_first:
            _announced.add(dtype)
            notice.begin(f"the {dtype} kernels for this processor ({TARGET.cpu})")
        try:
            yield notice.tell
        except BaseException:
            _announced.discard(dtype)
            raise
    if is_first:
        cache.complete(dtype)
    notice.end()


class Notice:
    """How many of ``total`` functions are compiled: a line that is written over, or one every ten seconds."""

    def __init__(self, dtype: str, total: int) -> None:
        self._dtype, self._total = dtype, total
        self._start = self._told = time.perf_counter()
        self._done, self._has_begun = 0, False

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Leave a line that was broken off."""
        if kind is not None and self._has_begun:
            tell("stopped")

    def begin(self, what: str) -> None:
        """Say what is being compiled."""
        self._has_begun = True
        tell(f"fastrnn: compiling {what} ...")

    def tell(self, done: int, is_new: bool) -> None:
        """Say how many are done; of those that were loaded, nothing is said until one ``is_new``."""
        now = time.perf_counter()
        if is_new and not self._has_begun:
            self.begin(f"further {self._dtype} kernels")
        self._done = done
        if self._has_begun and Console().is_live:
            tell(f"\r{self._figures(now)}", end="")
        elif self._has_begun and now - self._told > OFTEN:
            self._told = now
            tell(self._figures(now))

    def end(self) -> None:
        """Say how long it took, if anything was compiled."""
        if self._has_begun:
            kept = "kept for later runs" if cache.FOLDER else f"not kept: {cache.WHY}"
            tell(f"{chr(13) * Console().is_live}{self._figures(time.perf_counter())}, {kept}")

    def _figures(self, now: float) -> str:
        return f"fastrnn: {self._done} of {self._total} kernels, {now - self._start:.1f} s"


@contextlib.contextmanager
def _second_process(dtype: str, kinds: Iterable[str]) -> Iterator[None]:
    """Run :mod:`fastrnn.engine.ahead` meanwhile, unless another process does; without it, compile all here."""
    if cache.FOLDER is None or available_threads() < 2 or not sys.executable or getattr(sys, "frozen", False):
        yield
        return
    with contextlib.ExitStack() as stack:
        if stack.enter_context(locked(cache.FOLDER / f"{dtype}.lock", patience=0)):
            stack.enter_context(_running_ahead(dtype, kinds))
        yield


@contextlib.contextmanager
def _running_ahead(dtype: str, kinds: Iterable[str]) -> Iterator[None]:
    """Run it until the end."""
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, *filter(os.path.isabs, sys.path)])}
    command = [sys.executable, "-P", "-m", "fastrnn.engine.ahead", dtype, *sorted(set(kinds))]
    process, nothing = None, subprocess.DEVNULL
    try:
        with Undisturbed(), contextlib.suppress(OSError):
            process = subprocess.Popen(command, env=environment, stdin=nothing, stdout=nothing, stderr=nothing)
        yield
    finally:
        if process is not None:
            with Undisturbed():
                process.kill()
                process.wait()


def describe() -> dict[str, Any]:
    """Return what the kernels are compiled for: processor, vector width, lanes by dtype, multiply-add, cache folder."""
    return {
        "processor": TARGET.cpu,
        "vector bits": TARGET.vector_bytes * 8,
        "fused multiply-add": TARGET.fma,
        "lanes": dict(LANES_OF),
        "cache": str(cache.FOLDER) if cache.FOLDER else f"none: {cache.WHY}",
    }
