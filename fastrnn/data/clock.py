"""The time column of a table: which one it is, and that it rises."""

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastrnn.data.dates import ends_summer_time, infer_step
from fastrnn.data.moments import EXPECTED, Dates, dates_of, meant_as_date, read_dates, read_stamps
from fastrnn.data.sources import Columns, Lines
from fastrnn.ground.names import short

_YEARS = frozenset({"year", "years", "date"})
# Beside one of these a column of years is only part of the date.
_TIMES = frozenset({"date", "datetime", "day", "month", "time", "timestamp", "year"})
_PARTS = frozenset({"month", "quarter", "week", "day"})
_STAMPS = _TIMES | {"epoch", "ts", "unix", "utc"}


class Clock(NamedTuple):
    """What tells the time of a table's rows.

    Attributes
    ----------
    name, dates
        The column, and its (R,) datetime64, rising; "" and None where there is none.
    stamps
        Further columns of numbers that are moments: nothing to learn.
    unread
        Name and first cell of a column that is named like dates but not read as dates, or None.
    """

    name: str
    dates: Dates | None
    stamps: frozenset[str] = frozenset()
    unread: tuple[str, str] | None = None


def find_clock(source: str, columns: Columns, lines: Lines | None) -> Clock:
    """Find the time column: the first of text or moments that holds dates, else years, else numbers that are moments.

    Raises
    ------
    ValueError
        A date that is missing, unlike the others or not later than the one before it; dates that are not read and
        repeat themselves: those are several series.
    """
    stamps = _stamps(columns)
    name, dates = _text_dates(columns)
    if dates is None:
        name, dates = _years(columns)
    if dates is None:
        name, dates = next(iter(stamps.items()), ("", None))
    if dates is None:
        return Clock("", None, unread=_unread(source, columns, lines))
    _check(source, name, columns[name], dates, lines)
    return Clock(name, dates, frozenset(stamps) - {name})


def place(lines: Lines | None, row: int) -> str:
    """Name a row: its line in the file, or its number from 0 in a frame."""
    return f"row {row}" if lines is None else f"line {lines[row]}"


def numeric_columns(columns: Columns) -> list[str]:
    """Name the columns that hold numbers."""
    return [name for name, cells in columns.items() if cells.dtype.kind == "f" and np.isfinite(cells).any()]


def _text_dates(columns: Columns) -> tuple[str, Dates | None]:
    """Find the first column of text or moments that holds dates."""
    for name, cells in columns.items():
        if cells.dtype.kind == "M":
            return name, dates_of(cells)
        if cells.dtype.kind == "O":
            dates = read_dates(cells.tolist())
            if dates is not None:
                return name, dates
    return "", None


def _years(columns: Columns) -> tuple[str, Dates | None]:
    names = {name.casefold(): name for name in columns}
    if _PARTS & names.keys():
        return "", None
    for name in sorted(_YEARS & names.keys()):
        cells = columns[names[name]]
        if cells.dtype.kind == "f" and np.isfinite(cells).any():
            known = cells[~np.isnan(cells)]
            if ((known == np.round(known)) & (known >= 1) & (known <= 9999)).all():
                years = np.full(len(cells), np.datetime64("NaT"), "datetime64[Y]")
                years[~np.isnan(cells)] = (known - 1970).astype("datetime64[Y]")
                return names[name], years
    return "", None


def _stamps(columns: Columns) -> dict[str, Dates]:
    """Find the columns of numbers that are moments: named so, or rising evenly beside another one of numbers."""
    numeric, found = numeric_columns(columns), {}
    for name in numeric:
        dates = read_stamps(columns[name])
        if dates is not None and (
            _named_for(name, _STAMPS)
            or (len(numeric) > 1 and not np.isnat(dates).any() and _rises(dates) and infer_step(dates) is not None)
        ):
            found[name] = dates
    return found


def _rises(dates: Dates) -> bool:
    return bool((dates[1:] > dates[:-1]).all())


def _named_for(name: str, words: frozenset[str]) -> bool:
    return not words.isdisjoint(re.split(r"[^a-z]+", name.casefold()))


def _unread(source: str, columns: Columns, lines: Lines | None) -> tuple[str, str] | None:
    """Find a column meant as dates though none is read; raises where it repeats itself: those are several series."""
    for name, cells in columns.items():
        if not _named_for(name, _TIMES) or cells.dtype.kind != "O":
            continue
        if not meant_as_date(next((cell for cell in cells if cell), "")):
            continue
        first: dict[str, int] = {}
        for row, cell in enumerate(cells):
            if cell and first.setdefault(cell, row) != row:
                raise ValueError(
                    f"{source}, {place(lines, row)}, column {short(name)}: {short(cell)} stands on "
                    f"{place(lines, first[cell])} already; expected one row a date: keep the rows of one series"
                )
        return name, next(cell for cell in cells if cell)
    return None


def _check(source: str, name: str, cells: NDArray[Any], dates: Dates, lines: Lines | None) -> None:
    """Raise where a date is missing, no date, or not later than the one before it."""
    unread, wrong = np.flatnonzero(np.isnat(dates)), np.flatnonzero(dates[1:] <= dates[:-1])
    if len(unread):
        row = int(unread[0])
        is_text = cells.dtype.kind == "O" and cells[row]
        fault = f"{short(cells[row])} is not a date" if is_text else "the date is missing"
        cure = f"{EXPECTED}, as in the column: correct it"
    elif len(wrong):
        row = int(wrong[0]) + 1
        fault = f"{dates[row]} " + ("stands twice" if dates[row] == dates[row - 1] else f"comes after {dates[row - 1]}")
        cure = "rising dates, one row each: sort the rows and keep one series"
        if ends_summer_time(dates):
            fault += ", as clocks go back an hour at the end of summer time"
            cure = (
                "times that only rise: give them in UTC, or with their distance from it, as 02:00+02:00 and 02:00+01:00"
            )
    else:
        return
    raise ValueError(f"{source}, {place(lines, row)}, column {short(name)}: {fault}; expected {cure}")
