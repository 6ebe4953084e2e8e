"""`fastrnn run NAME`: the tutorials. Each is imported when it runs, so that `--help` compiles and loads nothing."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from fastrnn.cli.flags import cells
from fastrnn.cli.outputs import check_outputs, check_plot
from fastrnn.cli.progress import progress
from fastrnn.ground.files import check_writable

app = App(name="run", help="Reproduce a tutorial from beginning to end, its figures beside the published ones.")


@app.command
def sine(*, epochs: int = 25, seed: int = 0, plot: Path | None = None) -> None:
    """Predict the next value of a sine wave from the fifty before it.

    The values are sin(0), sin(1), ..., in 100 windows to train on and 50 to validate with. A published recipe of 100
    sigmoid units is trained twice, fed by a one-hot position times the value and by the value alone, and stops at the
    mean; 20 tanh units with Adam learn the wave.

    Parameters
    ----------
    epochs
        Epochs of the published recipe.
    seed
        Seed of the weights and of the shuffling.
    plot
        Picture to write: the wave, prediction and truth, and the recipe's errors (.png, .svg, .pdf).
    """
    _check(plot, seed, epochs)
    from fastrnn.tutorials import sine

    sine.main(epochs=epochs, seed=seed, plot=plot)


@app.command(name="keras-check")
def keras_check(*, epochs: int = 2000, seed: int = 0, plot: Path | None = None) -> None:
    """Compute a SimpleRNN by hand; learn three sequences by heart.

    The published example, three linear units, is worked step by step beside `predict`, and the parameters of two more
    networks are counted. Then four units learn [[1,2],[2,3],[3,4]] to 10, [[5,6],[6,7],[7,8]] to 20 and
    [[9,10],[10,11],[11,12]] to 30; published are a loss of 0.0070 and predictions of 10.000, 20.000 and 29.855.

    Parameters
    ----------
    epochs
        Epochs of training, each one update.
    seed
        Seed of the weights.
    plot
        Picture to write: the three predictions on their way, and the loss (.png, .svg, .pdf).
    """
    _check(plot, seed, epochs)
    from fastrnn.tutorials import keras_check

    keras_check.main(epochs=epochs, seed=seed, plot=plot, callbacks=[progress()])


@app.command
def xsinx(*, seed: int = 0, plot: Path | None = None) -> None:
    """Fit x sin(x) group by group, and forecast how it goes on.

    600 noisy points are read 6 at a time by 20 recurrent units, in windows of 5 groups, the state carried on. The
    published program, whose updates take a part of the gradient only, runs in NumPy for 20 seeds, of which few show the
    published picture; by the true gradient the same recipe does little more than repeat the last group, the baseline. A
    training in smaller steps that reads y learns the curve: its forecast is good at first and drifts later.

    Parameters
    ----------
    seed
        Seed of the weights and of the noise; the published program has seeds 0 to 19.
    plot
        Picture to write: fits and forecasts (.png, .svg, .pdf).
    """
    _check(plot, seed)
    from fastrnn.tutorials import xsinx

    xsinx.main(seed, plot, callbacks=[progress()])


@app.command
def addition(*, steps: int = 10_000, seed: int = 0, plot: Path | None = None) -> None:
    """Add two numbers bit by bit, and so discover the carry.

    A network of 16 sigmoid units without biases reads two 8-bit numbers from the right and gives a bit of their sum at
    every step. It learns from one random pair after the other by plain gradient descent at 0.1; the published error of
    the 8 bits falls from 3.46 to 0.22. The same weights then add all 128 x 128 pairs, and numbers of 16 and 32 bits.

    Parameters
    ----------
    steps
        Pairs to learn from, an update each.
    seed
        Seed of the weights and of the pairs; 0 is the published run.
    plot
        Picture to write: the error while the network learns (.png, .svg, .pdf).
    """
    check_plot(plot)
    from fastrnn.tutorials import addition

    addition.main(steps=steps, seed=seed, plot=plot)


@app.command
def letters(
    *,
    variant: tuple[Literal["a", "b", "c", "d", "all"], ...] = ("all",),
    questions: Annotated[tuple[str, ...], Parameter(name="--input")] = (),
    epochs: int = 100,
    seed: int = 0,
    checkpoint: Path | None = None,
    parameters: Path | None = None,
    plot: Path | None = None,
) -> None:
    """Learn which letter comes next, then answer at a prompt.

    A small network with softmax reads one letter or four and names the next; after the last letter comes the first.
    The epoch of the lowest loss is kept in a checkpoint, from which the next run goes on; the published outcome is an
    accuracy of 1. Then it is asked how many tests there are to be, and letters are answered as in abcd->e.

    Parameters
    ----------
    variant
        a: one letter of abcde, one-hot; b: four, one-hot; c: one, through Embedding(5, 2); d: four of all 26, through
        Embedding(26, 2). One, several, or all where it is left out.
    questions
        Letters to answer, instead of asking for them, by each variant that reads as many.
    epochs
        Epochs of training, each one update; beside those of the checkpoint.
    seed
        Seed of the weights; a run that goes on from a checkpoint keeps its own.
    checkpoint
        File to keep the best epoch in, and to go on from if it is there; letters-VARIANT.ckpt where it is left out.
    parameters
        Text file to write all weights to; letters-VARIANT.txt where it is left out.
    plot
        Picture to write: loss and accuracy (.png, .svg, .pdf).
    """
    for name in "abcd" if "all" in variant else variant:
        kept = checkpoint or Path(f"letters-{name}.ckpt")
        check_outputs(kept, parameters or Path(f"letters-{name}.txt"), plot)
        check_writable(kept)
    _check(plot, seed, epochs)
    from fastrnn.tutorials import letters

    letters.main(variant, questions, epochs, seed, checkpoint, parameters, plot)


@app.command
def stocks(
    *,
    cell: Annotated[tuple[Literal["simple_rnn", "gru", "lstm", "all"], ...], Parameter(converter=cells)] = (),
    optimizer: tuple[Literal["sgd", "momentum", "adagrad", "rmsprop", "adam", "all"], ...] = ("adam",),
    epochs: int = 50,
    seed: int = 0,
    plot: Path | None = None,
) -> None:
    """Predict a share's price a day ahead from sixty days.

    Two stacked recurrent layers of 80 and 100 units, each with dropout of 0.2, learn from the first four fifths of nine
    years of GOOG, which ship with the package. Errors on the last fifth are given in dollars, beside persistence:
    tomorrow's price as today's, which is hard to beat.

    Parameters
    ----------
    cell
        Recurrent layers, one kind or several to compare; where it is left out all, or simple_rnn if optimizers are
        compared.
    optimizer
        One, or several to compare.
    epochs
        Epochs of training.
    seed
        Seed of the weights, of the shuffling and of dropout.
    plot
        Picture to write: the forecasts and the loss curves (.png, .svg, .pdf).
    """
    check_plot(plot)
    from fastrnn.tutorials import stocks

    if not cell:
        cell = ("all",) if len(optimizer) == 1 and optimizer[0] != "all" else ("simple_rnn",)
    stocks.main(cell, optimizer, epochs=epochs, seed=seed, plot=plot, callbacks=[progress()])


@app.command
def text(*, epochs: int = 10, seed: int = 0, plot: Path | None = None) -> None:
    """Learn a book character by character, and write more of it.

    An LSTM of 384 units reads Alice's Adventures in Wonderland, its state carried on from stretch to stretch.
    The last tenth of the book is held out; what it costs is told in bits a character, beside counts of characters in a
    row. It takes a minute or two; `fastrnn text train` takes longer and gets further, with any book.

    Parameters
    ----------
    epochs
        Times that the book is read.
    seed
        Seed of the weights, of dropout and of what is written.
    plot
        Picture to write: bits a character by epoch, beside the counts (.png, .svg, .pdf).
    """
    check_plot(plot)
    from fastrnn.tutorials import text

    text.main(epochs=epochs, seed=seed, plot=plot, callbacks=[progress()])


def _check(plot: Path | None, seed: int, epochs: int = 1) -> None:
    """Refuse what a tutorial that prints before it trains cannot do."""
    check_plot(plot)
    from fastrnn.ground import checks

    checks.seed(seed)
    checks.positive_int("epochs", epochs)
