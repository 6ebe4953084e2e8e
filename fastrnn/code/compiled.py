"""Compiled: a kernel by its name, whose machine code is loaded where it is kept, and made where it is not.

An *operation* is a kernel ``f(real, call, spec)`` without result. ``real`` is a null pointer whose type says float32 or
float64; ``call`` points to what changes from call to call (a :data:`~fastrnn.operations.call.CALL`, one a thread);
``spec`` points to what is fixed for a model and a shape: sizes, codes and the addresses of buffers, in a record of the
operation's own. Because all of them have this one machine signature, a model is data - a table of (address of code,
address of spec) that :mod:`fastrnn.kernels.jobs.driver` walks through - and each operation is compiled once, on first
use, and kept on disk by itself: a new model compiles nothing.

A *routine* is a function that operations share and call by address, for the same reason.

What is kept is loaded without Numba, and without the module that the kernel stands in.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastrnn.code import cache, generated, loader, store
from fastrnn.code.target import TARGET
from fastrnn.code.undisturbed import Undisturbed

Parameter = str | np.dtype[Any]
"""``p``: a pointer to numbers of the precision; ``i``: an int64; a record: a pointer to it."""
_loading = threading.RLock()
"""Held while code is compiled or loaded, by which LLVM's state changes; also over a fork."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_loading.acquire, after_in_parent=_loading.release, after_in_child=_loading.release)


class Name(NamedTuple):
    """What a compiled function is known by, for all processes.

    Attributes
    ----------
    name : of the function
    home : the module below `fastrnn.kernels` that it stands in, or the name of a generated source
    dtype : "float32", "float64", or "" for what has no numbers of either
    signature : its parameters and its result
    """

    name: str
    home: str
    dtype: str
    signature: str

    @property
    def symbol(self) -> str:
        """Of the machine code."""
        digest = hashlib.sha256(repr(tuple(self)).encode()).hexdigest()[:16]
        return f"{self.name}-{digest}"


class Compiled:
    """A kernel's machine code for each precision.

    Parameters
    ----------
    name : of the function
    home : the module below `fastrnn.kernels` that it stands in; with a ``source``, what that is named by
    parameters, result : of the function; "" is no result, "i" int64
    source : of a function that was written by a program
    """

    def __init__(
        self, name: str, home: str, parameters: Iterable[Parameter], result: str = "", source: str | None = None
    ) -> None:
        self.name, self.parameters, self.result, self.source = name, tuple(parameters), result, source
        self.home = home if source is None else generated.name_of(home, source)
        self._addresses: dict[str, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_addresses": {}}

    def __hash__(self) -> int:
        return hash((self.name, self.home))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Compiled) and (self.name, self.home) == (other.name, other.home)

    def __repr__(self) -> str:
        return f"<{self.home}.{self.name}>"

    def is_ready(self, dtype: str) -> bool:
        """Whether this process has the code."""
        return dtype in self._addresses

    def _named(self, dtype: str) -> Name:
        return Name(self.name, self.home, dtype, f"{self.parameters} {self.result}")

    def is_kept(self, dtype: str) -> bool:
        """Whether a file of it is in the cache."""
        path = self._path(self._named(dtype))
        return path is not None and path.exists()

    def address(self, dtype: str = "") -> int:
        """Return the address of the machine code, which is loaded or made now if it is not there."""
        if dtype not in self._addresses and not self.load(dtype):
            self.make(dtype)
        return self._addresses[dtype]

    def load(self, dtype: str) -> bool:
        """Load what is kept; returns whether the code is there now."""
        name = self._named(dtype)
        with Undisturbed(), _loading:
            for folder in cache.folders():
                found = store.read(folder / (dtype or "shared") / name.symbol, _told(name))
                if dtype not in self._addresses and found is not None and not loader.missing(found[1]):
                    self._addresses[dtype] = loader.load(found[0], name.symbol)
            return dtype in self._addresses

    def make(self, dtype: str, patience: float = store.PATIENCE) -> bool:
        """Compile it, keep it and load it, unless another process has; returns whether it was compiled here.

        A cache that cannot be written costs time, never the work; an error while compiling leaves it as it is. Another
        process that is at it is waited for, ``patience`` seconds at most; with no patience at all, it is left to it.

        Raises
        ------
        ValueError
            Numba is told not to compile.
        AttributeError
            The kernel reads a field that its record does not have.
        """
        name = self._named(dtype)
        with Undisturbed(), contextlib.ExitStack() as stack:
            path = self._path(name)
            if path is not None:
                is_free = stack.enter_context(store.locked(path.with_suffix(".lock"), patience))
                if not is_free and not patience:
                    return False
            if self.load(dtype):
                return False
            compiler = import_module("fastrnn.kernels.machine.compiler")
            for lock in (compiler.LOCK, _loading):  # in the order in which a fork takes them
                stack.enter_context(lock)
            code, needs = compiler.object_of(self, dtype, name.symbol)
            if path is not None:
                store.write(path, code, needs, _told(name))
            self._addresses[dtype] = loader.load(code, name.symbol)
            return True

    def function(self) -> Any:
        """Return the kernel as Numba's, to be compiled."""
        if self.source is not None:
            return generated.function_of(self.name, self.home, self.source)
        return getattr(import_module(f"fastrnn.kernels.{self.home}"), self.name)

    @staticmethod
    def _path(name: Name) -> Path | None:
        """The file to keep it in, whose folder is made; None if it cannot be."""
        if cache.FOLDER is None or cache.WHY:
            return None
        path = cache.FOLDER / (name.dtype or "shared") / name.symbol
        with contextlib.suppress(OSError):
            path.parent.mkdir(mode=0o700, exist_ok=True)
        return path


def _told(name: Name) -> dict[str, Any]:
    """What the file of a function says of it."""
    return {**name._asdict(), "sources": cache.SOURCES, "processor": TARGET.cpu, "features": TARGET.features}
