"""Files and data frames as plain columns, before anything is judged.

Files are parsed by polars, or by pandas where that is what is installed; data frames come through narwhals. A column is
float64 with NaN for a blank cell, datetime64, or object: text with "" for a blank cell.
"""

import csv
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.dates import meant_as_date
from fastrnn.extras import MissingExtra, need

Columns = dict[str, NDArray[Any]]

_BLANK = frozenset({"", "na", "n/a", "nan", "null", "none"})
_SEPARATORS = ",;\t"


def file_columns(path: Path) -> tuple[Columns, bool]:
    """Read the columns of a CSV or Parquet file, and tell whether its rows are lines of text."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected a CSV or Parquet file")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; expected a CSV or Parquet file")
    with path.open("rb") as file:
        start = file.read(4096)
    if start[:4] == b"PAR1":
        return frame_columns(_parse_parquet(path), path.name), False
    header, separator = _header(path, start)
    texts = [[(cell or "").strip() for cell in column] for column in _parse_csv(path, separator, len(header))]
    rows = len(texts[0])
    # Files often end in blank lines; a blank line further up is a missing row, and is refused as one.
    while rows and not any(cells[rows - 1] for cells in texts):
        rows -= 1
    if rows == 0:
        raise ValueError(f"{path.name} has a header but no rows; expected one row a time step")
    return {name: _typed(cells[:rows]) for name, cells in zip(header, texts, strict=True)}, True


def frame_columns(data: Any, source: str) -> Columns:
    """Take the columns of any data frame that narwhals knows; a pandas index of dates is one of them."""
    narwhals = need("narwhals", "cli", "reading a data frame")
    try:
        frame = narwhals.from_native(data, eager_only=True)
    except TypeError:
        raise TypeError(
            f"{type(data).__name__} is no table; expected a path, a data frame in memory or an array of shape (rows,)"
        ) from None
    index = narwhals.maybe_get_index(frame)
    # Only a pandas index tells its resolution; a plain row number is no column.
    if index is not None and index.dtype.kind not in "iuO":
        frame = narwhals.from_native(data.reset_index(), eager_only=True)
    if len(frame) == 0:
        raise ValueError(f"{source} has no rows; expected one row a time step")
    return {str(name): _frame_column(narwhals, frame[name]) for name in frame.columns}


def _header(path: Path, start: bytes) -> tuple[list[str], str]:
    if not start.strip():
        raise ValueError(f"{path.name} is empty; expected a header line and rows")
    if b"\0" in start:
        raise ValueError(f"{path.name} is a binary file; expected CSV text in UTF-8, or Parquet")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            line = file.readline()
            file.seek(0)
            separator = max(_SEPARATORS, key=line.count)
            header = [name.strip() for name in next(csv.reader(file, delimiter=separator))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path.name} is not CSV text in UTF-8 ({error}); save it as CSV UTF-8") from None
    if not header:
        raise ValueError(f"{path.name}: line 1 is blank; expected the names of the columns")
    if any(_is_finite(name) for name in header) and all(
        _is_finite(name) or meant_as_date(name) for name in header if name
    ):
        raise ValueError(
            f"{path.name}: line 1 holds numbers ({short(line.strip())}); expected the names of the columns"
        )
    doubled = {name for name in header if header.count(name) > 1}
    if doubled:
        raise ValueError(f"{path.name}: line 1 names {short(min(doubled))} twice; expected every column's own name")
    return header, separator


def _parse_csv(path: Path, separator: str, width: int) -> list[list[str | None]]:
    """Read the columns of the file as text."""
    library, errors = _library()
    try:
        if library.__name__ == "polars":
            frame = library.read_csv(path, separator=separator, infer_schema=False)
            return [column.to_list() for column in frame.iter_columns()]
        frame = library.read_csv(
            path, sep=separator, dtype=str, keep_default_na=False, skip_blank_lines=False, index_col=False
        )
        return [column.tolist() for _, column in frame.fillna("").items()]
    except errors as error:
        raise ValueError(f"{path.name} is not CSV: {_long_row(path, separator, width) or _first_line(error)}") from None


def _long_row(path: Path, separator: str, width: int) -> str:
    """Say which line has more cells than the header; the parsers do not all do so."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter=separator)
        for row in reader:
            if len(row) > width:
                return f"line {reader.line_num} has {len(row)} cells; expected {width}, as in line 1"
    return ""


def _parse_parquet(path: Path) -> Any:
    library, errors = _library()
    try:
        return library.read_parquet(path)
    except ImportError:
        raise MissingExtra('reading Parquet needs polars: pip install "fastrnn[cli]"', name="polars") from None
    except errors as error:
        raise ValueError(f"{path.name} is not a whole Parquet file: {_first_line(error)}") from None


def _library() -> tuple[Any, tuple[type[Exception], ...]]:
    """Give polars or else pandas, and what it raises for a file that it cannot parse."""
    try:
        polars = need("polars", "cli", "reading a file")
    except MissingExtra as missing:
        try:
            return need("pandas", "cli", "reading a file"), (ValueError, OSError)
        except MissingExtra:
            raise missing from None
    return polars, (polars.exceptions.PolarsError, OSError)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _frame_column(narwhals: ModuleType, column: Any) -> NDArray[Any]:
    kind = column.dtype
    if kind.is_numeric():
        values: NDArray[Any] = column.cast(narwhals.Float64).to_numpy()
        return values
    if kind in (narwhals.Date, narwhals.Datetime):
        if kind == narwhals.Datetime and kind.time_zone:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        moments: NDArray[Any] = column.to_numpy().astype("datetime64[us]")
        return moments
    return _typed(["" if cell is None or cell != cell else str(cell).strip() for cell in column.to_list()])


def _typed(cells: list[str]) -> NDArray[Any]:
    """Turn text into float64, blanks into NaN, when every other cell is a number; else leave it."""
    numbers = [number(cell) for cell in cells]
    if None in numbers:
        return np.array(["" if cell.casefold() in _BLANK else cell for cell in cells], dtype=object)
    return np.array(numbers, dtype=np.float64)


def number(cell: str) -> float | None:
    """Read the number in a cell: NaN for a blank one, None for text."""
    if cell.casefold() in _BLANK:
        return np.nan
    # Python reads 1_000 as a number; in a file it is a name.
    if "_" in cell:
        return None
    try:
        return float(cell)
    except ValueError:
        return None


def _is_finite(cell: str) -> bool:
    value = number(cell)
    return value is not None and bool(np.isfinite(value))


def short(text: str) -> str:
    """Quote text of a file in a one-line error."""
    return repr(text if len(text) <= 40 else f"{text[:37]}...")
