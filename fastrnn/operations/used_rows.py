"""Which rows of a matrix a minibatch of ids reads."""

from __future__ import annotations

from fastrnn.operations.call import operation
from fastrnn.operations.records import record

USED_ROWS = record(
    "used rows",
    """
    steps               size     T
    x                   array~   (N, T) int64 ids
    order               array~   as in BATCH
    rows                array    the ids of the minibatch, each once in the order of their first use
    count               array    (1) how many
    stamps              array    (V) number of the minibatch that used a row last
    """,
)

used_rows_begin = operation("used_rows_begin", "training.used_rows", USED_ROWS)
