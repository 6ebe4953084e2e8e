"""Pictures: scikit-learn's convention, files of every kind, and a legend that never covers the data."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

import fastrnn as fr
from fastrnn.forecast.report import HeldOut, Report, Score
from fastrnn.ground.extras import MissingExtra
from fastrnn.pictures.plots import BitsDisplay, ForecastDisplay, LossDisplay, check_picture, save_report
from fastrnn.training.history import History

HISTORY = {"loss": [1.0, 0.5, 0.3], "val_loss": [1.2, 0.7, 0.8]}


def report(rows=40, dated=True, history=HISTORY):
    time = np.arange(rows)
    truth = np.sin(time / 3)
    held_out = HeldOut(
        np.datetime64("2001-01") + time if dated else None, time + 100, truth, truth + 0.1, np.roll(truth, 1)
    )
    scores = (Score("rnn", 0.1, 0.1), Score("persistence", 0.3, 0.2), Score("seasonal naive", 0.5, 0.4))
    return Report("data.csv", "height", 140, (60, 20, rows), 1, 0, 19, False, scores, history, 2, held_out, 100)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def legend_covers_data(ax):
    ax.figure.canvas.draw()
    return ax.get_legend().get_window_extent().overlaps(ax.get_window_extent().shrunk(0.999, 0.99))


def test_loss_display():
    display = LossDisplay.from_history(HISTORY, kept=2).plot()
    assert display.figure_ is display.ax_.figure
    training, validation, kept = display.ax_.get_lines()
    assert training.get_xdata().tolist() == [1, 2, 3]
    assert list(validation.get_ydata()) == HISTORY["val_loss"]
    assert kept.get_xdata() == [2, 2]
    assert display.ax_.get_xlabel() == "epoch"
    assert display.ax_.get_ylabel() == "loss"
    assert not legend_covers_data(display.ax_)


def test_loss_display_of_what_fit_returns_and_on_given_axes():
    _, ax = plt.subplots()
    display = LossDisplay.from_history(SimpleNamespace(history={"loss": [0.5, 0.0, float("nan")]})).plot(ax)
    assert display.ax_ is ax
    assert len(ax.get_lines()) == 1
    assert ax.get_yscale() == "linear"


def test_history_has_the_loss_and_a_panel_for_each_metric():
    figures = {"accuracy": [0.2, 0.5, 0.9], "mae": [2.0, 0.5, 0.1]}
    history = History(HISTORY | figures | {"val_accuracy": [0.1, 0.4, 0.6]})
    panels = history.plot()
    assert [ax.get_ylabel() for ax in panels] == ["loss", "accuracy", "mae"]
    assert [len(ax.get_lines()) for ax in panels] == [2, 2, 1]
    for ax, name in zip(panels, ("loss", "accuracy", "mae"), strict=True):
        for line, key in zip(ax.get_lines(), (name, f"val_{name}"), strict=False):
            assert line.get_xdata().tolist() == [1, 2, 3]
            assert list(line.get_ydata()) == history.history[key]
    assert [ax.get_yscale() for ax in panels] == ["linear", "linear", "log"]
    assert [ax.get_legend() is None for ax in panels] == [False, True, True]
    assert [ax.get_xlabel() for ax in panels] == ["", "", "epoch"]
    assert not legend_covers_data(panels[0])


def test_history_on_given_axes():
    history = History({"loss": [1.0, 0.5], "mae": [1.0, 0.5]})
    _, axes = plt.subplots(1, 2)
    assert history.plot(axes) == axes.tolist()
    _, ax = plt.subplots()
    assert History({"loss": [1.0, 0.5]}).plot(ax) == [ax]
    for wrong in (ax, [*axes, ax]):
        with pytest.raises(ValueError, match=r"axes has \d axes; expected 2: one for each of loss, mae"):
            history.plot(wrong)
    with pytest.raises(ValueError, match="no epochs; expected at least one: fit first"):
        History().plot()


def test_figures_that_only_some_epochs_have():
    """A single one is a dot, several in a row are a line."""
    nan = float("nan")
    history = History({"loss": [4.0, 3.0, 2.0, 1.0, 0.1], "val_loss": [nan, 2.0, nan, 1.5, 1.4]})
    (ax,) = history.plot()
    loss, held_out = ax.get_lines()
    assert loss.get_marker() == "None"
    assert held_out.get_marker() == "o"
    assert held_out.get_markevery() == [1]
    assert ax.get_yscale() == "log"
    (ax,) = History({"loss": [nan, nan]}).plot()
    assert ax.get_yscale() == "linear"


def test_the_history_of_a_fit_can_be_drawn():
    model = fr.Sequential([fr.SimpleRNN(2), fr.Dense(1)])
    trainer = fr.Trainer(model, metrics=["mae"])
    x, y = np.ones((4, 3, 1)), np.ones((4, 1))
    for split in (0.0, 0.5):
        drawn = trainer.fit(x, y, epochs=2, validation_split=split, verbose=0).plot()
        assert [len(ax.get_lines()) for ax in drawn] == [1 + (split > 0)] * 2
    assert trainer.history.plot()[0].get_lines()[0].get_xdata().tolist() == [1, 2, 3, 4]


def test_bits_display():
    counts = {"counts, order 5": 2.1, "counts, order 1": 3.5}
    ax = BitsDisplay([3.0, 2.5, 2.2], [2.8, 2.4, 2.5], 2, counts).plot().ax_
    learned, held_out, kept, *lines = ax.get_lines()
    assert learned.get_ydata().tolist() == [3.0, 2.5, 2.2]
    assert held_out.get_xdata().tolist() == [1, 2, 3]
    assert (kept.get_xdata().tolist(), kept.get_ydata().tolist()) == ([2], [2.4])
    assert [line.get_ydata() for line in lines] == [[2.1, 2.1], [3.5, 3.5]]
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert named[:2] == ["while learning, with dropout", "held out; kept epoch 2: 2.400"]
    assert named[2:] == ["counts, order 5: 2.100", "counts, order 1: 3.500"]
    assert not legend_covers_data(ax)


def labels(axis):
    """The labels of the ticks in view."""
    low, high = sorted(axis.get_view_interval())
    return [tick.label1.get_text() for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]


@pytest.mark.parametrize(
    ("loss", "scale"),
    [([1.0, 0.2, 0.09], "log"), ([0.39, 0.36, 0.31], "linear"), ([3e40, 2e40, 1.2e40], "linear"), ([0.3], "linear")],
)
def test_loss_axis_has_ticks_to_read(loss, scale):
    ax = LossDisplay(loss).plot().ax_
    ax.figure.canvas.draw()
    assert ax.get_yscale() == scale
    assert len(labels(ax.yaxis)) > 1
    # Matplotlib would put a common factor where the legend is.
    assert ax.yaxis.get_offset_text().get_text() == ""
    assert all(label.isdecimal() for label in labels(ax.xaxis))


def test_forecasts_of_a_horizon_are_not_joined():
    held_out = dataclasses.replace(report(5).held_out, horizon=2)
    truth, repeated, forecast = ForecastDisplay(held_out).plot().ax_.get_lines()
    assert len(truth.get_ydata()) == 5
    for line in (repeated, forecast):
        assert np.isnan(line.get_ydata()).tolist() == [False, False, True, False, False, True, False]
        # A forecast's last row may stand alone.
        assert line.get_marker() == "."


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("rows", [1, 40])
def test_forecast_display(dated, rows):
    display = ForecastDisplay.from_report(report(rows, dated)).plot()
    ax = display.ax_
    assert [line.get_label() for line in ax.get_lines()] == ["truth", "persistence, RMSE 0.3", "rnn, RMSE 0.1"]
    assert all(len(line.get_xdata()) == rows for line in ax.get_lines())
    assert ax.get_ylabel() == "height"
    assert ax.get_xlabel() == ("" if dated else "row")
    assert not legend_covers_data(ax)


@pytest.mark.parametrize("start", ["0001", "9985"])
def test_years_that_no_calendar_can_show_are_rows(tmp_path, start):
    drawn = report()
    dates = np.datetime64(start) + np.arange(40) % 14
    held_out = dataclasses.replace(drawn.held_out, dates=np.sort(dates))
    assert ForecastDisplay(held_out).plot().ax_.get_xlabel() == "row"
    save_report(dataclasses.replace(drawn, held_out=held_out), tmp_path / "fit.png")


@pytest.mark.parametrize("name", ["price ($) / $x", "\x1b[31mred", "温度", "_hidden", "a\nb", "x" * 5000])
def test_any_name_can_be_drawn(tmp_path, name):
    path = tmp_path / "fit.svg"
    save_report(dataclasses.replace(report(), target=name), path)
    drawn = path.read_text(encoding="utf-8")
    assert "\x1b" not in drawn
    assert drawn.endswith("</svg>\n")


def test_a_picture_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "fit.png"
    path.write_bytes(b"before")

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_report(report(), path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("ending", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_files_by_ending(tmp_path, ending, start):
    path = tmp_path / f"fit.{ending}"
    save_report(report(), path)
    assert path.read_bytes().startswith(start)
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", ["fit", "fit.csv", "fit.pgf", ".png"])
def test_unknown_endings_are_refused(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(ValueError, match="expected the ending of a picture: png, svg, pdf, jpg"):
        check_picture(path)
    with pytest.raises(ValueError, match="expected the ending of a picture"):
        save_report(report(), path)
    assert not path.exists()


def test_without_matplotlib_the_cure_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r'drawing needs matplotlib, .*: pip install "fastrnn\[plot\]"'):
        check_picture(Path("fit.png"))


def test_importing_plots_imports_no_matplotlib():
    check = "import sys, fastrnn.pictures.plots; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True)


def test_report_reads_well():
    text = str(report())
    assert text.splitlines() == [
        "height of data.csv: 140 rows; held out from 2001-01 to 2004-04",
        "windows: 60 to train, 20 to validate, 40 held out; kept epoch 2 of 3",
        "",
        "1 row ahead, held out        RMSE         MAE  RMSE / persistence",
        "rnn                           0.1         0.1               0.333",
        "persistence                   0.3         0.2               1.000",
        "seasonal naive                0.5         0.4               1.667",
        "season: 19 rows, from the training rows' autocorrelation",
        "learned from the first 100 of 140 rows; refit() lets it learn from all",
    ]
    changed = dataclasses.replace(report(dated=False), period=None, mended=3, horizon=2)
    assert "140 rows, 3 missing mended; no dates recognised" in str(changed)
    assert "2 rows ahead" in str(changed)
    assert "no season found in the training rows" in str(changed)
    untrained = str(dataclasses.replace(report(), kept=0)).splitlines()
    assert untrained[-1] == "no epoch beat persistence on the validation rows: the model is the persistence forecast"
    given = dataclasses.replace(report(), period_given=True, scores=(Score("rnn", 0, 0), Score("persistence", 0, 0)))
    assert "season: 19 rows, given" in str(given)
    assert str(given).splitlines()[4].split() == ["rnn", "0", "0", "-"]
