"""Plain loops over rows of numbers that every layer needs."""

from __future__ import annotations

from fastrnn.kernels.machine.helper import helper, inlined
from fastrnn.kernels.machine.vector import first_lanes, lane, lanes, load, splat, store


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
    """``out[j] += sum of values[:, j]``; the vectors of columns are shared out among the threads."""
    step = lanes(values)
    for vector in range(thread, (columns + step - 1) // step, threads):
        even = splat(values, 0.0)
        odd = splat(values, 0.0)
        row = 0
        while row + 2 <= rows:
            even = even + load(values, row * width + vector * step)
            odd = odd + load(values, (row + 1) * width + vector * step)
            row += 2
        if row < rows:
            even = even + load(values, row * width + vector * step)
        total = even + odd
        for j in range(min(step, columns - vector * step)):
            out[vector * step + j] += lane(total, j)
