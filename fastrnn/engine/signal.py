"""What layers hand to each other while they are lowered."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from fastrnn.operations.call import Operation

Array = NDArray[Any]
Waiting = tuple[Operation, Array]
"""An operation that makes the outputs of what waits for the losses, and its record."""


class Signal(NamedTuple):
    """What one layer hands to the next; see :mod:`fastrnn.kernels.layers.signals`.

    Attributes
    ----------
    buffer : (steps, B, stride) of the model's dtype; for ids (steps, B) int64
    size, stride : numbers of a row that count, and from one row to the next
    first : place of step 0
    moves : whether the last output lies on a tape, whose beginning moves from segment to segment
    sequences : whether there is one entry a step
    padding_first : whether a padded row's steps come last
    gradient : like the buffer, or None if it is not wanted
    whole : what steps the gradient holds
    ids : whether the buffer holds ids
    """

    buffer: Array
    size: int
    stride: int
    first: int
    moves: bool
    sequences: bool
    padding_first: bool
    gradient: Array | None
    whole: int
    ids: bool = False
