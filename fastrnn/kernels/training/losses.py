"""Losses and metrics: sums over rows and steps, and the gradient of the weighted mean.

Each operation computes a column: the loss, or a metric. A row's step counts if it is no padding; without a step of its
own (loss on the last output) a row counts unless its length is 0. A column's ``row_totals`` add ``weight * loss`` over
the places that count. The gradient, which the first column writes, is divided by the minibatch's total weight, so that
it is the gradient of the weighted mean; it is 0 at places that do not count, whose targets are not read. Where no
gradient is wanted, a cross-entropy writes it to the thread's scratch memory.
"""

from __future__ import annotations

import math

from numba import njit

from fastrnn.kernels.layers.probabilities import exponentials, scale, sum_of
from fastrnn.kernels.layers.signals import input_place, output_place, own_steps, rows_at
from fastrnn.kernels.machine.helper import helper, spliced
from fastrnn.kernels.machine.maths import exp
from fastrnn.kernels.machine.rows import copy_numbers, fill, padded_width
from fastrnn.kernels.machine.vector import (
    absolute,
    doubles_at,
    fields,
    first_lanes,
    integers_at,
    lane,
    lanes,
    load,
    maximum,
    offset,
    select_less,
    splat,
    store,
    sum_lanes,
)
from fastrnn.kernels.machine.work import at, share
from fastrnn.operations.losses import BINARY, MSE, SPARSE
from fastrnn.operations.products import ROW_UNIT

SMALLEST = 1e-7
_BLOCK = 32
"""Vectors whose ``1 + e**-|x|``, at most 2, are multiplied without overflow."""


@helper
def _first_target(s, c, row):
    """The place of the row's first target among all targets."""
    place = integers_at(s.order)[c.sequence + row] if s.order != 0 else c.sequence + row
    return place * s.steps if s.sequences != 0 else place


@helper
def _weight_and_gradient(real, s, c, row, t, width):
    """The weight of a row's step and the rows of its gradient, scratch where none is wanted; 0 if it does not count."""
    length = integers_at(s.batch_lengths)[row]
    counts = t < length if s.padding_first == 0 else t >= s.steps - length
    weight = doubles_at(s.batch_weight)[row] if counts else 0.0
    if s.place_weight != 0 and weight != 0.0:
        weight *= doubles_at(s.place_weight)[_first_target(s, c, row) + t]
    d_output = at(c.scratch, real)
    if s.wants_gradient != 0:
        d_output = rows_at(s.d_output, real, c, output_place(s, c, t), row, width)
        if weight == 0.0:
            fill(d_output, width, splat(d_output, 0.0))
    return weight, d_output


@helper
def _value(code, difference):
    return difference * difference if code == MSE else abs(difference)


@helper
def _slope(code, difference):
    if code == MSE:
        return 2.0 * difference
    return 1.0 if difference > 0 else -1.0 if difference < 0 else difference


@njit
def loss(real, call, spec):
    """Mean over the outputs of the squared or the absolute error, for the window's steps and this thread's rows."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.outputs, real)
    first, last = own_steps(s, c.first, c.last)
    divisor = doubles_at(s.totals)[0]
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        first_target = _first_target(s, c, row)
        for t in range(first, last):
            weight, d_output = _weight_and_gradient(real, s, c, row, t, width)
            if weight == 0.0:
                continue
            output = rows_at(s.input, real, c, input_place(s, c, t), row, width)
            target = at(s.y, real, (first_target + t) * s.outputs)
            total = 0.0
            for j in range(s.outputs):
                total += _value(s.code, output[j] - target[j])
            doubles_at(s.row_totals)[s.column * s.capacity + c.place + row] += weight * total / s.outputs
            if s.wants_gradient != 0:
                factor = weight / (divisor * s.outputs)
                for j in range(width):
                    d_output[j] = factor * _slope(s.code, output[j] - target[j]) if j < s.outputs else 0.0


@spliced
def element_loss(value, slope, real, call, spec):
    """The mean, or the sum, over the outputs of ``value(prediction, target, level)``, whose slope is ``slope``."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.outputs, real)
    first, last = own_steps(s, c.first, c.last)
    each = max(1, s.levels)
    targets = s.outputs // each
    divisor = doubles_at(s.totals)[0]
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        first_target = _first_target(s, c, row)
        for t in range(first, last):
            weight, d_output = _weight_and_gradient(real, s, c, row, t, width)
            if weight == 0.0:
                continue
            if s.adds_up == 0:
                weight /= s.outputs
            output = rows_at(s.input, real, c, input_place(s, c, t), row, width)
            target = at(s.y, real, (first_target + t) * targets)
            total = 0.0
            for j in range(s.outputs):
                level = doubles_at(s.level)[j % each] if s.levels != 0 else 0.0
                p, y = float(output[j]), float(target[j // each])
                total += value(p, y, level)
                if s.wants_gradient != 0:
                    d_output[j] = weight / divisor * slope(p, y, level)
            for j in range(s.outputs, width if s.wants_gradient != 0 else s.outputs):
                d_output[j] = 0.0
            doubles_at(s.row_totals)[s.column * s.capacity + c.place + row] += weight * total


@njit
def binary_crossentropy(real, call, spec):
    """Mean over the outputs of their cross-entropy, for the window's steps and this thread's rows."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.outputs, real)
    first, last = own_steps(s, c.first, c.last)
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        first_target = _first_target(s, c, row)
        for t in range(first, last):
            weight, d_output = _weight_and_gradient(real, s, c, row, t, width)
            if weight == 0.0:
                continue
            output = rows_at(s.input, real, c, input_place(s, c, t), row, width)
            weight /= s.outputs
            factor = weight / doubles_at(s.totals)[0]
            target = first_target + t
            if s.of_logits != 0:
                y, tail = at(s.y, real, target * s.outputs), at(c.scratch, real, width)
                value = _of_logits(output, y, s.outputs, factor, d_output, tail)
            else:
                value = _of_probabilities(output, at(s.y, real, target * s.outputs), s.outputs, factor, d_output)
            doubles_at(s.row_totals)[s.column * s.capacity + c.place + row] += weight * value


@helper
def _of_logits(logits, target, count, factor, d, tail):
    """Sum of ``max(x, 0) - x * target + log(1 + e**-|x|)``; ``d = factor * (sigmoid(x) - target)``.

    Instead of logarithms their arguments are multiplied: ``grown`` is their product less 1. Nothing cancels where the
    target, 0 or 1, is all but certain. ``tail`` (a vector, written) takes the targets that fill no vector.
    """
    step, nothing = lanes(logits), splat(logits, 0.0)
    value, i = 0.0, 0
    while i < count:
        sums, grown = nothing, nothing
        end = min(count, i + _BLOCK * step)
        while i < end:
            left = count - i
            x, place = load(logits, i), offset(target, i)
            if left < step:
                copy_numbers(place, tail, left)
                place = tail
            y = load(place, 0)
            e = exp(0.0 - absolute(x))
            error = (1.0 - y) * select_less(x, 0.0, e, 1.0) - y * select_less(x, 0.0, 1.0, e)
            store(d, i, first_lanes(error * factor / (e + 1.0), nothing, left))
            sums = sums + first_lanes(maximum(x, 0.0) - x * y, nothing, left)
            grown = grown + first_lanes(e, nothing, left) * (grown + 1.0)
            i += step
        product = 0.0
        for j in range(step):
            product += lane(grown, j) * (1.0 + product)
        value += sum_lanes(sums) + math.log1p(product)
    return value


@helper
def _of_probabilities(probabilities, target, count, factor, d):
    """Sum of ``-target log(p) - (1 - target) log(1 - p)``, p held away from 0 and 1; ``d``, 0 where it is held."""
    value = 0.0
    for j in range(count):
        p, y = float(probabilities[j]), float(target[j])
        held = p < SMALLEST or p > 1.0 - SMALLEST
        if held:
            p = SMALLEST if p < SMALLEST else 1.0 - SMALLEST
        value -= y * math.log(p) + (1.0 - y) * math.log(1.0 - p)
        d[j] = 0.0 if held else factor * (p - y) / (p * (1.0 - p))
    return value


@njit
def categorical_crossentropy(real, call, spec):
    """Sum over the classes of the cross-entropy of logits, for the window's steps and this thread's rows."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.outputs, real)
    first, last = own_steps(s, c.first, c.last)
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        first_target = _first_target(s, c, row)
        for t in range(first, last):
            weight, d_output = _weight_and_gradient(real, s, c, row, t, width)
            if weight == 0.0:
                continue
            output = rows_at(s.input, real, c, input_place(s, c, t), row, width)
            factor = weight / doubles_at(s.totals)[0]
            target = first_target + t
            if s.code == SPARSE:
                value = _of_class(output, integers_at(s.y)[target], s.outputs, factor, d_output)
            else:
                value = _of_distribution(output, at(s.y, real, target * s.outputs), s.outputs, factor, d_output)
            doubles_at(s.row_totals)[s.column * s.capacity + c.place + row] += weight * value


@helper
def _of_class(logits, target, count, factor, d):
    """``log(sum of e**x) - x[target]``; ``d = factor * (softmax(x) - 1 at the target)``.

    The other classes are added up by themselves, so that nothing cancels where the target is all but certain.
    """
    largest = exponentials(logits, d, count)
    own = float(d[target])
    d[target] = 0.0
    others = float(sum_of(d, count))
    scale(d, count, factor / (others + own))
    d[target] = -factor * others / (others + own)
    if others < own:
        return math.log1p(others / own)
    return math.log(others + own) - (logits[target] - largest)


@helper
def _of_distribution(logits, target, count, factor, d):
    """``sum of target * (log(sum of e**x) - x)``; ``d = factor * (softmax(x) * sum of target - target)``."""
    mass, nonzeros, place = 0.0, 0, 0
    for j in range(count):
        if target[j] != 0.0:
            mass += target[j]
            nonzeros += 1
            place = j
    if nonzeros == 1:
        return mass * _of_class(logits, place, count, factor * mass, d)
    largest = exponentials(logits, d, count)
    total = float(sum_of(d, count))
    scale(d, count, factor * mass / total)
    value, level = 0.0, math.log(total)
    for j in range(count):
        if target[j] != 0.0:
            value += target[j] * (level - (logits[j] - largest))
            d[j] -= factor * target[j]
    return value


@njit
def accuracy(real, call, spec):
    """Whether the largest output is the target's class, or which outputs are on the target's side of the threshold."""
    s, c = fields(spec), fields(call)
    width = padded_width(s.outputs, real)
    first, last = own_steps(s, c.first, c.last)
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        row_weight = weight = doubles_at(s.batch_weight)[row]
        first_target = _first_target(s, c, row)
        length = integers_at(s.batch_lengths)[row] if weight != 0.0 else 0
        begin = max(first, s.steps - length) if s.padding_first != 0 else first
        for t in range(begin, last if s.padding_first != 0 else min(last, length)):
            output = rows_at(s.input, real, c, input_place(s, c, t), row, width)
            target = first_target + t
            if s.place_weight != 0:
                weight = row_weight * doubles_at(s.place_weight)[target]
            right = 0.0
            if s.code == BINARY:
                y = at(s.y, real, target * s.outputs)
                for j in range(s.outputs):
                    right += (output[j] > s.threshold) == (y[j] > 0.5)
                right /= s.outputs
            elif s.code == SPARSE:
                right += _leads(output, integers_at(s.y)[target], s.outputs)
            else:
                y = at(s.y, real, target * s.outputs)
                first_largest = 0
                for j in range(s.outputs):
                    if y[j] > y[first_largest]:
                        first_largest = j
                right += _leads(output, first_largest, s.outputs)
            doubles_at(s.row_totals)[s.column * s.capacity + c.place + row] += weight * right


@helper
def _leads(values, place, count):
    """Whether the number at ``place`` is the largest, the first of equals; not if there is NaN."""
    leads = values[place] == values[place]
    for j in range(count):
        if j < place:
            leads = leads and values[j] < values[place]
        else:
            leads = leads and values[j] <= values[place]
    return leads
