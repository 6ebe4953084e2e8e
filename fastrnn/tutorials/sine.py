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

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr
from fastrnn.initializers import Uniform
from fastrnn.tutorials.comparison import compare
from fastrnn.tutorials.pictures import finish, panels

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


def recipe(windows: Windows, epochs: int = 25, seed: int = 0, callbacks: Sequence[Any] = ()) -> Outcome:
    """Train by the published recipe."""
    trainer = make_trainer(windows.x.shape[2], seed)
    return _train(trainer, windows, epochs, callbacks, batch_size=1, shuffle=False)


def learn(windows: Windows, epochs: int = 200, seed: int = 0, callbacks: Sequence[Any] = ()) -> Outcome:
    """Train by a recipe that learns the sine."""
    model = fr.Sequential([fr.SimpleRNN(20), fr.Dense(1)], seed=seed)
    trainer = fr.Trainer(model, loss="mse", optimizer=fr.Adam(1e-3), seed=seed)
    return _train(trainer, windows, epochs, callbacks, batch_size=10)


def _train(trainer: fr.Trainer, windows: Windows, epochs: int, callbacks: Sequence[Any], **options: Any) -> Outcome:
    x, y, x_val, y_val = windows
    errors = [measure(trainer, windows)]
    trainer.fit(
        x, y, epochs, callbacks=[lambda *_: errors.append(measure(trainer, windows)), *callbacks], verbose=0, **options
    )
    loss, val_loss = map(list, zip(*errors, strict=True))
    prediction = trainer.model.predict(x_val)
    return Outcome(trainer.model, loss, val_loss, rmse(prediction, y_val), prediction)


def rmse(prediction: Array | float, y: Array) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean((prediction - y) ** 2)))


def draw(windows: Windows, faithful: Outcome, plain: Outcome, learned: Outcome) -> "Figure":
    """Draw prediction against truth on the validation windows, and the recipe's errors epoch by epoch."""
    figure, (upper, lower) = panels(2)
    time = np.arange(150, 200)
    upper.plot(time, windows.y_val[:, 0], color="#222222", label="truth")
    upper.plot(time, faithful.prediction[:, 0], color="#9a9a9a", label=f"published recipe, RMSE {faithful.rmse:.2g}")
    upper.plot(time, learned.prediction[:, 0], "o", color="#d55e00", label=f"20 tanh units, RMSE {learned.rmse:.2g}")
    finish(upper, "The validation windows: what comes after 50 values", "n", "sin(n)")
    for outcome, color, name in (faithful, "#0072b2", "one-hot positions"), (plain, "#009e73", "one feature"):
        lower.plot(np.arange(1, len(outcome.loss)), outcome.loss[:-1], color=color, label=name)
    lower.plot(list(PUBLISHED), [loss for loss, _ in PUBLISHED.values()], "x", color="#222222", label="published")
    lower.set_yscale("log")
    finish(lower, "The published recipe: half the squared error on the training windows", "before epoch", "sum")
    return figure


def main(epochs: int = 25, seed: int = 0, plot: str | Path | None = None, callbacks: Sequence[Any] = ()) -> None:
    """Train all three, print their figures beside the published ones, and write the picture if `plot` is a path."""
    windows = make_windows()
    faithful = recipe(at_positions(windows), epochs, seed, callbacks)
    plain = recipe(windows, epochs, seed, callbacks)
    learned = learn(windows, seed=seed, callbacks=callbacks)
    rows: list[tuple[str | float, ...]] = []
    for n, published in PUBLISHED.items():
        if n <= epochs:
            here = [errors[n - 1] for errors in (faithful.loss, faithful.val_loss, plain.loss, plain.val_loss)]
            rows.append((f"before epoch {n}", *here, *published))
    print("The published recipe: half the squared error, summed over 100 training and 50 validation windows")
    print(
        "(at first 125000 ± 14000 over seeds, half of that in validation; the recipe ends at the mean of the targets,"
    )
    print("the published program, whose steps do not follow the gradient, below it)\n")
    print(compare(rows, ["", "one-hot", "validation", "one feature", "validation", "published", "validation"]))
    print("\nRoot of the mean squared error on the validation windows\n")
    ways = [
        ("always 0", rmse(0.0, windows.y_val)),
        ("published recipe, one-hot", faithful.rmse),
        ("published recipe, one feature", plain.rmse),
        ("20 tanh units, Adam", learned.rmse),
    ]
    print(compare(ways, ["", "here"]))
    if plot is not None:
        draw(windows, faithful, plain, learned).savefig(plot, dpi=150)
        print(f"\nplot: {plot}")
