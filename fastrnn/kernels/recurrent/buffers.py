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
and all meet once a step. Rows past the last whole ``ROW_UNIT`` go one by one, whichever thread has them.
"""

from __future__ import annotations

from fastrnn.kernels.layers.signals import SIGNALS, is_held, rows_at
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.operation import at, meet, share
from fastrnn.kernels.machine.records import record
from fastrnn.kernels.machine.rows import padded_width
from fastrnn.kernels.machine.vector import integers_at, lanes
from fastrnn.kernels.products.product import ROW_UNIT

SHAPE = """
    units               size     H
    gates               size     number of gates that both inputs and state enter
    inputs              size     that only inputs enter
    late                size     whose product waits: 0 or 1
    recurrents          size     that only the state enters
    vectors             size     number of the unit's own weights
    others              size     S
    use_bias            flag
    return_sequences    flag
    reads_backwards     flag
    splits_units        flag     threads share out units
    keeps               flag     gates and states of all steps are kept
    fused               code     of the activation that is all that a step is, or -1
    direct              flag     the old h enters the new states not by products alone
    has_lengths         flag~
    padding_first       flag
    lengths             array    (B) int64
"""
TAPES = """
    h                   array    (T + 1, B, H') the state between steps
    other               array?   (S, T + 1, B, H') the other states; without training (S, 1, B, H')
    other_size          size?    numbers of each of them
    z                   array    (T, B, z_stride) gates; a cell of one gate may have them in h; else, without training,
                                 those of a block of steps
    z_stride            size
    z_first             place?   of step 0 in z
    mask                array?   (B, H') of recurrent dropout
    masked              array?   (T, B, H') the state times the mask
    zone                array?   (states, T, B, H') share of the old state in the new one (zoneout), or (states, 1, H')
    zone_size           size?    numbers of each of them
    zone_row            size?    from one row to the next; 0: there is one row for all rows and steps
    segment             size     steps between stored states
    stored              array?   (segments, B, H')
    stored_other        array?   (S, segments, B, H')
    stored_size         size?    numbers of each of them
    final_place         place    of the final state
"""
STARTS = """
    start               code~    where minibatches start: FROM_ZERO, FROM_GIVEN, FROM_BEFORE
    initial             array~   (1 + S) int64: addresses of the given states (N, H), 0 for none
    order               array~   (N) int64 order of the rows, or 0
"""
ERRORS = """
    d_z                 array?   (W, B, d_stride) gradients before the activations, of the window
    d_stride            size?
    carry               array?   (2, B, H') the error that flows back through h, in turn
    carry_other         array?   (S, B, H') the same for the other states
    pulled              array?   (B, H') errors that come through products, before they join the others
    wants_d_initial     flag?
    d_initial           array?   (1 + S, B, H')
"""
WEIGHTS = """
    kernel              array    (I, columns)
    recurrent_kernel    array?   (H, columns)
    bias                array?   columns of the kernel, then those of the recurrent kernel if there are recurrents
    vector              array?   (vectors) int64: addresses of the vectors (H)
    d_kernel            array?
    d_recurrent_kernel  array?
    d_bias              array?
    d_vector            array?   (vectors) int64: addresses
    packed_kernel       array?   panels, as `fastrnn.kernels.products.product` lays them out
    packed_bias         array
    packed_recurrent    array?   gates, then recurrents, then late
    packed_recurrent_bias array? of the recurrents
    packed_kernel_back  array?   transposed
    packed_recurrent_back array? transposed
    packed_joined       array?   kernel and recurrent kernel, one above the other
    packed_vector       array?   (vectors, H')
    ids                 array?   (T, B) int64: what the inputs are one-hot vectors of
    id_scale            array?   (T, B) what the vectors hold in the place of 1
"""
ROUTINES = """
    units_forward       routine  gates and states of a step
    units_backward      routine? gradients of a step
    late_forward        routine? what the late product multiplies
    late_backward       routine? the gradient of the late gate
"""

RECURRENT = record("recurrent layer", SIGNALS, SHAPE, TAPES, STARTS, ERRORS, WEIGHTS, ROUTINES)


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
def other_rows(real, s, c, which, place):
    """Rows, from ``c.row`` on, of another state, whose tape has one place where only the last state is kept."""
    width = padded_width(s.units, real)
    begin = which * s.other_size
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
def carry_rows(real, s, c, t):
    """Rows, from ``c.row`` on, of the error that step ``t`` is handed; it hands its own on in the other half."""
    return rows_at(s.carry, real, c, t & 1, c.row, padded_width(s.units, real))


@helper
def earlier_rows(real, s, c, t):
    """Rows, from ``c.row`` on, of the error that step ``t`` hands on."""
    return rows_at(s.carry, real, c, 1 - (t & 1), c.row, padded_width(s.units, real))


@helper
def other_carry_rows(real, s, c, which):
    """Rows, from ``c.row`` on, of the error of another state, which every step replaces."""
    width = padded_width(s.units, real)
    return at(s.carry_other, real, (which * c.rows + c.row) * width)


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
        meet(c.barrier, c.threads)


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
