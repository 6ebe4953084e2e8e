"""What a training run of a text model came to: bits a character on the held-out end, beside counts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fastrnn.pictures.plots import BitsDisplay


@dataclass(frozen=True)
class TextReport:
    """A training run in numbers; `print` it.

    Attributes
    ----------
    source
        The text's name.
    left_out, characters
        Characters around the text that are no part of it, and of the text.
    alphabet
        Different characters in what was learned.
    held_out, new
        Characters of the held-out end, and those of them that the alphabet does not have.
    unseen
        The probability of such a character.
    network, parameters
        The network in words, and its number of weights.
    history
        Bits a character of every epoch: `bits` while learning, with dropout, and `held_out_bits`.
    counts
        Bits a character of the count model on the held-out end, for contexts of 0, 1, ... characters; the last order is
        the one that the end of what was learned chose.
    """

    source: str
    left_out: int
    characters: int
    alphabet: int
    held_out: int
    new: int
    unseen: float
    network: str
    parameters: int
    history: Mapping[str, Sequence[float]]
    counts: tuple[float, ...]

    @property
    def kept(self) -> int:
        """The epoch whose weights were kept, from 1: the best on the held-out end."""
        return int(np.argmin(self.history["held_out_bits"])) + 1

    @property
    def bits(self) -> float:
        """Bits a character of the network on the held-out end."""
        return self.history["held_out_bits"][self.kept - 1]

    @property
    def order(self) -> int:
        """The characters of context of the count model."""
        return len(self.counts) - 1

    def draw(self, path: str | Path) -> None:
        """Write a picture: bits a character by epoch, while learning and held out, beside the counts'.

        Raises
        ------
        ValueError
            An ending that matplotlib does not write.
        """
        names = {f"counts, order {k}": self.counts[k] for k in sorted({self.order, min(1, self.order)}, reverse=True)}
        display = BitsDisplay(self.history["bits"], self.history["held_out_bits"], self.kept, names)
        display.save(path, f"{self.source}, read by {self.network}")

    def __str__(self) -> str:
        rows = [(self.network.partition(",")[0], self.bits), (f"counts, order {self.order}", self.counts[-1])]
        rows += [(f"counts, order {k}", self.counts[k]) for k in (2, 1) if k < self.order]
        rows += [("all characters alike", math.log2(self.alphabet))]
        left_out = f", without {self.left_out:,} of Project Gutenberg's" if self.left_out else ""
        epochs = self.history["held_out_bits"]
        title = "bits a character, held out"
        lines = [
            f"{self.source}: {self.characters:,} characters, {self.alphabet} different{left_out}; the last "
            f"{self.held_out:,} held out",
            f"{self.network}, {self.parameters:,} parameters; kept epoch {self.kept} of {len(epochs)}, the best on the "
            f"held-out end (the last: {epochs[-1]:.3f})",
            "",
            title,
            *(f"{name:<{len(title)}}  {bits:6.3f}" for name, bits in rows),
            f"counts: interpolated Kneser-Ney over that many characters; order {self.order} chosen on what was learned",
        ]
        if self.new:
            are = "is" if self.new == 1 else "are"
            lines.append(
                f"{self.new} of the held-out characters {are} new: network and counts give such ones the same "
                f"probability, {self.unseen:.1e} in all"
            )
        return "\n".join(lines)
