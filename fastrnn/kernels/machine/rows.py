"""Plain loops over rows of numbers that every layer needs."""

from __future__ import annotations

from fastrnn.kernels.machine.helper import helper, inlined
from fastrnn.kernels.machine.vector import first_lanes, lane, lanes, load, offset, splat, store


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
    """``out[j] += sum of values[:, j]``; four vectors at a time are shared out among the threads."""
    step = lanes(values)
    for begin in range(thread * 4 * step, columns, threads * 4 * step):
        if begin + 4 * step <= columns:
            _add_four_sums(values, rows, width, out, begin)
            continue
        for first in range(begin, columns, step):
            _add_sums(values, rows, width, out, first, min(step, columns - first))


@helper
def _add_four_sums(values, rows, width, out, first):
    """The same of four vectors side by side, of which a row has whole cache lines."""
    step, zero = lanes(values), splat(values, 0.0)
    even_0, even_1, even_2, even_3 = zero, zero, zero, zero
    odd_0, odd_1, odd_2, odd_3 = zero, zero, zero, zero
    row = 0
    while row + 2 <= rows:
        one, other = offset(values, row * width + first), offset(values, (row + 1) * width + first)
        even_0, odd_0 = even_0 + load(one, 0), odd_0 + load(other, 0)
        even_1, odd_1 = even_1 + load(one, step), odd_1 + load(other, step)
        even_2, odd_2 = even_2 + load(one, 2 * step), odd_2 + load(other, 2 * step)
        even_3, odd_3 = even_3 + load(one, 3 * step), odd_3 + load(other, 3 * step)
        row += 2
    if row < rows:
        one = offset(values, row * width + first)
        even_0, even_1 = even_0 + load(one, 0), even_1 + load(one, step)
        even_2, even_3 = even_2 + load(one, 2 * step), even_3 + load(one, 3 * step)
    _add_vector(even_0 + odd_0, offset(out, first), step)
    _add_vector(even_1 + odd_1, offset(out, first + step), step)
    _add_vector(even_2 + odd_2, offset(out, first + 2 * step), step)
    _add_vector(even_3 + odd_3, offset(out, first + 3 * step), step)


@helper
def _add_sums(values, rows, width, out, first, count):
    """The sums of a vector of columns: even rows and odd ones by themselves."""
    even = splat(values, 0.0)
    odd = splat(values, 0.0)
    row = 0
    while row + 2 <= rows:
        even = even + load(values, row * width + first)
        odd = odd + load(values, (row + 1) * width + first)
        row += 2
    if row < rows:
        even = even + load(values, row * width + first)
    _add_vector(even + odd, offset(out, first), count)


@helper
def _add_vector(vector, out, count):
    """Add the first lanes of a vector to ``count`` numbers."""
    if count == lanes(out):
        store(out, 0, load(out, 0) + vector)
        return
    for j in range(count):
        out[j] += lane(vector, j)
