"""Locks that no signal leaves held and that a forked process finds open; generators of random numbers have one, too.

``with lock:`` on a lock of C code takes it and gives it back between two steps of Python: an exception that a signal's
handler raises, such as Ctrl-C's, comes before or after. ``lock.acquire()`` before ``try``, or a lock that is a class of
Python's, leaves a gap.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from _thread import RLock

_ENOUGH = 256
"""Locks after which those that are gone are forgotten; if each told that it goes, a Ctrl-C then would be swallowed."""

_registering = threading.RLock()
_locks: list[weakref.ref[Any]] = [weakref.ref(_registering)]


def new_lock() -> RLock:
    """Return a re-entrant lock; in a child made by ``fork``, where the thread that held it is gone, it is free."""
    lock = threading.RLock()
    _register(lock)
    return lock


def new_generator(seed: int) -> np.random.Generator:
    """Return a generator; in a child made by ``fork`` while another thread drew numbers, its lock is free."""
    generator = np.random.default_rng(seed)
    free_in_children(generator)
    return generator


def free_in_children(generator: np.random.Generator) -> None:
    """Let children made by ``fork`` find the lock of a generator, such as a copy, free."""
    _register(generator.bit_generator.lock)


def _register(lock: Any) -> None:
    with _registering:
        if len(_locks) % _ENOUGH == 0:
            _locks[:] = [known for known in _locks if known() is not None]
        _locks.append(weakref.ref(lock))


def _free_all() -> None:
    for known in _locks:
        lock = known()
        # Old NumPy's generators have a plain lock, which has no owner.
        if lock is not None and not (hasattr(lock, "_is_owned") and lock._is_owned()):
            lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free_all)
