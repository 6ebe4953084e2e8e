"""Tables: what is read, what is refused and where."""

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn import datasets
from fastrnn.data.dates import Step, infer_step
from fastrnn.data.tables import as_table, read_table
from fastrnn.ground.extras import MissingExtra


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
        "import sys, fastrnn.data, fastrnn.data.tables, fastrnn.datasets\n"
        "heavy = {'polars', 'pandas', 'narwhals', 'matplotlib', 'cyclopts', 'tqdm', 'numba'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
