"""Tables of a series: CSV, Parquet, any data frame or a plain array, checked cell by cell before any work."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from fastrnn.data.clock import find_clock, numeric_columns, place
from fastrnn.data.dates import Step, commonest_step, find_gaps, infer_step, missing_rows, tell_gaps, with_missing_rows
from fastrnn.data.moments import Dates
from fastrnn.data.numerals import fault, has_comma, number
from fastrnn.data.sources import Columns, Lines, file_columns, frame_columns
from fastrnn.ground.checks import unmasked
from fastrnn.ground.names import listed, short, shown
from fastrnn.ground.settings import MISSING


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
        Cells filled, rows added or rows dropped because something was missing.
    gaps
        Rows that the step of the dates leads to and that are missing still: how many, and where; or that there is no
        steady step; "" where no row is missing.
    """

    values: NDArray[np.float64]
    names: tuple[str, ...]
    dates: Dates | None
    mended: int
    gaps: str = ""


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
        (R,) line of the text file that each row begins on, or None: rows are counted from 0.
    unread
        Name and first cell of a column that is named like dates but not read as dates, or None.
    stamps
        Columns of numbers that are moments: nothing to learn.
    """

    source: str
    columns: Columns
    dates: Dates | None
    date_name: str
    lines: Lines | None
    unread: tuple[str, str] | None = None
    stamps: frozenset[str] = frozenset()

    @property
    def numeric(self) -> list[str]:
        """The columns that hold numbers to learn."""
        return [name for name in numeric_columns(self.columns) if name and name not in self.stamps]

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
                f"{listed(numeric)}"
            )
        texts = {name: cells for name, cells in self.columns.items() if cells.dtype.kind == "O"}
        if texts:
            nearest = max(
                texts, key=lambda name: sum(number(cell) is not None or has_comma(cell) for cell in texts[name])
            )
            self._refuse_text(nearest)
        raise ValueError(f"{self.source} has no column of numbers; expected at least one: {self._listed()}")

    def select(self, target: str, features: Sequence[str] = (), missing: str = "refuse") -> Series:
        """Take the target and the features as one array without gaps.

        Parameters
        ----------
        missing
            `refuse` missing cells; `drop` their rows; `previous`: repeat the last known value of the column, so that
            nothing comes from the future, in rows too that the step of the dates leads to and that are not there, as
            long as they are fewer than those that are; weekdays may be holidays, and are not added.

        Raises
        ------
        ValueError
            No such column; text, infinity or (as `missing` says) a missing cell, named by line and column; a gap in
            dates of a steady step: any in years and months, one of over ten steps in days. Smaller ones are told.
        """
        if missing not in MISSING:
            raise ValueError(f"missing={missing!r}; expected one of: {', '.join(MISSING)}")
        names = (target, *features)
        values = np.column_stack([self._numbers(name) for name in names])
        holes = np.isnan(values)
        step = None if self.dates is None else infer_step(self.dates)
        if missing == "drop":
            kept = ~holes.any(axis=1)
            if not kept.any():
                raise ValueError(f"{self.source} has no row without a missing cell in {listed(names)}; expected rows")
            rows = np.flatnonzero(kept)
            dates = None if self.dates is None else self.dates[kept]
            return Series(values[kept], names, dates, len(values) - len(rows), self._gaps(rows, step, missing))
        refused = holes[:1] if missing == "previous" else holes
        if refused.any():
            row, column = np.argwhere(refused)[0]
            cure = "drop it" if missing == "previous" else "fill it, or choose missing=drop or missing=previous"
            raise ValueError(
                f"{self._where(row)}, column {short(names[column])}: the cell is missing ({holes[:, column].sum()} in "
                f"this column); expected a number: {cure}"
            )
        if missing == "previous" and self.dates is not None and step is not None:
            places = missing_rows(self.dates, step)
            if places is not None:
                whole = np.full((places[-1] + 1, len(names)), np.nan)
                whole[places] = values
                return _held(whole, names, with_missing_rows(self.dates, step, places), "")
        return _held(values, names, self.dates, self._gaps(np.arange(len(values)), step, missing))

    def _gaps(self, rows: NDArray[np.int64], step: Step | None, missing: str) -> str:
        """Tell where the step of the dates leads to rows that are not among `rows`; raise where that is too far."""
        if self.dates is None or len(self.dates) < 2:
            return ""
        if step is None:
            usual, share = commonest_step(self.dates)
            told = usual if usual.count else "less than a second"
            return f"no steady step between the dates: {told} between {100 * share:.0f} % of the rows, others elsewhere"
        dates = self.dates[rows]
        gaps = find_gaps(dates, step)
        told = tell_gaps(dates, gaps, lambda row: place(self.lines, int(rows[row])))
        wide = next((gap for gap in gaps if step.longest is not None and gap.width.count > step.longest), None)
        can_add = missing == "drop" or missing_rows(dates, step) is not None
        if wide is None:
            return f"{told}; missing=previous adds them" if gaps and can_add else told
        cure = f"{'' if can_add else 'add the rows between them, blank, and '}choose missing=previous"
        raise ValueError(
            f"{self._where(int(rows[wide.row]))}, column {short(self.date_name)}: {dates[wide.row]} comes {wide.width} "
            f"after {dates[wide.row - 1]}; expected {step}, as between the other rows ({told}): {cure}"
        )

    def _cells(self, name: str) -> NDArray[Any]:
        if name == self.date_name and self.dates is not None:
            raise ValueError(
                f"column {short(name)} of {self.source} holds the dates; expected numbers, {self._listed()}"
            )
        if name not in self.columns:
            raise ValueError(f"{self.source} has no column {short(name)}; {self._listed()}")
        return self.columns[name]

    def _numbers(self, name: str) -> NDArray[np.float64]:
        cells = self._cells(name)
        if not _is_numeric(cells):
            self._refuse_text(name)
        infinite = np.flatnonzero(np.isinf(cells))
        if len(infinite):
            row = int(infinite[0])
            raise ValueError(
                f"{self._where(row)}, column {short(name)}: {cells[row]}; expected a finite number: correct it"
            )
        return cells

    def _refuse_text(self, name: str) -> NoReturn:
        """Name the cell that keeps a column from being numbers: text, else one with a decimal comma, else a point."""
        cells = self.columns[name]
        if cells.dtype.kind != "O":
            raise ValueError(f"column {short(name)} of {self.source} holds dates; expected numbers, {self._listed()}")
        others = [row for row, cell in enumerate(cells) if number(cell) is None]
        texts = (row for row in others if not has_comma(cells[row]))
        points = (row for row, cell in enumerate(cells) if "." in cell)
        row = next(texts, others[0] if others else next(points, 0))
        raise ValueError(
            f"{self._where(row)}, column {short(name)}: {short(cells[row])} {fault(cells[row])}, or name another "
            f"column, {self._listed()}"
        )

    def _listed(self) -> str:
        return f"columns of numbers: {listed(self.numeric)} (all: {listed(self.columns)})"

    def _where(self, row: int) -> str:
        return f"{self.source}, {place(self.lines, row)}"


def read_table(path: str | Path) -> Table:
    """Read a CSV (separated by commas, semicolons or tabs, with a header line) or a Parquet file.

    Dates are the first column of them: `2012-01-31`, `2012/1/31`, `31.01.2012`, `1949-01`, with or without a time, and
    `31/01/2012` or `01/31/2012` where the column tells which; or a column named `year` or `date` that holds plain
    years; or numbers such as 20120131, or seconds, milli-, micro- or nanoseconds since 1970, in a column that is named
    for time, or that rises evenly beside another column of numbers.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        No such file; a folder.
    ValueError
        What `fastrnn.data.delimited.read_delimited` refuses; dates that are missing, unreadable, doubled or out of
        order: named by line.
    MissingExtra
        A Parquet file, and neither polars nor pandas is installed.
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
        return _build("the array", {"value": values.astype(np.float64)}, None)
    return _build("the data frame", frame_columns(data, "the data frame"), None)


def _is_numeric(cells: NDArray[Any]) -> bool:
    return cells.dtype.kind == "f"


def _held(values: NDArray[np.float64], names: tuple[str, ...], dates: Dates | None, gaps: str) -> Series:
    """Fill holes with the last known value of their column."""
    holes = np.isnan(values)
    known = np.maximum.accumulate(np.where(holes, 0, np.arange(len(values))[:, None]), axis=0)
    return Series(np.take_along_axis(values, known, axis=0), names, dates, int(holes.sum()), gaps)


def _build(source: str, columns: Columns, lines: Lines | None) -> Table:
    """Make a table: its column of dates, if there is one, is recognised, checked and taken out."""
    source = shown(source)
    clock = find_clock(source, columns, lines)
    rest = {name: cells for name, cells in columns.items() if clock.dates is None or name != clock.name}
    return Table(source, rest, clock.dates, clock.name, lines, clock.unread, clock.stamps)
