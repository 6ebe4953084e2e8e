"""Loader: brings the objects that LLVM made into the process, and finds the addresses of what is in them."""

from __future__ import annotations

import ctypes
import functools
import math
import os
from typing import Any

import llvmlite.binding as llvm

from fastrnn.code.target import TARGET


@functools.cache
def machine() -> Any:
    """LLVM's description of the processor, for code that is run where it is loaded."""
    arm = TARGET.architecture != "x86"
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=TARGET.cpu, features=TARGET.features, opt=3, reloc="default" if arm else "static", codemodel="jitdefault",
        jit=True,
    )  # fmt: skip


@functools.cache
def _engine() -> Any:
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine())


@functools.cache
def _libraries() -> list[ctypes.CDLL]:
    """C's library, and that of its mathematics, which Python's own leads to."""
    if os.name == "nt":
        return [ctypes.CDLL("ucrtbase")]
    return [ctypes.CDLL(None), *([ctypes.CDLL(math.__file__)] if hasattr(math, "__file__") else [])]


@functools.cache
def _is_known(name: str) -> bool:
    """Find a symbol, and tell LLVM of it."""
    for library in _libraries():
        if hasattr(library, name):
            llvm.add_symbol(name, ctypes.cast(getattr(library, name), ctypes.c_void_p).value)
            return True
    return False


def missing(names: list[str]) -> list[str]:
    """Return those symbols that this process does not have: LLVM ends a process that loads what needs them."""
    return [name for name in names if not _is_known(name)]


def load(code: bytes, symbol: str) -> int:
    """Load an object that has all it needs, and return the address of its function ``symbol``."""
    engine = _engine()
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return int(engine.get_function_address(symbol))


if hasattr(os, "register_at_fork"):
    # llvmlite's lock is also taken where a module goes. It is the lock of C code within: a handler of Python code would
    # swallow a Ctrl-C that falls into it.
    _lock = llvm.ffi.lib._lock._lock
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
