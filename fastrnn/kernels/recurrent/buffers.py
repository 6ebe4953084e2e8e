"""A recurrent layer: its buffers, where steps and states lie in them, and what each thread has of them.

Legend: ``B`` rows in the minibatch, ``T`` steps (with recomputation, those of a segment), ``W`` steps of a window,
``I`` inputs, ``H`` units, ``S`` states beside h; ``H'`` is padded to whole vectors. All buffers are time first.

A row of the tape ``z`` holds blocks of H numbers: the *gates* that both inputs and state enter, those that only inputs
enter, the *late* one, whose product waits for what the others say, the *recurrents*, which only the state enters, and
what the late product multiplies. A row of ``d_z`` holds the gradients of the same blocks but the last, then what the
row adds to the gradients of the vectors. The kernel's columns are gates, inputs, late; the recurrent kernel's gates,
recurrents, late. What stands in the lanes past H is never read into a result: products sum over H terms, gradients are
added up to H columns, and results are copied number by number; so these lanes may hold anything.

A layer that reads forwards finds the state before step t at place t of its tapes, the one after it at t + 1; a layer
that reads backwards the other way round. The driver counts steps in the order of the layer, ``[first, last)``; here
``t`` is always a step of the input. A step beyond the row's length leaves its state as it is; such padding stands
behind the row's steps or, above a layer that has turned them, before them (``padding_first``).

Threads share out the rows or, where ``splits_units``, the units: then each multiplies by its own columns of the weights
and all meet once a step; few rows go as `fastrnn.kernels.recurrent.halves` says. Rows past the last whole ``ROW_UNIT``
go one by one, whichever thread has them.
"""

from __future__ import annotations

from fastrnn.kernels.layers.signals import is_held, rows_at
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.rows import padded_width
from fastrnn.kernels.machine.vector import integers_at, lanes
from fastrnn.kernels.machine.work import at, meet, share
from fastrnn.operations.products import ROW_UNIT


@helper
def place_before(s, c, t):
    """Place on the tapes of the state before step ``t``."""
    return t - c.origin + s.reads_backwards


@helper
def place_after(s, c, t):
    """Place on the tapes of the state after step ``t``."""
    return t - c.origin + 1 - s.reads_backwards


@helper
def state_rows(real, s, c, place):
    """Rows, from ``c.row`` on, of h."""
    return rows_at(s.h, real, c, place, c.row, padded_width(s.units, real))


@helper
def _copy(s, c, size):
    """``size`` for the second half of the units, which has buffers of its own where no one else reads; else 0."""
    return size if s.halves != 0 and c.unit > 0 else 0


@helper
def other_rows(real, s, c, which, place):
    """Rows, from ``c.row`` on, of another state, whose tape has one place where only the last state is kept."""
    width = padded_width(s.units, real)
    begin = which * s.other_size + _copy(s, c, s.others * s.other_size)
    return at(s.other, real, begin + ((place if s.keeps != 0 else 0) * c.rows + c.row) * width)


@helper
def zone_rows(real, s, c, which, t):
    """The shares of the old state in the new one, of this thread's rows."""
    return at(s.zone, real, which * s.zone_size + ((t - c.origin) * c.rows + c.row) * s.zone_row)


@helper
def gate_rows(real, s, c, t):
    """Rows, from ``c.row`` on, of the gates of step ``t`` on their tape."""
    return rows_at(s.z, real, c, t - c.origin + s.z_first, c.row, s.z_stride)


@helper
def half_stride(s, c):
    """From one row of the gates of the half in hand to the next; the gates of a single block may lie in h."""
    return s.z_stride if s.z_apart == 1 else (s.gates + s.inputs + s.recurrents) * c.unit_count


@helper
def half_rows(real, s, c, t):
    """Rows of the gates of step ``t`` of the half in hand: each half has a tape of its own."""
    return at(s.z, real, s.z_apart * c.unit + (t - c.origin + s.z_first) * c.rows * half_stride(s, c))


@helper
def half_d_stride(s, units):
    """From one row of the gradients of a half of so many units to the next."""
    return (s.gates + s.inputs + s.recurrents + s.vectors) * units


@helper
def half_d_rows(real, s, c, place, unit, units):
    """Rows of the gradients of the half of ``units`` units from ``unit`` on, at a place of the window."""
    return at(s.half_d_z, real, s.half_d_apart * unit + place * c.rows * half_d_stride(s, units))


@helper
def carry_rows(real, s, c, t):
    """Rows, from ``c.row`` on, of the error that step ``t`` is handed; it hands its own on in the other half."""
    width = padded_width(s.units, real)
    return rows_at(s.carry, real, c, (t & 1) + _copy(s, c, 2), c.row, width)


@helper
def earlier_rows(real, s, c, t):
    """Rows, from ``c.row`` on, of the error that step ``t`` hands on."""
    width = padded_width(s.units, real)
    return rows_at(s.carry, real, c, 1 - (t & 1) + _copy(s, c, 2), c.row, width)


@helper
def other_carry_rows(real, s, c, which):
    """Rows, from ``c.row`` on, of the error of another state, which every step replaces."""
    width = padded_width(s.units, real)
    return at(s.carry_other, real, ((which + _copy(s, c, s.others)) * c.rows + c.row) * width)


@helper
def read_rows(real, s, c, t):
    """Rows, from ``c.row`` on, of the state that the products of step ``t`` read."""
    width = padded_width(s.units, real)
    if s.mask != 0:
        return rows_at(s.masked, real, c, t - c.origin, c.row, width)
    return rows_at(s.h, real, c, place_before(s, c, t), c.row, width)


@helper
def take_part(real, s, c):
    """Find what this thread computes: rows from ``c.row`` on, and units from ``c.unit`` on."""
    if s.splits_units != 0:
        first, last = share(s.units, lanes(real), c.thread, c.threads)
        c.row, c.row_count, c.unit, c.unit_count = 0, c.rows, first, last - first
    else:
        low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
        c.row, c.row_count, c.unit, c.unit_count = low, high - low, 0, s.units


@helper
def synchronise(s, c):
    """Wait until all threads have computed their units of a step."""
    if s.splits_units != 0:
        meet(c.barrier, c.thread, c.threads)


@helper
def takes_part(s, c, t, row):
    """Whether step ``t`` of ``row`` belongs to this backward pass: a row that ends early counts from its own end."""
    if s.has_lengths == 0:
        return True
    if is_held(s, t, row):
        return False
    end = c.pass_end
    if s.reads_backwards == s.padding_first:
        end = min(end, integers_at(s.lengths)[row])
    return time_of(s, t) >= end - c.depth


@helper
def time_of(s, place):
    """The step of the input that the layer takes at ``place`` in its own order, and the other way round."""
    return place if s.reads_backwards == 0 else s.steps - 1 - place


@helper
def d_z_place(s, c, window, t):
    """Place in ``d_z`` of step ``t``: its distance from the earliest step of the input in the window."""
    return t - earliest_step(s, c, window)


@helper
def earliest_step(s, c, window):
    """The earliest step of the input in a backward pass's window, whose first place is ``window``."""
    return window if s.reads_backwards == 0 else s.steps - c.last


@helper
def input_columns(s):
    """Number of columns of the kernel."""
    return (s.gates + s.inputs + s.late) * s.units


@helper
def recurrent_columns(s):
    """Number of columns of the recurrent kernel."""
    return (s.gates + s.recurrents + s.late) * s.units
