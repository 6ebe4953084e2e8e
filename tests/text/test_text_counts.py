"""The count model against the definition, gram by gram, and the laws of a probability."""

from collections import Counter
from functools import cache

import numpy as np
import pytest

from fastrnn import datasets
from fastrnn.text import Alphabet, CountModel
from fastrnn.text.counts import choose_order

RNG = np.random.default_rng(5)


def definition(train, vocabulary, order):
    """Return P(w | h) of interpolated modified Kneser-Ney as Chen and Goodman write it, with dictionaries."""
    train = tuple(train)
    grams = [Counter(train[i - n : i] for i in range(n, len(train) + 1)) for n in range(1, order + 3)]

    @cache
    def counts(length, top):
        if top:
            return grams[length - 1]
        return Counter(longer[1:] for longer in grams[length])

    @cache
    def discounts(length, top):
        n = Counter(counts(length, top).values())
        if not all(n[i] for i in (1, 2, 3, 4)):
            return [0, 0.5, 0.5, 0.5]
        y = n[1] / (n[1] + 2 * n[2])
        return [0] + [min(max(i - (i + 1) * y * n[i + 1] / n[i], 0.05), i) for i in (1, 2, 3)]

    def probability(context, w, top):
        known = counts(len(context) + 1, top)
        d = discounts(len(context) + 1, top)
        after = [known[(*context, v)] for v in range(vocabulary)]
        lower = probability(context[1:], w, False) if context else 1 / vocabulary
        if not sum(after):
            return lower
        given = sum(d[min(c, 3)] for c in after)
        return (after[w] - d[min(after[w], 3)] + given * lower) / sum(after)

    return lambda context, w: probability(tuple(context), w, True)


@pytest.mark.parametrize("order", [0, 1, 2, 4])
def test_costs_follow_the_definition(order):
    text = datasets.alice()[2000:2600]
    alphabet = Alphabet.of(text)
    ids = alphabet.encode(text).tolist()
    train, test = ids[:400], np.array(ids[400:])
    probability = definition(train, len(alphabet), order)
    *_, costs = CountModel(np.array(train), len(alphabet), order).costs(test)
    expected = [-np.log2(probability(test[i - order : i].tolist(), test[i])) for i in range(order, len(test))]
    np.testing.assert_allclose(costs[order:], expected, rtol=1e-12)


@pytest.mark.parametrize("length", [1, 2, 3, 50, 3000])
def test_probabilities_sum_to_one(length):
    """Whatever the context: seen or not, with characters that the text does not have."""
    vocabulary = 6
    counts = CountModel(RNG.integers(0, vocabulary - 1, length), vocabulary, 4)
    assert counts.order == min(4, length - 1)
    for _ in range(20):
        context = RNG.integers(0, vocabulary, 5)
        costs = [[c[-1] for c in counts.costs(np.append(context, w))] for w in range(vocabulary)]
        assert np.isfinite(costs).all()
        np.testing.assert_allclose((2.0 ** -np.array(costs)).sum(axis=0), 1, rtol=1e-12)


def test_bigrams_cost_what_was_published():
    """2.45 nats a character, counts of pairs, on the last tenth of the book."""
    text = datasets.alice()
    cut = len(text) * 9 // 10
    ids = Alphabet.of(text).encode(text)
    counts = CountModel(ids[:cut], ids.max() + 1, 6)
    bits = [costs[cut:].mean() for costs in counts.costs(ids)]
    assert bits[1] == pytest.approx(2.45 / np.log(2), abs=0.01)
    assert bits == sorted(bits, reverse=True)
    assert bits[6] < 2.02


def test_the_order_is_the_one_that_fits():
    """A text in which a character follows from the two before it: no lower order will do, none above is better."""
    ids = [0, 1]
    for _ in range(4000):
        likely = (ids[-1] + 2 * ids[-2] + 1) % 5
        ids.append(likely if RNG.random() < 0.8 else int(RNG.integers(5)))
    assert choose_order(np.array(ids), 5, 5) == 2
    assert choose_order(RNG.integers(0, 5, 4000), 5, 5) == 0
