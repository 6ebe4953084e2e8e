"""What a training run of a forecaster came to: errors on the held-out end, beside the forecasts that cost nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn.dates import Dates


@dataclass(frozen=True)
class Score:
    """Errors of one forecast over every held-out target, in the target's units."""

    name: str
    rmse: float
    mae: float

    @classmethod
    def of(cls, name: str, forecast: ArrayLike, truth: ArrayLike) -> "Score":
        """Compare a forecast with the truth: two arrays of one shape."""
        error = np.asarray(forecast, dtype=np.float64) - np.asarray(truth, dtype=np.float64)
        return cls(name, float(np.sqrt(np.mean(error**2))), float(np.mean(np.abs(error))))


@dataclass(frozen=True)
class HeldOut:
    """The held-out end as one line: forecasts of a horizon each, one after the other; the last may be the end of one.

    Attributes
    ----------
    dates
        (n,) datetime64, or None.
    rows
        (n,) row numbers in the series, from 0.
    truth, forecast, persistence
        (n,) float64, in the target's units.
    horizon
        Rows of one forecast.
    """

    dates: Dates | None
    rows: NDArray[np.int64]
    truth: NDArray[np.float64]
    forecast: NDArray[np.float64]
    persistence: NDArray[np.float64]
    horizon: int = 1


@dataclass(frozen=True)
class Report:
    """A training run in numbers; `print` it.

    Attributes
    ----------
    source, target
        The file and its column.
    rows, windows
        Rows of the series; windows that train, validate and are held out.
    horizon
        Rows of one forecast.
    mended
        Missing cells filled, or rows dropped.
    period, period_given
        Rows in a season, None where none was found, and whether the caller gave it.
    scores
        The forecaster first, then persistence, then the seasonal-naive forecast where there is a period.
    history
        `loss`, `val_loss` and what else the trainer recorded, one value an epoch.
    kept
        The epoch whose weights were kept, from 1; 0 when no epoch was better than the untrained network.
    held_out
        What a picture of the held-out end needs.
    unread
        Name and first cell of a column of dates that are not read, or None.
    """

    source: str
    target: str
    rows: int
    windows: tuple[int, int, int]
    horizon: int
    mended: int
    period: int | None
    period_given: bool
    scores: tuple[Score, ...]
    history: Mapping[str, Sequence[float]]
    kept: int
    held_out: HeldOut
    unread: tuple[str, str] | None = None

    def __str__(self) -> str:
        train, validation, test = self.windows
        dates = self.held_out.dates
        span = "no dates recognised" if dates is None else f"held out from {dates[0]} to {dates[-1]}"
        mended = f", {self.mended} missing mended" if self.mended else ""
        ahead = f"{'1 row' if self.horizon == 1 else f'{self.horizon} rows'} ahead, held out"
        width = max(len(ahead), *(len(score.name) for score in self.scores))
        base = next(score.rmse for score in self.scores if score.name == "persistence")
        lines = [
            f"{self.target} of {self.source}: {self.rows} rows{mended}; {span}",
            f"windows: {train} to train, {validation} to validate, {test} held out; kept epoch {self.kept} of "
            f"{len(self.history['loss'])}",
            "",
            f"{ahead:<{width}}  {'RMSE':>10}  {'MAE':>10}  {'RMSE / persistence':>18}",
        ]
        for score in self.scores:
            ratio = f"{score.rmse / base:18.3f}" if base > 0 else f"{'-':>18}"
            lines.append(f"{score.name:<{width}}  {score.rmse:10.4g}  {score.mae:10.4g}  {ratio}")
        if self.period is None:
            lines.append("no season found in the training rows: no seasonal-naive forecast (name one with period)")
        else:
            origin = "given" if self.period_given else "from the training rows' autocorrelation"
            lines.append(f"season: {self.period} rows, {origin}")
        if self.unread is not None:
            name, cell = self.unread
            lines.append(
                f"column {name!r}: {cell!r} is no date that is read; expected one like 2012-01-31, so the rows are "
                "taken as they stand, a step each"
            )
        if self.kept == 0:
            lines.append("no epoch beat persistence on the validation rows: the model is the persistence forecast")
        return "\n".join(lines)
