"""Store: a compiled function in a file of its own, written once for all processes and loaded only if it is whole.

Machine code in which a byte has changed crashes whenever it is run. So a file begins with the digest of the rest, and
one that has another is compiled again. Numba's own files have none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

PATIENCE = 120.0
"""Seconds to wait for another process that compiles the same function; some ten times what the longest takes."""
_POLL = 0.02
_DIGEST = hashlib.sha256().digest_size


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


class Store:
    """Where Numba's ``CFunc`` looks for a compiled function, and keeps it.

    Parameters
    ----------
    function : a Python function at the top of a module
    signature : Numba's, of its arguments and result
    folder : of the file, for one processor and one version of all sources; made if it is not there
    """

    def __init__(self, function: Any, signature: Any, folder: Path) -> None:
        assert function.__closure__ is None
        key = function.__module__, function.__qualname__, str(signature)
        self.path = folder / f"{function.__name__}-{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}"

    def load_overload(self, signature: Any, target_context: Any) -> CompileResult | None:
        """Return the compiled function, or None if there is none that is whole."""
        try:
            data = self.path.read_bytes()
            if hashlib.sha256(data[_DIGEST:]).digest() != data[:_DIGEST]:
                return None
            target_context.refresh()
            return CompileResult._rebuild(target_context, *pickle.loads(data[_DIGEST:]))
        except Exception:
            return None

    def save_overload(self, signature: Any, result: CompileResult) -> None:
        """Keep a compiled function; where that cannot be, it is compiled again the next time."""
        if result.library.has_dynamic_globals:
            return
        payload = dumps(result._reduce())
        half = self.path.with_suffix(".part")
        try:
            half.write_bytes(hashlib.sha256(payload).digest() + payload)
            os.replace(half, self.path)
        except OSError:
            with contextlib.suppress(OSError):
                half.unlink()

    @contextlib.contextmanager
    def missing(self) -> Iterator[None]:
        """Let one process at a time compile what is not there; the others find it when it is done."""
        if self.path.exists():
            yield
            return
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
        with locked(self.path.with_suffix(".lock"), PATIENCE):
            yield
