"""What joins or turns sequences."""

from __future__ import annotations

from fastrnn.operations.call import operation
from fastrnn.operations.records import record
from fastrnn.operations.signals import SIGNALS

PADDING = """
    lengths             array    (B) int64
    has_lengths         flag~
    padding_first       flag
"""

MERGE = record(
    "merge",
    SIGNALS,
    PADDING,
    """
    units               size     of each direction; the input is the output of the forward one
    mode                code     of MODES
    backward            array    output of the other
    backward_first      place
    d_backward          array?
    """,
)

MODES = {"concat": 0, "sum": 1, "mul": 2, "ave": 3}

TURN = record(
    "turn",
    SIGNALS,
    """
    units               size
    """,
    PADDING,
)

merge_forward = operation("merge_forward", "layers.merging", MERGE)
merge_backward = operation("merge_backward", "layers.merging", MERGE)

turn_forward = operation("turn_forward", "layers.merging", TURN)
turn_backward = operation("turn_backward", "layers.merging", TURN)
