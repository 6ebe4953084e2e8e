"""The forecaster: laws of scaling, time and memory, and honest errors on the series that ship."""

import dataclasses

import msgspec
import numpy as np
import polars as pl
import pytest

import fastrnn as fr
from fastrnn import datasets
from fastrnn.data.tables import as_table
from fastrnn.forecast import Forecaster
from fastrnn.forecast.baselines import persistence
from fastrnn.ground.settings import CELLS
from fastrnn.layers import LSTM, Dense, Dropout, SimpleRNN
from fastrnn.storage.model_file import load_model, save_model

SMALL = {"window": 12, "units": 8, "epochs": 3, "dtype": "float64"}


@pytest.fixture(scope="module")
def sunspots():
    return datasets.load("sunspots").columns["SUNACTIVITY"]


@pytest.fixture(scope="module", params=CELLS)
def small(request):
    return SMALL | {"cell": request.param}


@pytest.fixture(scope="module")
def trained(small, sunspots):
    forecaster = Forecaster(**small)
    return forecaster, forecaster.fit(sunspots)


@pytest.mark.parametrize(
    ("name", "settings", "ratio"),
    [
        ("sunspots", {}, 0.65),
        ("sunspots", {"cell": "lstm"}, 0.65),
        ("sunspots", {"cell": "gru"}, 0.65),
        ("airline", {"window": 24}, 0.75),
        ("weather", {"target": "temp_max", "epochs": 5, "learning_rate": 1e-3}, 0.97),
        ("stocks", {"target": "Close", "epochs": 3}, 1.02),
    ],
)
def test_beats_or_matches_persistence_on_real_series(name, settings, ratio):
    report = Forecaster(**settings).fit(datasets.load(name))
    network, repeated, *seasonal = report.scores
    assert (network.name, repeated.name) == (settings.get("cell", "simple_rnn"), "persistence")
    assert network.rmse < ratio * repeated.rmse
    assert all(network.rmse < score.rmse for score in seasonal)


def test_report_is_measured_on_the_held_out_end(trained, sunspots):
    forecaster, report = trained
    assert report.windows == (205, 46, 46)
    assert report.rows == 309
    held = sunspots[-46:]
    assert np.array_equal(report.held_out.truth, held)
    assert np.array_equal(report.held_out.persistence, sunspots[-47:-1])
    assert np.array_equal(report.held_out.rows, np.arange(263, 309))
    network, repeated, seasonal = report.scores
    assert repeated.rmse == pytest.approx(np.sqrt(np.mean((held - sunspots[-47:-1]) ** 2)))
    assert seasonal.mae == pytest.approx(np.mean(np.abs(held - sunspots[-57:-11])))
    assert network.rmse == pytest.approx(np.sqrt(np.mean((report.held_out.forecast - held) ** 2)))
    assert report.period == 11
    assert len(report.history["loss"]) == len(report.history["val_loss"]) == 3
    # What the report calls a forecast is what predict gives to somebody who stands there.
    for row in (0, 45):
        seen = forecaster.predict(sunspots[: 263 + row]).values
        assert seen == pytest.approx(report.held_out.forecast[row : row + 1], rel=1e-9)


def test_keeps_the_best_epoch(sunspots):
    report = Forecaster(**(SMALL | {"epochs": 12, "learning_rate": 0.03})).fit(sunspots)
    assert report.kept == 1 + int(np.argmin(report.history["val_loss"]))


def test_what_is_held_out_teaches_nothing(trained, small, sunspots):
    altered = sunspots.copy()
    altered[-46:] = np.random.default_rng(0).normal(1e6, 1e6, 46)
    other = Forecaster(**small)
    report = other.fit(altered)
    assert report.history == trained[1].history
    assert other.recipe == trained[0].recipe
    assert np.array_equal(other.predict(sunspots).values, trained[0].predict(sunspots).values)


def test_forecasts_change_with_the_units(trained, small, sunspots):
    other = Forecaster(**small)
    other.fit(3 * sunspots - 500)
    expected = 3 * trained[0].predict(sunspots, 5).values - 500
    assert other.predict(3 * sunspots - 500, 5).values == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("horizon", [1, 3])
def test_untrained_is_persistence(small, sunspots, horizon):
    forecaster = Forecaster(**(small | {"horizon": horizon, "learning_rate": 1e-300, "epochs": 1}))
    report = forecaster.fit(sunspots)
    assert report.scores[0].rmse == pytest.approx(report.scores[1].rmse)
    assert forecaster.predict(sunspots).values == pytest.approx([sunspots[-1]] * horizon)


def test_same_seed_same_bits(trained, small, sunspots):
    for threads in (1, 2):
        other = Forecaster(**small, threads=threads)
        assert other.fit(sunspots).history == trained[1].history
        assert np.array_equal(other.predict(sunspots, 9).values, trained[0].predict(sunspots, 9).values)
    assert Forecaster(**small, seed=1).fit(sunspots).history != trained[1].history


@pytest.mark.parametrize("horizon", [1, 4])
def test_iterating_is_feeding_the_forecast_back(sunspots, horizon):
    forecaster = Forecaster(**(SMALL | {"horizon": horizon}))
    forecaster.fit(sunspots)
    once = forecaster.predict(sunspots).values
    assert once.shape == (horizon,)
    again = forecaster.predict(np.concatenate([sunspots, once])).values
    both = forecaster.predict(sunspots, 2 * horizon - 1).values
    assert both == pytest.approx(np.concatenate([once, again])[: 2 * horizon - 1], rel=1e-9)


def test_only_the_last_window_matters(trained, sunspots):
    whole, tail = (trained[0].predict(rows, 3).values for rows in (sunspots, sunspots[-12:]))
    assert np.array_equal(whole, tail)


def test_features_and_a_direct_horizon(small):
    table = datasets.load("weather")
    forecaster = Forecaster(
        **(small | {"target": "temp_max", "features": ("wind", "temp_min"), "horizon": 5, "epochs": 1})
    )
    report = forecaster.fit(table)
    assert report.windows == (1007, 215, 215)
    assert len(report.held_out.truth) == 219
    assert forecaster.predict(table).values.shape == (5,)
    assert forecaster.predict(table, 2).values.shape == (2,)
    with pytest.raises(ValueError, match="steps=6; expected at most the horizon, 5, as the features are not known"):
        forecaster.predict(table, 6)
    # The order of the features is part of the model, their order in the file is not.
    columns = dict(reversed(table.columns.items()))
    swapped = dataclasses.replace(table, columns=columns)
    assert np.array_equal(forecaster.predict(swapped).values, forecaster.predict(table).values)


def test_dates_continue():
    table = datasets.load("airline")
    forecaster = Forecaster(**SMALL)
    report = forecaster.fit(table)
    assert report.target == "Passengers"
    assert str(report.held_out.dates[0]) == "1959-04"
    forecast = forecaster.predict(table, 14)
    assert str(forecast.dates[0]) == "1961-01"
    assert str(forecast.dates[13]) == "1962-02"
    assert forecaster.recipe.last_date == "1960-12"
    months = np.datetime_as_string(np.arange("1990-01", "1993-01", 3, dtype="datetime64[M]")).tolist()
    quarters = pl.DataFrame({"Date": months, "Passengers": range(12)})
    assert str(forecaster.predict(quarters).dates[0]) == "1993-01"
    assert forecaster.predict(quarters.select("Passengers")).dates is None


def test_missing_cells_are_mended_as_asked():
    columns = {"year": list(range(1900, 2000)), "a": [None if row % 10 == 5 else row for row in range(100)]}
    frame = pl.DataFrame(columns)
    with pytest.raises(ValueError, match="row 5, column 'a': the cell is missing"):
        Forecaster(**SMALL).fit(frame)
    assert Forecaster(**SMALL, missing="previous").fit(frame).mended == 10
    assert Forecaster(**SMALL, missing="drop").fit(frame.drop("year")).rows == 90
    with pytest.raises(
        ValueError, match=r"row 6, column 'year': 1906 comes 2 years after 1904.* choose missing=previous"
    ):
        Forecaster(**SMALL, missing="drop").fit(frame)


@pytest.mark.parametrize("value", [0.0, 7.25, -1e9])
def test_a_constant_series_stays_constant(value):
    forecaster = Forecaster(**SMALL)
    report = forecaster.fit(np.full(60, value))
    assert report.period is None
    assert forecaster.predict(np.full(12, value), 5).values == pytest.approx([value] * 5)
    assert "-" in str(report).splitlines()[4]


def test_save_and_load_is_identity(trained, sunspots, tmp_path):
    path = tmp_path / "model.safetensors"
    trained[0].save(path)
    loaded = Forecaster.load(path)
    assert loaded.recipe == trained[0].recipe
    assert loaded.window == 12
    assert loaded.target == "value"
    assert np.array_equal(loaded.predict(sunspots, 9).values, trained[0].predict(sunspots, 9).values)
    again = tmp_path / "again.safetensors"
    loaded.save(again)
    assert again.read_bytes() == path.read_bytes()
    # It is also a model file like any other.
    assert fr.load(path).layers[0].kind == loaded.cell == trained[0].cell


def test_the_one_cell_had_another_name(sunspots, tmp_path):
    """Files from before there were several."""
    path = tmp_path / "model.safetensors"
    forecaster = Forecaster(**SMALL, cell="rnn")
    assert forecaster.cell == "simple_rnn"
    forecaster.fit(sunspots)
    recipe = msgspec.json.encode(forecaster.recipe).replace(b'"simple_rnn"', b'"rnn"')
    save_model(path, forecaster.model, {"forecaster": recipe.decode()})
    loaded = Forecaster.load(path)
    assert loaded.recipe == forecaster.recipe
    assert np.array_equal(loaded.predict(sunspots).values, forecaster.predict(sunspots).values)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": [1.0, 2.0]}, "its scaling does not match its columns and horizon"),
        ({"scale": [0.0]}, "its scaling is not finite and above zero"),
        ({"scale": [None]}, "Expected `float`, got `null`"),
        ({"moves": []}, "its scaling does not match"),
        ({"extra": 1}, "unknown field `extra`"),
        ({"settings": {"target": "value", "window": -1}}, "window=-1; expected a whole number"),
        ({"settings": {"target": "value", "cell": "elman"}}, "cell='elman'; expected one of: simple_rnn, lstm, gru"),
        (
            {"settings": {"target": "value", "dtype": "float32", "cell": "lstm", "units": 8}},
            "a network that does not fit its forecaster; expected lstm with units=8, horizon=1, dtype=float32",
        ),
    ],
)
def test_a_spoilt_recipe_is_refused(trained, tmp_path, change, message):
    path = tmp_path / "model.safetensors"
    recipe = msgspec.json.decode(msgspec.json.encode(trained[0].recipe)) | change
    save_model(path, trained[0].model, {"forecaster": msgspec.json.encode(recipe).decode()})
    with pytest.raises(ValueError, match=message) as refusal:
        Forecaster.load(path)
    assert str(path) in str(refusal.value)


@pytest.mark.parametrize(
    "layers",
    [
        [LSTM(8), Dense(1)],
        [SimpleRNN(7), Dense(1)],
        [SimpleRNN(8, return_sequences=True), Dense(1)],
        [SimpleRNN(8), Dense(1), Dropout(0.1)],
        [fr.Embedding(1, 3), SimpleRNN(8), Dense(1)],
    ],
)
def test_another_network_is_refused(sunspots, tmp_path, layers):
    path = tmp_path / "model.safetensors"
    forecaster = Forecaster(**SMALL)
    forecaster.fit(sunspots)
    forecaster.model = fr.Sequential(layers, input_size=1, dtype="float64")
    forecaster.save(path)
    with pytest.raises(ValueError, match="does not fit its forecaster; expected simple_rnn with units=8"):
        Forecaster.load(path)


def test_a_model_without_a_recipe_is_refused(trained, tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, trained[0].model, {})
    assert load_model(path)[1] == {}
    with pytest.raises(ValueError, match=": a model but no forecaster; expected what `fastrnn train` writes"):
        Forecaster.load(path)


def test_refusals(trained, sunspots, tmp_path):
    forecaster, _ = trained
    with pytest.raises(ValueError, match="has not been trained; expected one after fit or load"):
        Forecaster().predict(sunspots)
    with pytest.raises(ValueError, match="has not been trained"):
        Forecaster().save(tmp_path / "m")
    with pytest.raises(ValueError, match="steps=0; expected at least 1"):
        forecaster.predict(sunspots, 0)
    with pytest.raises(ValueError, match="the array has 11 rows; expected at least 12, the model's window"):
        forecaster.predict(sunspots[:11])
    with pytest.raises(ValueError, match="the data frame has no column 'value'; columns of numbers: a"):
        forecaster.predict(pl.DataFrame({"a": [1.0] * 20}))
    with pytest.raises(ValueError, match="window=300 and horizon=1 leave nothing to train on"):
        Forecaster(window=300).fit(sunspots)
    with pytest.raises(ValueError, match="period=300; expected at most 217: the rows for training"):
        Forecaster(**SMALL, period=300).fit(sunspots)
    with pytest.raises(ValueError, match="no column 'b'"):
        Forecaster(target="b").fit(sunspots)


def test_what_is_set_after_a_fit_waits_for_the_next(sunspots):
    forecaster = Forecaster(**SMALL)
    forecaster.fit(sunspots)
    told = forecaster.predict(sunspots, 3).values
    forecaster.window, forecaster.horizon, forecaster.cell = 7, 2, "gru"
    np.testing.assert_array_equal(forecaster.predict(sunspots, 3).values, told)
    forecaster.fit(sunspots)
    other = Forecaster(**(SMALL | {"window": 7, "horizon": 2, "cell": "gru"}))
    other.fit(sunspots)
    np.testing.assert_array_equal(forecaster.predict(sunspots).values, other.predict(sunspots).values)
    forecaster.units = 0
    with pytest.raises(ValueError, match="units=0; expected"):
        forecaster.fit(sunspots)
    with pytest.raises(AttributeError, match="a Forecaster has no setting 'epoch'; expected"):
        forecaster.epoch = 3


def test_a_diverged_run_is_refused(sunspots):
    with pytest.raises(ValueError, match=r"the loss is (nan|inf) in epoch \d+; expected a finite one: lower"):
        Forecaster(**(SMALL | {"learning_rate": 1e200, "epochs": 5})).fit(sunspots)


def test_persistence_of_the_report_is_the_baseline(sunspots):
    table = as_table(sunspots)
    report = Forecaster(**(SMALL | {"horizon": 4, "epochs": 1})).fit(table)
    first = report.held_out.rows[:44:4]
    assert np.array_equal(report.held_out.persistence[:44], persistence(sunspots, first, 4).ravel())


def test_held_out_end_reaches_the_last_row():
    forecaster = Forecaster(**(SMALL | {"horizon": 6}))
    held_out = (report := forecaster.fit(table := datasets.load("airline"))).held_out
    assert (str(held_out.dates[0]), str(held_out.dates[-1])) == ("1959-04", "1960-12")
    assert held_out.rows.tolist() == list(range(123, 144))
    assert held_out.horizon == 6
    assert "held out from 1959-04 to 1960-12" in str(report)
    # 16 windows in 21 rows: three whole forecasts, and the last three rows of the last one.
    passengers = table.columns["Passengers"]
    assert held_out.forecast[12:18] == pytest.approx(forecaster.predict(passengers_table(table, 135)).values)
    assert held_out.forecast[18:] == pytest.approx(forecaster.predict(passengers_table(table, 138)).values[3:])
    assert held_out.persistence[18:].tolist() == [passengers[137]] * 3


def passengers_table(table, rows):
    return pl.DataFrame({"Passengers": table.columns["Passengers"][:rows]})


def test_gaps_in_the_dates_are_refused():
    table = datasets.load("airline")
    kept = np.r_[0:30, 40:144]
    frame = pl.DataFrame(
        {"Month": np.datetime_as_string(table.dates)[kept], "Passengers": table.columns["Passengers"][kept]}
    )
    with pytest.raises(ValueError, match="row 30, column 'Month': 1952-05 comes 11 months after 1951-06"):
        Forecaster(**SMALL).fit(frame)


def test_a_column_of_unreadable_dates_is_named():
    days = [f"Jan {row} 1949" for row in range(100)]
    frame = pl.DataFrame({"Date": days, "a": np.arange(100.0)})
    text = str(Forecaster(**SMALL).fit(frame))
    assert "no dates recognised" in text
    assert "column 'Date': 'Jan 0 1949' is no date that is read; expected one like 2012-01-31" in text
    assert "is no date" not in str(Forecaster(**SMALL).fit(frame["a"].to_numpy()))


def test_refit_learns_from_all_rows(small, sunspots):
    """As a training on all rows from the start does, for the epochs that were kept; what was measured stays."""
    forecaster = Forecaster(**small)
    report = forecaster.fit(sunspots)
    assert report.kept == 3
    assert report.learned == 217
    assert "learned from the first 217 of 309 rows" in str(report)
    seen = []
    again = forecaster.refit(sunspots, report, [lambda epoch, figures: seen.append(sorted(figures))])
    assert seen == [["loss", "mae"]] * 3
    assert again == dataclasses.replace(report, learned=309)
    assert "learned again from all 309 rows, in 3 epochs" in str(again)
    assert forecaster.recipe.mean == pytest.approx([sunspots.mean()])
    assert forecaster.recipe.scale == pytest.approx([sunspots.std()])
    # The newest rows count now, the first row counts less than it did.
    altered = sunspots.copy()
    altered[-1] += 50
    other = Forecaster(**small)
    other.refit(altered, report)
    assert not np.array_equal(other.model.get_weights()[0], forecaster.model.get_weights()[0])
    same = Forecaster(**small)
    same.refit(sunspots, report)
    assert np.array_equal(same.predict(sunspots, 5).values, forecaster.predict(sunspots, 5).values)


def test_refit_of_persistence_is_persistence(sunspots):
    forecaster = Forecaster(**(SMALL | {"learning_rate": 1e-300, "epochs": 1}))
    report = dataclasses.replace(forecaster.fit(sunspots), kept=0)
    assert forecaster.refit(sunspots, report) is report
    assert forecaster.predict(sunspots).values == pytest.approx([sunspots[-1]])


def test_a_refit_that_diverges_leaves_the_model(trained, sunspots):
    forecaster = Forecaster(**SMALL)
    report = forecaster.fit(sunspots)
    before = forecaster.predict(sunspots).values
    forecaster.learning_rate = 1e200
    with pytest.raises(ValueError, match=r"the loss on all rows is nan in epoch 1; .* lower learning_rate=1e\+200"):
        forecaster.refit(sunspots, dataclasses.replace(report, kept=5))
    assert np.array_equal(forecaster.predict(sunspots).values, before)


def test_a_small_wave_on_a_large_level_is_learned():
    wave = np.sin(np.arange(400) / 3)
    settings = SMALL | {"epochs": 10, "learning_rate": 0.01}
    reports = [Forecaster(**settings).fit(level + size * wave) for level, size in ((0, 1), (1e9, 1e-3))]
    ratios = [report.scores[0].rmse / report.scores[1].rmse for report in reports]
    assert ratios[0] < 0.2
    assert ratios[1] == pytest.approx(ratios[0], rel=0.01)


def test_gaps_are_told_and_mended():
    days = np.arange("2021-01-01", "2021-12-01", dtype="M8[D]")
    week = np.array([1, 1.2, 1.1, 1.3, 1.6, 3, 2.5])[np.arange(len(days)) % 7]
    gone = np.random.default_rng(1).choice(np.arange(1, len(days) - 1), 18, replace=False)
    frame = pl.DataFrame({"day": np.delete(days, gone), "a": np.delete(week, gone)})
    forecaster = Forecaster(**SMALL)
    report = forecaster.fit(frame)
    assert report.gaps.startswith("18 rows are missing in ")
    assert f"gaps: {report.gaps}; the rows are taken as they stand" in str(report)
    assert report.rows == len(days) - 18
    mended = Forecaster(**SMALL, missing="previous").fit(frame)
    assert (mended.rows, mended.mended, mended.gaps, mended.period) == (len(days), 18, "", 7)
    assert "gaps: " not in str(mended)
    # predict tells of those that the network sees.
    newest = frame.filter(pl.col("day") != days[-5])
    missing = len(days[-12:]) - len(set(days[-12:]) & set(newest["day"].to_numpy().astype("M8[D]")))
    assert missing > 0
    assert forecaster.predict(newest).gaps
    assert forecaster.predict(pl.DataFrame({"day": days, "a": week})).gaps == ""


def test_the_season_of_dated_rows_is_the_calendars():
    hours = np.arange("2021-01-01T00", "2021-03-01T00", dtype="M8[h]").astype("M8[us]")
    time = np.arange(len(hours))
    values = np.sin(2 * np.pi * time / 24) + 2 * np.sin(2 * np.pi * time / 1000)
    assert Forecaster(**(SMALL | {"epochs": 1})).fit(pl.DataFrame({"t": hours, "a": values})).period == 24


def test_names_in_a_report_command_no_terminal():
    report = Forecaster(**(SMALL | {"epochs": 1})).fit(pl.DataFrame({"\x1b[31ma\u202e": np.arange(60.0)}))
    assert str(report).startswith("\\x1b[31ma\\u202e of the data frame: 60 rows")
    assert str(report).replace("\n", "").isprintable()
