"""Dates of a series: the step between them, the gaps in them, the seasons they suggest, and how they go on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fastrnn.data.moments import Dates

Unit = Literal["year", "month", "month end", "weekday", "day", "second"]

# A step that fewer of the differences share is no step: the labels of a forecast would be guesses.
_REGULAR = 0.8
# Holidays are no gap in a series of days that anybody would have to mend.
_DAYS_OFF = 10
# Places of gaps that are told one by one.
_TOLD = 3
_HOUR, _DAY, _WEEK = 3600, 86_400, 604_800


@dataclass(frozen=True)
class Step:
    """What lies between two rows: `count` times `unit`."""

    count: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.count} {self.unit}" + ("s" if self.count > 1 else "")

    @property
    def seasons(self) -> tuple[int, ...]:
        """The calendar's seasons in rows, the shortest first: hours, days, weeks, years, where rows divide them."""
        spans: dict[Unit, tuple[int, ...]] = {
            "month": (12,), "month end": (12,), "weekday": (5,), "day": (7, 364 if self.count == 7 else 365),
            "second": (_HOUR, _DAY, _WEEK),
        }  # fmt: skip
        return tuple(
            span // self.count for span in spans.get(self.unit, ()) if span % self.count == 0 and span >= 2 * self.count
        )

    @property
    def longest(self) -> int | None:
        """The distance in units up to which rows may lie apart; None within days: markets and people rest."""
        if self.unit == "second":
            return None
        return self.count * (_DAYS_OFF if self.unit in ("day", "weekday") else 1)


@dataclass(frozen=True)
class Gap:
    """Rows that their step leads to and that are not there.

    Attributes
    ----------
    row
        The row after them.
    missing
        How many they are.
    width
        How far that row lies from the one before it.
    """

    row: int
    missing: int
    width: Step


def infer_step(dates: Dates) -> Step | None:
    """Find the commonest step between `dates` (N,); None when fewer than four in five of the differences share it."""
    if len(dates) < 2:
        return None
    step, share = commonest_step(dates)
    return step if share >= _REGULAR and step.count > 0 else None


def commonest_step(dates: Dates) -> tuple[Step, float]:
    """Find the commonest step between `dates` (N,), and the share of the differences that it is."""
    unit = _unit(dates)
    steps, counts = np.unique(_steps(dates, unit), return_counts=True)
    best = int(np.argmax(counts))
    return Step(int(steps[best]), unit), float(counts[best] / counts.sum())


def find_gaps(dates: Dates, step: Step) -> list[Gap]:
    """Find where rows of `dates` (N,), rising, lie further than `step` from the row before them."""
    steps = _steps(dates, step.unit)
    return [
        Gap(int(row) + 1, -(-int(steps[row]) // step.count) - 1, Step(int(steps[row]), step.unit))
        for row in np.flatnonzero(steps > step.count)
    ]


def tell_gaps(dates: Dates, gaps: Sequence[Gap], place: Callable[[int], str] | None = None) -> str:
    """Say how many rows of `dates` (N,) are missing, and where; `place` names a row. "" where there are no gaps."""
    if not gaps:
        return ""
    total = sum(gap.missing for gap in gaps)
    count = f"{total:,} row{'s are' if total > 1 else ' is'} missing in {len(gaps):,} place{'s' * (len(gaps) > 1)}"
    told = [
        f"{gap.missing:,} before {dates[gap.row]}" + (f" ({place(gap.row)})" if place else "") for gap in gaps[:_TOLD]
    ]
    return f"{count}: {', '.join(told)}{', ...' * (len(gaps) > _TOLD)}"


def ends_summer_time(dates: Dates) -> bool:
    """Whether `dates` (N,) rise but for hours that are there twice, of a night in which clocks may go back."""
    if np.datetime_data(dates.dtype)[0] not in ("s", "us", "ns"):
        return False
    steps = np.diff(dates.astype("datetime64[s]").astype(np.int64))
    rising = steps[steps > 0]
    if not len(rising):
        return False
    usual = int(np.bincount(rising).argmax()) if rising.max() < 10**7 else 0
    if not 0 < usual <= _HOUR or _HOUR % usual:
        return False
    hours = dates.astype("datetime64[h]")
    for hour in np.unique(hours[1:][steps <= 0]):
        # In March the clocks of the south go back, in November those of North America.
        month = int(hour.astype("datetime64[M]").astype(np.int64)) % 12 + 1
        if int(hour.astype(np.int64)) % 24 > 3 or month not in (3, 4, 9, 10, 11):
            return False
        if np.count_nonzero(hours == hour) != 2 * (_HOUR // usual):
            return False
    return True


def missing_rows(dates: Dates, step: Step) -> NDArray[np.int64] | None:
    """Number the rows of `dates` (N,) by `step`, from 0; None where none is missing, or none is to be added.

    A row can be added where it certainly belongs: between dates that are whole steps apart, in a series that has most
    of its rows, and not among weekdays, which may be holidays.
    """
    gaps, places = find_gaps(dates, step), np.arange(len(dates))
    for gap in gaps:
        places[gap.row :] += gap.missing
    if not gaps or step.unit == "weekday" or places[-1] >= 2 * len(dates):
        return None
    return places if np.array_equal(with_missing_rows(dates, step, places)[places], dates) else None


def with_missing_rows(dates: Dates, step: Step, places: NDArray[np.int64]) -> Dates:
    """Give the dates from the first to the last of `dates` (N,), which are those at `places`."""
    whole: Dates = np.concatenate([dates[:1], continue_dates(dates[0], step, int(places[-1]))])
    return whole


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
