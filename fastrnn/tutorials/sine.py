"""sine: 50 values of sin(0), sin(1), ... predict the 51st.

The published recipe, a network written out in NumPy: 100 sigmoid units, one linear output, no biases, weights uniform
in [0, 1), half the squared error, learning rate 1e-4, one window at a time, 25 epochs, back-propagation through 5
steps, gradients clipped to [-10, 10]. It feeds step t through column t of its input weights (100, 50), a one-hot
position times the value. `recipe` trains it so, with windows `at_positions`, or with the value alone.

It does not learn the wave. As all weights are positive, each unit receives about 50 from the others and says 1,
whatever it reads; the output is the sum of 100 output weights, which training shifts to the mean of the targets, by 10
an epoch as long as the clipping decides. There the error stops, at 24.9. The published program goes down to 16.8, as
its updates of input and recurrent weights are no gradients: it multiplies weights by states where errors by states
belong.

`learn` is a recipe that works: 20 tanh units, Keras's initial values, biases, Adam.

References
----------
Shaikh (2019), Build a recurrent neural network from scratch in Python, Analytics Vidhya.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr
from fastrnn.initializers import Uniform
from fastrnn.tutorials.comparison import compare
from fastrnn.tutorials.pictures import count_epochs, finish, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

PUBLISHED = {
    1: (101185.6, 50591.0),
    2: (61205.5, 30601.3),
    3: (31225.3, 15611.7),
    4: (11245.2, 5622.0),
    5: (1264.5, 632.0),
    25: (16.77, 8.37),
}
"""Half the squared error, summed over the training and the validation windows, before the updates of an epoch."""


class Windows(NamedTuple):
    """Windows x (N, 50, F) and the values y (N, 1) that follow them: 100 to train on, 50 to validate with."""

    x: Array
    y: Array
    x_val: Array
    y_val: Array


def make_windows() -> Windows:
    """Cut 200 values of the sine into the 150 windows of 50 values that have a next one; F = 1."""
    wave = np.sin(np.arange(200))
    windows = np.lib.stride_tricks.sliding_window_view(wave, 51)
    x, y = windows[:, :50, None], windows[:, 50:]
    return Windows(x[:100], y[:100], x[100:], y[100:])


def at_positions(windows: Windows) -> Windows:
    """Give step t's value to feature t, and 0 to the others: F = 50."""
    positions = np.eye(50)
    return windows._replace(x=windows.x * positions, x_val=windows.x_val * positions)


Tell = Callable[[int, float, float], None]
"""What hears of the epoch about to begin, from 1, and the errors `Outcome.loss` and `Outcome.val_loss` before it."""


class Outcome(NamedTuple):
    """A trained model, its errors and what it predicts for the validation windows.

    `loss` and `val_loss` are half the squared error, summed over the windows: before each epoch's updates and, last,
    after them all. `rmse` is the root of the mean squared error on the validation windows.
    """

    model: fr.Sequential
    loss: list[float]
    val_loss: list[float]
    rmse: float
    prediction: Array


def make_trainer(features: int, seed: int = 0) -> fr.Trainer:
    """Make the published network, and a trainer that does what the published program does."""
    weights = Uniform(0, 1)
    model = fr.Sequential(
        [
            fr.SimpleRNN(100, "sigmoid", use_bias=False, kernel_initializer=weights, recurrent_initializer=weights),
            fr.Dense(1, use_bias=False, kernel_initializer=weights),
        ],
        input_size=features,
        seed=seed,
    )
    # The gradient of "mse" is twice that of half the squared error: half the rate and twice the bound do the same.
    return fr.Trainer(model, loss="mse", optimizer=fr.SGD(1e-4 / 2), clip_value=10.0 * 2, tbptt=5)


def measure(trainer: fr.Trainer, windows: Windows) -> tuple[float, float]:
    """Return half the squared error, summed over the training and over the validation windows."""
    x, y, x_val, y_val = windows
    return trainer.evaluate(x, y)["loss"] * len(x) / 2, trainer.evaluate(x_val, y_val)["loss"] * len(x_val) / 2


def recipe(windows: Windows, epochs: int = 25, seed: int = 0, tell: Tell | None = None) -> Outcome:
    """Train by the published recipe; `tell` is given the errors before each epoch's updates, as they are found."""
    trainer = make_trainer(windows.x.shape[2], seed)
    return _train(trainer, windows, epochs, tell, batch_size=1, shuffle=False)


def learn(windows: Windows, epochs: int = 200, seed: int = 0, tell: Tell | None = None) -> Outcome:
    """Train by a recipe that learns the sine; `tell` as in `recipe`."""
    model = fr.Sequential([fr.SimpleRNN(20), fr.Dense(1)], seed=seed)
    trainer = fr.Trainer(model, loss="mse", optimizer=fr.Adam(1e-3), seed=seed)
    return _train(trainer, windows, epochs, tell, batch_size=10)


def _train(trainer: fr.Trainer, windows: Windows, epochs: int, tell: Tell | None, **options: Any) -> Outcome:
    x, y, x_val, y_val = windows
    errors: list[tuple[float, float]] = []

    def note(*_: Any) -> None:
        errors.append(measure(trainer, windows))
        if tell is not None:
            tell(len(errors), *errors[-1])

    note()
    trainer.fit(x, y, epochs, callbacks=[note], verbose=0, **options)
    loss, val_loss = map(list, zip(*errors, strict=True))
    prediction = trainer.model.predict(x_val)
    return Outcome(trainer.model, loss, val_loss, rmse(prediction, y_val), prediction)


def rmse(prediction: Array | float, y: Array) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean((prediction - y) ** 2)))


def draw(windows: Windows, faithful: Outcome, plain: Outcome, learned: Outcome) -> "Figure":
    """Draw the wave's beginning, prediction against truth on the validation windows, and the recipe's errors."""
    figure, (wave, upper, lower) = panels(3)
    wave.plot(windows.x[0, :, 0], color="#222222", label="sin(n)")
    finish(wave, "The wave's first 50 values: what the first window reads", "n", "sin(n)")
    time = np.arange(150, 200)
    upper.plot(time, windows.y_val[:, 0], color="#222222", label="truth")
    upper.plot(time, faithful.prediction[:, 0], color="#9a9a9a", label=f"published recipe, RMSE {faithful.rmse:.2g}")
    upper.plot(time, learned.prediction[:, 0], "o", color="#d55e00", label=f"20 tanh units, RMSE {learned.rmse:.2g}")
    finish(upper, "The validation windows: what comes after 50 values", "n", "sin(n)")
    for outcome, color, name in (faithful, "#0072b2", "one-hot positions"), (plain, "#009e73", "one feature"):
        lower.plot(np.arange(1, len(outcome.loss)), outcome.loss[:-1], color=color, label=name)
    lower.plot(list(PUBLISHED), [loss for loss, _ in PUBLISHED.values()], "x", color="#222222", label="published")
    lower.set_yscale("log")
    count_epochs(lower)
    finish(lower, "The published recipe: half the squared error on the training windows", "before epoch", "sum")
    return figure


def main(epochs: int = 25, seed: int = 0, plot: str | Path | None = None) -> None:
    """Train all three, print the errors before every epoch beside the published ones; write the picture if asked."""
    windows = make_windows()
    print("Half the squared error, summed over 100 training and over 50 validation windows, before each epoch.")
    print("published: what the author's program printed, from random weights of its own. At first the error is near")
    print("125000, 14000 more or less over seeds, and half of that in validation; the recipe ends at the mean of the")
    print("targets, the published program, whose steps do not follow the gradient, below it.")
    ways = "published recipe, one-hot positions", "published recipe, one feature", "20 tanh units, Adam"
    faithful = recipe(at_positions(windows), epochs, seed, _table(ways[0], epochs, PUBLISHED))
    plain = recipe(windows, epochs, seed, _table(ways[1], epochs, PUBLISHED))
    learned = learn(windows, 200, seed, _table(ways[2], 200, {}, every=20))
    print("\nRoot of the mean squared error on the validation windows\n")
    rows = [("always 0", rmse(0.0, windows.y_val))]
    rows += [(way, outcome.rmse) for way, outcome in zip(ways, (faithful, plain, learned), strict=True)]
    print(compare(rows, ["", "here"]))
    if plot is not None:
        draw(windows, faithful, plain, learned).savefig(plot, dpi=150)
        print(f"\nplot: {plot}")


def _table(name: str, epochs: int, published: Mapping[int, tuple[float, float]], every: int = 1) -> Tell:
    """Print a line of errors before each epoch, or `every` so many, and at the end; those published beside them."""
    heads = ["loss", "validation"] + ["published", "validation"] * bool(published)
    print(f"\n{name}\nepoch" + "".join(f"{head:>12}" for head in heads))

    def tell(epoch: int, *errors: float) -> None:
        if (epoch - 1) % every == 0 or epoch > epochs:
            cells = (f"{_shown(error):>12}" for error in (*errors, *published.get(epoch, ())))
            print(f"{'end' if epoch > epochs else epoch:>5}" + "".join(cells), flush=True)

    return tell


def _shown(error: float) -> str:
    return f"{error:.1f}" if error >= 100 else f"{error:.2f}" if error >= 1 else f"{error:.5f}"
