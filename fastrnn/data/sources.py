"""Files and data frames as plain columns, before anything is judged.

Text is read here; Parquet is read by polars, or by pandas where that is what is installed; data frames come through
narwhals. A column is float64 with NaN for a blank cell, datetime64, or object: text with "" for a blank cell. A file is
opened by its name, whatever the name holds: to others `*` is a pattern and `file:` an address.
"""

import io
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.data.delimited import read_delimited
from fastrnn.data.numerals import typed, typed_columns
from fastrnn.ground.extras import MissingExtra, need
from fastrnn.ground.names import shown
from fastrnn.ground.reading import read_bytes

Columns = dict[str, NDArray[Any]]
Lines = NDArray[np.int64]


def file_columns(path: Path) -> tuple[Columns, Lines | None]:
    """Read the columns of a CSV or Parquet file; of text, the line of each row too."""
    data = read_bytes(path, "a CSV or Parquet file")
    if data.startswith(b"PAR1"):
        return frame_columns(_parse_parquet(data, shown(path.name)), shown(path.name)), None
    found = read_delimited(data, shown(path.name))
    columns = typed_columns(list(found.columns.values()), found.commas)
    return dict(zip(found.columns, columns, strict=True)), found.lines


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


def _parse_parquet(data: bytes, source: str) -> Any:
    try:
        library = need("polars", "parquet", "reading Parquet")
        errors: tuple[type[BaseException], ...] = (library.exceptions.PolarsError, OSError)
    except MissingExtra as missing:
        try:
            library, errors = need("pandas", "parquet", "reading Parquet"), (ValueError, OSError)
        except MissingExtra:
            raise missing from None
    try:
        return library.read_parquet(io.BytesIO(data))
    except ImportError:
        raise MissingExtra('reading Parquet needs polars: pip install "fastrnn[parquet]"', name="polars") from None
    except errors as error:
        fault = str(error).strip().partition("\n")[0]
        raise ValueError(f"{source} is not a whole Parquet file: {fault}") from None


def _frame_column(narwhals: ModuleType, column: Any) -> NDArray[Any]:
    kind = column.dtype
    if kind.is_numeric():
        values: NDArray[Any] = column.cast(narwhals.Float64).to_numpy()
        return values
    if kind in (narwhals.Date, narwhals.Datetime):
        if kind == narwhals.Datetime and kind.time_zone:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        moments: NDArray[Any] = column.to_numpy()
        return moments
    return typed(["" if cell is None or cell != cell else str(cell).strip() for cell in column.to_list()])
