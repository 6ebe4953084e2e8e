"""Tables: what is read, what is refused and where."""

import csv
import io
import os
import subprocess
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn import datasets
from fastrnn.dates import Step, continue_dates, infer_step
from fastrnn.delimited import read_delimited
from fastrnn.extras import MissingExtra
from fastrnn.moments import dates_of, read_dates
from fastrnn.numerals import typed_columns
from fastrnn.tables import as_table, read_table


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "data.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_reads_dates_numbers_and_text(write):
    table = read_table(write("day,a,b,kind\n2012/01/01,1,2.5,rain\n2012/01/02,-3,1e-2,sun\n"))
    assert table.numeric == ["a", "b"]
    assert table.dates.tolist() == [date(2012, 1, 1), date(2012, 1, 2)]
    series = table.select("b", ["a"])
    assert series.values.tolist() == [[2.5, 1.0], [0.01, -3.0]]
    assert series.names == ("b", "a")
    assert series.mended == 0


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        ("a\n1\n2\n", [1, 2]),
        ("\ufeffa\r\n1\r\n2\r\n\r\n\r\n", [1, 2]),
        ("a;b\n 1 ;x\n2;y\n", [1, 2]),
        ("a\tb\n1\tx\n2\ty", [1, 2]),
        ('"a"\n"1"\n"2"\n', [1, 2]),
    ],
    ids=["plain", "BOM, CRLF, blank end", "semicolons, spaces", "tabs, no last line end", "quotes"],
)
def test_shapes_of_csv(write, content, numbers):
    table = read_table(write(content))
    assert table.select(table.target()).values[:, 0].tolist() == numbers


@pytest.mark.parametrize(
    ("name", "rows", "numeric", "step"),
    [
        ("sunspots", 309, ["SUNACTIVITY"], Step(1, "year")),
        ("airline", 144, ["Passengers"], Step(1, "month")),
        ("weather", 1461, ["precipitation", "temp_max", "temp_min", "wind"], Step(1, "day")),
        ("stocks", 2148, ["Open", "High", "Low", "Close", "Volume"], Step(1, "weekday")),
    ],
)
def test_series_that_ship(name, rows, numeric, step):
    table = datasets.load(name)
    assert table.numeric == numeric
    assert table.select(numeric[-1]).values.shape == (rows, 1)
    assert infer_step(table.dates) == step


def test_every_shipped_file_has_its_licence():
    folder = Path(datasets.__file__).parent
    licences = (folder / "LICENCES.md").read_text()
    shipped = [file.name for file in folder.iterdir() if file.suffix in (".csv", ".txt")]
    assert len(shipped) == 5
    assert all(f"| {name} |" in licences for name in shipped)
    assert "Down the Rabbit-Hole" in datasets.alice()
    with pytest.raises(ValueError, match="no series 'moon'; expected one of: sunspots"):
        datasets.path("moon")


HEAD = "Date,Close\n2020-01-01,1\n2020-01-02,2\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "data.csv is empty; expected a header line and rows"),
        (" \n\n", "data.csv is empty"),
        ("a,b\n", "has a header but no rows"),
        ("a,b\n\n\n", "has a header but no rows"),
        ("\na,b\n1,2\n", "line 1 is blank; expected the names"),
        ("1,2\n3,4\n", "line 1 holds numbers .*expected the names of the columns"),
        ("1949-01,112\n1949-02,118\n", "line 1 holds numbers .*expected the names of the columns"),
        ("Jan 1 2000,112\nFeb 1 2000,118\n", "line 1 holds numbers .*expected the names of the columns"),
        ("a,a\n1,2\n", "line 1 names 'a' twice"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is a binary file; expected CSV"),
        ("a,é\n1,2\n".encode("latin-1"), "is not CSV text in UTF-8"),
        (HEAD + "2020-01-03,4,5\n", "line 4 has 3 cells; expected 2, as in line 1"),
        (HEAD + "2020-01-01,1\n", "line 4, column 'Date': 2020-01-01 comes after 2020-01-02; .*sort the rows"),
        (HEAD + "2020-01-02,1\n", "line 4, column 'Date': 2020-01-02 stands twice"),
        (HEAD + "2020-13-01,1\n", "line 4, column 'Date': '2020-13-01' is not a date; expected one like"),
        (HEAD + "2020-01-03T00:00Z,1\n", "line 4, column 'Date': '2020-01-03T00:00Z' is not a date; expected one like"),
        ("\ufeff", "data.csv is empty; expected a header line and rows"),
        (b"\xff\xfe", "data.csv is empty; expected a header line and rows"),
        (b"\xff\xfea", "data.csv is not CSV text in UTF-8"),
        ("a\n1\n".encode("utf-16-le"), "is a binary file; expected CSV"),
        ("a\n1\n2\0\n", "is a binary file; expected CSV"),
        ('a,b\n1,2\n"x,3\n4,5\n', "line 3: a quote is opened and never closed"),
        ('a,b\n1,2\n"x"y,3\n', "line 3: text follows a closing quote; .* within quotes twice"),
        ('"a\n1\n', "line 1: a quote is opened and never closed"),
        ("a,b\n1,2\n1," + 140_000 * "x", r"line 3: a cell of over 131,072 characters; .*is a quote left open\?"),
        ('a\n"' + 70_000 * "1\n", r"line 2: a cell of over 131,072 characters"),
        ("1,5;2\n1,6;3\n", "line 1 holds numbers"),
        (
            "date,a\n2020-01-01,1,5\n",
            "line 2 has 3 cells; expected 2, as in line 1: write decimal points instead of decimal c",
        ),
        ("a\n2020-01-01,1\n", "line 2 has 2 cells; expected 1, as in line 1"),
        (HEAD + ",1\n", "line 4, column 'Date': the date is missing"),
        ("{0},a\n2020-01-02,1\n2020-01-01,2\n", "line 3, column '.0.': 2020-01-01 comes after 2020-01-02"),
        ("year,a\n1700,1\n1702,2\n1701,3\n", "line 4, column 'year': 1701 comes after 1702"),
        ("year,a\n1700,1\n,2\n", "line 3, column 'year': the date is missing"),
        (
            "symbol,date,price\nA,Jan 1 2000,1\nA,Feb 1 2000,2\nB,Jan 1 2000,3\n",
            "line 4, column 'date': 'Jan 1 2000' stands on line 2 already; expected .*keep the rows of one series",
        ),
    ],
)
def test_refuses_files(write, content, message):
    with pytest.raises(ValueError, match=message) as refusal:
        read_table(write(content))
    assert "\n" not in str(refusal.value)
    assert "data.csv" in str(refusal.value)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            "2020-01-03,\n2020-01-04,\n",
            r"line 4, column 'Close': the cell is missing \(2 in this column\); .*missing=drop",
        ),
        ("2020-01-03,NA\n", "line 4, column 'Close': the cell is missing"),
        ("2020-01-03,NaN\n", "line 4, column 'Close': the cell is missing"),
        ("2020-01-03\n", "line 4, column 'Close': the cell is missing"),
        ("2020-01-03,inf\n", "line 4, column 'Close': inf; expected a finite number"),
        ("2020-01-03,-Infinity\n", "line 4, column 'Close': -inf; expected a finite number"),
        ("2020-01-03,1e999\n", "line 4, column 'Close': inf; expected a finite number"),
        ("2020-01-03,n.a.\n", "line 4, column 'Close': 'n.a.' is not a number"),
        ("2020-01-03,1_000\n", "line 4, column 'Close': '1_000' is not a number"),
        ('2020-01-03,"1,5"\n', "line 4, column 'Close': '1,5' is not a number: it has a decimal comma; write points"),
        (
            '2020-01-03,"1,500"\n',
            "line 4, column 'Close': '1,500' is not a number: it may be 1500 or, with a decimal comma, 1.500",
        ),
    ],
)
def test_refuses_cells(write, rows, message):
    table = read_table(write(HEAD + rows))
    with pytest.raises(ValueError, match=message) as refusal:
        table.select("Close")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        ("A;B\nx;1,5\ny;2\n", [1.5, 2]),
        ("A\tB\nx\t1.234,56\ny\t-,5\n", [1234.56, -0.5]),
        ("B\n3,2\n1,25\n\n", [3.2, 1.25]),
        ("B\n3,25e2\n1,250\n", [325, 1.25]),
        ("A;B\n0,5;1,234\n0,6;NA\n", [1.234, np.nan]),
        ("A, net;B\n0,5;1,5\n0,6;2,5\n", [1.5, 2.5]),
        ("B;A\n1.5;0,5\n2.25;0,6\n", [1.5, 2.25]),
        ('"B";"A"\n"1,5";"x"\n', [1.5]),
    ],
)
def test_decimal_commas(write, content, numbers):
    assert np.array_equal(read_table(write(content)).columns["B"], numbers, equal_nan=True)


@given(
    st.lists(st.tuples(*2 * [st.text('a1,;\t"\n\r é', max_size=4)]), min_size=1, max_size=6),
    st.sampled_from(",;\t"),
    st.sampled_from(["utf-8", "utf-16"]),
)
def test_what_a_writer_wrote_is_read(rows, separator, encoding):
    """Every cell but for blanks around it, and every row but for blank ones at the end."""
    file = io.StringIO()
    csv.writer(file, delimiter=separator).writerows([("x", "y"), *rows])
    kept = [tuple(cell.strip() for cell in row) for row in rows]
    while kept and kept[-1] == ("", ""):
        kept.pop()
    if kept:
        found = read_delimited(file.getvalue().encode(encoding), "data.csv").columns
        assert list(zip(found["x"], found["y"], strict=True)) == kept


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=9), st.sampled_from(["{:,.2f}", "{:.2f}"]))
def test_a_writer_of_decimal_commas(values, form):
    written = [form.format(value).translate(str.maketrans(",.", ".,")) for value in values]
    found = read_delimited("\n".join(["x;y", *(f";{cell}" for cell in written)]).encode(), "data.csv")
    (numbers,) = typed_columns([found.columns["y"]], found.commas)
    assert numbers.tolist() == [float(f"{value:.2f}") for value in values]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("A;B\nx;1,500\n", "'1,500' is not a number: it may be 1500 or, with a decimal comma, 1.500; write the one"),
        (
            "A;B\n0,5;1.234\n",
            "line 2, .* '1.234' may be 1234, as this file has decimal commas, or 1.234; expected no doubt",
        ),
        (
            "A;B\nx;1,5\ny;2.5\n",
            "'1,5' is not a number: it has a decimal comma; write points, or commas in the whole col",
        ),
        ("A;B\nx;1,5\ny;-\n", "line 3, column 'B': '-' is not a number; correct it"),
        ("A;B\nx;1,234.5\n", "'1,234.5' is not a number"),
    ],
)
def test_doubtful_commas_and_points(write, content, message):
    with pytest.raises(ValueError, match=message) as refusal:
        read_table(write(content)).select("B")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(write, encoding, end):
    text = end.join(['"Température", "a, b"', '1,"x""y"', '2.5, "x' + end + 'y"', "", "3", "", ""])
    table = read_table(write(text.encode(encoding)))
    assert table.columns["a, b"].tolist() == ['x"y', f"x{end}y", "", ""]
    assert table.lines.tolist() == [2, 3, 5, 6]
    with pytest.raises(ValueError, match="line 5, column 'Température': the cell is missing"):
        table.select("Température")


@pytest.mark.parametrize(
    "name", ["a[1].csv", "a*.csv", "a?.csv", "file:a.csv", "~a.csv", "$HOME.csv", "http:a.csv", "a b"]
)
def test_a_name_is_a_name(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    others = ["a1.csv", "ab.csv", "a.csv"]
    for number, file in enumerate([*others, name]):
        Path(file).write_text(f"a\n{number}\n")
    assert read_table(name).columns["a"].tolist() == [len(others)]
    Path(name).unlink()
    with pytest.raises(FileNotFoundError, match="no such file; expected a CSV or Parquet file"):
        read_table(name)
    pl.DataFrame({"a": [7.0]}).write_parquet("whole")
    Path("whole").rename(name)
    assert read_table(name).columns["a"].tolist() == [7]


def test_links_pipes_and_devices(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_text("a\n1\n")
    Path("link").symlink_to("a.csv")
    assert read_table("link").numeric == ["a"]
    os.mkfifo("pipe")
    feed = threading.Thread(target=Path("pipe").write_text, args=("a\n2\n",))
    feed.start()
    assert read_table("pipe").columns["a"].tolist() == [2]
    feed.join()
    Path("nowhere").symlink_to("nothing")
    Path("loop").symlink_to("loop")
    for name in ("nowhere", "loop"):
        with pytest.raises(FileNotFoundError, match="no such file"):
            read_table(name)
    for device, fault in (("null", "empty"), ("zero", "a binary file")):
        with pytest.raises(ValueError, match=f"{device} is {fault}"):
            read_table(f"/dev/{device}")


def test_50_000_columns(write):
    names = [f"n{column}" for column in range(50_000)]
    table = read_table(write(",".join(names) + "\n" + 3 * (",".join(["1"] * 50_000) + "\n")))
    assert table.select("n49999").values.tolist() == [[1]] * 3
    with pytest.raises(ValueError, match=r"expected the target's name, one of: n0, .* 50,000 in all$") as refusal:
        table.target()
    assert len(str(refusal.value)) < 300


def test_names_command_no_terminal(write):
    table = read_table(write('"\x1b[31mred","a\u202eb"\n1,x\n2,\x1b]0;title\x07\n'))
    for ask in (
        lambda: table.select("a\u202eb"),
        lambda: table.target("\x1b"),
        lambda: table.select("\x1b[31mred", ["c"]),
    ):
        with pytest.raises(ValueError, match=r"\\x1b\[31mred|\\u202e") as refusal:
            ask()
        assert str(refusal.value).isprintable()


def test_blank_line_inside_is_a_missing_row(write):
    with pytest.raises(ValueError, match="line 3, column 'a': the cell is missing"):
        read_table(write("a\n1\n\n3\n")).select("a")


def test_lines_are_counted_through_quoted_line_ends(write):
    with pytest.raises(ValueError, match="line 6, column 'a': the cell is missing"):
        read_table(write('a,note\n1,"x\ny\nz"\n2,w\n,v\n')).select("a")


def test_bad_cells_of_other_columns_do_not_matter(write):
    table = read_table(write("a,b,c\n1,x,\n2,3,inf\n"))
    assert table.select("a").values[:, 0].tolist() == [1, 2]


def test_target(write):
    assert read_table(write("t,a\nx,1\ny,2\n")).target() == "a"
    several = read_table(write("a,b\n1,2\n"))
    assert several.target("b") == "b"
    with pytest.raises(ValueError, match="has 2 columns of numbers; expected the target's name, one of: a, b"):
        several.target()
    with pytest.raises(ValueError, match=r"no column 'c'; columns of numbers: a, b \(all: a, b\)"):
        several.target("c")
    with pytest.raises(ValueError, match="line 4, column 'b': '--' is not a number"):
        read_table(write("a,b\nx,1\ny,2\nz,--\n")).target()
    with pytest.raises(ValueError, match=r"column 'year' of data.csv holds the dates"):
        read_table(write("year,a\n1700,1\n")).target("year")
    with pytest.raises(ValueError, match="no column of numbers; expected at least one"):
        read_table(write("year\n1700\n")).target()
    # A nameless column of row numbers, as pandas writes it, is nobody's target.
    assert read_table(write(",a\n0,5\n1,6\n")).target() == "a"


def test_missing_cells_as_asked(write):
    table = read_table(write("day,a,b\n2020-01-01,1,1\n2020-01-02,,2\n2020-01-03,,\n2020-01-04,4,4\n"))
    held = table.select("a", ["b"], missing="previous")
    assert held.values.tolist() == [[1, 1], [1, 2], [1, 2], [4, 4]]
    assert held.mended == 3
    kept = table.select("a", missing="drop")
    assert kept.values[:, 0].tolist() == [1, 4]
    assert kept.dates.tolist() == [date(2020, 1, 1), date(2020, 1, 4)]
    assert kept.mended == 2
    with pytest.raises(ValueError, match=r"line 2, column 'a': the cell is missing .*: drop it"):
        read_table(write("a,b\n,1\n2,1\n")).select("a", missing="previous")
    with pytest.raises(ValueError, match="no row without a missing cell in a, b"):
        read_table(write("a,b\n,1\n2,\n")).select("a", ["b"], missing="drop")
    with pytest.raises(ValueError, match="missing='guess'; expected one of: refuse, drop, previous"):
        table.select("a", missing="guess")


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1, max_size=20), st.integers(1, 20))
def test_previous_never_looks_ahead(cells, cut):
    cells = [0.0, *cells]
    cut = min(cut, len(cells))
    whole = as_table(pl.DataFrame({"a": cells})).select("a", missing="previous").values
    part = as_table(pl.DataFrame({"a": cells[:cut]})).select("a", missing="previous").values
    assert np.array_equal(whole[:cut], part)


@pytest.mark.parametrize(
    ("dates", "row", "missing", "message"),
    [
        (np.arange("1949-01", "1952-01", dtype="M8[M]"), 3, 10, "line 5, .*11 months after 1949-03"),
        (np.arange("1949-01", "1960-01", 3, dtype="M8[M]"), 4, 1, "line 6, .*6 months after 1949-10"),
        (np.arange("1900", "1950", dtype="M8[Y]").astype("M8[D]"), 7, 1, "line 9, .*24 months after"),
        (np.arange("2020-01-01", "2020-06-01", dtype="M8[D]"), 9, 11, "line 11, .*12 days after"),
        (np.busday_offset("2020-01-01", np.arange(90)), 9, 11, "line 11, .*12 weekdays after"),
    ],
    ids=["months", "quarters", "years", "days", "weekdays"],
)
def test_gaps(write, dates, row, missing, message):
    dates = np.delete(dates, slice(row, row + missing))
    rows = [f"{day},{value}" for value, day in enumerate(np.datetime_as_string(dates))]
    table = read_table(write("\n".join(["when,a", *rows])))
    with pytest.raises(ValueError, match=message) as refusal:
        table.select("a")
    assert "column 'when'" in str(refusal.value)
    assert f" missing in 1 place: {missing} before {dates[row]} (line {row + 2})): " in str(refusal.value)
    weekdays = missing == 11 and dates[1] - dates[0] == np.timedelta64(1, "D") and np.is_busday(dates).all()
    assert ("add the rows between them, blank, and choose missing=previous" in str(refusal.value)) == weekdays
    if not weekdays:
        held = table.select("a", missing="previous")
        assert held.mended == missing
        assert len(held.dates) == len(dates) + missing
        assert infer_step(held.dates) == infer_step(dates)
        assert set(held.dates) >= set(dates)
        assert held.values[:, 0].tolist() == [*range(row), *[row - 1] * missing, *range(row, len(dates))]


@pytest.mark.parametrize(
    ("dates", "gaps"),
    [
        (
            np.delete(np.arange("2020-01-01", "2020-06-01", dtype="M8[D]"), [5, *range(9, 18), 30, 31, 40]),
            "13 rows are missing in 4 places: 1 before 2020-01-07 (row 5), 9 before 2020-01-19 (row 8), 2 before "
            "2020-02-02 (row 20), ...; missing=previous adds them",
        ),
        (
            np.delete(np.busday_offset("2020-01-01", np.arange(90)), slice(9, 15)),
            "6 rows are missing in 1 place: 6 before 2020-01-22 (row 9)",
        ),
        (
            np.delete(np.arange("2020-01-01T00", "2020-01-03T00", dtype="M8[h]"), [30]).astype("M8[s]"),
            "1 row is missing in 1 place: 1 before 2020-01-02T07:00:00 (row 30); missing=previous adds them",
        ),
        (
            np.array(["2020-01-01T09", *(f"2020-01-01T{hour}" for hour in range(10, 15)), "2020-01-04T09"], "M8[s]"),
            "66 rows are missing in 1 place: 66 before 2020-01-04T09:00:00 (row 6)",
        ),
        (
            np.delete(np.arange("2020-01-01", "2020-06-01", dtype="M8[D]"), range(0, 150, 4)),
            "no steady step between the dates: 1 day between 67 % of the rows, others elsewhere",
        ),
        (np.array(["2020"], "M8[Y]"), ""),
        (np.arange("2020-01-01", "2020-06-01", 7, dtype="M8[D]"), ""),
    ],
    ids=["days off", "holidays", "an hour", "nights", "no step", "one row", "weeks"],
)
def test_gaps_that_are_told(dates, gaps):
    table = as_table(pl.DataFrame({"when": np.datetime_as_string(dates), "a": np.arange(len(dates))}))
    series = table.select("a")
    assert len(series.values) == len(dates)
    assert series.gaps == gaps
    held = table.select("a", missing="previous")
    assert held.gaps == ("" if gaps.endswith("adds them") else gaps)
    assert held.mended == len(held.values) - len(dates)


def test_rows_that_are_dropped_are_told():
    days = np.arange("2020-01-01", "2020-02-01", dtype="M8[D]")
    frame = pl.DataFrame({"when": days, "a": [None if row in (4, 5) else row for row in range(31)]})
    told = "2 rows are missing in 1 place: 2 before 2020-01-07 (row 6); missing=previous adds them"
    assert as_table(frame).select("a", missing="drop").gaps == told


@pytest.mark.parametrize("cell", ["Jan {} 2000", "{}/01/49", "{}.01.49", "Jan-{}"])
def test_unreadable_dates_are_remembered(cell):
    days = [cell.format(day) for day in range(10, 20)]
    assert as_table(pl.DataFrame({"Order Date": days, "a": range(10)})).unread == ("Order Date", days[0])
    assert as_table(pl.DataFrame({"note": days, "a": range(10)})).unread is None


def test_days_and_months_that_nothing_tells_apart_are_not_read():
    cells = [f"{day:02d}/01/1949" for day in range(1, 10)]
    assert as_table(pl.DataFrame({"Date": cells, "a": range(9)})).unread == ("Date", cells[0])


def test_blank_cells_do_not_repeat_a_date():
    frame = pl.DataFrame({"date": ["Jan 1 2000", "", "", "Jan 4 2000"], "a": range(4)})
    assert as_table(frame).unread == ("date", "Jan 1 2000")


def test_names_of_days_are_no_dates():
    frame = pl.DataFrame({"year": [2000, 2000], "month": ["Jan", "Jan"], "a": [1, 2]})
    assert as_table(frame).unread is None


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"x.csv: no such file; expected a CSV or Parquet file"):
        read_table(tmp_path / "x.csv")
    with pytest.raises(IsADirectoryError, match="is a folder; expected a CSV or Parquet file"):
        read_table(tmp_path)


def test_parquet(tmp_path):
    path = tmp_path / "data.parquet"
    days = [date(2020, 1, day) for day in (1, 2, 3)]
    pl.DataFrame({"when": days, "a": [1, None, 3], "flag": [True, False, True]}).write_parquet(path)
    table = read_table(path)
    assert table.numeric == ["a"]
    assert table.dates.tolist() == days
    with pytest.raises(ValueError, match=r"data.parquet, row 1, column 'a': the cell is missing"):
        table.select("a")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"data.parquet is not a whole Parquet file"):
        read_table(path)


def test_data_frames():
    moments = [datetime(2020, 1, 1, hour) for hour in (0, 1, 2)]
    frames = [
        pl.DataFrame({"t": moments, "a": [1, 2, 3]}),
        pd.DataFrame({"t": moments, "a": [1, 2, 3]}),
        pd.DataFrame({"a": [1, 2, 3]}, index=pd.DatetimeIndex(moments)),
        pd.DataFrame({"a": pd.array([1, 2, 3], dtype="Int64"), "t": [str(moment) for moment in moments]}),
        pl.DataFrame({"t": [moment.replace(tzinfo=UTC) for moment in moments], "a": [1, 2, 3]}),
    ]
    for frame in frames:
        table = as_table(frame)
        assert table.dates.tolist() == moments
        assert table.select(table.target()).values[:, 0].tolist() == [1, 2, 3]
    assert as_table(np.arange(3)).select("value").values.tolist() == [[0], [1], [2]]
    assert as_table(table) is table
    with pytest.raises(ValueError, match="row 1, column 'a': the cell is missing"):
        as_table(pd.DataFrame({"a": pd.array([1, None], dtype="Int64")})).select("a")
    with pytest.raises(ValueError, match="the data frame has no rows"):
        as_table(pl.DataFrame({"a": []}))
    with pytest.raises(
        ValueError, match=r"an array of shape \(2, 2\), dtype int64; expected numbers of shape \(rows,\)"
    ):
        as_table([[1, 2], [3, 4]])
    with pytest.raises(TypeError, match="int is no table; expected a path"):
        as_table(3)


def test_without_a_parser_of_parquet_the_cure_is_named(monkeypatch, write):
    monkeypatch.setitem(sys.modules, "polars", None)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r'reading Parquet needs polars, .*: pip install "fastrnn\[parquet\]"'):
        read_table(write(b"PAR1..."))
    assert read_table(write("a\n1\n")).numeric == ["a"]


def test_data_and_tables_import_nothing_heavy():
    check = (
        "import sys, fastrnn.data, fastrnn.tables, fastrnn.datasets\n"
        "heavy = {'polars', 'pandas', 'narwhals', 'matplotlib', 'cyclopts', 'tqdm', 'numba'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2012-01-31", datetime(2012, 1, 31)),
        ("2012/01/31", datetime(2012, 1, 31)),
        ("2012/1/5", datetime(2012, 1, 5)),
        ("2012-1-5 7:05", datetime(2012, 1, 5, 7, 5)),
        ("2012.01.31", datetime(2012, 1, 31)),
        ("20120131", datetime(2012, 1, 31)),
        ("20120131T2330", datetime(2012, 1, 31, 23, 30)),
        ("20120131 23:30:05", datetime(2012, 1, 31, 23, 30, 5)),
        ("31.1.2012", datetime(2012, 1, 31)),
        ("31.01.2012 23:30", datetime(2012, 1, 31, 23, 30)),
        ("31/01/2012", datetime(2012, 1, 31)),
        ("1/31/2012", datetime(2012, 1, 31)),
        ("1949-01", datetime(1949, 1, 1)),
        ("1949/1", datetime(1949, 1, 1)),
        ("2012-01-31 23:30", datetime(2012, 1, 31, 23, 30)),
        ("2012-01-31 23:30:00.000000000", datetime(2012, 1, 31, 23, 30)),
        ("2012-01-31T23:30:00,5", datetime(2012, 1, 31, 23, 30, 0, 500_000)),
        ("2012-01-31T23:30:00Z", datetime(2012, 1, 31, 23, 30)),
        ("2012-01-31T23:30:00+01:00", datetime(2012, 1, 31, 22, 30)),
        ("2012-01-31 23:30 -0230", datetime(2012, 2, 1, 2)),
        ("2012-02-30", None),
        ("2012-01/31", None),
        ("2012-01-31T24:30", None),
        ("31.01.12", None),
        ("1949.01", None),
        ("01/02/2012", None),
        ("0001-01-01T00:00+14:00", None),
        ("Jan 1 2000", None),
        ("", None),
    ],
)
def test_formats_of_dates(text, moment):
    dates = read_dates([text])
    assert (None if dates is None else dates.astype("datetime64[us]").tolist()) == (moment and [moment])


@given(st.datetimes(datetime(1700, 1, 1), datetime(2199, 1, 1)), st.sampled_from(["dmy", "mdy", "ymd", "compact"]))
def test_a_column_is_read_in_one_format_or_not_at_all(start, form):
    """Days and months are told apart by any day beyond 12; 40 days in a row have one."""
    form = {"dmy": "{2:02}/{1}/{0}", "mdy": "{1:02}/{2}/{0}", "ymd": "{0}-{1}-{2}", "compact": "{0}{1:02}{2:02}"}[form]
    days = [(start + timedelta(days=row)).date() for row in range(40)]
    cells = [form.format(day.year, day.month, day.day) for day in days]
    assert read_dates(cells).tolist() == days
    assert read_dates([*cells[:20], "", *cells[20:]]).tolist() == [*days[:20], None, *days[20:]]


def test_nanoseconds():
    cells = [f"2020-01-01T00:00:00.{row:09d}" for row in (1, 2, 1000)]
    dates = read_dates(cells)
    assert dates.dtype == "datetime64[ns]"
    assert np.diff(dates).astype(int).tolist() == [1, 998]
    # Beyond what nanoseconds can count the microseconds stay.
    assert read_dates(["2300-01-01T00:00:00.123456789"]).tolist() == [datetime(2300, 1, 1, 0, 0, 0, 123456)]


HOURS = np.arange("2020-03-01T00", "2020-03-02T16", dtype="M8[h]").astype("M8[s]")


@pytest.mark.parametrize(
    ("name", "cells", "dates"),
    [
        ("Date", np.arange(20240501, 20240531), np.arange("2024-05-01", "2024-05-31", dtype="M8[D]")),
        ("x", np.arange(20240501, 20240531), np.arange("2024-05-01", "2024-05-31", dtype="M8[D]")),
        ("x", [202003010000 + 100 * hour for hour in range(24)], HOURS[:24]),
        ("x", [20200301000000 + 10000 * hour for hour in range(24)], HOURS[:24]),
        ("x", HOURS.astype(int), HOURS),
        ("unix", HOURS.astype(int) * 1000, HOURS),
        ("x", HOURS.astype(int) * 10**6, HOURS),
        ("x", HOURS.astype(int) * 10**9, HOURS),
        ("ts", HOURS[[0, 1, 5, 7]].astype(int), HOURS[[0, 1, 5, 7]]),
        ("time", HOURS.astype(int) + 0.25, HOURS.astype("M8[us]") + np.timedelta64(250, "ms")),
    ],
    ids=["named days", "days", "minutes", "seconds", "unix", "ms", "us", "ns", "named and uneven", "fractions"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["file", "frame"])
def test_numbers_that_are_moments(write, kind, name, cells, dates):
    rows = [str(cell) for cell in cells]
    values = [str(row % 7) for row in range(len(rows))]
    if kind == "file":
        table = read_table(write("\n".join([f"{name},a", *map(",".join, zip(rows, values, strict=True))])))
    else:
        table = as_table(pl.DataFrame({name: cells, "a": values}).with_columns(pl.col("a").cast(int)))
    assert table.date_name == name
    assert np.array_equal(table.dates, dates)
    assert table.numeric == ["a"]
    assert table.target() == "a"
    with pytest.raises(ValueError, match=f"column '{name}' of .* holds the dates"):
        table.select(name)


@pytest.mark.parametrize(
    "cells",
    [
        [1_600_000_000 + 3600 * row for row in (0, 1, 1, 2, 3)],
        [1_600_000_000 + row**3 for row in range(20)],
        [20241301, 20241302, 20241303],
        [20240501, 20240501, 20240502],
        [100_000_001, 100_000_002, 100_000_003],
        [5e9 + row for row in range(9)],
    ],
    ids=["not rising", "uneven", "no month", "twice", "before 1990", "after 2099"],
)
def test_numbers_that_are_no_moments(cells):
    table = as_table(pl.DataFrame({"b": cells, "a": list(range(len(cells)))}))
    assert table.dates is None
    assert table.numeric == ["b", "a"]


def test_the_only_numbers_are_to_be_learned_unless_they_are_named():
    cells = list(range(1_600_000_000, 1_600_000_009))
    assert as_table(pl.DataFrame({"meter": cells})).target() == "meter"
    assert as_table(pl.DataFrame({"timestamp": cells})).numeric == []


def test_moments_beside_dates_are_nothing_to_learn():
    days = np.arange("2020-01-01", "2020-01-10", dtype="M8[D]")
    table = as_table(pl.DataFrame({"date": days, "ts": days.astype("M8[s]").astype(int), "a": np.arange(9.0)}))
    assert table.date_name == "date"
    assert table.target() == "a"
    assert table.select("a", ["ts"]).values.shape == (9, 2)


@pytest.mark.parametrize(
    ("start", "minutes", "order"),
    [
        ("2023-10-28", 60, "later"),
        ("2023-10-28", 15, "later"),
        ("2023-11-04", 30, "beside"),
        ("2024-04-06", 60, "later"),
    ],
)
def test_the_hour_that_summer_time_ends_with_is_explained(write, start, minutes, order):
    times = np.arange(np.datetime64(start, "m"), np.datetime64(start, "m") + 3 * 1440, minutes)
    hour = times[(times >= times[0] + 1440 + 120) & (times < times[0] + 1440 + 180)]
    doubled = np.insert(times, np.searchsorted(times, hour[-1]) + 1, hour)
    if order == "beside":
        doubled = np.sort(doubled)
    rows = [f"{moment},{row}" for row, moment in enumerate(np.datetime_as_string(doubled))]
    with pytest.raises(
        ValueError, match=r"clocks go back an hour at the end of summer time; .* in UTC, or with"
    ) as refusal:
        read_table(write("\n".join(["t,a", *rows])))
    assert "sort" not in str(refusal.value)
    # The same at another time of day or of the year is what it seems to be.
    for away in (720, -120 * 1440):
        rows = [f"{moment},{row}" for row, moment in enumerate(np.datetime_as_string(doubled + away))]
        with pytest.raises(ValueError, match="expected rising dates, one row each: sort the rows"):
            read_table(write("\n".join(["t,a", *rows])))


@pytest.mark.parametrize(
    ("dates", "step", "following"),
    [
        (np.arange("1700", "1709", dtype="datetime64[Y]"), Step(1, "year"), ["1709", "1710"]),
        (np.arange("1949-10", "1950-12", 3, dtype="datetime64[M]"), Step(3, "month"), ["1951-01", "1951-04"]),
        (np.array(["2000-01-15", "2000-02-15", "2000-03-15"], "M8[D]"), Step(1, "month"), ["2000-04-15", "2000-05-15"]),
        (
            np.array(["2000-01-31", "2000-02-29", "2000-03-31"], "M8[D]"),
            Step(1, "month end"),
            ["2000-04-30", "2000-05-31"],
        ),
        (np.arange("2020-01-01", "2020-01-10", dtype="datetime64[D]"), Step(1, "day"), ["2020-01-10", "2020-01-11"]),
        (np.arange("2020-01-01", "2020-01-30", 7, dtype="datetime64[D]"), Step(7, "day"), ["2020-02-05", "2020-02-12"]),
        (
            np.busday_offset("2020-01-01", np.arange(13), roll="forward"),
            Step(1, "weekday"),
            ["2020-01-20", "2020-01-21"],
        ),
        (
            np.arange("2020-01-01T00:00", "2020-01-01T03:00", 30, dtype="datetime64[m]").astype("M8[s]"),
            Step(1800, "second"),
            ["2020-01-01T03:00:00", "2020-01-01T03:30:00"],
        ),
        (np.array(["2020-01-01", "2020-01-03", "2020-02-09"], "M8[D]"), None, None),
        (np.array(["2020-01-01"], "M8[D]"), None, None),
    ],
)
def test_step_and_what_follows(dates, step, following):
    assert infer_step(dates) == step
    if step:
        assert np.datetime_as_string(continue_dates(dates[-1], step, 2)).tolist() == following


def test_step_survives_gaps_and_days_stay_in_their_month():
    days = np.delete(np.arange("2020-01-01", "2020-02-10", dtype="datetime64[D]"), [5, 20])
    assert infer_step(days) == Step(1, "day")
    ahead = continue_dates(np.datetime64("2019-12-30"), Step(1, "month"), 3)
    assert np.datetime_as_string(ahead).tolist() == ["2020-01-30", "2020-02-29", "2020-03-30"]
    assert str(Step(1, "month")) == "1 month"
    assert str(Step(2, "day")) == "2 days"


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)), st.integers(1, 10**6), st.integers(2, 9))
def test_continuing_is_consistent(start, seconds, rows):
    dates = dates_of([start + timedelta(seconds=seconds * row) for row in range(2 * rows)])
    step = infer_step(dates[:rows])
    if step is not None and step.unit == "second":
        assert np.array_equal(continue_dates(dates[rows - 1], step, rows), dates[rows:])
