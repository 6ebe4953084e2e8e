"""What goes in and out of a minibatch: rows gathered in the epoch's order, outputs and states written back in place."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.rows import copy_numbers
from fastrnn.kernels.machine.vector import doubles_at, fields, integers_at
from fastrnn.kernels.machine.work import at, share
from fastrnn.operations.batch import EPOCH_SUMS, EPOCH_WEIGHT, LONGEST, SHORTEST
from fastrnn.operations.products import ROW_UNIT


@njit
def batch_begin(real, call, spec):
    """Gather lengths and weights of this thread's rows and zero their sums."""
    s, c = fields(spec), fields(call)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    for row in range(low, high):
        place = integers_at(s.order)[c.sequence + row] if s.order != 0 else c.sequence + row
        integers_at(s.batch_lengths)[row] = integers_at(s.lengths)[place] if s.lengths != 0 else s.steps
        doubles_at(s.batch_weight)[row] = doubles_at(s.sample_weight)[place] if s.sample_weight != 0 else 1.0
        for column in range(s.columns):
            doubles_at(s.row_totals)[column * s.capacity + c.place + row] = 0.0


@njit
def batch_read(real, call, spec):
    """Gather the window's inputs of this thread's rows, time first; what stands beyond a row's length is not read.

    Zeros stand for it here; ids there are 0 already.
    """
    s, c = fields(spec), fields(call)
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        place = integers_at(s.order)[c.sequence + row] if s.order != 0 else c.sequence + row
        length = integers_at(s.batch_lengths)[row]
        first = c.first
        if c.rows == 1 and s.ids == 0:  # its steps lie one behind the other here, too
            first = max(c.first, min(c.last, length))
            target = at(s.input, real, (c.first - c.origin) * s.inputs)
            copy_numbers(at(s.x, real, (place * s.steps + c.first) * s.inputs), target, (first - c.first) * s.inputs)
        for t in range(first, c.last):
            source, target = place * s.steps + t, (t - c.origin) * c.rows + row
            if s.ids != 0:
                integers_at(s.input)[target] = integers_at(s.x)[source]
            elif t >= length:
                for j in range(s.inputs):
                    at(s.input, real, target * s.inputs)[j] = 0.0
            else:
                copy_numbers(at(s.x, real, source * s.inputs), at(s.input, real, target * s.inputs), s.inputs)


@helper
def _counted(s, place, steps):
    """How much the places of a row count: one a step, or one in all, or as much as each of them weighs."""
    count = steps if s.errors_every_step != 0 else min(1, steps)
    if s.place_weight == 0:
        return float(count)
    total, first = 0.0, place * s.steps if s.errors_every_step != 0 else place
    if s.padding_first != 0:
        first += s.steps - steps
    for t in range(count):
        total += doubles_at(s.place_weight)[first + t]
    return total


@njit
def batch_weigh(real, call, spec):
    """The weight that counts in this minibatch and divides the loss: of rows, or of steps if each has an error."""
    s, c = fields(spec), fields(call)
    if c.thread != 0:
        return
    weight = 0.0
    longest, shortest = 0, s.steps
    for row in range(c.rows):
        place = integers_at(s.order)[c.sequence + row] if s.order != 0 else c.sequence + row
        steps = integers_at(s.lengths)[place] if s.lengths != 0 else s.steps
        counted = _counted(s, place, steps)
        own = doubles_at(s.sample_weight)[place] if s.sample_weight != 0 else 1.0
        weight += counted * own
        if own != 0.0 and steps > 0:
            longest = max(longest, steps if s.errors_every_step != 0 else s.steps)
            shortest = min(shortest, steps)
    doubles_at(s.totals)[0] = weight
    doubles_at(s.totals)[LONGEST] = longest
    doubles_at(s.totals)[SHORTEST] = shortest


@njit
def batch_total(real, call, spec):
    """Add this minibatch's sums to the epoch's."""
    s, c = fields(spec), fields(call)
    if c.thread != 0:
        return
    totals = doubles_at(s.totals)
    totals[EPOCH_WEIGHT] += totals[0]
    for column in range(s.columns):
        total = 0.0
        for row in range(c.rows):
            total += doubles_at(s.row_totals)[column * s.capacity + row]
        totals[EPOCH_SUMS + column] += total


@njit
def emit(real, call, spec):
    """Write this thread's rows of a layer's output to their places in the result, if there is one."""
    s, c = fields(spec), fields(call)
    if s.target == 0:
        return
    source, target = at(s.source, real), at(s.target, real)
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        place = integers_at(s.order)[c.sequence + row] if s.order != 0 else c.sequence + row
        for t in range(s.steps):
            for j in range(s.units):
                target[(place * s.steps + t) * s.units + j] = source[
                    ((s.source_first + t) * c.rows + row) * s.width + j
                ]
