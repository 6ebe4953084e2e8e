"""Into how many parts a minibatch is cut, and how many threads work on it."""

from __future__ import annotations

import numpy as np

from fastrnn.code.target import LANES_OF
from fastrnn.engine.network import Network
from fastrnn.engine.team import available_threads
from fastrnn.ground import checks
from fastrnn.layers import Embedding, OneHot, Unidirectional
from fastrnn.operations.products import ROW_UNIT

WORK_PER_THREAD = 500_000
"""Multiply-adds of a forward pass that are worth another thread: tens of microseconds."""

WORK_PER_CALL = 4 * WORK_PER_THREAD
"""The same for a single call, which starts a job of its own."""

WORK_TO_WAKE = 80 * WORK_PER_THREAD
"""Multiply-adds of a call that are worth waking threads that sleep: a millisecond."""

SHARD_ROWS = 16
"""Rows of a shard, about: enough to fill the register tiles twice."""

GRADIENT_SHARE = 4
"""How many times the gradients of all shards must fit into the states and gates that are stored of a minibatch."""

SPLIT_WORK = 10_000
"""Multiply-adds of a step's recurrent products, of each thread, that are worth a meeting."""

SPLIT_BYTES = 2**19
"""Size of a recurrent kernel from which threads share out its columns and inputs have products of their own."""


def shards_of(network: Network, rows: int, steps: int) -> int:
    """Into how many shards a minibatch is cut: by its shape alone, so that the result does not depend on the threads.

    Every thread takes shards of rows from the data to gradients of its own, and nothing but these changes hands. There
    are 1, 2, 4, 8 ... shards, which threads can share evenly, and no more than keep all gradients small beside what
    is stored of the minibatch; on a single one, all threads work together.
    """
    numbers = sum(cell.layer.units * (cell.layer.gates + cell.layer.state_arrays) for cell in network.cells)
    most = min(rows // ROW_UNIT, rows * steps * numbers // (GRADIENT_SHARE * network.flat.size))
    shards = 1
    while 2 * shards <= most and (shards == 1 or SHARD_ROWS * shards < rows):
        shards *= 2
    return shards


def outgrows_cache(layer: Unidirectional, dtype: str) -> bool:
    """Whether a layer's recurrent kernel takes more than its share of the second cache level."""
    return layer.recurrent_gates * layer.units**2 * np.dtype(dtype).itemsize > SPLIT_BYTES


def splits_units(layer: Unidirectional, dtype: str, threads: int, rows: int) -> bool:
    """Whether threads that work on one minibatch share out a layer's units instead of its rows.

    There may be too few rows; and where the weights outgrow the second cache level, each thread had better read its own
    part of them. The price is a meeting a step. Units are shared out in whole vectors, at least two for each thread:
    the terms of a single one are added in another order.
    """
    if has_halves(layer, dtype, rows):
        return threads == 2
    lanes = LANES_OF[dtype]
    return layer.units % lanes == 0 and layer.units // lanes >= 2 * threads and outgrows_cache(layer, dtype)


def has_halves(layer: Unidirectional, dtype: str, rows: int) -> bool:
    """Whether the sums of a layer's units go half by half: there are too few rows for two threads, and much to do.

    A thread has one half then, and begins with the states of its own while those of the other are on their way. This
    must not depend on the threads.
    """
    lanes, cell = LANES_OF[dtype], layer.equation
    work = rows * layer.recurrent_gates * layer.units**2
    is_whole = layer.units % lanes == 0 and layer.units // lanes >= 4
    is_able = layer.recurrent_gates > 0 and not cell.late and len(cell.recurrents) < 2 and not layer.recurrent_dropout
    return is_whole and is_able and rows < 2 * ROW_UNIT and work >= 2 * SPLIT_WORK


def _step_work(network: Network) -> int:
    """Multiply-adds of a forward step: the weights, but for a matrix of which ids pick rows."""
    ids = network.layers[0].count_params(network.input_size) if isinstance(network.layers[0], Embedding) else 0
    if isinstance(network.layers[0], OneHot):
        ids = sum(cell.layer.gates * cell.layer.units for cell in network.layers[1].cells) * network.input_size
    return network.count - ids


def widest_row(network: Network) -> int:
    """Return the most numbers that a row of any layer's has: inputs, outputs or columns of a product."""
    beneath = 0 if not network.takes_ids else 2 if isinstance(network.layers[0], OneHot) else 1
    widest = network.widths[beneath:]
    for cell in network.cells:
        layer: Unidirectional = cell.layer
        widest.append(max(4, layer.gates + len(layer.equation.recurrents)) * layer.units)
    return max(widest)


def is_brief(network: Network, rows: int, steps: int) -> bool:
    """Whether a forward pass is over before threads that sleep would be awake."""
    return _step_work(network) * rows * steps < WORK_TO_WAKE


def choose_threads(
    threads: int | None, network: Network, rows: int, steps: int, trains: bool = False, minibatches: int | None = None
) -> int:
    """Return as many threads as a minibatch's rows and work are good for, at most ``threads`` or the processors.

    ``minibatches``: of a call that is a job of its own; None if others follow in the same job.

    Raises
    ------
    ValueError
        Not a whole number from 1 up.
    """
    if threads is not None:
        most = checks.positive_int("threads", threads)
    else:
        worth = WORK_PER_THREAD if minibatches is None else max(WORK_PER_THREAD, WORK_PER_CALL // minibatches)
        most = max(1, min(available_threads(), _step_work(network) * rows * steps // worth))
    shards = shards_of(network, rows, steps) if trains else 1
    if shards > 1:
        return min(most, shards)
    shared = max(1, rows // ROW_UNIT)
    if most <= shared:
        return most
    return next((n for n in range(most, shared, -1) if splits(network, n, rows)), shared)


def splits(network: Network, threads: int, rows: int) -> bool:
    """Whether threads share out the units of a layer."""
    return threads > 1 and any([splits_units(cell.layer, network.dtype, threads, rows) for cell in network.cells])
