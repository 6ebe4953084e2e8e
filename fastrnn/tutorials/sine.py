"""sine: 50 values of sin(0), sin(1), ... predict the 51st."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr
from fastrnn.tutorials.pictures import finish, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]


class Windows(NamedTuple):
    """Windows x (N, 50, 1) and the values y (N, 1) that follow them: 100 to train on, 50 to validate with."""

    x: Array
    y: Array
    x_val: Array
    y_val: Array


def make_windows() -> Windows:
    """Cut 200 values of the sine into the 150 windows of 50 values that have a next one."""
    wave = np.sin(np.arange(200))
    windows = np.lib.stride_tricks.sliding_window_view(wave, 51)
    x, y = windows[:, :50, None], windows[:, 50:]
    return Windows(x[:100], y[:100], x[100:], y[100:])


def learn(
    windows: Windows, epochs: int = 100, seed: int = 0, callbacks: Sequence[Any] = ()
) -> tuple[fr.Sequential, fr.History]:
    """Train a network of 20 tanh units with Adam; returns it and its losses."""
    model = fr.Sequential([fr.SimpleRNN(20), fr.Dense(1)], seed=seed)
    trainer = fr.Trainer(model, loss="mse", optimizer=fr.Adam(3e-3), seed=seed)
    x, y, x_val, y_val = windows
    history = trainer.fit(
        x, y, epochs=epochs, batch_size=10, validation_data=(x_val, y_val), callbacks=callbacks, verbose=0
    )
    return model, history


def rmse(model: fr.Sequential, x: Array, y: Array) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean((model.predict(x) - y) ** 2)))


def draw(model: fr.Sequential, windows: Windows) -> "Figure":
    """Draw prediction against truth on the validation windows."""
    figure, (ax,) = panels(1)
    time = np.arange(150, 200)
    ax.plot(time, windows.y_val[:, 0], color="#222222", label="truth")
    ax.plot(time, model.predict(windows.x_val)[:, 0], "o", color="#d55e00", markersize=4, label="prediction")
    finish(ax, "The validation windows", "n", "sin(n)")
    return figure


def main(epochs: int = 100, seed: int = 0, plot: str | Path | None = None, callbacks: Sequence[Any] = ()) -> None:
    """Train, print the errors, and write the picture if `plot` is a path."""
    windows = make_windows()
    model, _ = learn(windows, epochs, seed, callbacks)
    print(f"validation RMSE {rmse(model, windows.x_val, windows.y_val):.4f}")
    if plot is not None:
        draw(model, windows).savefig(plot, dpi=150)
        print(f"plot: {plot}")
