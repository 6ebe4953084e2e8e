"""Operations: the compiled pieces that a training step is a list of.

An operation is a kernel ``f(real, call, spec)`` without result. ``real`` is a null pointer whose type says float32 or
float64; ``call`` points to what changes from call to call (a :data:`CALL`, one a thread); ``spec`` points to what is
fixed for a model and a shape: sizes, codes and the addresses of buffers, in a record of the operation's own. Because
all of them have this one machine signature, a model is data - a table of (address of code, address of spec) that
:mod:`fastrnn.kernels.jobs.driver` walks through - and each operation is compiled once, on first use, and cached on
disk by itself: a new model compiles nothing.

A *routine* is a function that operations share and call by address, for the same reason.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numba import float32, float64, from_dtype, int64, types
from numba.core import config
from numba.core.ccallback import CFunc

from fastrnn.kernels.machine import cache
from fastrnn.kernels.machine.atomics import atomic_add, atomic_load, atomic_store, give_way, relax
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.records import FORMS, Form, record
from fastrnn.kernels.machine.store import Store
from fastrnn.kernels.machine.undisturbed import Undisturbed
from fastrnn.kernels.machine.vector import offset, pointer_to

REALS = {"float32": float32, "float64": float64}


CALL = record(
    "call",
    """
    member              place?   this thread's in the team
    team                size     threads in all
    thread              place?   this thread's at the work in hand
    threads             size?    that share it
    place               place?   of the first of the rows in the minibatch
    rows                size?    B
    sequence            place?   of the first of the rows in the epoch's order
    batch               place?   number of the minibatch in the epoch
    draw                place?   number of the minibatch since training began
    origin              place?   the step at which buffers begin
    first               place?   first step of the window
    last                place?   the step behind it
    pass_first          place?   first step of a backward pass
    pass_end            place?   the step behind it
    depth               size?    steps of it that a row takes part in at most
    errors_from         place?   the first step whose own error enters it
    row                 place?   of a recurrent layer, this thread's first row
    row_count           size?    and so on
    unit                place?
    unit_count          size?
    step                place?   number of this update, from 1
    scratch             array    the thread's own memory
    barrier             array?   the place where threads meet
    """,
)
"""What changes from call to call: one a thread."""
_SPINS = 4096
"""Pauses before a waiting thread lets others run: some 50 us, longer than what threads of a step differ by, and short
beside a time slice, for which a thread that is not running is waited for."""


def check_compiles() -> None:
    """Refuse to go on where Numba is told not to compile.

    Raises
    ------
    ValueError
        It is.
    """
    if config.DISABLE_JIT:
        raise ValueError("NUMBA_DISABLE_JIT is set; expected it not to be: fastrnn computes in compiled code alone")


def _unknown_field(name: str, error: KeyError, form: Form) -> AttributeError | None:
    """Return the line for a field that a kernel reads and its record does not have; None for another error.

    Numba raises a bare KeyError there; which line it was at work on stands in what it was computing with.
    """
    field, place, traceback = error.args[0], None, error.__traceback__
    while traceback is not None:
        place = getattr(traceback.tb_frame.f_locals.get("self"), "loc", place)
        traceback = traceback.tb_next
    if place is None or field in form.fields:
        return None
    near = get_close_matches(field, form.fields, n=1)
    return AttributeError(
        f"{name} ({Path(place.filename).name}, line {place.line}) reads the field {field!r}, which the record of the "
        f"{form.name} does not have; expected {near[0] if near else 'one that is declared'}"
    )


def compiled(
    function: Any, parameters: list[Any], folder: str, result: Any = types.void, form: Form | None = None
) -> Any:
    """Compile an ``@njit`` function for C callers, or load it from ``folder`` in the cache's folder.

    A cache that cannot be read or written costs time, never the work; an error while compiling leaves it as it is.

    Raises
    ------
    ValueError
        Numba is told not to compile.
    AttributeError
        It reads a field that a record, of which ``form`` is the form, does not have.
    """
    check_compiles()
    try:
        return _compiled(function, parameters, folder, result)
    except KeyError as error:
        line = None if form is None else _unknown_field(function.__name__, error, form)
        if line is None:
            raise
    raise line


def _compiled(function: Any, parameters: list[Any], folder: str, result: Any) -> Any:
    code = CFunc(function.py_func, (tuple(parameters), result), locals={}, options={"error_model": "numpy"})
    if cache.FOLDER is None:
        with Undisturbed():
            code.compile()
        return code
    store = code._cache = Store(function.py_func, code._sig, cache.FOLDER / folder)
    with store.missing(), Undisturbed():
        code.compile()
    return code


class Compiled:
    """A function compiled for each precision on first use, or loaded from the cache."""

    form: Form | None = None
    """Of the record that it reads."""

    def __init__(self, function: Any, parameters: Callable[[Any], list[Any]]) -> None:
        self.function = function
        self._parameters = parameters
        self._code: dict[str, Any] = {}

    def code(self, dtype: str) -> Any:
        """The compiled function for ``dtype`` ("float32" or "float64"), as Numba's ``CFunc``."""
        if dtype not in self._code:
            parameters = self._parameters(types.CPointer(REALS[dtype]))
            self._code[dtype] = compiled(self.function, parameters, dtype, form=self.form)
        return self._code[dtype]

    def is_ready(self, dtype: str) -> bool:
        """Whether this process has the code for ``dtype``."""
        return dtype in self._code

    def address(self, dtype: str) -> int:
        """Address of the machine code for ``dtype``."""
        return int(self.code(dtype).address)


class Operation(Compiled):
    """A kernel ``f(real, call, spec)`` and the record type of its ``spec``."""

    def __init__(self, function: Any, spec: np.dtype[Any]) -> None:
        pointers = [types.CPointer(from_dtype(CALL)), types.CPointer(from_dtype(spec))]
        super().__init__(function, lambda real: [real, *pointers])
        self.spec, self.form = spec, FORMS.get(spec)


_declared: dict[str, str] = {}
"""Where each operation is declared, by its name."""


def register(function: Any) -> None:
    """Note an operation.

    Raises
    ------
    ValueError
        There is one of its name: the cache and those who read a profile could not tell them apart.
    """
    name, where = function.__name__, function.__module__
    if name in _declared:
        raise ValueError(f"{name} is declared in {_declared[name]} and in {where}; expected one operation of that name")
    _declared[name] = where


def operation(spec: np.dtype[Any]) -> Callable[[Any], Operation]:
    """Declare a kernel ``f(real, call, spec)`` (an ``@njit`` function) whose fixed part is the record ``spec``."""

    def declare(function: Any) -> Operation:
        register(function)
        return Operation(function, spec)

    return declare


def routine(parameters: str) -> Callable[[Any], Compiled]:
    """Declare an ``@njit`` function that kernels call by address; ``parameters``: ``p`` pointer, ``i`` int64."""
    return lambda function: Compiled(function, lambda real: [real if p == "p" else int64 for p in parameters])


@helper
def at(address, real, place=0):
    """The buffer at ``address`` as a pointer to numbers, ``place`` numbers on."""
    return offset(pointer_to(address, real), place)


@helper
def share(items, unit, thread, threads):
    """The range ``[start, stop)`` of ``items`` that falls to ``thread``: whole units, as even as can be."""
    if threads == 1:  # without the divisions, of which a minibatch of one short row would feel those of each operation
        return 0, items
    units = (items + unit - 1) // unit
    return min(items, units * thread // threads * unit), min(items, units * (thread + 1) // threads * unit)


@helper
def meet(barrier, threads):
    """Wait until all threads are here. ``barrier`` (16) int64: arrivals at 0, rounds at 8 (cache lines apart)."""
    if threads == 1:
        return
    rounds = barrier + 64
    now = atomic_load(rounds)
    if atomic_add(barrier, 1) == threads - 1:
        atomic_store(barrier, 0)
        atomic_add(rounds, 1)
        return
    spins = 0
    while atomic_load(rounds) == now:
        relax()
        spins += 1
        if spins > _SPINS:
            give_way()
