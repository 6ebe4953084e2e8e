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
# What somebody may have meant as a date, whatever the order of its parts.
_MEANT = re.compile(r"\d{4}|\d[-/.]\d{1,2}[-/.]\d|[a-z]{3}\D*\d\d", re.IGNORECASE)
# A step that fewer of the differences share is no step: the labels of a forecast would be guesses.
_REGULAR = 0.8
# Holidays are no gap in a series of days.
_DAYS_OFF = 10


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


def meant_as_date(text: str) -> bool:
    """Whether text may be a date, in a format that `parse_date` reads or in any other: `Jan 1 2000`, `01/31/1949`."""
    return _MEANT.search(text) is not None


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
    unit = _unit(dates)
    steps, counts = np.unique(_steps(dates, unit), return_counts=True)
    best = int(np.argmax(counts))
    if counts[best] < _REGULAR * counts.sum() or steps[best] < 1:
        return None
    return Step(int(steps[best]), unit)


def find_gap(dates: Dates, step: Step) -> tuple[int, Step] | None:
    """Find the first row of `dates` (N,) that lies further than `step` from the one before it, and how far.

    In a series of days only what is longer than ten steps is a gap; within days none is: markets and people rest.
    """
    if step.unit == "second":
        return None
    longest = step.count * (_DAYS_OFF if step.unit in ("day", "weekday") else 1)
    steps = _steps(dates, step.unit)
    wide = np.flatnonzero(steps > longest)
    return (int(wide[0]) + 1, Step(int(steps[wide[0]]), step.unit)) if len(wide) else None


def _unit(dates: Dates) -> Unit:
    resolution = np.datetime_data(dates.dtype)[0]
    if resolution == "Y":
        return "year"
    if resolution == "M":
        return "month"
    months, days = dates.astype("datetime64[M]"), dates.astype("datetime64[D]")
    if (days != dates).any():
        return "second"
    if len(np.unique(days - months.astype("datetime64[D]"))) == 1 and len(np.unique(months)) == len(months):
        return "month"
    if ((days + 1).astype("datetime64[M]") > months).all():
        return "month end"
    if len(days) > 5 and np.is_busday(days).all() and np.diff(days).min() == 1:
        return "weekday"
    return "day"


def _steps(dates: Dates, unit: Unit) -> NDArray[np.int64]:
    """Give what lies between the rows of `dates` (N,), in `unit`: (N - 1,)."""
    if unit == "weekday":
        days = dates.astype("datetime64[D]")
        return np.asarray(np.busday_count(days[:-1], days[1:]), np.int64)
    code = {"year": "Y", "month": "M", "month end": "M", "day": "D", "second": "s"}[unit]
    ordinals: NDArray[np.int64] = dates.astype(f"datetime64[{code}]").astype(np.int64)
    return np.diff(ordinals)


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
