"""Alphabets: characters as ids from 0 up."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

UNSEEN = -1
"""The id of a character that the alphabet does not have."""
CODE_POINTS = 0x110000 - 0x800
"""Characters that a Unicode text can hold: all code points but the surrogates."""


@dataclass(frozen=True)
class Alphabet:
    """The characters of a text, by code point; a character's id is its place.

    Attributes
    ----------
    characters
        Each once, rising.

    Raises
    ------
    ValueError
        Fewer than two, or not rising.
    """

    characters: str

    def __post_init__(self) -> None:
        codes = self._codes
        if len(codes) < 2 or (np.diff(codes.astype(np.int64)) <= 0).any():
            raise ValueError(f"an alphabet of {self.characters[:20]!r}; expected two characters or more, rising")

    @classmethod
    def of(cls, text: str) -> "Alphabet":
        """Collect the characters of a text."""
        return cls("".join(sorted(set(text))))

    def __len__(self) -> int:
        return len(self.characters)

    @cached_property
    def _codes(self) -> NDArray[np.uint32]:
        return _code_points(self.characters)

    def encode(self, text: str) -> NDArray[np.int64]:
        """Give the id of each character (N,), `UNSEEN` where the alphabet does not have it."""
        wanted = _code_points(text)
        places = np.searchsorted(self._codes, wanted)
        found = self._codes[np.minimum(places, len(self) - 1)] == wanted
        return np.where(found, places, UNSEEN)

    def decode(self, ids: NDArray[np.int64]) -> str:
        """Give the characters of ids (N,)."""
        return "".join(self.characters[i] for i in ids)


@dataclass(frozen=True)
class Unseen:
    """What a character costs that the text which was learned does not have, and so what all others cost more.

    It has the probability that Good and Turing give what was never seen, the share of the characters that were seen
    once; which one it is, is open: all of Unicode that is not in the alphabet is alike. A network and a count model
    that both leave this share of theirs are measured alike, and their probabilities sum to one over all texts.

    Attributes
    ----------
    share
        Above 0, at most a half.
    others
        Characters of Unicode that are not in the alphabet.

    References
    ----------
    Good (1953), The population frequencies of species and the estimation of population parameters, Biometrika 40.
    """

    share: float
    others: int

    @classmethod
    def of(cls, ids: NDArray[np.int64], alphabet: Alphabet) -> "Unseen":
        """Estimate it from the text that is learned (L,); where no character is seen only once, as if one were."""
        once = int(np.count_nonzero(np.bincount(ids) == 1))
        return cls(min(0.5, max(once, 1) / len(ids)), CODE_POINTS - len(alphabet))

    def mean_bits(self, costs: NDArray[np.float64], unseen: int) -> float:
        """Give the bits a character of a text whose known characters cost `costs` among themselves."""
        known = float(costs.sum()) - len(costs) * np.log2(1 - self.share)
        return float((known + unseen * np.log2(self.others / self.share)) / (len(costs) + unseen))


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)
