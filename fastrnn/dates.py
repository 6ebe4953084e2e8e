"""Dates of a series: read them, find the step between them, continue them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Dates = NDArray[np.datetime64]
Unit = Literal["year", "month", "month end", "weekday", "day", "second"]

_DATE = re.compile(r"\d{4}([-/])\d{2}(\1\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?)?")
# A step that fewer of the differences share is no step: the labels of a forecast would be guesses.
_REGULAR = 0.8


@dataclass(frozen=True)
class Step:
    """What lies between two rows: `count` times `unit`."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.count} {self.unit}" + ("s" if self.count > 1 else "")


def parse_date(text: str) -> datetime | None:
    """Read `2012-01-31`, `2012/01/31`, `1949-01` or these with a time (UTC if it names a zone); None for the rest."""
    if not _DATE.fullmatch(text):
        return None
    iso = text.replace("/", "-")
    try:
        moment = datetime.fromisoformat(f"{iso}-01" if len(iso) == 7 else iso)
    except ValueError:
        return None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def dates_of(moments: Sequence[datetime] | NDArray[Any], monthly: bool = False) -> Dates:
    """Give moments the coarsest unit that holds them: months (if `monthly`), days, seconds, microseconds."""
    exact: Dates = np.asarray(moments, dtype="datetime64[us]")
    for unit in ("M",) if monthly else ("D", "s"):
        coarse = exact.astype(f"datetime64[{unit}]")
        if (coarse == exact).all():
            return coarse
    return exact


def infer_step(dates: Dates) -> Step | None:
    """Find the commonest step between `dates` (N,); None when fewer than four in five of the differences share it."""
    if len(dates) < 2:
        return None
    resolution = np.datetime_data(dates.dtype)[0]
    if resolution == "Y":
        return _commonest(dates.astype(np.int64), "year")
    months = dates.astype("datetime64[M]")
    if resolution == "M":
        return _commonest(months.astype(np.int64), "month")
    days = dates.astype("datetime64[D]")
    if (days == dates).all():
        if len(np.unique(days - months.astype("datetime64[D]"))) == 1 and len(np.unique(months)) == len(months):
            return _commonest(months.astype(np.int64), "month")
        if ((days + 1).astype("datetime64[M]") > months).all():
            return _commonest(months.astype(np.int64), "month end")
        if len(days) > 5 and np.is_busday(days).all() and np.diff(days).min() == 1:
            return _commonest(np.busday_count(days[0], days), "weekday")
        return _commonest(days.astype(np.int64), "day")
    return _commonest(dates.astype("datetime64[s]").astype(np.int64), "second")


def _commonest(ordinals: NDArray[np.int64], unit: Unit) -> Step | None:
    steps, counts = np.unique(np.diff(ordinals), return_counts=True)
    best = int(np.argmax(counts))
    if counts[best] < _REGULAR * counts.sum() or steps[best] < 1:
        return None
    return Step(int(steps[best]), unit)


def continue_dates(last: np.datetime64, step: Step, steps: int) -> Dates:
    """Give the `steps` dates that follow `last`, in its resolution."""
    ahead = step.count * np.arange(1, steps + 1)
    following: Dates = _following(last, step.unit, ahead).astype(last.dtype)
    return following


def _following(last: Any, unit: Unit, ahead: NDArray[np.int64]) -> Any:
    day = last.astype("datetime64[D]")
    if unit == "weekday":
        return np.busday_offset(day, ahead, roll="backward")
    if unit == "day":
        return last + ahead.astype("timedelta64[D]")
    if unit == "second":
        return last + ahead.astype("timedelta64[s]")
    month = last.astype("datetime64[M]")
    months = month + (12 * ahead if unit == "year" else ahead).astype("timedelta64[M]")
    if np.datetime_data(last)[0] in ("Y", "M"):
        return months
    ends = (months + 1).astype("datetime64[D]") - 1
    if unit == "month end":
        return ends
    return np.minimum(months.astype("datetime64[D]") + (day - month.astype("datetime64[D]")), ends)
