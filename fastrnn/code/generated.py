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

from fastrnn.code import cache

_DIGITS = 16


def name_of(name: str, source: str) -> str:
    """Return the name of a source: what it is, and its digest."""
    return f"{name}_{hashlib.sha256(source.encode()).hexdigest()[:_DIGITS]}"


def function_of(function: str, name: str, source: str) -> Any:
    """Return a function of the module that a source makes, whose name `name_of` gave.

    Where the source cannot be kept, only this process has it.
    """
    full = f"fastrnn.generated.{name}"
    if full not in sys.modules:
        path = (_kept(f"{name}.py", source) if cache.FOLDER is not None and not cache.WHY else None) or f"<{full}>"
        linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
        module = ModuleType(full)
        module.__file__ = path
        exec(compile(source, path, "exec"), module.__dict__)
        sys.modules[full] = module
    return getattr(sys.modules[full], function)


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
