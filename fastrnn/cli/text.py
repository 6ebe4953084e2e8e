"""`fastrnn text`: a network that learns a text and writes more of it."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from fastrnn import datasets
from fastrnn.callbacks.lines import Callback
from fastrnn.cli.outputs import check_outputs
from fastrnn.cli.progress import progress
from fastrnn.cli.streams import answer, harmless, say
from fastrnn.ground.files import SAFETENSORS, check_ending
from fastrnn.text.settings import TextSettings

if TYPE_CHECKING:
    from fastrnn.text import TextModel

SAMPLES = 5
"""How often a training shows what it would write."""

app = App(name="text", help="Learn a text character by character, and write more of it.")


@app.command
def train(
    text: Path | None = None,
    /,
    *,
    settings: Annotated[TextSettings | None, Parameter(name="*")] = None,
    epochs: int | None = None,
    encoding: str | None = None,
    resume: bool = False,
    out: Path = Path("text.safetensors"),
    plot: Path | None = None,
) -> None:
    """Learn a text, measure on its held-out end beside a count model, and save the best epoch.

    Parameters
    ----------
    text
        Text file in UTF-8; Alice's Adventures in Wonderland, which ships with the package, where it is left out.
    epochs
        Times that the text is read; 20, or with --resume what the training was begun with, where it is left out.
    encoding
        The file's encoding where it is not UTF-8, such as cp1252.
    resume
        Go on with the training that wrote to --out: from its last whole epoch, bit for bit.
    out
        Model file to write; the checkpoint that --resume needs lies beside it, its name with .ckpt behind.
    plot
        Picture to write: bits a character by epoch, beside the counts (.png, .svg, .pdf).
    """
    from fastrnn.text.book import read_book
    from fastrnn.text.model import TextModel, checkpoint_of

    source = text or datasets.ALICE
    check_outputs(source, out, plot, kept=checkpoint_of(out))
    check_outputs(source, checkpoint_of(out))
    check_ending("--out", out, SAFETENSORS)
    book = read_book(source, encoding)
    replaced = " (replaced)" if out.exists() and not resume else ""
    chosen = settings or (TextModel.load(out) if resume else TextSettings())
    model = TextModel(**asdict(chosen))
    try:
        report = model.fit(book, epochs, out, resume, [progress(), _Samples(model)])
    except KeyboardInterrupt:
        if checkpoint_of(out).exists():
            say(f"\nthe best epoch so far is in {out}; --resume goes on", sys.stderr)
        raise
    say(f"{report}\n\nmodel: {out}{replaced}")
    if plot is not None:
        report.draw(plot)
        say(f"plot: {plot}")


@app.command
def generate(
    model: Path,
    /,
    *,
    prompt: str = "",
    length: int = 500,
    temperature: float = 0.8,
    top_k: int | None = None,
    seed: int = 0,
) -> None:
    """Write on from a prompt with a trained text model.

    Parameters
    ----------
    model
        Model file that `fastrnn text train` wrote.
    prompt
        How the text begins.
    length
        Characters to write.
    temperature
        1 draws each character as likely as the network thinks; lower is surer, 0 always takes the likeliest.
    top_k
        Draw from that many likeliest characters only; from all where it is left out.
    seed
        The same seed writes the same text.
    """
    from fastrnn.text import TextModel

    answer(prompt + TextModel.load(model).generate(prompt, length, temperature, top_k, seed))


class _Samples(Callback):
    """Shows on standard error, a few times, what the model would write."""

    def __init__(self, model: "TextModel") -> None:
        self._model = model

    def begin(self, trainer: object, epochs: int, samples: int) -> None:
        self._epochs = epochs

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        done = epoch + 1
        if done * SAMPLES // self._epochs > epoch * SAMPLES // self._epochs:
            from tqdm import tqdm

            sample = self._model.generate(length=200, temperature=0.8)
            tqdm.write(f"--- after epoch {done}:\n{harmless(sample)}\n---", file=sys.stderr)
