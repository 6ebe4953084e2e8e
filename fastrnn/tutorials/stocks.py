"""stocks: sixty days of a share's price to the next, by two stacked layers, beside a forecast that costs nothing.

The networks see prices of 0 to 1: scaled by the lowest and the highest price of the training part, as nobody knows the
later ones. No figures were published for this series; persistence, which repeats the newest price, stands beside them.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr
from fastrnn import datasets
from fastrnn.tutorials.choosing import choose
from fastrnn.tutorials.comparison import compare
from fastrnn.tutorials.pictures import count_epochs, finish, panels, show_dates
from fastrnn.tutorials.telling import Say

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

WINDOW = 60
CELLS = {"simple_rnn": fr.SimpleRNN, "gru": fr.GRU, "lstm": fr.LSTM}
OPTIMIZERS = {
    "sgd": fr.SGD(0.01),
    # Steps add up to ten times the rate; at 0.01 one of two seeds never recovered from the first ones.
    "momentum": fr.SGD(0.001, momentum=0.9),
    "adagrad": fr.Adagrad(0.01),
    "rmsprop": fr.RMSProp(0.001),
    "adam": fr.Adam(0.001),
}
_INK, _GREY = "#222222", "#9a9a9a"
_COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00")


class Prices(NamedTuple):
    """Daily closing prices, the last fifth of them held out, and their windows, scaled.

    Attributes
    ----------
    dates, close : (R,) days and prices in dollars
    cut : the first held-out day
    low, high : the lowest and the highest price before it, 0 and 1 to the networks
    x, y : windows (R - 60, 60, 1) and the values (R - 60, 1) that follow them, all in the order of time
    """

    dates: NDArray[np.datetime64]
    close: Array
    cut: int
    low: float
    high: float
    x: Array
    y: Array

    @property
    def training(self) -> slice:
        """The windows whose next price lies before the held-out days."""
        return slice(0, self.cut - WINDOW)

    @property
    def held_out(self) -> slice:
        """The windows of the held-out days; the first of them look back into the days before."""
        return slice(self.cut - WINDOW, len(self.x))

    @property
    def truth(self) -> Array:
        """The held-out prices (n,)."""
        return self.close[self.cut :]

    @property
    def persistence(self) -> Array:
        """The price of the day before each held-out day (n,)."""
        return self.close[self.cut - 1 : -1]


class Outcome(NamedTuple):
    """A trained network, its losses, and its forecast (n,) of the held-out prices in dollars."""

    model: fr.Sequential
    history: fr.History
    forecast: Array


def make_prices() -> Prices:
    """Take the closing prices of GOOG that ship with the package."""
    series = datasets.load("stocks").select("Close")
    close = series.values[:, 0]
    cut = len(close) - len(close) // 5
    low, high = float(close[:cut].min()), float(close[:cut].max())
    windows = np.lib.stride_tricks.sliding_window_view((close - low) / (high - low), WINDOW + 1)
    assert series.dates is not None
    return Prices(series.dates, close, cut, low, high, windows[:, :WINDOW, None], windows[:, WINDOW:])


def learn(
    prices: Prices, cell: str = "simple_rnn", optimizer: str = "adam", epochs: int = 50, seed: int = 0,
    callbacks: Sequence[Any] = (),
) -> Outcome:  # fmt: skip
    """Train two layers of one of `CELLS` with one of `OPTIMIZERS`; what is held out is watched and chooses nothing."""
    layer = CELLS[cell]
    model = fr.Sequential(
        [layer(80, return_sequences=True), fr.Dropout(0.2), layer(100), fr.Dropout(0.2), fr.Dense(1)], seed=seed
    )
    trainer = fr.Trainer(model, loss="mse", optimizer=OPTIMIZERS[optimizer], seed=seed)
    x, y, training, held_out = prices.x, prices.y, prices.training, prices.held_out
    history = trainer.fit(
        x[training], y[training], epochs=epochs, batch_size=64, validation_data=(x[held_out], y[held_out]),
        callbacks=callbacks, verbose=0,
    )  # fmt: skip
    forecast = model.predict(x[held_out])[:, 0].astype(np.float64) * (prices.high - prices.low) + prices.low
    return Outcome(model, history, forecast)


def errors(forecast: Array, truth: Array) -> tuple[float, float, float]:
    """Return the mean squared error, its root, and the mean absolute error."""
    off = forecast - truth
    return float(np.mean(off**2)), float(np.sqrt(np.mean(off**2))), float(np.mean(np.abs(off)))


def draw(prices: Prices, outcomes: Mapping[str, Outcome]) -> "Figure":
    """Draw the held-out prices, a panel for each forecast of them, their last 40 days large, and the loss curves."""
    figure, (*wholes, end, losses) = panels(len(outcomes) + 2, smaller=len(outcomes))
    days, last = prices.dates[prices.cut :], slice(-40, None)
    end.plot(days[last], prices.truth[last], color=_INK, label="truth")
    end.plot(days[last], prices.persistence[last], color=_GREY, linestyle=(0, (3, 2)), label="persistence")
    for colour, whole, (name, outcome) in zip(_COLOURS, wholes, outcomes.items(), strict=False):
        whole.plot(days, prices.truth, color=_INK, linewidth=1.2, label="truth")
        whole.plot(days, outcome.forecast, color=colour, linewidth=1.2, label="forecast")
        show_dates(whole)
        finish(whole, f"{name}: the held-out days, each from those before", "", "dollars")
        end.plot(days[last], outcome.forecast[last], color=colour, linewidth=1.2, label=name)
        record = outcome.history.history
        epochs = np.arange(1, len(record["loss"]) + 1)
        losses.plot(epochs, record["loss"], color=colour, linestyle=":")
        losses.plot(epochs, record["val_loss"], color=colour, label=name)
    show_dates(end)
    finish(end, "GOOG, the last 40 days", "", "dollars")
    losses.set_yscale("log")
    count_epochs(losses)
    finish(losses, "Mean squared error of the scaled prices, held out; dotted: in training, with dropout", "epoch", "")
    return figure


def main(
    cells: Sequence[str] = ("all",), optimizers: Sequence[str] = ("adam",), epochs: int = 50, seed: int = 0,
    plot: str | Path | None = None, callbacks: Sequence[Any] = (),
) -> None:  # fmt: skip
    """Compare cells or optimizers, print their errors, and write the picture if `plot` is a path.

    Raises
    ------
    ValueError
        A name that is neither "all" nor one of `CELLS` or `OPTIMIZERS`; several of both.
    """
    cells, optimizers = choose("cell", cells, CELLS), choose("optimizer", optimizers, OPTIMIZERS)
    if len(cells) > 1 and len(optimizers) > 1:
        raise ValueError(
            f"{len(cells)} cells with {len(optimizers)} optimizers; expected one cell to compare optimizers with, or "
            f"one optimizer to compare cells with"
        )
    prices, outcomes = make_prices(), {}
    for cell, optimizer in product(cells, optimizers):
        name = f"{cell}, {optimizer}"
        outcomes[name] = learn(prices, cell, optimizer, epochs, seed, [Say(f"training {name}"), *callbacks])
    _tell(prices, outcomes, epochs)
    if plot is not None:
        draw(prices, outcomes).savefig(plot, dpi=150)
        print(f"plot: {plot}")


def _tell(prices: Prices, outcomes: Mapping[str, Outcome], epochs: int) -> None:
    dates, _, cut, low, high = prices[:5]
    training, held_out = (len(prices.x[part]) for part in (prices.training, prices.held_out))
    highest = prices.truth.max()
    print(
        f"\nGOOG, closing prices from {dates[0]} to {dates[-1]}: {training} windows of {WINDOW} days to train on, "
        f"{held_out} held out from {dates[cut]}\n"
        f"scaled by the range of the training part, {low:.2f} to {high:.2f} dollars; the held-out prices go up to "
        f"{highest:.2f},\nwhich is {(highest - low) / (high - low):.2f} where the networks have seen 0 to 1\n"
    )
    base = errors(prices.persistence, prices.truth)
    own = {name: errors(outcome.forecast, prices.truth) for name, outcome in outcomes.items()}
    rows: list[tuple[str | float | None, ...]] = [("persistence", *base, 1.0, None)]
    for name, (mse, rmse, mae) in own.items():
        rows.append((name, mse, rmse, mae, rmse / base[1], OPTIMIZERS[name.split(", ")[1]].learning_rate))
    heads = (f"held out, {epochs} epochs", "MSE, $²", "RMSE, $", "MAE, $", "RMSE / persistence", "learning rate")
    print(compare(rows, heads))
    better = sum(rmse < base[1] for _, rmse, _ in own.values())
    print(
        "\nPersistence, tomorrow's price as today's, is hard to beat: prices move much like a random walk.\n"
        f"Networks that beat it here: {better} of {len(own)}. What looks right in the picture mostly repeats the days "
        "before."
    )
    if len({name.split(", ")[1] for name in own}) > 1:
        print("Each optimizer ran once, at the rate shown: another rate or seed may change their order.")
