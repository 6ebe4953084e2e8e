"""Compilation undisturbed: Ctrl-C waits until a kernel is done.

Numba takes its lock, and changes what it knows, by Python code: an exception between two of its steps would leave the
lock held for ever.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


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
