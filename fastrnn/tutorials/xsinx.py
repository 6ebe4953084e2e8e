"""xsinx: y = x sin(x) and a little noise, fitted group by group and then forecast.

The recipe: 600 points x = 0.01 ... 6.00 in 100 groups of 6, a group a step; 6 inputs, 20 tanh units, 6 linear outputs,
weights standard normal, learning rate 0.023, 50 or 300 epochs. Windows of 5 groups slide by one group: 96 updates an
epoch, each from the squared error of the last group alone, summed over its 6 points. The state at the end of a window
starts the next one. Then 20 groups, x = 6.01 ... 7.20, are forecast from the last state.

Here a window's first 4 groups of y are read and its last is the target. The forecast goes on as the training did: a
window at a time, its state carried on, with the network's own answers to read. (Fed with x, the units would be driven
to 1 and -1 by inputs of up to 6, and there would be nothing left of a forecast.)

What the recipe's network answers in the last epoch, each window before its update, follows the truth: the fit. It does
so because each update corrects it. At this rate most units end at 1 or -1 whatever they read, so that the network knows
the group before, by its last update, and not the curve; without updates it says the same for ever, the forecast.
`learn` starts from weights a tenth as large and takes Adam's smaller steps: its weights stay as they are for the fit,
and the forecast goes the curve's way, and drifts from it later.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr
from fastrnn.initializers import Normal
from fastrnn.tutorials.comparison import compare
from fastrnn.tutorials.pictures import finish, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

POINTS, GROUPS, AHEAD, WINDOW = 6, 100, 20, 5
"""Points in a group, groups to fit, groups to forecast, groups in a window."""


class Series(NamedTuple):
    """Groups of points: x and the noisy y (100, 6) to fit; x_next and y_next (20, 6) to forecast, without noise."""

    x: Array
    y: Array
    x_next: Array
    y_next: Array


def make_series(seed: int = 0) -> Series:
    """Compute x sin(x) for x = 0.01 ... 7.20, with noise in [-0.01, 0.01) up to 6.00."""
    x = np.arange(1, POINTS * (GROUPS + AHEAD) + 1).reshape(-1, POINTS) / 100
    y = x * np.sin(x)
    noise = np.random.default_rng(seed).uniform(-0.01, 0.01, (GROUPS, POINTS))
    return Series(x[:GROUPS], y[:GROUPS] + noise, x[GROUPS:], y[GROUPS:])


def make_windows(y: Array) -> tuple[Array, Array]:
    """Return the 96 windows of 5 groups: what is read (96, 4, 6) and what is to be said (96, 6)."""
    windows = np.lib.stride_tricks.sliding_window_view(y, WINDOW, axis=0).transpose(0, 2, 1)
    return windows[:, :-1], windows[:, -1]


def make_model(scale: float = 1.0, seed: int = 0) -> fr.Sequential:
    """Make the network, its weights normal with standard deviation `scale`."""
    weights = Normal(scale)
    layers = [
        fr.SimpleRNN(20, kernel_initializer=weights, recurrent_initializer=weights),
        fr.Dense(POINTS, kernel_initializer=weights),
    ]
    return fr.Sequential(layers, input_size=POINTS, seed=seed)


def make_trainer(model: fr.Sequential) -> fr.Trainer:
    """Make the recipe's trainer: a rate of 0.023 on the squared error, summed over the 6 points."""
    # "mse" is the mean over the outputs, its gradient has the factor 2: the sum has 6 times that.
    return fr.Trainer(model, loss="mse", optimizer=fr.SGD(0.023 * POINTS))


class Outcome(NamedTuple):
    """A trained network, its fit (96, 6) and its forecast (20, 6).

    `following` is the root of the mean squared error in the last epoch, each window before its update; `knowing` that
    of the same windows afterwards, by the weights as they ended.
    """

    model: fr.Sequential
    fit: Array
    forecast: Array
    following: float
    knowing: float


CARRIED: dict[str, Any] = {"batch_size": 1, "shuffle": False, "carry_state": True, "verbose": 0}
"""How `Trainer.fit` goes from window to window."""


def recipe(y: Array, epochs: int = 300, seed: int = 0, callbacks: Sequence[Any] = ()) -> Outcome:
    """Train by the recipe on the groups y (100, 6), and forecast 20 more; the fit is what it says in the last epoch."""
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}; expected a whole number from 1 up")
    x, targets = make_windows(y)
    trainer = make_trainer(make_model(seed=seed))
    if epochs != 1:
        trainer.fit(x, targets, epochs - 1, callbacks=callbacks, **CARRIED)
    fit = last_epoch(trainer, x, targets)
    said, state = follow(trainer.model, x)
    forecast = go_on(trainer.model, y, state)
    return Outcome(trainer.model, fit, forecast, rmse(fit, targets), rmse(said, targets))


def learn(y: Array, epochs: int = 300, seed: int = 0, callbacks: Sequence[Any] = ()) -> Outcome:
    """Train so that the curve is learned, and forecast 20 groups; the fit is by the weights as they ended."""
    x, targets = make_windows(y)
    trainer = fr.Trainer(make_model(0.1, seed), loss="mse", optimizer=fr.Adam(3e-4))
    history = trainer.fit(x, targets, epochs, callbacks=callbacks, **CARRIED)
    said, state = follow(trainer.model, x)
    following = float(np.sqrt(history.history["loss"][-1]))
    return Outcome(trainer.model, said, go_on(trainer.model, y, state), following, rmse(said, targets))


def last_epoch(trainer: fr.Trainer, x: Array, targets: Array) -> Array:
    """Train for an epoch as `Trainer.fit` does, step by step, to keep what the network says before each update."""
    model, rate = trainer.model, trainer.optimizer.learning_rate
    said, state = [], None
    for window, target in zip(x[:, None], targets[:, None], strict=True):
        answer, after = model.predict(window, initial_state=state, return_state=True)
        _, gradients = model.gradients(window, target, loss="mse", initial_state=state)
        for name, weights in model.parameters().items():
            weights -= rate * gradients[name]
        said.append(answer[0])
        state = after
    return np.array(said)


def follow(model: fr.Sequential, x: Array) -> tuple[Array, Any]:
    """Answer window after window, the state carried on; returns the answers and the last state."""
    said, state = [], None
    for window in x[:, None]:
        answer, state = model.predict(window, initial_state=state, return_state=True)
        said.append(answer[0])
    return np.array(said), state


def go_on(model: fr.Sequential, y: Array, state: Any) -> Array:
    """Forecast 20 groups, reading the last 4 each time, its own answers among them."""
    groups = list(y)
    for _ in range(AHEAD):
        answer, state = model.predict([groups[-WINDOW + 1 :]], initial_state=state, return_state=True)
        groups.append(answer[0])
    return np.array(groups[len(y) :])


def rmse(said: Array, truth: Array) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean((said - truth) ** 2)))


def draw(series: Series, outcomes: dict[str, Outcome]) -> "Figure":
    """Draw fit and forecast against the truth, a panel for each outcome, under its name."""
    figure, axes = panels(len(outcomes))
    for ax, (name, outcome) in zip(axes, outcomes.items(), strict=True):
        draw_outcome(ax, series, outcome, name)
    return figure


def draw_outcome(ax: "Axes", series: Series, outcome: Outcome, title: str) -> None:
    """Draw one fit (green truth, red model) and forecast (blue truth, orange model)."""
    skipped = WINDOW - 1
    ax.plot(series.x.ravel(), series.y.ravel(), color="tab:green", linewidth=3, label="truth")
    ax.plot(series.x[skipped:].ravel(), outcome.fit.ravel(), color="tab:red", label="model")
    ax.plot(series.x_next.ravel(), series.y_next.ravel(), color="tab:blue", linewidth=3, label="truth")
    ax.plot(series.x_next.ravel(), outcome.forecast.ravel(), color="tab:orange", label="forecast")
    ax.set_ylim(-6.5, 6.5)
    finish(ax, title, "x", "x sin(x)")


def main(seed: int = 0, plot: str | Path | None = None, callbacks: Sequence[Any] = ()) -> None:
    """Train for 50 and for 300 epochs, print the errors, and write the picture if `plot` is a path."""
    series = make_series(seed)
    outcomes = {
        "the recipe, 50 epochs": recipe(series.y, 50, seed, callbacks),
        "the recipe, 300 epochs": recipe(series.y, 300, seed, callbacks),
        "smaller weights and steps, 300 epochs": learn(series.y, 300, seed, callbacks),
    }
    parts = {"6.01 ... 6.06": slice(1), "6.07 ... 6.30": slice(1, 5), "6.31 ... 7.20": slice(5, None)}
    print(
        "Root of the mean squared error: of the fit, in the last epoch, where each window is corrected before the next,"
    )
    print("and by the weights as they ended; then of the forecast, by x\n")
    rows: list[tuple[str | float, ...]] = []
    for name, outcome in outcomes.items():
        ahead = [rmse(outcome.forecast[part], series.y_next[part]) for part in parts.values()]
        rows.append((name, outcome.following, outcome.knowing, *ahead))
    print(compare(rows, ["", "last epoch", "as ended", *parts]))
    if plot is not None:
        draw(series, outcomes).savefig(plot, dpi=150)
        print(f"\nplot: {plot}")
