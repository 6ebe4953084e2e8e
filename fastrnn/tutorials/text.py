"""text: a network that learns a book character by character, and writes more of it.

Alice's Adventures in Wonderland: the network reads nine tenths of the book again and again, and is measured on the last
tenth in bits a character, beside a model that only counts which character followed the few before it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastrnn.datasets import ALICE
from fastrnn.text import TextModel, TextReport
from fastrnn.tutorials.comparison import compare

PROMPT = "  Alice "


def learn(epochs: int = 10, seed: int = 0, callbacks: Sequence[Any] = ()) -> tuple[TextModel, TextReport]:
    """Train an LSTM layer of 384 units; returns the model and what it came to."""
    model = TextModel(cell="lstm", units=384, dropout=0.5, recurrent_dropout=0.2, seed=seed)
    return model, model.fit(ALICE, epochs, callbacks=callbacks)


def figures(report: TextReport) -> dict[str, float]:
    """Give bits a character on the held-out end: the network's, and those of counts of the orders from 0 up."""
    return {"the network": report.bits, **{f"counts, order {k}": bits for k, bits in enumerate(report.counts)}}


def main(epochs: int = 10, seed: int = 0, plot: str | Path | None = None, callbacks: Sequence[Any] = ()) -> None:
    """Train, print the figures and what the network writes, and write the picture if `plot` is a path."""
    model, report = learn(epochs, seed, callbacks)
    print(f"{report.source}: {report.characters:,} characters, the last {report.held_out:,} held out")
    print(f"{report.network}, {report.parameters:,} parameters; kept epoch {report.kept} of {epochs}\n")
    print(compare(list(figures(report).items()), ("bits a character, held out", "here")))
    print("counts, order k: how often each character followed the k before it in the part that is learned")
    for temperature in (0.5, 1.0):
        print(f"\nat temperature {temperature}:\n{PROMPT}{model.generate(PROMPT, 300, temperature, seed=seed)}")
    if plot is not None:
        report.draw(plot)
        print(f"\nplot: {plot}")
