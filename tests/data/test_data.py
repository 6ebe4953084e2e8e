"""Windows, their split by time, scaling, and the forecasts that cost nothing: the laws they keep."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastrnn import datasets
from fastrnn.data import Scaling, split_by_time, windows
from fastrnn.data.dates import Step
from fastrnn.forecast.baselines import CALENDAR, find_period, persistence, seasonal_naive
from fastrnn.ground.settings import Settings
from fastrnn.text.settings import TextSettings

SIZES = st.integers(1, 12)


@given(st.integers(2, 40), st.integers(1, 3), SIZES, SIZES, st.sampled_from(["float32", "float64"]))
def test_windows_are_the_series(rows, features, window, horizon, dtype):
    series = np.arange(rows * features, dtype=np.float64).reshape(rows, features)
    if window + horizon > rows:
        with pytest.raises(ValueError, match=f"need {window + horizon} rows, the series has {rows}; shorten"):
            windows(series, window, horizon)
        return
    target = features - 1
    x, y = windows(series, window, horizon, target, dtype)
    assert x.shape == (rows - window - horizon + 1, window, features)
    assert y.shape == (len(x), horizon)
    assert x.dtype == y.dtype == dtype
    for n in range(len(x)):
        assert np.array_equal(x[n], series[n : n + window])
        assert np.array_equal(y[n], series[n + window : n + window + horizon, target])


def test_windows_cost_no_memory():
    series = np.zeros((1000, 2), np.float32)
    x, y = windows(series, 100, 5)
    assert np.shares_memory(x, series)
    assert np.shares_memory(y, series)
    assert not x.flags.writeable


@pytest.mark.parametrize(
    ("series", "arguments", "error", "message"),
    [
        (np.zeros(5), {"window": 0}, ValueError, "window=0; expected at least 1"),
        (np.zeros(5), {"window": 1, "horizon": 0}, ValueError, "horizon=0; expected at least 1"),
        (np.zeros(5), {"window": 5}, ValueError, "window=5 and horizon=1 need 6 rows, the series has 5; shorten"),
        (np.zeros((5, 2)), {"window": 1, "target": 2}, ValueError, r"target=2; expected 0 to 1: .* has 2 column\(s\)"),
        (np.zeros((5, 2, 1)), {"window": 1}, ValueError, r"shape \(5, 2, 1\); expected \(rows,\) or"),
        (np.zeros(0), {"window": 1}, ValueError, r"shape \(0,\); .*not empty"),
        (np.array([0, 1, np.nan, 1]), {"window": 1}, ValueError, "holds nan in row 2, column 0; expected finite"),
        (np.array([[0, 1], [0, np.inf]]), {"window": 1}, ValueError, "holds inf in row 1, column 1"),
        (np.array(["a", "b"]), {"window": 1}, TypeError, "the series has dtype <U1; expected real numbers"),
        (np.zeros(5, complex), {"window": 1}, TypeError, "dtype complex128; expected real"),
        (np.zeros(5), {"window": 1, "dtype": "int32"}, TypeError, "dtype int32; expected float32 or float64"),
    ],
)
def test_windows_refuse(series, arguments, error, message):
    with pytest.raises(error, match=message):
        windows(series, **arguments)


def test_a_number_too_large_for_the_dtype_is_refused():
    with pytest.raises(ValueError, match=r"inf in row 1, column 0; .*of float32"):
        windows(np.array([0, 1e300, 0]), 1)


@given(st.integers(4, 200), st.integers(1, 20), st.integers(1, 5), st.floats(0, 0.5), st.floats(0, 0.5))
def test_no_target_of_a_part_lies_in_another(rows, window, horizon, validation, test):
    try:
        split = split_by_time(rows, window, horizon, validation, test)
    except ValueError as error:
        assert "leave nothing to train on" in str(error)  # noqa: PT017 - both outcomes are lawful
        return
    _, y = windows(np.arange(rows), window, horizon)
    parts = [set(y[part].ravel().tolist()) for part in (split.train, split.validation, split.test)]
    assert all(parts)
    for earlier, later in pairwise(parts):
        assert max(earlier) < min(later)
    assert max(parts[0]) == split.fit_rows - 1
    assert min(parts[1]) == split.fit_rows
    assert max(parts[2]) == rows - 1
    # Every row past the first window is the first target of one window, unless its horizon straddles a border.
    kept = sum(part.stop - part.start for part in (split.train, split.validation, split.test))
    assert kept == len(y) - 2 * (horizon - 1)


def test_split_shares_and_refusals():
    split = split_by_time(309, 48)
    assert [part.stop - part.start for part in split[:3]] == [169, 46, 46]
    assert split.fit_rows == 217
    with pytest.raises(
        ValueError, match=r"of 309 rows the first 217 are for training; .*window of at most 216, or more"
    ):
        split_by_time(309, 300)
    with pytest.raises(ValueError, match="of 4 rows the first 0 are for training; expected more rows"):
        split_by_time(4, 2, 2)
    with pytest.raises(ValueError, match=r"test=1; expected a share of the rows"):
        split_by_time(100, 2, test=1)


def test_scaling_knows_only_what_it_was_fitted_on():
    rows = np.random.default_rng(0).normal(5, 3, (100, 2))
    scaling = Scaling.fit(rows[:60])
    rows[60:] = 1e9
    again = Scaling.fit(rows[:60])
    assert np.array_equal(scaling.mean, again.mean)
    scores = scaling.transform(rows[:60])
    assert np.allclose(scores.mean(axis=0), 0, atol=1e-12)
    assert np.allclose(scores.std(axis=0), 1)
    assert np.allclose(scaling.inverse(scores[:, 1], column=1), rows[:60, 1])


@pytest.mark.parametrize("value", [0.0, 0.1, -1e12, 1e-300])
@pytest.mark.parametrize("units", [0, 3])
def test_scaling_of_a_constant_column(value, units):
    """Constant is what differs by a few units in the last place at most."""
    rows = np.full((1000, 1), value)
    rows[7] += units * np.spacing(value)
    scaling = Scaling.fit(rows)
    assert scaling.scale.tolist() == [1.0]
    assert np.allclose(scaling.transform(rows), 0, atol=1e-3)


@given(st.floats(-1e15, 1e15), st.floats(-12, 12))
def test_small_changes_beside_a_large_level_are_no_constant(level, size):
    changes = 10.0**size * np.random.default_rng(0).normal(size=1000)
    rows = level + changes
    unit = np.spacing(np.abs(rows).max())
    if unit > 0.01 * 10.0**size:
        return  # rounding hides them
    scaling = Scaling.fit(rows[:, None])
    assert scaling.scale == pytest.approx(changes.std(), rel=0.01)
    assert np.abs(scaling.inverse(scaling.transform(rows[:, None]))[:, 0] - rows).max() <= 8 * unit


def test_scaling_refuses_what_has_no_deviation():
    with pytest.raises(ValueError, match="column 1 has no finite mean and deviation"):
        Scaling.fit([[0, 1e300], [0, -1e300]])
    with pytest.raises(ValueError, match="column 'b' has no finite mean and deviation"):
        Scaling.fit([[0, 1e300], [0, -1e300]], ["a", "b"])


def test_persistence_and_seasonal_naive():
    series = np.arange(10.0)
    assert persistence(series, [3, 10], 2).tolist() == [[2, 2], [9, 9]]
    assert seasonal_naive(series, [4, 10], 5, 3).tolist() == [[1, 2, 3, 1, 2], [7, 8, 9, 7, 8]]


@given(st.integers(1, 6), st.integers(1, 15), st.integers(0, 30))
def test_seasonal_naive_is_exact_on_a_season(period, horizon, shift):
    season = np.random.default_rng(shift).normal(size=period)
    series = np.tile(season, 20)
    first = np.arange(period, len(series) - horizon + 1)
    truth = np.lib.stride_tricks.sliding_window_view(series, horizon)[period:]
    assert np.array_equal(seasonal_naive(series, first, horizon, period), truth)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 9))
def test_baselines_never_look_ahead(horizon, period, cut):
    series = np.random.default_rng(cut).normal(size=40)
    later = series.copy()
    first = 20
    later[first:] = np.nan
    assert np.array_equal(persistence(series, [first], horizon), persistence(later, [first], horizon))
    assert np.array_equal(
        seasonal_naive(series, [first], horizon, period), seasonal_naive(later, [first], horizon, period)
    )


@pytest.mark.parametrize("period", [2, 7, 11, 12, 24, 50, 52])
@pytest.mark.parametrize(("level", "size"), [(0, 10), (1e9, 1e-2), (0, 1e150), (0, 1e-200)])
def test_find_period_of_a_noisy_trending_season(period, level, size):
    time = np.arange(400)
    noise = np.random.default_rng(period).normal(size=400)
    wave = np.cos(2 * np.pi * time / period) + 0.1 * noise + 0.01 * time
    assert find_period(level + size * wave) == period


@pytest.mark.parametrize("rows", [300, 365, 730, 1500])
@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("yearly", [0, 0.1, 0.25, 0.5, 3])
@pytest.mark.parametrize("calendar", [CALENDAR, Step(1, "day").seasons])
def test_a_yearly_swing_does_not_hide_the_week(rows, noise, yearly, calendar):
    time = np.arange(rows)
    week = np.array([0, 0.1, 0.2, 0.1, 0.3, 1, 0.8])[time % 7]
    year = yearly * np.sin(2 * np.pi * time / 365.25)
    noise *= np.random.default_rng(rows).normal(size=rows)
    assert find_period(week + year + noise, calendar) == 7
    assert find_period((5 + week) * (1 + year / 4) + noise, calendar) == 7


def test_the_better_of_two_seasons():
    """A week that matters more than the day is found; one that does not is not."""
    time = np.arange(3000)
    for weekly, period in ((0.0, 24), (0.1, 24), (1.0, 168)):
        wave = np.sin(2 * np.pi * time / 24) + weekly * np.sin(2 * np.pi * time / 168)
        assert (
            find_period(wave + 0.1 * np.random.default_rng(0).normal(size=3000), Step(3600, "second").seasons) == period
        )


def test_seasons_of_the_calendar():
    seasons = {
        Step(1, "year"): (), Step(1, "month"): (12,), Step(3, "month"): (4,), Step(1, "month end"): (12,),
        Step(7, "day"): (52,), Step(1, "day"): (7, 365), Step(1, "weekday"): (5,), Step(3600, "second"): (24, 168),
        Step(900, "second"): (4, 96, 672), Step(1800, "second"): (2, 48, 336), Step(7000, "second"): (),
    }  # fmt: skip
    assert {step: step.seasons for step in seasons} == seasons


def test_find_period_of_real_series():
    assert find_period(datasets.load("sunspots").select("SUNACTIVITY").values[:217, 0]) == 11
    assert find_period(datasets.load("airline").select("Passengers").values[:102, 0]) == 12


@pytest.mark.parametrize(
    "series", [np.zeros(50), np.arange(50), np.full(50, 0.1), 1e9 + np.arange(50), np.arange(3), np.zeros(1)]
)
def test_find_period_of_none(series):
    assert find_period(series) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": 0}, "window=0; expected a whole number, at least 1"),
        ({"window": "48"}, "window='48'; expected a whole number"),
        ({"threads": 0}, "threads=0; expected a whole number, at least 1"),
        ({"period": -1}, "period=-1; expected a whole number, at least 1"),
        ({"seed": -1}, "seed=-1; expected a whole number, at least 0"),
        ({"learning_rate": 0.0}, "learning_rate=0.0; expected a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate=nan; expected a number above 0"),
        ({"cell": "ltsm"}, "cell='ltsm'; expected one of: simple_rnn, lstm, gru"),
        ({"dtype": "float16"}, "dtype='float16'; expected one of: float32, float64"),
        ({"missing": "guess"}, "missing='guess'; expected one of: refuse, drop, previous"),
        ({"features": ("a", "a")}, "features name a twice"),
        ({"target": "a", "features": ("a",)}, "features name a twice; the target is always seen"),
    ],
)
def test_settings_refuse(change, message):
    with pytest.raises(ValueError, match=message):
        Settings(**change)


@pytest.mark.parametrize(
    ("spelled", "cell"),
    [
        *((name, "simple_rnn") for name in ("rnn", "RNN", "SimpleRNN", "simple-rnn", "SIMPLE_RNN")),
        *(("LSTM", "lstm"), ("lstm", "lstm"), ("Gru", "gru")),
    ],
)
def test_cells_are_spelled_as_one_likes(spelled, cell):
    assert Settings(cell=spelled).cell == TextSettings(cell=spelled).cell == cell
