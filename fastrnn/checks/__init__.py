"""Checks of what users hand over: one clear line before any work."""

from fastrnn.checks.arrays import (
    classes,
    counting,
    distributions,
    has_finite_square,
    ids,
    probabilities,
    row_lengths,
    row_weights,
    sequences,
    targets,
    unmasked,
    weights,
)
from fastrnn.checks.states import cell_states
from fastrnn.checks.values import (
    brief,
    not_negative,
    one_of,
    positive,
    positive_int,
    seed,
    true_or_false,
    truncation,
    whole,
)

__all__ = [
    "brief",
    "cell_states",
    "classes",
    "counting",
    "distributions",
    "has_finite_square",
    "ids",
    "not_negative",
    "one_of",
    "positive",
    "positive_int",
    "probabilities",
    "row_lengths",
    "row_weights",
    "seed",
    "sequences",
    "targets",
    "true_or_false",
    "truncation",
    "unmasked",
    "weights",
    "whole",
]
