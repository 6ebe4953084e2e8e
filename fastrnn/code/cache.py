"""Where compiled code is kept between processes, so that it can never be stale, nor be somebody else's.

The folder is named by a digest of all sources, of the versions that compile them and of the processor compiled for:
whatever is edited or upgraded, a callee included, gives another folder. What lies in it is run, so it is used only if
nobody but this user and the system's own can change it or what leads to it. Each precision has a folder of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import stat
import sys
import time
from pathlib import Path

import llvmlite

from fastrnn.code.target import READY, TARGET

KEEP_DAYS = 30
"""Folders of other digests that no process has used for so long are removed."""
_DIGITS = 24
ROOMS = ("code", "kernels", "operations")
"""Whose sources make a difference to the machine code."""


def sources(root: Path | None = None) -> str:
    """Digest of all that machine code is made of: the sources of the rooms below ``root``, the package's folder."""
    total = hashlib.sha256()
    root = root or Path(__file__).parents[1]
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:_DIGITS]


def digest() -> str:
    """Digest of the sources, the versions that compile them and the processor."""
    versions = sys.version, _numba_version(), llvmlite.__version__
    return hashlib.sha256(repr((SOURCES, versions, TARGET)).encode()).hexdigest()[:_DIGITS]


def _numba_version() -> bytes:
    """What tells one version of Numba from another, without importing it."""
    found = importlib.util.find_spec("numba")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).with_name("_version.py").read_bytes()


def root() -> Path:
    """The folder of all digests: ``FASTRNN_CACHE_DIR``, or ``fastrnn`` in the user's cache folder.

    ``NUMBA_CACHE_DIR`` stands for the latter where it is set.
    """
    if os.environ.get("FASTRNN_CACHE_DIR"):
        return Path(os.environ["FASTRNN_CACHE_DIR"])
    if os.environ.get("NUMBA_CACHE_DIR"):
        return Path(os.environ["NUMBA_CACHE_DIR"]) / "fastrnn"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "fastrnn" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "fastrnn"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastrnn"


def _prune(folder: Path) -> None:
    """Remove the siblings of ``folder`` that nobody has used for `KEEP_DAYS`."""
    for other in folder.parent.iterdir():
        is_digest = re.fullmatch(f"[0-9a-f]{{{_DIGITS}}}", other.name) and other.is_dir()
        if is_digest and other != folder and time.time() - other.stat().st_mtime > KEEP_DAYS * 86400:
            shutil.rmtree(other, ignore_errors=True)


def _is_private(group: int) -> bool:
    """Whether a group is this user's alone, as many systems give every user one."""
    import grp
    import pwd

    with contextlib.suppress(KeyError):
        user, entry = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(group)
        return entry.gr_name == user and set(entry.gr_mem) <= {user}
    return False


def _why_unsafe(folder: Path) -> str:
    """Say by what part of its path, a real one, others could get at what is in a folder; nothing where none could."""
    for part in (folder, *folder.parents):
        found = part.stat()
        if found.st_uid not in {0, os.getuid()}:
            return f"{part} belongs to another user"
        is_open = found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and not _is_private(found.st_gid))
        # In a folder with the sticky bit nobody can rename or remove what is another's.
        if is_open and (part == folder or not found.st_mode & stat.S_ISVTX):
            return f"{part} may be written by others"
    return ""


def _prepare() -> tuple[Path | None, str]:
    """Find or make the folder of this digest.

    Returns it, or None if it cannot be had or others could write to it; and why nothing can be kept there.
    """
    try:
        folder = Path(os.path.realpath(root() / digest()))
        is_new = not folder.exists()
        for part in reversed([folder, *folder.parents]):
            if not part.exists():
                part.mkdir(mode=0o700, exist_ok=True)
        why = _why_unsafe(folder) if os.name == "posix" else ""
        if why:
            return None, why
        if not os.access(folder, os.W_OK):
            return folder, f"{folder} cannot be written to"
        os.utime(folder)
        if is_new:
            _prune(folder)
    except (OSError, RuntimeError) as error:
        return None, f"there is no folder to write to ({error})"
    return folder, ""


SOURCES = sources()
FOLDER, WHY = _prepare()
"""The folder in use, or None: then every process compiles for itself; and why what it compiles is not kept, if so."""


def folders() -> list[Path]:
    """Where code is looked for: in what a wheel has brought, which is as good as the rest of it, and in the cache."""
    return [READY / TARGET.cpu, *([] if FOLDER is None else [FOLDER])]
