"""Plain loops over rows of numbers that every layer needs."""

from __future__ import annotations

from fastrnn.kernels.machine.helper import helper, inlined
from fastrnn.kernels.machine.vector import WIDE, first_lanes, lane, lanes, load, load_wide, splat, splat_wide, store


@helper
def padded_width(columns, real):
    """``columns`` rounded up to whole vectors."""
    return (columns + lanes(real) - 1) // lanes(real) * lanes(real)


@helper
def fill(target, count, value):
    """Write ``value`` (a vector) to ``count`` numbers, whole vectors."""
    i = 0
    while i < count:
        store(target, i, value)
        i += lanes(target)


@helper
def copy(source, target, count):
    """Copy ``count`` numbers, whole vectors."""
    i = 0
    while i < count:
        store(target, i, load(source, i))
        i += lanes(source)


@helper
def copy_numbers(source, target, count):
    """Copy ``count`` numbers, any number."""
    i = 0
    while i + lanes(source) <= count:
        store(target, i, load(source, i))
        i += lanes(source)
    while i < count:
        target[i] = source[i]
        i += 1


@helper
def add(source, target, count):
    """``target += source`` over ``count`` numbers, whole vectors."""
    i = 0
    while i < count:
        store(target, i, load(target, i) + load(source, i))
        i += lanes(source)


@helper
def add_numbers(source, target, scale, count):
    """``target += scale * source`` over ``count`` numbers, any number."""
    i = 0
    while i + lanes(source) <= count:
        store(target, i, load(target, i) + load(source, i) * scale)
        i += lanes(source)
    while i < count:
        target[i] += source[i] * scale
        i += 1


@inlined
def put(target, place, value, left):
    """Store a vector at ``place`` of which only the first ``left`` numbers count: what lies behind them stays."""
    if left < lanes(target):
        value = first_lanes(value, load(target, place), left)
    store(target, place, value)


@helper
def add_column_sums(values, rows, width, out, columns, thread, threads):
    """``out[j] += sum of values[:, j]``: even rows and odd ones by themselves; the threads share out the columns."""
    across = WIDE * lanes(values)
    for begin in range(thread * across, columns, threads * across):
        if begin + across <= columns:
            even, odd = splat_wide(values, 0.0), splat_wide(values, 0.0)
            for row in range(0, rows - 1, 2):
                even = even + load_wide(values, row * width + begin)
                odd = odd + load_wide(values, (row + 1) * width + begin)
            if rows % 2 == 1:
                even = even + load_wide(values, (rows - 1) * width + begin)
            store(out, begin, load_wide(out, begin) + (even + odd))
            continue
        for first in range(begin, columns, lanes(values)):
            _add_sums(values, rows, width, out, first, min(lanes(values), columns - first))


@helper
def _add_sums(values, rows, width, out, first, count):
    """The sums of the first columns of a vector."""
    even, odd = splat(values, 0.0), splat(values, 0.0)
    for row in range(0, rows - 1, 2):
        even = even + load(values, row * width + first)
        odd = odd + load(values, (row + 1) * width + first)
    if rows % 2 == 1:
        even = even + load(values, (rows - 1) * width + first)
    total = even + odd
    for j in range(count):
        out[first + j] += lane(total, j)
