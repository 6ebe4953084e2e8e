"""Where a recurrent layer starts: at a minibatch's beginning, and at those of the segments of a long one."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.machine.helper import helper, spliced
from fastrnn.kernels.machine.rows import copy, fill, padded_width
from fastrnn.kernels.machine.vector import fields, integers_at, offset, splat
from fastrnn.kernels.machine.work import at, share
from fastrnn.operations.products import ROW_UNIT
from fastrnn.operations.recurrent import FROM_BEFORE, FROM_LAST, FROM_ZERO


@njit
def recurrent_begin(real, call, spec):
    """Write the initial state of this thread's rows."""
    s, c = fields(spec), fields(call)
    _begin(real, s, c, 0, at(s.h, real), 1)
    for k in range(s.others):
        _begin(real, s, c, k + 1, at(s.other, real, k * s.other_size), s.keeps)


@helper
def _begin(real, s, c, which, tape, keeps):
    width = padded_width(s.units, real)
    first, final = s.steps * s.reads_backwards * keeps, s.final_place * keeps
    initial = integers_at(s.initial)[which]
    for row in range(*share(c.rows, ROW_UNIT, c.thread, c.threads)):
        state = offset(tape, (first * c.rows + row) * width)
        if s.start == FROM_LAST or (s.start == FROM_BEFORE and c.batch > 0):
            copy(offset(tape, (final * c.rows + row) * width), state, width)
        else:
            fill(state, width, splat(real, 0.0))
            if s.start != FROM_ZERO and initial != 0:
                place = c.sequence + row
                if s.order != 0:
                    place = integers_at(s.order)[place]
                given = at(initial, real, place * s.units)
                for j in range(s.units):
                    state[j] = given[j]


@spliced
def _each_state(move, real, call, spec):
    """Move this thread's rows of every state between tape and store."""
    s, c = fields(spec), fields(call)
    move(real, s, c, at(s.h, real), at(s.stored, real))
    for k in range(s.others):
        move(real, s, c, at(s.other, real, k * s.other_size), at(s.stored_other, real, k * s.stored_size))


@njit
def recurrent_keep(real, call, spec):
    """Begin a segment where the one before ended, and store the state there in ``stored`` (segments, B, H')."""
    _each_state(_keep, real, call, spec)


@helper
def _keep(real, s, c, tape, stored):
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    begin, count = offset(tape, low * width), (high - low) * width
    if c.origin > 0:
        copy(offset(tape, (s.segment * c.rows + low) * width), begin, count)
    copy(begin, offset(stored, (c.origin // s.segment * c.rows + low) * width), count)


@njit
def recurrent_recall(real, call, spec):
    """Begin a segment at its stored state."""
    _each_state(_recall, real, call, spec)


@helper
def _recall(real, s, c, tape, stored):
    width = padded_width(s.units, real)
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    source = offset(stored, (c.origin // s.segment * c.rows + low) * width)
    copy(source, offset(tape, low * width), (high - low) * width)
