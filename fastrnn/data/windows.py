"""From a series to what a trainer takes: windows, their split by time, and scaling fitted on the training part."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastrnn.ground.checks import unmasked
from fastrnn.ground.names import short

Array = NDArray[Any]

_UNITS = 4
"""Units in the last place that a constant column may spread over: sums and means of equal numbers differ so much."""


def windows(
    series: ArrayLike, window: int, horizon: int = 1, target: int = 0, dtype: DTypeLike = "float32"
) -> tuple[Array, Array]:
    """Cut out every stretch of `window` rows and the `horizon` values of one column that follow it.

    `x[n] = series[n : n + W]`, `y[n] = series[n + W : n + W + K, target]`, `N = R - W - K + 1`.

    Parameters
    ----------
    series
        (R,) or (R, F), real and finite, in the order of time; read, and copied only to change its dtype.
    window, horizon
        W and K, at least 1.
    target
        The column of `series` that `y` holds.
    dtype
        float32 or float64, of both results.

    Returns
    -------
    x
        (N, W, F), a read-only view: a window costs no memory. `numpy.ascontiguousarray` makes a copy of a part.
    y
        (N, K), a read-only view.

    Raises
    ------
    ValueError
        A series of another rank, empty, not finite (named by row) or shorter than one window and its horizon; a window
        or horizon below 1; no such target column.
    TypeError
        A series that does not hold real numbers, or a dtype other than float32 and float64.
    """
    rows = _checked(series, dtype)
    for name, size in (("window", window), ("horizon", horizon)):
        if size < 1:
            raise ValueError(f"{name}={size}; expected at least 1")
    count, columns = rows.shape
    if window + horizon > count:
        raise ValueError(
            f"window={window} and horizon={horizon} need {window + horizon} rows, the series has {count}; "
            "shorten the window or give more rows"
        )
    if not 0 <= target < columns:
        raise ValueError(f"target={target}; expected 0 to {columns - 1}: the series has {columns} column(s)")
    x = sliding_window_view(rows[:-horizon], window, axis=0).transpose(0, 2, 1)
    y = sliding_window_view(rows[window:, target], horizon)
    return x, y


def _checked(series: ArrayLike, dtype: DTypeLike) -> Array:
    """Give the series as a C-contiguous (R, F) array of `dtype`, or raise what `windows` documents."""
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise TypeError(f"dtype {kind}; expected float32 or float64")
    unmasked("the series", series, "fill or drop them first")
    given = np.asarray(series)
    if given.dtype.kind not in "iuf":
        raise TypeError(f"the series has dtype {given.dtype}; expected real numbers")
    if given.ndim not in (1, 2) or given.size == 0:
        raise ValueError(f"the series has shape {given.shape}; expected (rows,) or (rows, features), not empty")
    with np.errstate(over="ignore"):
        rows = np.ascontiguousarray(given.reshape(len(given), -1), dtype=kind)
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise ValueError(
            f"the series holds {rows[row, column]} in row {row}, column {column}; expected finite numbers of {kind}: "
            "fill or drop it first"
        )
    return rows


class Split(NamedTuple):
    """Windows of a series by part: slices over `N`, and the rows `[0, fit_rows)` that scaling may be fitted on."""

    train: slice
    validation: slice
    test: slice
    fit_rows: int


def split_by_time(rows: int, window: int, horizon: int = 1, validation: float = 0.15, test: float = 0.15) -> Split:
    """Divide the windows of `rows` rows so that the targets of a part all lie in that part, in the order of time.

    The last `test` share of the rows is held out, the `validation` share before it validates, the rest trains; a later
    part has at least one horizon of rows. A window belongs to the part that holds its whole horizon; one whose horizon
    straddles a border belongs to none, so no training target is later than the training rows. What a later window
    *sees* may reach back into an earlier part, as it does when a forecast is made.

    Raises
    ------
    ValueError
        A share outside [0, 1), or no window left to train on.
    """
    for name, share in (("validation", validation), ("test", test)):
        if not 0 <= share < 1:
            raise ValueError(f"{name}={share}; expected a share of the rows, at least 0 and below 1")
    last = rows - max(int(rows * test), horizon)
    middle = last - max(int(rows * validation), horizon)
    if window + horizon > middle:
        longest = middle - horizon
        cure = f"a window of at most {longest}, or more rows" if longest > 0 else "more rows"
        raise ValueError(
            f"window={window} and horizon={horizon} leave nothing to train on: of {rows} rows the first "
            f"{max(middle, 0)} are for training; expected {cure}"
        )
    end = rows - window - horizon + 1
    return Split(
        train=slice(0, middle - window - horizon + 1),
        validation=slice(middle - window, last - window - horizon + 1),
        test=slice(last - window, end),
        fit_rows=middle,
    )


def varies(rows: ArrayLike) -> NDArray[np.bool_]:
    """Tell which columns of `rows` (R, ...) vary: by more than the few units in the last place that rounding leaves."""
    values = np.asarray(rows, dtype=np.float64)
    with np.errstate(over="ignore"):
        spread = values.max(axis=0) - values.min(axis=0)
    return np.asarray(spread > _UNITS * np.spacing(np.abs(values).max(axis=0)))


@dataclass(frozen=True)
class Scaling:
    """Standard scores, column by column: `(x - mean) / scale`.

    Attributes
    ----------
    mean, scale
        (F,) float64; `scale` is above zero.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @classmethod
    def fit(cls, rows: ArrayLike, names: Sequence[str] = ()) -> "Scaling":
        """Take the mean and the standard deviation of `rows` (R, F); a column that does not vary gets the scale 1.

        Errors name a column by its number, or as `names` does.
        """
        unmasked("rows", rows, "fill or drop them first")
        values = np.asarray(rows, dtype=np.float64)
        if len(values) == 0:
            raise ValueError("rows is empty; expected at least one row to take a mean and a deviation of")
        with np.errstate(over="ignore", invalid="ignore"):
            # From the first row on: next to a large level, squares would swallow small deviations.
            moved = values - values[0]
            mean, deviation = values[0] + moved.mean(axis=0), moved.std(axis=0)
        if not np.isfinite([mean, deviation]).all():
            column = int(np.argwhere(~np.isfinite(mean + deviation))[0, 0])
            told = short(names[column]) if names else column
            raise ValueError(f"column {told} has no finite mean and deviation; expected finite numbers below 1e150")
        return cls(mean, np.where(varies(values) & (deviation > 0), deviation, 1.0))

    def transform(self, rows: ArrayLike) -> NDArray[np.float64]:
        """Give rows (..., F) in deviations from the mean."""
        scores: NDArray[np.float64] = (np.asarray(rows, dtype=np.float64) - self.mean) / self.scale
        return scores

    def inverse(self, scores: ArrayLike, column: int = 0) -> NDArray[np.float64]:
        """Give scores of one column, any shape, in its own units."""
        values: NDArray[np.float64] = np.asarray(scores, dtype=np.float64) * self.scale[column] + self.mean[column]
        return values
