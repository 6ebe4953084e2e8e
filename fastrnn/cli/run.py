"""`fastrnn run NAME`: the tutorials. Each is imported when it runs, so that `--help` compiles and loads nothing."""

from pathlib import Path

from cyclopts import App

from fastrnn.cli.outputs import check_plot
from fastrnn.cli.progress import progress

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
        Picture to write: prediction and truth, and the recipe's errors (.png, .svg, .pdf).
    """
    check_plot(plot)
    from fastrnn.tutorials import sine

    sine.main(epochs=epochs, seed=seed, plot=plot, callbacks=[progress()])


@app.command(name="keras-check")
def keras_check(*, epochs: int = 2000, seed: int = 0, plot: Path | None = None) -> None:
    """Compute a SimpleRNN by hand; learn three sequences by heart.

    The states of a small network are computed from its weights in NumPy, beside those of `predict`, and the parameters
    of two more are counted. Then four units learn [[1,2],[2,3],[3,4]] to 10, [[5,6],[6,7],[7,8]] to 20 and
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
    check_plot(plot)
    from fastrnn.tutorials import keras_check

    keras_check.main(epochs=epochs, seed=seed, plot=plot, callbacks=[progress()])


@app.command
def xsinx(*, seed: int = 0, plot: Path | None = None) -> None:
    """Fit x sin(x) group by group, and forecast how it goes on.

    600 noisy points are read 6 at a time: a simple recurrent network of 20 units reads 4 groups, says the next one, and
    carries its state on from window to window. It is trained for 50 and for 300 epochs by a recipe whose fit follows
    the curve and whose forecast does not, then in smaller steps: the forecast is good at first and drifts later.

    Parameters
    ----------
    seed
        Seed of the weights and of the noise.
    plot
        Picture to write: fits and forecasts (.png, .svg, .pdf).
    """
    check_plot(plot)
    from fastrnn import checks
    from fastrnn.tutorials import xsinx

    xsinx.main(checks.seed(seed), plot, callbacks=[progress()])


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
