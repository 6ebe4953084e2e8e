"""How many threads a job gets."""

from __future__ import annotations

from fastrnn import checks
from fastrnn.kernels.product import ROW_UNIT
from fastrnn.network import Network
from fastrnn.team import available_threads

WORK_PER_THREAD = 500_000
"""Multiply-adds of a forward pass that are worth another thread: tens of microseconds."""


def choose_threads(threads: int | None, network: Network, rows: int, steps: int) -> int:
    """Return as many threads as a minibatch's rows and work are good for, at most ``threads`` or the processors.

    Raises
    ------
    ValueError
        Not a whole number from 1 up.
    """
    if threads is not None:
        return min(checks.positive_int("threads", threads), -(-rows // ROW_UNIT))
    work = network.count * rows * steps
    return max(1, min(available_threads(), -(-rows // (2 * ROW_UNIT)), work // WORK_PER_THREAD))
