"""Compilation of what a plan lacks, by several processes, and the lines that say why a first run waits."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from fastrnn.code import cache
from fastrnn.code.compiled import Compiled
from fastrnn.code.target import LANES_OF, TARGET
from fastrnn.code.undisturbed import Undisturbed
from fastrnn.engine.team import available_threads

Needed = tuple[Compiled, str]
"""A function, and the precision that it is needed in."""
OFTEN = 10.0
"""Seconds between two lines on the way."""
_LONGEST = (
    "recurrent_forward", "drive", "recurrent_backward", "gram", "recurrent_gradients", "units_forward",
    "recurrent_pack", "recurrent_begin", "adam_update", "batch_weigh", "joined_product", "loss", "product",
    "dense_gradients", "pack", "units_backward",
)  # fmt: skip
"""What takes longest to compile, in that order; 1.5 to 0.3 s. What is begun late is short, so that all end together."""
_WORTH = 4
"""Functions that are worth another process, whose start takes as long."""
_MOST = 3
"""Processes beside this one."""


def prepare(needed: Iterable[Needed]) -> None:
    """Load what a plan calls, or compile it, and say so.

    Raises
    ------
    ValueError
        Something must be compiled, and Numba is told not to.
    """
    missing = [(code, dtype) for code, dtype in dict.fromkeys(needed) if not (code.is_ready(dtype) or code.load(dtype))]
    if not missing:
        return
    missing.sort(key=lambda each: _LONGEST.index(each[0].name) if each[0].name in _LONGEST else len(_LONGEST))
    with _others(missing):
        import_module("fastrnn.kernels.machine.compiler").check_compiles()
        with _Notice(len(missing)) as notice:
            _compile(missing, notice)


def _compile(missing: list[Needed], notice: _Notice) -> None:
    """Compile what no other process is at; then wait for them, or do it in their stead if they have died."""
    done = 0
    while missing:
        waiting = []
        for code, dtype in missing:
            code.make(dtype, patience=0.0)
            if not code.is_ready(dtype):
                waiting.append((code, dtype))
                continue
            done += 1
            notice.tell(done)
        if len(waiting) == len(missing):
            code, dtype = waiting[0]
            code.make(dtype)
        missing = waiting


class _Notice:
    """Says what is compiled, how far that is every ten seconds, and how long it took."""

    def __init__(self, total: int) -> None:
        self._total, self._what = total, f"{total} kernel{'s' if total > 1 else ''}"
        self._start = self._told = time.perf_counter()

    def __enter__(self) -> _Notice:
        from fastrnn.ground.log import inform

        self._inform = inform
        inform(f"compiling {self._what} for this processor ({TARGET.cpu}) ...")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        seconds = f"{time.perf_counter() - self._start:.1f} s"
        if kind is not None:
            self._inform(f"stopped after {seconds}")
        else:
            kept = f"not kept: {cache.WHY}" if cache.WHY else "kept for later runs"
            self._inform(f"{self._what}, {seconds}, {kept}")

    def tell(self, done: int) -> None:
        """Say how many are done."""
        now = time.perf_counter()
        if now - self._told > OFTEN:
            self._told = now
            self._inform(f"{done} of {self._total} kernels, {now - self._start:.1f} s")


@contextlib.contextmanager
def _others(missing: list[Needed]) -> Iterator[None]:
    """Run :mod:`fastrnn.engine.ahead` meanwhile in as many processes as are of use; without any, compile all here."""
    count = min(available_threads() - 1, len(missing) // _WORTH, _MOST)
    if cache.WHY or not sys.executable or getattr(sys, "frozen", False):
        count = 0
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, *filter(os.path.isabs, sys.path)])}
    command = [sys.executable, "-P", "-m", "fastrnn.engine.ahead"]
    nothing, processes = subprocess.DEVNULL, []
    try:
        with Undisturbed(), contextlib.suppress(OSError):
            for _ in range(count):
                process = subprocess.Popen(
                    command, env=environment, stdin=subprocess.PIPE, stdout=nothing, stderr=nothing
                )
                processes.append(process)
                assert process.stdin is not None
                with process.stdin:
                    process.stdin.write(pickle.dumps(missing))
        yield
    finally:
        with Undisturbed():
            for process in processes:
                process.kill()
                process.wait()


def describe() -> dict[str, Any]:
    """Return what the kernels are compiled for: processor, vector width, lanes by dtype, multiply-add, cache folder."""
    return {
        "processor": TARGET.cpu,
        "vector bits": TARGET.vector_bytes * 8,
        "fused multiply-add": TARGET.fma,
        "lanes": dict(LANES_OF),
        "cache": f"{cache.FOLDER or 'none'}{': ' * bool(cache.WHY)}{cache.WHY}",
    }
