"""Losses and metrics."""

from __future__ import annotations

from fastrnn.operations.call import operation
from fastrnn.operations.records import record

MSE, MAE = 0, 1

BINARY, CATEGORICAL, SPARSE = 0, 1, 2

LOSS = record(
    "loss",
    """
    outputs             size     O
    capacity            size     rows of a whole minibatch at most
    steps               size     T
    sequences           flag     there is an error at every step, else at the last output
    padding_first       flag
    column              place    of row_totals
    code                code?    MSE or MAE, or the kind of target of a cross-entropy or an accuracy
    of_logits           flag?    a cross-entropy reads logits, else probabilities
    threshold           number?  of a binary accuracy
    levels              size?    outputs for each target; 0 is one
    level               array?   (levels) float64
    adds_up             flag?    the sum over the outputs, not their mean
    y                   array~   targets (N, S, O), or (N, S) int64 if they are SPARSE
    place_weight        array~   (N, S) float64 weights of places, or 0
    order               array~   (N) int64 order of the rows; 0 as they stand
    batch_lengths       array    (B) int64
    batch_weight        array    (B) float64
    row_totals          array    (columns, capacity) float64
    totals              array    float64, as in BATCH
    input               array    the model's output, a signal
    input_first         place
    input_moves         flag
    d_output            array?   (S, B, O') its gradient
    wants_gradient      flag
    """,
)

loss = operation("loss", "training.losses", LOSS)
binary_crossentropy = operation("binary_crossentropy", "training.losses", LOSS)
categorical_crossentropy = operation("categorical_crossentropy", "training.losses", LOSS)
accuracy = operation("accuracy", "training.losses", LOSS)
