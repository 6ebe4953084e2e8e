"""Files that a command writes: refused before the work when they cannot be; and what a forecast is written as."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastrnn.ground.files import check_writable

if TYPE_CHECKING:
    from fastrnn.forecast.forecaster import Forecast


def check_outputs(source: Path, out: Path, plot: Path | None = None, kept: Path | None = None) -> None:
    """Raise when `out` or `plot` cannot be written, or would replace `source`, `kept` or each other."""
    check_plot(plot)
    # Path.resolve raises RuntimeError where links go in circles.
    taken = {os.path.realpath(path) for path in (source, kept) if path is not None}
    for path in (out, plot):
        if path is None:
            continue
        target = os.path.realpath(path)
        if os.path.islink(target):
            raise ValueError(f"{path} is a link that leads in a circle; expected the name of a file")
        if target in taken:
            raise ValueError(f"{path} is what is read or written already; expected another file")
        taken.add(target)
        check_writable(path)


def check_plot(plot: Path | None) -> None:
    """Raise when a picture is wanted and cannot be drawn or written."""
    if plot is not None:
        from fastrnn.pictures.plots import check_picture

        check_picture(plot)
        check_writable(plot)


def forecast_csv(forecast: "Forecast") -> str:
    """Give `date,forecast` (`step,forecast` where there are no dates) as CSV, without the last line's end."""
    if forecast.dates is None:
        labels = [str(step) for step in range(1, len(forecast.values) + 1)]
    else:
        labels = np.datetime_as_string(forecast.dates).tolist()
    first = "step" if forecast.dates is None else "date"
    rows = [f"{label},{value:.7g}" for label, value in zip(labels, forecast.values, strict=True)]
    return "\n".join([f"{first},forecast", *rows])
