"""A text taken apart: what is learned, and the end that is held out."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from fastrnn.text.alphabet import Alphabet, Unseen
from fastrnn.text.book import Book
from fastrnn.text.counts import CountModel, choose_order
from fastrnn.text.settings import TextSettings

Ids = NDArray[np.int64]

_CONTEXT = 1000
"""Characters before the held-out end that are read first, so that its first characters have a context."""
_MOST = 8
"""The longest context of the count model; beyond it there is little to gain, and the less the shorter the text."""


@dataclass(frozen=True)
class Split:
    """A text as ids.

    Attributes
    ----------
    book
        The text.
    alphabet, unseen
        Of what is learned.
    learned
        (L,) ids.
    held_out
        (M,) ids of the rest, without the characters that the alphabet does not have.
    new
        How many those are.
    """

    book: Book
    alphabet: Alphabet
    unseen: Unseen
    learned: Ids
    held_out: Ids
    new: int

    @classmethod
    def of(cls, book: Book, settings: TextSettings) -> "Split":
        """Hold out the end of a text.

        Raises
        ------
        ValueError
            Too few characters to learn from or to measure on, or always the same one.
        """
        text = book.text
        start = len(text) - int(len(text) * settings.held_out)
        needed = settings.batch_size * settings.steps + 1
        if start < needed or start == len(text):
            raise ValueError(
                f"{book.source} has {len(text)} characters, {start} of them to learn from with "
                f"held_out={settings.held_out}; expected at least {needed} with batch_size={settings.batch_size} and "
                f"steps={settings.steps}, and some to hold out: a longer text, or smaller numbers"
            )
        if len(set(text[:start])) < 2:
            raise ValueError(f"{book.source} has {text[0]!r} only; expected a text of at least two characters")
        alphabet = Alphabet.of(text[:start])
        ids = alphabet.encode(text)
        learned, rest = ids[:start], ids[start:]
        return cls(book, alphabet, Unseen.of(learned, alphabet), learned, rest[rest >= 0], int((rest < 0).sum()))

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.book.text.encode()).hexdigest()

    @property
    def context(self) -> Ids:
        """What is read before the held-out end."""
        return self.learned[-_CONTEXT:]

    @cached_property
    def order(self) -> int:
        """The best order of a count model, as far as what is learned can tell."""
        return choose_order(self.learned, len(self.alphabet), _MOST)

    def count_bits(self) -> list[float]:
        """Give what the held-out end costs a count model, in bits a character, for the orders from 0 to `order`."""
        counts = CountModel(self.learned, len(self.alphabet), self.order)
        ids = np.concatenate([self.context, self.held_out])
        start = len(self.context)
        return [self.unseen.mean_bits(costs[start:], self.new) for costs in counts.costs(ids)]
