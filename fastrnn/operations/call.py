"""How operations are declared, and what changes from one call to the next."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastrnn.code.compiled import Compiled
from fastrnn.operations.records import record

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
    elapsed             place?   steps of a stream that are no longer on the tapes
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


class Operation(Compiled):
    """A kernel ``f(real, call, spec)`` whose fixed part is the record ``spec``."""

    def __init__(self, name: str, home: str, spec: np.dtype[Any], source: str | None = None) -> None:
        super().__init__(name, home, ("p", CALL, spec), source=source)
        self.spec = spec


_declared: dict[str, str] = {}
"""Where each operation stands, by its name."""


def operation(name: str, home: str, spec: np.dtype[Any]) -> Operation:
    """Declare the kernel ``name`` in `fastrnn.kernels`' module ``home``, whose fixed part is the record ``spec``.

    Raises
    ------
    ValueError
        There is one of its name: those who read a profile could not tell them apart.
    """
    if name in _declared:
        raise ValueError(f"{name} is declared in {_declared[name]} and in {home}; expected one operation of that name")
    _declared[name] = home
    return Operation(name, home, spec)


def routine(name: str, home: str, parameters: str) -> Compiled:
    """Declare a function that kernels call by address; ``parameters``: ``p`` pointer to numbers, ``i`` int64."""
    return Compiled(name, home, parameters)
