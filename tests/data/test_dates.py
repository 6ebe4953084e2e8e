"""Dates: formats, numbers that are moments, the step between rows, and the gaps."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn.data.dates import Step, continue_dates, infer_step
from fastrnn.data.moments import dates_of, read_dates
from fastrnn.data.tables import as_table, read_table


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "data.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


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
