"""Sampling: a distribution at every temperature, the right number of characters, the right frequencies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fastrnn.text.sampling import check_sampling, draw, probabilities

LOGITS = arrays(np.float32, st.integers(1, 9), elements=st.floats(-50, 50, width=32))


@given(LOGITS, st.floats(0, 10), st.none() | st.integers(1, 12))
def test_a_distribution_over_the_likeliest(logits, temperature, top_k):
    shares = probabilities(logits, temperature, top_k)
    assert shares.sum() == pytest.approx(1)
    kept = min(top_k or len(logits), len(logits)) if temperature else 1
    assert 1 <= np.count_nonzero(shares) <= kept
    # Who is likelier before is so after.
    assert (np.diff(shares[np.argsort(-logits, kind="stable")]) <= 0).all()


def test_temperatures():
    logits = np.log([0.5, 0.3, 0.2])
    np.testing.assert_allclose(probabilities(logits), [0.5, 0.3, 0.2])
    np.testing.assert_allclose(probabilities(logits, 0.5), np.array([25, 9, 4]) / 38)
    np.testing.assert_allclose(probabilities(logits, 1, 2), [0.625, 0.375, 0])
    np.testing.assert_allclose(probabilities(logits, 0), [1, 0, 0])
    np.testing.assert_allclose(probabilities(logits, 1e-300), [1, 0, 0])
    np.testing.assert_allclose(probabilities(logits, 1e300), [1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(probabilities([1, 2, 2], 0), [0, 1, 0])
    np.testing.assert_allclose(probabilities([1, 2, 2, 2], 1, 2), [0, 0.5, 0.5, 0])


def test_draws_have_their_shares():
    random = np.random.default_rng(0)
    drawn = np.bincount([draw(np.array([0.0, 0.6, 0.0, 0.4, 0.0]), random) for _ in range(10_000)], minlength=5)
    assert drawn[[0, 2, 4]].sum() == 0
    assert abs(drawn[1] / 10_000 - 0.6) < 0.02


@pytest.mark.parametrize("temperature", [-0.1, float("nan"), float("inf")])
def test_temperatures_that_are_none(temperature):
    with pytest.raises(ValueError, match=r"temperature=.*; expected a number from 0 up"):
        check_sampling(temperature, None)


@pytest.mark.parametrize("top_k", [0, -1, True, 2.0])
def test_top_k_that_is_none(top_k):
    with pytest.raises(ValueError, match=r"top_k=.*; expected a whole number, at least 1"):
        check_sampling(1.0, top_k)
