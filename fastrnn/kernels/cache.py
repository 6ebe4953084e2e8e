"""Where compiled code is kept between processes, so that it can never be stale.

Numba looks at the file of a cached function only, not at what that function calls (numba#1833): edit or upgrade a
callee and the caller keeps its old machine code. So the folder is named by a digest of all kernel sources, of the
versions that compile them and of the processor compiled for. Each precision has a folder of its own, so that processes
that compile at the same time write the same code under the same name.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import llvmlite
import numba
import numpy
from numba.core import config

from fastrnn.kernels.target import TARGET

KEEP_DAYS = 30
"""Folders of other digests that no process has used for so long are removed."""

_lock = threading.RLock()


def _open_lock() -> None:
    """In a forked process, where the thread that may have held the lock is gone, nobody holds it."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_open_lock)


def digest(folder: Path | None = None) -> str:
    """Digest of the kernel sources in ``folder`` (this one), the versions that compile them and the processor."""
    total = hashlib.sha256()
    for path in sorted((folder or Path(__file__).parent).glob("*.py")):
        total.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    versions = (sys.version, numba.__version__, llvmlite.__version__, numpy.__version__)
    total.update(repr((versions, TARGET)).encode())
    return total.hexdigest()[:24]


def root() -> Path:
    """The folder of all digests: ``fastrnn`` in ``NUMBA_CACHE_DIR`` if that is set, else in the user's cache folder."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    if given:
        return Path(given) / "fastrnn"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "fastrnn" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "fastrnn"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastrnn"


def _prune(folder: Path) -> None:
    """Remove the siblings of ``folder`` that nobody has used for `KEEP_DAYS`."""
    for other in folder.parent.iterdir():
        if other != folder and other.is_dir() and time.time() - other.stat().st_mtime > KEEP_DAYS * 86400:
            shutil.rmtree(other, ignore_errors=True)


def _prepare() -> Path | None:
    """Make the folder of this digest; None if it cannot be had, or belongs to somebody else (its files are pickles)."""
    try:
        folder = root() / digest()
        new = not folder.exists()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
            return None
        if stat.S_IMODE(folder.stat().st_mode) & 0o022 and os.name == "posix":
            return None
        os.utime(folder)
        if new:
            _prune(folder)
    except (OSError, RuntimeError):
        return None
    return folder if os.access(folder, os.W_OK) else None


FOLDER = _prepare()
"""The folder in use, or None: then every process compiles for itself."""


@contextlib.contextmanager
def cached_in(name: str) -> Iterator[bool]:
    """Let what is compiled inside be cached in the folder ``name`` of this digest; yields whether there is one."""
    with _lock:
        before = config.CACHE_DIR
        if FOLDER is not None:
            config.CACHE_DIR = str(FOLDER / name)
        try:
            yield FOLDER is not None
        finally:
            config.CACHE_DIR = before


def _mark(name: str) -> Path | None:
    """The file that says that the kernels of this installation have been compiled into the folder ``name``."""
    if FOLDER is None:
        return None
    return FOLDER / name / f"compiled-{hashlib.sha256(__file__.encode()).hexdigest()[:16]}"


def is_compiled(name: str) -> bool:
    """Whether a compilation into the folder ``name`` has been completed."""
    mark = _mark(name)
    return mark is not None and mark.exists()


def complete(name: str) -> None:
    """Remember that a compilation into the folder ``name`` has been completed."""
    mark = _mark(name)
    if mark is not None:
        with contextlib.suppress(OSError):
            mark.touch()


def empty(name: str) -> None:
    """Remove what has been compiled into the folder ``name``."""
    if FOLDER is not None:
        shutil.rmtree(FOLDER / name, ignore_errors=True)
