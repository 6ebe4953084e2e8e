"""Kernels whose source is written by a program: each a real file in the cache's folder, named by its digest.

So a traceback has lines to show, and a compiled function a name that says what it was compiled from: the store, which
tells functions apart by module and name, never serves one for another.
"""

from __future__ import annotations

import contextlib
import hashlib
import linecache
import os
import sys
from types import ModuleType
from typing import Any

from fastrnn.kernels.machine import cache

_DIGITS = 16


def module_of(name: str, source: str) -> ModuleType:
    """Return the module that a source makes; ``name`` begins its name.

    Where the source cannot be kept, only this process has it.
    """
    digest = hashlib.sha256(source.encode()).hexdigest()[:_DIGITS]
    full = f"fastrnn.generated.{name}_{digest}"
    if full in sys.modules:
        return sys.modules[full]
    path = f"<{full}>"
    if cache.FOLDER is not None:
        path = _kept(f"{name}_{digest}.py", source) or path
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    module = ModuleType(full)
    module.__file__ = path
    exec(compile(source, path, "exec"), module.__dict__)
    sys.modules[full] = module
    return module


def _kept(name: str, source: str) -> str | None:
    """Write a source to the cache's folder, if it is not there, and return its path."""
    assert cache.FOLDER is not None
    path = cache.FOLDER / "sources" / name
    with contextlib.suppress(OSError):
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            half = path.with_suffix(f".{os.getpid()}")
            half.write_text(source, encoding="utf-8")
            os.replace(half, path)
        return str(path)
    return None


def function_of(name: str, source: str) -> Any:
    """Return the function ``name`` of the module that a source makes."""
    return getattr(module_of(name, source), name)
