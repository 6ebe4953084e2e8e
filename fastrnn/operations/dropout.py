"""Dropout between layers, and the masks of recurrent ones."""

from __future__ import annotations

from fastrnn.operations.call import operation
from fastrnn.operations.records import record
from fastrnn.operations.signals import SIGNALS

ODDS = """
    seed                code     the generator's first key
    stream              code     its second
    threshold           size     a word of the generator below it drops a number, another scales it
    scale               number
"""

DROPOUT = record(
    "dropout",
    SIGNALS,
    ODDS,
    """
    one_mask            flag     the same for all steps of a sequence
    """,
)

MASK = record(
    "mask",
    ODDS,
    """
    units               size?    H
    ids                 array?   (T, B) int64
    target              array    a mask (B, H') of recurrent dropout; with ids, factors (T, B) of one-hot vectors; of
                                 zoneout (T, B, H')
    """,
)

dropout_forward = operation("dropout_forward", "layers.dropout", DROPOUT)
dropout_backward = operation("dropout_backward", "layers.dropout", DROPOUT)

mask_begin = operation("mask_begin", "layers.dropout", MASK)
zone_read = operation("zone_read", "layers.dropout", MASK)
