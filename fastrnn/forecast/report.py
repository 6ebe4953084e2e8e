"""What a training run of a forecaster came to: errors on the held-out end, beside the forecasts that cost nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn.data.moments import Dates
from fastrnn.data.tables import Series, Table
from fastrnn.data.windows import Split
from fastrnn.forecast.baselines import persistence, seasonal_naive
from fastrnn.ground.names import short, shown
from fastrnn.ground.settings import Settings


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
    learned
        Rows that the model which is kept has learned from, the first ones.
    unread
        Name and first cell of a column of dates that are not read, or None.
    gaps
        Rows that are missing between the dates: how many, and where; "" where there are none.
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
    learned: int
    unread: tuple[str, str] | None = None
    gaps: str = ""

    def __str__(self) -> str:
        train, validation, test = self.windows
        dates = self.held_out.dates
        span = "no dates recognised" if dates is None else f"held out from {dates[0]} to {dates[-1]}"
        mended = f", {self.mended} missing mended" if self.mended else ""
        ahead = f"{'1 row' if self.horizon == 1 else f'{self.horizon} rows'} ahead, held out"
        width = max(len(ahead), *(len(score.name) for score in self.scores))
        base = next(score.rmse for score in self.scores if score.name == "persistence")
        lines = [
            f"{shown(self.target)} of {shown(self.source)}: {self.rows} rows{mended}; {span}",
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
                f"column {short(name)}: {short(cell)} is no date that is read; expected one like 2012-01-31, so the "
                "rows are taken as they stand, a step each"
            )
        if self.gaps:
            lines.append(f"gaps: {self.gaps}; the rows are taken as they stand, a step each")
        if self.kept == 0:
            lines.append("no epoch beat persistence on the validation rows: the model is the persistence forecast")
        elif self.learned < self.rows:
            lines.append(f"learned from the first {self.learned} of {self.rows} rows; refit() lets it learn from all")
        else:
            told = f"learned again from all {self.rows} rows, in {self.kept} epochs"
            lines.append(f"{told}; the errors are those of the model that had not seen the end")
        return "\n".join(lines)


def measure(
    table: Table,
    series: Series,
    split: Split,
    settings: Settings,
    period: int | None,
    forecast: NDArray[np.float64],
    history: Mapping[str, Sequence[float]],
    kept: int,
) -> Report:
    """Measure `forecast` (N, K) on the held-out windows, and lay their blocks out as one line."""
    window, horizon, target = settings.window, settings.horizon, series.values[:, 0]
    first = np.arange(split.test.start, split.test.stop) + window
    rows = first[:, None] + np.arange(horizon)
    repeated = persistence(target, first, horizon)
    scores = [Score.of(settings.cell, forecast, target[rows]), Score.of("persistence", repeated, target[rows])]
    if period is not None:
        seasonal = seasonal_naive(target, first, horizon, period)
        scores.append(Score.of("seasonal naive", seasonal, target[rows]))
    held = np.arange(first[0], rows[-1, -1] + 1)
    return Report(
        source=table.source,
        target=series.names[0],
        rows=len(target),
        windows=(_count(split.train), _count(split.validation), _count(split.test)),
        horizon=horizon,
        mended=series.mended,
        period=period,
        period_given=settings.period is not None,
        scores=tuple(scores),
        history=history,
        kept=kept,
        learned=split.fit_rows,
        held_out=HeldOut(
            dates=None if series.dates is None else series.dates[held],
            rows=held,
            truth=target[held],
            forecast=_one_after_another(forecast, len(held)),
            persistence=_one_after_another(repeated, len(held)),
            horizon=horizon,
        ),
        unread=table.unread,
        gaps=series.gaps,
    )


def _one_after_another(forecasts: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """Lay out forecasts (N, K) of windows a row apart as (rows,): every K-th one, then the end of the last."""
    line = forecasts[:: forecasts.shape[1]].ravel()
    return np.concatenate([line, forecasts[-1, forecasts.shape[1] - (rows - len(line)) :]])


def _count(part: slice) -> int:
    return int(part.stop - part.start)
