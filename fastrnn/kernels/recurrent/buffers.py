"""A recurrent layer: its buffers, where steps and states lie in them, and what each thread has of them.

Legend: ``B`` rows in the minibatch, ``T`` steps (with recomputation, those of a segment), ``W`` steps of a window,
``I`` inputs, ``H`` units, ``G`` gates; ``H'`` is padded to whole vectors. All buffers are time first.

=====================  ====================  ======================================================================
buffer                 shape                 content
=====================  ====================  ======================================================================
``h``, ``cell``        (T + 1, B, H')        the tapes: the state, and the LSTM's cell state, between steps; without
                                             training the latter is one place, (1, B, H')
``z``                  (T, B, z_stride)      the gates of every step (Elman: the tape ``h`` itself); without training,
                                             those of one block of steps
``masked``             (T, B, H')            with recurrent dropout, the state times ``mask`` (B, H')
``d_z``                (W, B, d_stride)      gradient before the activations, of the window
``carry``              (2, B, H')            the error that flows back through the state, in turn
``carry_cell``         (B, H')               the same for the cell state
``packed_*``           panels                the parameters as :mod:`fastrnn.kernels.products.product` lays them out
=====================  ====================  ======================================================================

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
from fastrnn.kernels.machine.operation import meet, record, share
from fastrnn.kernels.machine.rows import padded_width
from fastrnn.kernels.machine.vector import integers_at, lanes
from fastrnn.kernels.products.product import ROW_UNIT

RECURRENT = record(
    SIGNALS
    + "units gates activation recurrent_activation use_bias reset_after has_lengths padding_first reads_backwards "
    "splits_units return_sequences start initial initial_cell final_place wants_d_initial lengths order ids id_scale "
    "h cell z z_stride z_first keeps masked mask pulled d_z d_stride carry carry_cell d_initial d_initial_cell "
    "kernel recurrent_kernel bias d_kernel d_recurrent_kernel d_bias packed_kernel packed_recurrent packed_bias "
    "packed_recurrent_bias packed_kernel_back packed_recurrent_back packed_joined segment stored stored_cell"
)


@helper
def place_before(s, c, t):
    """Place on the tapes of the state before step ``t``."""
    return t - c.origin + s.reads_backwards


@helper
def place_after(s, c, t):
    """Place on the tapes of the state after step ``t``."""
    return t - c.origin + 1 - s.reads_backwards


@helper
def cell_rows(real, s, c, place, low):
    """Rows of the tape ``cell``, which prediction does not keep."""
    return rows_at(s.cell, real, c, place if s.keeps != 0 else 0, low, padded_width(s.units, real))


@helper
def gate_rows(real, s, c, t, low):
    """Rows of the gates of step ``t`` on their tape."""
    return rows_at(s.z, real, c, t - c.origin + s.z_first, low, s.z_stride)


@helper
def own_part(real, s, c):
    """What this thread computes: ``(low, rows, first, count)``, rows from ``low`` on and units from ``first`` on."""
    if s.splits_units != 0:
        first, last = share(s.units, lanes(real), c.thread, c.threads)
        return 0, c.rows, first, last - first
    low, high = share(c.rows, ROW_UNIT, c.thread, c.threads)
    return low, high - low, 0, s.units


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
