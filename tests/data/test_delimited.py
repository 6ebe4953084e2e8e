"""Files of rows and cells: separators, quotes, encodings, decimal commas; and that a name is a name."""

import csv
import io
import os
import threading
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn.data.delimited import read_delimited
from fastrnn.data.numerals import typed_columns
from fastrnn.data.tables import read_table


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "data.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


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
