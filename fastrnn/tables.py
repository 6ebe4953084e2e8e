"""Tables of a series: CSV, Parquet, any data frame or a plain array, checked cell by cell before any work."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from fastrnn.checks import unmasked
from fastrnn.dates import Dates, dates_of, find_gap, infer_step, meant_as_date, parse_date
from fastrnn.settings import MISSING
from fastrnn.sources import Columns, file_columns, frame_columns, number, short

_YEARS = frozenset({"year", "years", "date"})
# Beside one of these a column of years is only part of the date.
_TIMES = frozenset({"date", "datetime", "day", "month", "time", "timestamp", "year"})
_PARTS = frozenset({"month", "quarter", "week", "day"})


@dataclass(frozen=True)
class Series:
    """Columns chosen from a table, without gaps.

    Attributes
    ----------
    values
        (R, F) float64, finite; the target is column 0.
    names
        F names, in the order of `values`.
    dates
        (R,) datetime64, rising, or None.
    mended
        Cells filled or rows dropped because something was missing.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    dates: Dates | None
    mended: int


@dataclass(frozen=True)
class Table:
    """A file or frame as columns.

    Attributes
    ----------
    source
        What to call it in an error: the file's name.
    columns
        Name to (R,) array: float64 with NaN where a cell is missing, or object (text) with "" there. Without the dates.
    dates
        (R,) datetime64, rising, or None where no column of dates was recognised.
    date_name
        The column they came from, "" where there is none.
    lines
        Whether rows are lines of a text file (the first on line 2) or counted from 0.
    unread
        Name and first cell of a column that is named like dates but not read as dates, or None.
    """

    source: str
    columns: Columns
    dates: Dates | None
    date_name: str
    lines: bool
    unread: tuple[str, str] | None = None

    @property
    def numeric(self) -> list[str]:
        """The columns that hold numbers."""
        return [
            name for name, cells in self.columns.items() if name and _is_numeric(cells) and np.isfinite(cells).any()
        ]

    def target(self, name: str | None = None) -> str:
        """Give `name` if there is such a column; the only column of numbers if `name` is None.

        Raises
        ------
        ValueError
            No such column, or no telling which: the message lists them.
        """
        if name is not None:
            self._cells(name)
            return name
        numeric = self.numeric
        if len(numeric) == 1:
            return numeric[0]
        if numeric:
            raise ValueError(
                f"{self.source} has {len(numeric)} columns of numbers; expected the target's name, one of: "
                f"{', '.join(numeric)}"
            )
        texts = {name: cells for name, cells in self.columns.items() if not _is_numeric(cells)}
        if texts:
            nearest = max(texts, key=lambda name: sum(number(cell) is not None for cell in texts[name]))
            self._refuse_text(nearest)
        raise ValueError(f"{self.source} has no column of numbers; expected at least one: {self._listed()}")

    def select(self, target: str, features: Sequence[str] = (), missing: str = "refuse") -> Series:
        """Take the target and the features as one array without gaps.

        Parameters
        ----------
        missing
            `refuse` missing cells; `drop` their rows; `previous`: repeat the last known value of the column, so that
            nothing comes from the future.

        Raises
        ------
        ValueError
            No such column; text, infinity or (as `missing` says) a missing cell, named by line and column; a gap in
            dates of a steady step.
        """
        if missing not in MISSING:
            raise ValueError(f"missing={missing!r}; expected one of: {', '.join(MISSING)}")
        names = (target, *features)
        values = np.column_stack([self._numbers(name) for name in names])
        gaps = np.isnan(values)
        if missing == "drop":
            kept = ~gaps.any(axis=1)
            if not kept.any():
                raise ValueError(
                    f"{self.source} has no row without a missing cell in {', '.join(names)}; expected rows"
                )
            dates = self._without_gap(np.flatnonzero(kept))
            return Series(values[kept], names, dates, int((~kept).sum()))
        refused = gaps[:1] if missing == "previous" else gaps
        if refused.any():
            row, column = np.argwhere(refused)[0]
            cure = "drop it" if missing == "previous" else "fill it, or choose missing=drop or missing=previous"
            raise ValueError(
                f"{self._where(row)}, column {names[column]!r}: the cell is missing ({gaps[:, column].sum()} in this "
                f"column); expected a number: {cure}"
            )
        known = np.maximum.accumulate(np.where(gaps, 0, np.arange(len(values))[:, None]), axis=0)
        dates = self._without_gap(np.arange(len(values)))
        return Series(np.take_along_axis(values, known, axis=0), names, dates, int(gaps.sum()))

    def _without_gap(self, kept: NDArray[np.int64]) -> Dates | None:
        """Give the dates of the rows `kept`, or raise where one that their step leads to is not among them."""
        if self.dates is None:
            return None
        dates, step = self.dates[kept], infer_step(self.dates)
        gap = None if step is None else find_gap(dates, step)
        if gap is None:
            return dates
        row, width = gap
        cure = (
            "add the rows between them, blank, and choose missing=previous"
            if len(dates) == len(self.dates)
            else "choose missing=previous"
        )
        raise ValueError(
            f"{self._where(int(kept[row]))}, column {self.date_name!r}: {dates[row]} comes {width} after "
            f"{dates[row - 1]}; expected {step}, as between the other rows: {cure}"
        )

    def _cells(self, name: str) -> NDArray[Any]:
        if name == self.date_name and self.dates is not None:
            raise ValueError(f"column {name!r} of {self.source} holds the dates; expected numbers, {self._listed()}")
        if name not in self.columns:
            raise ValueError(f"{self.source} has no column {name!r}; {self._listed()}")
        return self.columns[name]

    def _numbers(self, name: str) -> NDArray[np.float64]:
        cells = self._cells(name)
        if not _is_numeric(cells):
            self._refuse_text(name)
        infinite = np.flatnonzero(np.isinf(cells))
        if len(infinite):
            row = int(infinite[0])
            raise ValueError(f"{self._where(row)}, column {name!r}: {cells[row]}; expected a finite number: correct it")
        return cells

    def _refuse_text(self, name: str) -> NoReturn:
        row, text = next((row, cell) for row, cell in enumerate(self.columns[name]) if number(cell) is None)
        raise ValueError(
            f"{self._where(row)}, column {name!r}: {short(text)} is not a number; correct it or name another column, "
            f"{self._listed()}"
        )

    def _listed(self) -> str:
        return f"columns of numbers: {', '.join(self.numeric) or 'none'} (all: {', '.join(self.columns)})"

    def _where(self, row: int) -> str:
        return _where(self.source, self.lines, row, self.columns)


def read_table(path: str | Path) -> Table:
    """Read a CSV (separated by commas, semicolons or tabs, with a header line) or a Parquet file.

    Dates are the first column of them (`2012-01-31`, `2012/01/31`, `1949-01`, with or without a time), or a column
    named `year` or `date` that holds plain years.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        No such file; a folder.
    ValueError
        Empty, only a header, binary, not UTF-8, rows of another length; dates that are missing, unreadable, doubled or
        out of order: named by line.
    MissingExtra
        Neither polars nor pandas is installed.
    """
    path = Path(path)
    columns, lines = file_columns(path)
    return _build(path.name, columns, lines)


def as_table(data: Any) -> Table:
    """Make a `Table` of a path, any data frame narwhals knows (polars, pandas, pyarrow, ...), an array (R,), a `Table`.

    A pandas index of dates counts as the column of dates.
    """
    if isinstance(data, Table):
        return data
    if isinstance(data, str | Path):
        return read_table(data)
    if isinstance(data, np.ndarray | list | tuple):
        unmasked("the array", data, "filled(np.nan) makes missing values of them, of which `missing` decides")
        values = np.asarray(data)
        if values.ndim != 1 or values.dtype.kind not in "iuf" or len(values) == 0:
            raise ValueError(
                f"an array of shape {values.shape}, dtype {values.dtype}; expected numbers of shape (rows,)"
            )
        return _build("the array", {"value": values.astype(np.float64)}, lines=False)
    return _build("the data frame", frame_columns(data, "the data frame"), lines=False)


def _is_numeric(cells: NDArray[Any]) -> bool:
    return cells.dtype.kind == "f"


def _build(source: str, columns: Columns, lines: bool) -> Table:
    """Make a table: its column of dates, if there is one, is recognised, checked and taken out."""
    name = next((name for name, cells in columns.items() if _holds_dates(cells)), None) or _years(columns)
    if name is None:
        return Table(source, columns, None, "", lines, _unread(source, columns, lines))
    dates = _dates(source, columns, name, lines)
    steps = np.diff(dates)
    wrong = np.flatnonzero(steps <= np.zeros((), steps.dtype))
    if len(wrong):
        row = int(wrong[0]) + 1
        fault = "stands twice" if dates[row] == dates[row - 1] else f"comes after {dates[row - 1]}"
        raise ValueError(
            f"{_where(source, lines, row, columns)}, column {name!r}: {dates[row]} {fault}; expected rising dates, one "
            "row each: sort the rows and keep one series"
        )
    return Table(source, {key: cells for key, cells in columns.items() if key != name}, dates, name, lines)


def _holds_dates(cells: NDArray[Any]) -> bool:
    """Whether the first cell that is not blank is a date; the others must follow suit."""
    if cells.dtype.kind == "O":
        return parse_date(next((cell for cell in cells if cell), "")) is not None
    return cells.dtype.kind == "M"


def _years(columns: Columns) -> str | None:
    names = {name.casefold(): name for name in columns}
    if _PARTS & names.keys():
        return None
    for name in sorted(_YEARS & names.keys()):
        cells = columns[names[name]]
        if _is_numeric(cells) and np.isfinite(cells).any():
            known = cells[~np.isnan(cells)]
            if ((known == np.round(known)) & (known >= 1) & (known <= 9999)).all():
                return names[name]
    return None


def _unread(source: str, columns: Columns, lines: bool) -> tuple[str, str] | None:
    """Find a column meant as dates though none is read; raises where it repeats itself: those are several series."""
    for name, cells in columns.items():
        named = _TIMES & set(re.split(r"[^a-z]+", name.casefold()))
        if not named or cells.dtype.kind != "O" or not meant_as_date(next((cell for cell in cells if cell), "")):
            continue
        first: dict[str, int] = {}
        for row, cell in enumerate(cells):
            if cell and first.setdefault(cell, row) != row:
                known = _where(source, lines, first[cell], columns).removeprefix(f"{source}, ")
                raise ValueError(
                    f"{_where(source, lines, row, columns)}, column {name!r}: {short(cell)} stands on {known} already; "
                    "expected one row a date: keep the rows of one series"
                )
        return name, next(cell for cell in cells if cell)
    return None


def _dates(source: str, columns: Columns, name: str, lines: bool) -> Dates:
    cells = columns[name]
    if cells.dtype.kind == "O":
        read = [parse_date(cell) for cell in cells]
        moments = np.array([np.datetime64("NaT") if moment is None else moment for moment in read], "datetime64[us]")
        dates = dates_of(moments, monthly=all(len(cell) == 7 for cell in cells))
    elif cells.dtype.kind == "M":
        dates = dates_of(cells)
    else:
        dates = np.where(np.isnan(cells), np.datetime64("NaT"), (cells - 1970).astype("datetime64[Y]"))
    unread = np.flatnonzero(np.isnat(dates))
    if len(unread):
        row = int(unread[0])
        fault = (
            f"{short(cells[row])} is not a date" if cells.dtype.kind == "O" and cells[row] else "the date is missing"
        )
        raise ValueError(
            f"{_where(source, lines, row, columns)}, column {name!r}: {fault}; expected one like 2012-01-31, "
            "2012/01/31, 1949-01 or 1949: correct it"
        )
    return dates


def _where(source: str, lines: bool, row: int, columns: Columns) -> str:
    """Name the place of a row: its line in the file, or its number from 0 in a frame."""
    if not lines:
        return f"{source}, row {row}"
    # The header is line 1; quoted cells may hold line ends.
    texts = [cells for cells in columns.values() if cells.dtype.kind == "O"]
    return f"{source}, line {row + 2 + sum(cell.count(chr(10)) for cells in texts for cell in cells[:row])}"
