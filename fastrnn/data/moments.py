"""Moments as files write them: whole columns of text or numbers read as dates, or left alone.

A format is tried on the whole column: 01/02/2020 alone is nobody's date, but beside 31/01/2020 it is one in February.
"""

import contextlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Dates = NDArray[np.datetime64]

EXPECTED = "one like 2012-01-31, 2012/01/31, 31.01.2012, 20120131, 1949-01 or 1949"

_TIME = (
    r"(?:(?:T| +)(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r" ?(?P<zone>Z|[+-]\d\d(?::?\d\d)?)?)?"
)
_FORMATS = tuple(
    tuple(re.compile(pattern) for pattern in patterns)
    for patterns in (
        (
            rf"(?P<year>\d{{4}})(?P<mark>[-/.])(?P<month>\d\d?)(?P=mark)(?P<day>\d\d?){_TIME}",
            r"(?P<year>\d{4})[-/](?P<month>\d\d?)",
            r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)(?:T?(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?Z?)?",
            rf"(?P<year>\d{{4}})(?P<month>\d\d)(?P<day>\d\d){_TIME}",
        ),
        (rf"(?P<day>\d\d?)(?P<mark>[-/.])(?P<month>\d\d?)(?P=mark)(?P<year>\d{{4}}){_TIME}",),
        (rf"(?P<month>\d\d?)(?P<mark>[-/])(?P<day>\d\d?)(?P=mark)(?P<year>\d{{4}}){_TIME}",),
    )
)
_PLAIN = re.compile(r"((?!0000)\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?(\n|\Z))+", re.ASCII)
# What somebody may have meant as a date, whatever the order of its parts.
_MEANT = re.compile(r"\d{4}|\d[-/.]\d{1,2}[-/.]\d|[a-z]{3}\D*\d\d", re.IGNORECASE)
_FIRST, _LAST = 631_152_000, 4_102_444_800
"""Seconds since 1970 that may be meant as moments: those of 1990 to 2099."""


class _Moment(NamedTuple):
    """A moment, in UTC where a zone is named; `rest` is what is left of its nanoseconds."""

    at: datetime
    rest: int
    has_day: bool
    has_zone: bool


def meant_as_date(text: str) -> bool:
    """Whether text may be a date, in a format that is read or in any other: `Jan 1 2000`, `1/31/49`."""
    return _MEANT.search(text) is not None


def read_dates(cells: Sequence[str]) -> Dates | None:
    """Read a column of text as dates, in UTC where it names zones.

    Parameters
    ----------
    cells
        R texts; blank ones are missing.

    Returns
    -------
    (R,) datetime64, NaT where a cell is missing or unlike the others; None where the first cell that is not blank is no
    date, or where nothing tells days from months.
    """
    if _PLAIN.fullmatch("\n".join(cells)):
        with contextlib.suppress(ValueError):  # thirty times as fast as cell by cell
            return dates_of(np.array(cells, "datetime64[us]"))
    first = next((cell for cell in cells if cell), "")
    formats = [patterns for patterns in _FORMATS if _read(patterns, first)]
    columns = [[_read(patterns, cell) for cell in cells] for patterns in formats]
    if len(columns) > 1:
        columns = [moments for moments in columns if all(map(_agree, moments, cells))]
    if len(columns) != 1:
        return None
    known = [moment for moment in columns[0] if moment]
    zoned = known[0].has_zone
    moments = [moment if moment and moment.has_zone == zoned else None for moment in columns[0]]
    exact: Dates = np.array([moment.at if moment else np.datetime64("NaT") for moment in moments], "datetime64[us]")
    # Nanoseconds reach from 1677 to 2262.
    if any(moment.rest for moment in known) and all(1678 <= moment.at.year <= 2261 for moment in known):
        rest = np.array([moment.rest if moment else 0 for moment in moments], "timedelta64[ns]")
        exact = exact.astype("datetime64[ns]") + rest
    return dates_of(exact, monthly=not any(moment.has_day for moment in known))


def read_stamps(values: NDArray[np.float64]) -> Dates | None:
    """Read a column of numbers as dates: 20240501, 202405010930, or time since 1970 in s, ms, µs or ns.

    Parameters
    ----------
    values
        (R,); NaN is missing.

    Returns
    -------
    (R,) datetime64, NaT where a number is missing; None where one is no moment of 1990 to 2099, or no day of 1700 to
    2199.
    """
    known = values[~np.isnan(values)]
    if not len(known) or known[0] < 17_000_101 or not np.isfinite(known).all():
        return None
    least, most = known.min(), known.max()
    for scale in (1.0, 1e3, 1e6, 1e9):
        if scale * _FIRST <= least and most < scale * _LAST:
            micro = np.full(len(values), np.datetime64("NaT"), "datetime64[us]")
            micro[~np.isnan(values)] = np.rint(known * (1e6 / scale)).astype(np.int64).astype("datetime64[us]")
            return dates_of(micro)
    for scale in (1, 10**4, 10**6):
        if 17_000_101 * scale <= least and most < 22_000_101 * scale and (known == np.rint(known)).all():
            dates = read_dates(["" if np.isnan(value) else str(int(value)) for value in values])
            return None if dates is None or np.isnat(dates[~np.isnan(values)]).any() else dates
    return None


def dates_of(moments: Sequence[datetime] | NDArray[Any], monthly: bool = False) -> Dates:
    """Give moments the coarsest unit that holds them: months (if `monthly`), days, seconds, micro-, nanoseconds."""
    exact: Dates = np.asarray(moments)
    if exact.dtype.kind != "M":
        exact = exact.astype("datetime64[us]")
    for unit in ("M",) if monthly else ("D", "s", "us"):
        coarse = exact.astype(f"datetime64[{unit}]")
        if ((coarse == exact) | np.isnat(exact)).all():
            return coarse
    return exact


def _agree(moment: _Moment | None, cell: str) -> bool:
    return moment is not None or not cell


def _read(patterns: Sequence[re.Pattern[str]], cell: str) -> _Moment | None:
    found = next(filter(None, (pattern.fullmatch(cell) for pattern in patterns)), None)
    if found is None:
        return None
    parts = found.groupdict()
    day, hour, minute, second = (int(parts.get(name) or 0) for name in ("day", "hour", "minute", "second"))
    fraction = int((parts.get("fraction") or "").ljust(9, "0"))
    try:
        has_day = parts.get("day") is not None
        at = datetime(
            int(parts["year"]), int(parts["month"]), day if has_day else 1, hour, minute, second, fraction // 1000
        )
        zone = parts.get("zone")
        if zone and zone != "Z":
            away = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:].lstrip(":") or 0))
            local = timezone(-away if zone[0] == "-" else away)
            at = at.replace(tzinfo=local).astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return _Moment(at, fraction % 1000, has_day, zone is not None)
