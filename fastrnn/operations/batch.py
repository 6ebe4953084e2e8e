"""What goes in and out of a minibatch."""

from __future__ import annotations

from fastrnn.operations.call import operation
from fastrnn.operations.records import record

BATCH = record(
    "minibatch",
    """
    steps               size     T
    inputs              size     I
    capacity            size     rows of a whole minibatch at most
    x                   array~   (N, T, I), or (N, T) int64 if they are ids
    ids                 flag
    order               array~   (N) int64 order of the rows; 0 as they stand
    lengths             array~   (N) int64
    sample_weight       array~   (N) float64
    input               array    (steps, B, I) or (steps, B) int64, what the layers read
    batch_lengths       array    (B) int64
    batch_weight        array    (B) float64
    row_totals          array    (columns, capacity) float64 sums of the loss and the metrics
    totals              array    float64
    columns             size
    errors_every_step   flag
    padding_first       flag     of the outputs
    place_weight        array~   (N, S) float64 weights of places, or 0
    """,
)
"""``totals[0]`` is the weight of the minibatch, ``totals[LONGEST]`` and ``totals[SHORTEST]`` where the last error of
its rows that count ends and the least length of them, ``totals[EPOCH_WEIGHT]`` the epoch's weight,
``totals[EPOCH_SUMS:]`` the epoch's sums."""

LONGEST, SHORTEST, EPOCH_WEIGHT, EPOCH_SUMS = 1, 2, 3, 4

EMIT = record(
    "result",
    """
    source              array    (.., B, width)
    source_first        place
    units               size
    width               size
    steps               size
    order               array~   as in BATCH
    target              array~   (N, steps, units), or 0: nothing is written
    """,
)

batch_begin = operation("batch_begin", "training.batch", BATCH)
batch_read = operation("batch_read", "training.batch", BATCH)
batch_weigh = operation("batch_weigh", "training.batch", BATCH)
batch_total = operation("batch_total", "training.batch", BATCH)

emit = operation("emit", "training.batch", EMIT)
