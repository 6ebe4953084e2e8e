"""What the kernels are compiled for, and the line that says why the first run waits."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fastrnn.kernels import cache
from fastrnn.kernels.target import TARGET
from fastrnn.kernels.vector import LANES_OF
from fastrnn.team import available_threads

_announced: set[str] = set()


@contextlib.contextmanager
def announced(dtype: str, kinds: Iterable[str]) -> Iterator[None]:
    """Say on stderr that kernels are being compiled, and for how long, if this machine has none for ``dtype`` yet.

    A second process, where there is a processor for it, then compiles a part of them for recurrent layers of ``kinds``.
    """
    if dtype in _announced or cache.is_compiled(dtype):
        yield
        return
    _announced.add(dtype)
    start = time.perf_counter()
    print(
        f"fastrnn: compiling the {dtype} kernels for this processor ({TARGET.cpu}) ...",
        end=" ",
        file=sys.stderr,
        flush=True,
    )
    with _second_process(dtype, kinds):
        yield
    cache.complete(dtype)
    kept = "kept for later runs" if cache.FOLDER else "not kept: there is no folder to write to"
    print(f"{time.perf_counter() - start:.1f} s, {kept}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def _second_process(dtype: str, kinds: Iterable[str]) -> Iterator[None]:
    """Run :mod:`fastrnn.kernels.ahead` meanwhile; without it this process compiles everything itself."""
    if cache.FOLDER is None or available_threads() < 2 or not sys.executable or getattr(sys, "frozen", False):
        yield
        return
    root = str(Path(__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, *filter(os.path.isabs, sys.path)])}
    command = [sys.executable, "-P", "-m", "fastrnn.kernels.ahead", dtype, *sorted(set(kinds))]
    try:
        nothing = subprocess.DEVNULL
        process = subprocess.Popen(command, env=environment, stdin=nothing, stdout=nothing, stderr=nothing)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        process.kill()
        process.wait()


def describe() -> dict[str, Any]:
    """Return what the kernels are compiled for: processor, vector width, lanes by dtype, multiply-add, cache folder."""
    return {
        "processor": TARGET.cpu,
        "vector bits": TARGET.vector_bytes * 8,
        "fused multiply-add": TARGET.fma,
        "lanes": dict(LANES_OF),
        "cache": str(cache.FOLDER) if cache.FOLDER else None,
    }
