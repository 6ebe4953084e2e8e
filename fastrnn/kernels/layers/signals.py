"""Signals: how a layer finds the steps that it reads and writes.

A *signal* is what one layer hands to the next: a buffer (steps, B, stride), from its place ``first`` on, with one entry
a step or, where only the last output is handed on, one in all. Its gradient is a buffer of the same stride, *whole*
(passes add to it) or for the *window* of a backward pass (each window overwrites it).
"""

from __future__ import annotations

from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.vector import integers_at
from fastrnn.kernels.machine.work import at
from fastrnn.operations.signals import EVERY, WINDOW


@helper
def input_place(s, c, t):
    """Place in ``input`` of step ``t``."""
    return s.input_first + t - c.origin if s.sequences != 0 else s.input_first - s.input_moves * c.origin


@helper
def output_place(s, c, t):
    """Place in ``output`` of step ``t``."""
    return t - c.origin if s.sequences != 0 else 0


@helper
def d_input_place(s, c, t):
    """Place in ``d_input`` of step ``t``."""
    if s.sequences == 0:
        return 0
    return t - c.first if s.whole_d_input == WINDOW else t if s.whole_d_input == EVERY else t - c.origin


@helper
def d_output_place(s, c, t):
    """Place in ``d_output`` of step ``t``."""
    return 0 if s.sequences == 0 else t - c.origin if s.whole_d_output != 0 else t - c.first


@helper
def own_steps(s, first, last):
    """The layer's own steps in ``[first, last)``: on the last output alone, step 0 if the window reaches the end."""
    if s.sequences != 0:
        return first, last
    return 0, 1 if last == s.steps else 0


@helper
def error_steps(s, c):
    """The layer's own steps of the window whose errors enter the pass."""
    return own_steps(s, max(c.first, c.errors_from if s.is_top != 0 else c.pass_first), c.last)


@helper
def is_held(s, t, row):
    """Whether step ``t`` of ``row`` is padding: it stands behind the row's steps or, if ``padding_first``, before them.

    For records with the fields ``has_lengths``, ``lengths`` (B) and ``padding_first``.
    """
    if s.has_lengths == 0:
        return False
    length = integers_at(s.lengths)[row]
    return t >= length if s.padding_first == 0 else t < s.steps - length


@helper
def rows_at(address, real, c, place, low, stride):
    """The rows from ``low`` on at ``place`` of a buffer (places, B, stride)."""
    return at(address, real, (place * c.rows + low) * stride)
