"""Compilation undisturbed: Ctrl-C waits until a kernel is done, and a fork until no thread compiles.

Numba takes its lock, and changes what it knows, by Python code: an exception between two of its steps would leave the
lock held for ever. A child of ``fork`` would find it held by a thread that is not there.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

import llvmlite.binding
from numba.core.compiler_lock import global_compiler_lock


class Undisturbed:
    """A context in which Ctrl-C is put off until the end; only the main thread hears it, elsewhere nothing is done."""

    def __enter__(self) -> None:
        self._handler: Callable[[int, FrameType | None], Any] | None = None
        self._came: list[tuple[int, FrameType | None]] = []
        handler = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is threading.main_thread() and callable(handler):
            try:
                self._handler = handler
                signal.signal(signal.SIGINT, lambda *told: self._came.append(told))
            except BaseException:  # another signal's handler has raised
                signal.signal(signal.SIGINT, handler)
                raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
            if self._came:
                self._handler(*self._came[0])


if hasattr(os, "register_at_fork"):
    # Numba's lock is taken first, as who compiles does, then llvmlite's, which is also taken where a module goes. Both
    # are the locks of C code within: a handler of Python code would swallow a Ctrl-C that falls into it.
    for _lock in (llvmlite.binding.ffi.lib._lock._lock, global_compiler_lock._lock):
        os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
