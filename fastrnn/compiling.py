"""What the kernels are compiled for, and the line that says why the first run waits."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import Any

from fastrnn.kernels import cache
from fastrnn.kernels.target import TARGET
from fastrnn.kernels.vector import LANES_OF

_announced: set[str] = set()


@contextlib.contextmanager
def announced(dtype: str) -> Iterator[None]:
    """Say on stderr that kernels are being compiled, and for how long, if this machine has none for ``dtype`` yet."""
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
    yield
    cache.complete(dtype)
    kept = "kept for later runs" if cache.FOLDER else "not kept: there is no folder to write to"
    print(f"{time.perf_counter() - start:.1f} s, {kept}", file=sys.stderr, flush=True)


def describe() -> dict[str, Any]:
    """Return what the kernels are compiled for: processor, vector width, lanes by dtype, multiply-add, cache folder."""
    return {
        "processor": TARGET.cpu,
        "vector bits": TARGET.vector_bytes * 8,
        "fused multiply-add": TARGET.fma,
        "lanes": dict(LANES_OF),
        "cache": str(cache.FOLDER) if cache.FOLDER else None,
    }
