"""Clipping and the optimizers' update rules."""

from __future__ import annotations

from fastrnn.operations.call import operation
from fastrnn.operations.records import record

BLOCK = 4096

UPDATE = record(
    "update",
    """
    count               size     numbers of the part
    columns             size?    of a part that is a matrix of which ids pick rows
    rows                array?   int64 ids of the rows that the minibatch used
    row_count           array?   (1) int64
    most_rows           size?
    parameters          array?   (count)
    gradients           array    (shards, count)
    first_state         array?   (count) what the optimizer keeps, in the order of its states
    second_state        array?
    third_state         array?
    norms               array?   (pieces) float64 of the part's gradients
    all_norms           array?   those of all parts
    norm_count          size?
    shards              size?
    clips_value         flag?
    clips_norm          flag?
    clip_value          number?
    clip_norm           number?
    learning_rate       number?
    nesterov            flag?
    amsgrad             flag?
    centered            flag?
    momentum            number?
    dampening           number?
    momentum_decay      number?
    weight_decay        number?
    beta_1              number?
    beta_2              number?
    rho                 number?
    epsilon             number?
    """,
)

zero_gradients = operation("zero_gradients", "training.optimizers", UPDATE)
sum_shards = operation("sum_shards", "training.optimizers", UPDATE)
gradient_norms = operation("gradient_norms", "training.optimizers", UPDATE)
sgd_update = operation("sgd_update", "training.optimizers", UPDATE)
adam_update = operation("adam_update", "training.optimizers", UPDATE)
rmsprop_update = operation("rmsprop_update", "training.optimizers", UPDATE)
adagrad_update = operation("adagrad_update", "training.optimizers", UPDATE)
adamw_update = operation("adamw_update", "training.optimizers", UPDATE)
nadam_update = operation("nadam_update", "training.optimizers", UPDATE)
adadelta_update = operation("adadelta_update", "training.optimizers", UPDATE)
adamax_update = operation("adamax_update", "training.optimizers", UPDATE)
