"""The forecasts that cost nothing: the last value, and the value one season ago."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn.data.windows import varies

CALENDAR = (7, 12, 24, 52)
"""Seasons of rows that nobody dated: days in a week, months in a year, hours in a day, weeks in a year."""

# Measured on 300 series each of 200 rows: a season is seen in 4 % of white noise, in 19 % of random walks.
_CLEAR = 0.2
# Chance and slow swings move the peak of a long season by some rows.
_NEAR = 0.02
# A season of two makes a poor season of one only if this much better: noise alone favours either.
_BETTER = 0.9


def persistence(series: ArrayLike, first: ArrayLike, horizon: int = 1) -> NDArray[np.float64]:
    """Repeat the last value seen: `y[n, k] = series[first[n] - 1]`.

    Parameters
    ----------
    series
        (R,), the target in the order of time.
    first
        (N,) integers, the row of each forecast's first step, at least 1 and at most R.

    Returns
    -------
    (N, horizon) float64.
    """
    values = np.asarray(series, dtype=np.float64)
    return np.repeat(values[np.asarray(first) - 1][:, None], horizon, axis=1)


def seasonal_naive(series: ArrayLike, first: ArrayLike, horizon: int, period: int) -> NDArray[np.float64]:
    """Repeat the newest known value of the same season.

    `y[n, k] = series[first[n] + k - period * (k // period + 1)]`.

    Arguments and result as for `persistence`; `first` is at least `period`.
    """
    values = np.asarray(series, dtype=np.float64)
    ahead = np.arange(horizon)
    season: NDArray[np.float64] = values[np.asarray(first)[:, None] + ahead - period * (ahead // period + 1)]
    return season


def find_period(series: ArrayLike, calendar: Sequence[int] = CALENDAR) -> int | None:
    """Find the rows in a season: one of the calendar's where there is one, else any; None when no season is clear.

    A season of the calendar is clear where the series, less its mean over one such season around each row, repeats
    itself after that many rows, give or take 2 %, and no sooner: slower swings and trends are then out of the way. Of
    several the shortest is taken, or one whose seasonal-naive forecast is better by a tenth in squared error. Any other
    season is the lag of the highest peak of the autocorrelation past its first zero, the straight line through the
    series taken off before.

    Parameters
    ----------
    series
        (R,), the target in the order of time.
    calendar
        Seasons to try first, each in no more than a third of the series.
    """
    values = np.asarray(series, dtype=np.float64)
    count = len(values)
    if count < 6 or not varies(values):
        return None
    # By its size, whose square may be beyond all numbers; by its first value, beside which changes may be small.
    size = np.abs(values).max()
    rounding = np.spacing(size) / size
    values = values / size - values[0] / size
    best: int | None = None
    for period in sorted(calendar):
        if 3 * period > count:
            break
        around = np.convolve(values, np.full(period, 1 / period), mode="valid")
        start = period // 2
        rest = values[start : start + len(around)] - around
        off = int(_NEAR * period)
        peak = _peak(rest, rounding, period + off)
        is_clear = peak is not None and peak >= period - off
        if is_clear and (best is None or _error(values, period) < _BETTER * _error(values, best)):
            best = period
    if best is not None:
        return best
    time = np.arange(count) - (count - 1) / 2
    level = values - values.mean()
    return _peak(level - time * (time @ level) / (time @ time), rounding)


def _error(values: NDArray[np.float64], period: int) -> float:
    """Give the mean squared error of repeating the value of a season ago."""
    return float(np.mean((values[period:] - values[:-period]) ** 2))


def _peak(rest: NDArray[np.float64], rounding: float, longest: int | None = None) -> int | None:
    """Find the lag of the highest peak of the autocorrelation of `rest` past its first zero, up to `longest`.

    Rests of a few times `rounding` are what it leaves of a constant or a straight line: they have no peak.

    The estimate is the biased one (every lag is divided by the full length), which favours one season over its
    multiples; lags go up to half of the series.
    """
    count = len(rest)
    power = rest @ rest
    if power <= count * (16 * rounding) ** 2:
        return None
    spectrum = np.abs(np.fft.rfft(rest, 2 * count)) ** 2
    correlation = np.fft.irfft(spectrum)[: count // 2 + 1] / power
    below = np.flatnonzero(correlation < 0)
    if len(below) == 0:
        return None
    lags = np.arange(below[0] + 1, len(correlation) - 1)
    if longest is not None:
        lags = lags[lags <= longest]
    here = correlation[lags]
    peaks = lags[(here > correlation[lags - 1]) & (here >= correlation[lags + 1]) & (here > _CLEAR)]
    return int(peaks[np.argmax(correlation[peaks])]) if len(peaks) else None
