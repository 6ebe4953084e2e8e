"""Text files of rows and cells: bytes to named columns of text, or one line that says why not."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastrnn.data.moments import meant_as_date
from fastrnn.data.numerals import has_comma, is_decimal_comma, is_finite
from fastrnn.ground.names import short
from fastrnn.ground.reading import marked_encoding

# The comma last: where it is no worse than another, it may be decimal.
_SEPARATORS = ";\t,"
_FIRST = 20


class Delimited(NamedTuple):
    """A file as text.

    Attributes
    ----------
    columns
        Name to R cells, without blanks around them; "" where a row is too short.
    lines
        (R,) line of the file that each row begins on, from 1.
    commas
        Whether no comma separates cells.
    """

    columns: dict[str, list[str]]
    lines: NDArray[np.int64]
    commas: bool


def read_delimited(data: bytes, source: str) -> Delimited:
    """Take a file apart; `source` is what errors call it.

    Raises
    ------
    ValueError
        Empty, binary, neither UTF-8 nor marked as UTF-16 or UTF-32; a header that is blank, holds numbers or a name
        twice; no rows, a row longer than the header, a cell of over 131,072 characters, a quote that is left open or
        followed by text: named by line.
    """
    text = _decoded(data, source)
    if not text.strip():
        raise ValueError(f"{source} is empty; expected a header line and rows")
    separator = max(_SEPARATORS, key=lambda mark: _fit(text, mark))
    alone = not _fit(text, separator)[0]
    # One column needs no separator, and its commas may be decimal ones.
    rows = _rows(text, ";" if alone else separator, source)
    header = [name.strip() for name in next(rows)[1]]
    _check_header(header, source)
    width, lines, table = len(header), [], []
    for line, row in rows:
        if alone and len(row) == 1 and "," in row[0] and not has_comma(row[0].strip()):
            row = row[0].split(",")
        if len(row) != width:
            if len(row) > width:
                raise ValueError(f"{source}, line {line} has {_too_many(row, width, separator)}")
            row += [""] * (width - len(row))
        lines.append(line)
        table.append(row)
    # Files often end in blank lines; a blank line further up is a missing row, and is refused as one.
    while table and not "".join(table[-1]).strip():
        table.pop()
    if not table:
        raise ValueError(f"{source} has a header but no rows; expected one row a time step")
    columns = [list(map(str.strip, cells)) for cells in zip(*table, strict=True)]
    return Delimited(dict(zip(header, columns, strict=True)), np.array(lines[: len(table)]), alone or separator != ",")


def _decoded(data: bytes, source: str) -> str:
    try:
        text = data.decode(marked_encoding(data))
    except UnicodeDecodeError as error:
        if b"\0" not in data:
            line = data.count(b"\n", 0, error.start) + 1
            place = f"byte 0x{data[error.start]:02x} in line {line}"
            raise ValueError(f"{source} is not CSV text in UTF-8 ({place}); save it as CSV UTF-8") from None
        text = "\0"
    if "\0" in text:
        raise ValueError(f"{source} is a binary file; expected CSV text in UTF-8, or Parquet")
    return text


def _fit(text: str, separator: str) -> tuple[bool, int, int]:
    """Say whether the first row has cells with this separator, how many rows have as many, and how many those are."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    try:
        widths = [len(row) for row in islice(reader, _FIRST)]
    except csv.Error:
        return False, 0, 0
    return widths[0] > 1, widths.count(widths[0]), widths[0]


def _rows(text: str, separator: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Give the line that each row begins on, and its cells."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
    line = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(f"{source}, line {line}: {_told(error)}") from None
        yield line, row
        line = reader.line_num + 1


def _told(error: csv.Error) -> str:
    """Say what the reader stumbled over."""
    text = str(error)
    if text.startswith("field larger"):
        return f"a cell of over {csv.field_size_limit():,} characters; expected a number: is a quote left open?"
    if text == "unexpected end of data":
        return "a quote is opened and never closed; expected one at the end of its cell"
    if text.endswith("""expected after '"'"""):
        return "text follows a closing quote; expected the end of the cell: write a quote within quotes twice"
    return f"{text}; expected rows of CSV"


def _too_many(cells: list[str], expected: int, separator: str) -> str:
    """Say that a row is longer than the header, and why that may be."""
    told = f"{len(cells)} cells; expected {expected}, as in line 1"
    if separator == "," and any(is_decimal_comma(",".join(pair).strip()) for pair in pairwise(cells)):
        told += ": write decimal points instead of decimal commas, or ; between the cells"
    return told


def _check_header(header: list[str], source: str) -> None:
    if not header:
        raise ValueError(f"{source}: line 1 is blank; expected the names of the columns")
    numbers = [is_finite(name) or is_decimal_comma(name) for name in header]
    if any(numbers) and all(
        number or not name or meant_as_date(name) for name, number in zip(header, numbers, strict=True)
    ):
        line = short(", ".join(header[:10]))
        raise ValueError(f"{source}: line 1 holds numbers ({line}); expected the names of the columns")
    name, times = Counter(header).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{source}: line 1 names {short(name)} twice; expected every column's own name")
