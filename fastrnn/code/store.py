"""Store: machine code in files of our own, each written whole or not at all and used only if it is whole and meant.

Machine code in which a byte has changed crashes whenever it is run. So a file begins with the digest of the rest, then
says for which processor and from which sources it was made, and one that is another is compiled again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PATIENCE = 120.0
"""Seconds to wait for another process that compiles the same function; some ten times what the longest takes."""
_POLL = 0.005
_MAGIC = b"fastrnn machine code 1\n"
_START = len(_MAGIC) + hashlib.sha256().digest_size


@contextlib.contextmanager
def locked(path: Path, patience: float) -> Iterator[bool]:
    """Hold a lock against other processes; yields whether it was free within ``patience`` seconds.

    It ends with this process at the latest; a child made by ``fork`` has no part in it. Where there are no such locks
    it always is free.
    """
    try:
        import fcntl

        file = path.open("ab")
    except (ImportError, OSError):
        yield True
        return
    with file:
        until, free = time.monotonic() + patience, False
        while not free:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                free = True
            except (BlockingIOError, PermissionError):
                if time.monotonic() >= until:
                    break
                time.sleep(_POLL)
            except OSError:
                free = True
        yield free


def read(path: Path, expected: dict[str, Any]) -> tuple[bytes, list[str]] | None:
    """Return an object and the symbols that it needs, or None if there is none that is whole and as ``expected``."""
    try:
        data = path.read_bytes()
        if data[:_START] != _MAGIC + hashlib.sha256(data[_START:]).digest():
            return None
        head, _, code = data[_START:].partition(b"\n")
        told = json.loads(head)
    except (OSError, ValueError):
        return None
    needs = told.pop("needs")
    return (code, needs) if told == expected else None


def write(path: Path, code: bytes, needs: list[str], told: dict[str, Any]) -> None:
    """Keep an object; where that cannot be, it is compiled again the next time."""
    body = json.dumps(told | {"needs": needs}).encode() + b"\n" + code
    half = path.with_suffix(".part")
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        half.write_bytes(_MAGIC + hashlib.sha256(body).digest() + body)
        os.replace(half, path)
    except OSError:
        with contextlib.suppress(OSError):
            half.unlink()
