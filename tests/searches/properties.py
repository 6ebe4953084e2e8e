"""The fast kernels against the slow reference: ``python -m tests.searches.properties --seconds 20 --seed 0``."""

import itertools
from typing import Any

import hypothesis
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine import test_recompute
from tests.helpers.searching import search
from tests.kernels import test_product, test_properties

EXAMPLES = 10
DTYPES = {"dtype": ("float32", "float64")}
DATA = {"data": st.data()}
PROPERTIES: list[tuple[Any, dict[str, Any], dict[str, tuple[Any, ...]]]] = [
    (test_properties.test_outputs_and_final_states, DATA, DTYPES),
    (test_properties.test_loss_and_gradients, DATA, DTYPES),
    (test_properties.test_training_steps, DATA, {"threads": (1, 2)}),
    (test_recompute.test_gradients_are_the_same_for_random_stacks, DATA, DTYPES),
    (test_product.test_product, {"size": test_product.sizes()}, DTYPES),
    (test_product.test_cutting_the_rows_at_whole_units_changes_no_bit, DATA | {"size": test_product.sizes()}, DTYPES),
]
"""Tests, what they draw and what they are called with."""


def attempt(seed: int) -> int:
    """Run each of the tests on some examples of a seed."""
    tried = 0
    for test, drawn, called_with in PROPERTIES:
        run = settings(max_examples=EXAMPLES, database=None, deadline=None)(given(**drawn)(test.hypothesis.inner_test))
        for values in itertools.product(*called_with.values()):
            hypothesis.seed(seed)(run)(**dict(zip(called_with, values, strict=True)))
            tried += EXAMPLES
    return tried


if __name__ == "__main__":
    search(attempt, __doc__)
