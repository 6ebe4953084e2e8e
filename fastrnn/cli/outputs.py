"""Files that a command writes: refused before the work when they cannot be; a forecast is whole or not there at all."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np

from fastrnn.files import atomic_write, check_writable

if TYPE_CHECKING:
    from fastrnn.forecast import Forecast


def check_outputs(source: Path, out: Path, plot: Path | None = None, kept: Path | None = None) -> None:
    """Raise when `out` or `plot` cannot be written, or would replace `source`, `kept` or each other."""
    check_plot(plot)
    taken = {path.resolve() for path in (source, kept) if path is not None}
    for path in (out, plot):
        if path is None:
            continue
        if path.resolve() in taken:
            raise ValueError(f"{path} is what is read or written already; expected another file")
        taken.add(path.resolve())
        check_writable(path)


def check_plot(plot: Path | None) -> None:
    """Raise when a picture is wanted and cannot be drawn or written."""
    if plot is not None:
        from fastrnn.plots import check_picture

        check_picture(plot)
        check_writable(plot)


def write_forecast(forecast: "Forecast", out: Path | TextIO) -> None:
    """Write `date,forecast` (`step,forecast` where there are no dates) as CSV."""
    if forecast.dates is None:
        labels = [str(step) for step in range(1, len(forecast.values) + 1)]
    else:
        labels = np.datetime_as_string(forecast.dates).tolist()
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["step" if forecast.dates is None else "date", "forecast"])
    rows.writerows([label, f"{value:.7g}"] for label, value in zip(labels, forecast.values, strict=True))
    if isinstance(out, Path):
        atomic_write(out, text.getvalue().encode())
    else:
        out.write(text.getvalue())
