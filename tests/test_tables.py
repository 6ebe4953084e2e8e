"""Tables: what is read, what is refused and where, whoever parses the file."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn import datasets, sources
from fastrnn.dates import Step, continue_dates, dates_of, infer_step, parse_date
from fastrnn.extras import MissingExtra
from fastrnn.tables import as_table, read_table


@pytest.fixture(params=["polars", "pandas"])
def parser(request, monkeypatch):
    """Both libraries that may be there, the other one hidden."""
    if request.param == "pandas":
        monkeypatch.setitem(sys.modules, "polars", None)
    return request.param


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "data.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_reads_dates_numbers_and_text(parser, write):
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
def test_shapes_of_csv(parser, write, content, numbers):
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
def test_series_that_ship(parser, name, rows, numeric, step):
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
        (HEAD + ",1\n", "line 4, column 'Date': the date is missing"),
        ("year,a\n1700,1\n1702,2\n1701,3\n", "line 4, column 'year': 1701 comes after 1702"),
        ("year,a\n1700,1\n,2\n", "line 3, column 'year': the date is missing"),
        (
            "symbol,date,price\nA,Jan 1 2000,1\nA,Feb 1 2000,2\nB,Jan 1 2000,3\n",
            "line 4, column 'date': 'Jan 1 2000' stands on line 2 already; expected .*keep the rows of one series",
        ),
    ],
)
def test_refuses_files(parser, write, content, message):
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
        ('2020-01-03,"1,5"\n', "line 4, column 'Close': '1,5' is not a number"),
    ],
)
def test_refuses_cells(parser, write, rows, message):
    table = read_table(write(HEAD + rows))
    with pytest.raises(ValueError, match=message) as refusal:
        table.select("Close")
    assert "\n" not in str(refusal.value)


def test_blank_line_inside_is_a_missing_row(parser, write):
    with pytest.raises(ValueError, match="line 3, column 'a': the cell is missing"):
        read_table(write("a\n1\n\n3\n")).select("a")


def test_lines_are_counted_through_quoted_line_ends(parser, write):
    with pytest.raises(ValueError, match="line 6, column 'a': the cell is missing"):
        read_table(write('a,note\n1,"x\ny\nz"\n2,w\n,v\n')).select("a")


def test_bad_cells_of_other_columns_do_not_matter(parser, write):
    table = read_table(write("a,b,c\n1,x,\n2,3,inf\n"))
    assert table.select("a").values[:, 0].tolist() == [1, 2]


def test_target(parser, write):
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


def test_missing_cells_as_asked(parser, write):
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
    ("dates", "message"),
    [
        (np.delete(np.arange("1949-01", "1952-01", dtype="M8[M]"), slice(3, 13)), "line 5, .*11 months after 1949-03"),
        (np.delete(np.arange("1949-01", "1960-01", 3, dtype="M8[M]"), 4), "line 6, .*6 months after 1949-10"),
        (np.delete(np.arange("1900", "1950", dtype="M8[Y]").astype("M8[D]"), 7), "line 9, .*24 months after"),
        (np.delete(np.arange("2020-01-01", "2020-06-01", dtype="M8[D]"), slice(9, 20)), "line 11, .*12 days after"),
        (np.delete(np.busday_offset("2020-01-01", np.arange(90)), slice(9, 20)), "line 11, .*12 weekdays after"),
    ],
    ids=["months", "quarters", "years", "days", "weekdays"],
)
def test_gaps(parser, write, dates, message):
    rows = [f"{day},{row}" for row, day in enumerate(np.datetime_as_string(dates))]
    table = read_table(write("\n".join(["when,a", *rows])))
    with pytest.raises(ValueError, match=message) as refusal:
        table.select("a")
    assert "column 'when'" in str(refusal.value)
    assert "add the rows between them, blank, and choose missing=previous" in str(refusal.value)


@pytest.mark.parametrize(
    "dates",
    [
        np.delete(np.arange("2020-01-01", "2020-06-01", dtype="M8[D]"), slice(9, 18)),
        np.delete(np.busday_offset("2020-01-01", np.arange(90)), slice(9, 15)),
        np.array(["2020-01-01", "2020-01-03", "2020-09-09"], "M8[D]"),
        np.array(["2020-01-01T09", "2020-01-01T10", "2020-01-04T09"], "M8[s]"),
        np.array(["2020"], "M8[Y]"),
    ],
    ids=["days off", "holidays", "no step", "hours", "one row"],
)
def test_what_is_no_gap(dates):
    frame = pl.DataFrame({"when": np.datetime_as_string(dates), "a": np.arange(len(dates))})
    assert len(as_table(frame).select("a").values) == len(dates)


@pytest.mark.parametrize("cell", ["Jan {} 2000", "{}/01/1949", "{}.01.49", "Jan-{}"])
def test_unreadable_dates_are_remembered(cell):
    days = [cell.format(day) for day in range(10, 20)]
    assert as_table(pl.DataFrame({"Order Date": days, "a": range(10)})).unread == ("Order Date", days[0])
    assert as_table(pl.DataFrame({"note": days, "a": range(10)})).unread is None


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


def test_without_a_parser_the_cure_is_named(monkeypatch, write):
    path = write("a\n1\n")
    monkeypatch.setitem(sys.modules, "polars", None)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtra, match=r'reading a file needs polars, .*: pip install "fastrnn\[cli\]"'):
        sources.file_columns(path)


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
        ("1949-01", datetime(1949, 1, 1)),
        ("2012-01-31 23:30", datetime(2012, 1, 31, 23, 30)),
        ("2012-01-31T23:30:00Z", datetime(2012, 1, 31, 23, 30)),
        ("2012-01-31T23:30:00+01:00", datetime(2012, 1, 31, 22, 30)),
        ("2012-02-30", None),
        ("2012-01/31", None),
        ("31.01.2012", None),
        ("Jan 1 2000", None),
        ("", None),
    ],
)
def test_parse_date(text, moment):
    assert parse_date(text) == moment


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
