"""The embedding."""

from __future__ import annotations

from fastrnn.operations.call import operation
from fastrnn.operations.records import record
from fastrnn.operations.signals import SIGNALS

EMBEDDING = record(
    "embedding",
    SIGNALS,
    """
    units               size     E
    ids                 array    (T, B) int64
    embeddings          array    (V, E)
    d_embeddings        array?
    """,
)

embedding_forward = operation("embedding_forward", "layers.embedding", EMBEDDING)
embedding_gradients = operation("embedding_gradients", "layers.embedding", EMBEDDING)
