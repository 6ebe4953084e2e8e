"""Dropout between layers, and the masks of recurrent ones."""

from __future__ import annotations

from typing import Any

from fastrnn.engine.program import Back
from fastrnn.engine.shard import Shard, Where
from fastrnn.engine.signal import Signal
from fastrnn.operations import dropout


def drop(below: Signal, where: Where, shard: Shard, rate: float, stream: int, *, one_mask: bool) -> Signal:
    """Add dropout if anything is dropped."""
    if not (shard.drops and rate):
        return below
    fields, output = shard.local(below, where, below.size, needs_gradient=below.gradient is not None)
    spec = shard.program.spec(dropout.DROPOUT, **fields, one_mask=one_mask, **shard.odds(rate, stream))
    shard.program.add("forward", dropout.dropout_forward, spec)
    shard.back.append(Back(spec, dropout.dropout_backward, None))
    return output


def add_mask(shard: Shard, phase: str, rate: float, stream: int, **fields: Any) -> None:
    """Add the drawing of a mask."""
    spec = shard.program.spec(dropout.MASK, **fields, **shard.odds(rate, stream))
    shard.program.add(phase, dropout.mask_begin, spec)
