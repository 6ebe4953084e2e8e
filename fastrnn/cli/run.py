"""`fastrnn run NAME`: the tutorials. Each is imported when it runs, so that `--help` compiles and loads nothing."""

from pathlib import Path

from cyclopts import App

from fastrnn.cli.outputs import check_plot
from fastrnn.cli.progress import progress

app = App(name="run", help="Reproduce a tutorial from beginning to end, its figures beside the published ones.")


@app.command
def sine(*, epochs: int = 100, seed: int = 0, plot: Path | None = None) -> None:
    """Predict the next value of a sine wave from the fifty before it.

    The values are sin(0), sin(1), ..., in 100 windows to train on and 50 to validate with. A simple recurrent network
    of 20 units reads the 50 values of a window and predicts the 51st.

    Parameters
    ----------
    epochs
        Epochs of training.
    seed
        Seed of the weights and of the shuffling.
    plot
        Picture to write: prediction and truth on the validation windows (.png, .svg, .pdf).
    """
    check_plot(plot)
    from fastrnn.tutorials import sine

    sine.main(epochs=epochs, seed=seed, plot=plot, callbacks=[progress()])
