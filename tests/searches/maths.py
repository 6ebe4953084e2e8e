"""exp, tanh and sigmoid at more numbers, in float32 in the end all: ``python -m tests.searches.maths --seconds 20``."""

import numpy as np

from tests.helpers.searching import search
from tests.kernels.test_maths import BOUNDS, assert_within

STRIDE = 4099
"""Attempts until every float32 has had its turn."""


def attempt(seed: int) -> int:
    """Try each ``STRIDE``-th float32 and some random bits of a float64, of both signs."""
    half = np.arange(1 + seed % STRIDE, 0x7F800000, STRIDE, np.uint32).view(np.float32)
    bits = np.random.default_rng(seed).integers(0x3000_0000_0000_0000, 0x4090_0000_0000_0000, 1000, np.uint64)
    numbers = [np.concatenate([half, -half]), np.concatenate([bits.view(np.float64), -bits.view(np.float64)])]
    for name, bound in BOUNDS.items():
        for x in numbers:
            assert_within(name, x, bound)
    return len(BOUNDS) * sum(x.size for x in numbers)


if __name__ == "__main__":
    search(attempt, __doc__)
