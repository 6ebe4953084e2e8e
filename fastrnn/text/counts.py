"""The count model: how often each character followed the n before it, smoothed. No network, no training.

Interpolated modified Kneser-Ney: with `c(hw)` the count of w after the context h, `h'` the context without its first
character, `D` the discount of a count (one each for 1, 2, and 3 and more) and `b(h)` the sum of the discounts,

    P(w | h) = (max(c(hw) - D, 0) + b(h) P(w | h')) / c(h),

where below the highest order `c(hw)` is not how often, but after how many different characters `hw` was seen; below
order 0 all characters are alike. A context that was never seen leaves it to h'.

References
----------
Chen and Goodman (1998), An empirical study of smoothing techniques for language modeling, section 3. Kneser and Ney
(1995), Improved backing-off for m-gram language modeling.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Numbers = NDArray[np.float64]

_LEAST_DISCOUNT = 0.05
"""Keeps something for what was not seen, whatever the counts of counts say."""


@dataclass(frozen=True)
class _Smoothed:
    """Counts of one order, ready to be looked up: what a gram keeps, what its context gives down and has in all."""

    kept: Numbers
    given: Numbers
    total: Numbers

    @classmethod
    def of(cls, counts: NDArray[np.int64], context: Ids) -> "_Smoothed":
        """Discount the counts (G,) of grams with contexts (G,)."""
        discount = _discounts(counts)[np.minimum(counts, 3)]
        return cls(
            counts - discount,
            np.bincount(context, weights=discount).astype(np.float64),
            np.bincount(context, weights=counts).astype(np.float64),
        )

    def interpolate(self, context: Ids, gram: Ids, lower: Numbers) -> Numbers:
        """Give P(w | h) from P(w | h') for contexts and grams, -1 where they were not seen."""
        known = np.clip(context, 0, len(self.total) - 1)
        total = np.where((context >= 0) & (context < len(self.total)), self.total[known], 0.0)
        kept = np.where(gram >= 0, self.kept[gram], 0.0)
        mixed: Numbers = np.where(total > 0, (kept + self.given[known] * lower) / np.maximum(total, 1.0), lower)
        return mixed


@dataclass(frozen=True)
class _Level:
    """The grams of one length: a context of k characters and one more.

    Attributes
    ----------
    keys
        (G,) rising: context * V + last character, where a context is its place among the keys of the level below.
    raw, continued
        The smoothed counts of occurrences, and of different characters before.
    """

    keys: Ids
    raw: _Smoothed
    continued: _Smoothed


class CountModel:
    """Counts of a text, for contexts of 0 to `order` characters.

    Parameters
    ----------
    ids
        (L,), from 0 up to `vocabulary`, at least one.
    vocabulary
        V, different characters there are.
    order
        Most characters of context; as many as there are before the last where the text is shorter.
    """

    def __init__(self, ids: Ids, vocabulary: int, order: int) -> None:
        self.vocabulary, self.order = vocabulary, min(order, len(ids) - 1)
        grams: list[Ids] = []
        keys: list[Ids] = []
        context = np.zeros(len(ids), np.int64)
        for _ in range(self.order + 2):
            keys.append(np.unique((context * vocabulary + ids)[context >= 0]))
            grams.append(_find(keys[-1], context, ids, vocabulary))
            context = _shift(grams[-1])
        self._levels = [
            _Level(
                keys[k],
                _Smoothed.of(_count(grams[k], len(keys[k])), keys[k] // vocabulary),
                _Smoothed.of(_count(_without_first(grams[k], grams[k + 1]), len(keys[k])), keys[k] // vocabulary),
            )
            for k in range(self.order + 1)
        ]

    def costs(self, ids: Ids) -> Iterator[Numbers]:
        """Give the cost of each character (L,) in bits, `-log2 P`, for the orders from 0 up, one after the other.

        The context is what stands before it in `ids`; where that is less than the order, all there is.
        """
        lower = np.full(len(ids), 1.0 / self.vocabulary)
        context = np.zeros(len(ids), np.int64)
        for level in self._levels:
            gram = _find(level.keys, context, ids, self.vocabulary)
            yield -np.log2(level.raw.interpolate(context, gram, lower))
            lower = level.continued.interpolate(context, gram, lower)
            context = _shift(gram)


def choose_order(ids: Ids, vocabulary: int, most: int = 10, share: float = 0.1) -> int:
    """Choose the order whose counts on the beginning of a text predict its end best; `share` is the end's."""
    start = max(1, int(len(ids) * (1 - share)))
    counts = CountModel(ids[:start], vocabulary, most)
    return int(np.argmin([costs[start:].mean() for costs in counts.costs(ids)]))


def _find(keys: Ids, context: Ids, ids: Ids, vocabulary: int) -> Ids:
    """Place of each context and character among the keys, -1 where it is not there."""
    if not len(keys):
        return np.full(len(ids), -1)
    wanted = context * vocabulary + ids
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((context >= 0) & (keys[places] == wanted), places, -1)


def _shift(grams: Ids) -> Ids:
    """Make the grams that end at each character the contexts of the next."""
    return np.concatenate([[-1], grams[:-1]])


def _count(grams: Ids, many: int) -> Ids:
    return np.bincount(grams[grams >= 0], minlength=many)


def _without_first(grams: Ids, longer: Ids) -> Ids:
    """Give, for each different gram of the longer ones, the gram that it is without its first character."""
    _, first = np.unique(longer, return_index=True)
    return grams[first[longer[first] >= 0]]


def _discounts(counts: Ids) -> Numbers:
    """Estimate what to take off counts of 0, 1, 2, and 3 and more (4,): Chen and Goodman's equation 17.

    It needs some of each of the counts 1 to 4; where there are none, a half is taken off all.
    """
    of = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(np.float64)
    if (of == 0).any():
        return np.array([0, 0.5, 0.5, 0.5])
    plain = of[0] / (of[0] + 2 * of[1])
    grade = np.arange(1, 4)
    return np.concatenate([[0.0], np.clip(grade - (grade + 1) * plain * of[1:] / of[:-1], _LEAST_DISCOUNT, grade)])
