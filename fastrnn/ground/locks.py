"""Locks that no signal leaves held and that a forked process finds open.

``with lock:`` on a lock of C code takes it and gives it back between two steps of Python: an exception that a signal's
handler raises, such as Ctrl-C's, comes before or after. ``lock.acquire()`` before ``try``, or a lock that is a class of
Python's, leaves a gap.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _thread import RLock

_ENOUGH = 256
"""Locks after which those that are gone are forgotten; if each told that it goes, a Ctrl-C then would be swallowed."""

_registering = threading.RLock()
_locks: list[weakref.ref[RLock]] = [weakref.ref(_registering)]


def new_lock() -> RLock:
    """Return a re-entrant lock; in a child made by ``fork``, where the thread that held it is gone, it is free."""
    lock = threading.RLock()
    with _registering:
        if len(_locks) % _ENOUGH == 0:
            _locks[:] = [known for known in _locks if known() is not None]
        _locks.append(weakref.ref(lock))
    return lock


def _free_all() -> None:
    for known in _locks:
        lock = known()
        if lock is not None and not lock._is_owned():  # type: ignore[attr-defined]
            lock._at_fork_reinit()  # type: ignore[attr-defined]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_all)
