"""Where compiled code is kept between processes, so that it can never be stale, nor be somebody else's.

The folder is named by a digest of all kernel sources, of the versions that compile them and of the processor compiled
for: whatever is edited or upgraded, a callee included, gives another folder. What lies in it is run, so it is used only
if nobody but its owner, who is this user, can change it or what leads to it. Each precision has a folder of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
import sys
import time
from pathlib import Path

import llvmlite
import numba
import numpy

from fastrnn.kernels.machine.target import TARGET

KEEP_DAYS = 30
"""Folders of other digests that no process has used for so long are removed."""
_DIGITS = 24


def digest(folder: Path | None = None) -> str:
    """Digest of the sources below ``folder`` (all kernels), the versions that compile them and the processor."""
    total = hashlib.sha256()
    folder = folder or Path(__file__).parents[1]
    for path in sorted(folder.rglob("*.py")):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    versions = (sys.version, numba.__version__, llvmlite.__version__, numpy.__version__)
    total.update(repr((versions, TARGET)).encode())
    return total.hexdigest()[:_DIGITS]


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
        if found.st_uid not in ({os.getuid()} if part == folder else {0, os.getuid()}):
            return f"{part} belongs to another user"
        is_open = found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and not _is_private(found.st_gid))
        # In a folder with the sticky bit nobody can rename or remove what is another's.
        if is_open and (part == folder or not found.st_mode & stat.S_ISVTX):
            return f"{part} may be written by others"
    return ""


def _prepare() -> tuple[Path | None, str]:
    """Make the folder of this digest; None, and why, if it cannot be had or others could write to it."""
    try:
        folder = Path(os.path.realpath(root() / digest()))
        is_new = not folder.exists()
        for part in reversed([folder, *folder.parents]):
            if not part.exists():
                part.mkdir(mode=0o700, exist_ok=True)
        why = _why_unsafe(folder) if os.name == "posix" else ""
        if not why and not os.access(folder, os.W_OK):
            why = f"{folder} cannot be written to"
        if why:
            return None, why
        os.utime(folder)
        if is_new:
            _prune(folder)
    except (OSError, RuntimeError) as error:
        return None, f"there is no folder to write to ({error})"
    return folder, ""


FOLDER, WHY = _prepare()
"""The folder in use, or None and why: then every process compiles for itself."""


def is_compiled(name: str) -> bool:
    """Whether a compilation into the folder ``name`` has been completed."""
    return FOLDER is not None and (FOLDER / name / "compiled").exists()


def complete(name: str) -> None:
    """Remember that a compilation into the folder ``name`` has been completed."""
    if FOLDER is not None:
        with contextlib.suppress(OSError):
            (FOLDER / name / "compiled").touch()
