"""stocks: what is held out stays out, the networks learn, and persistence stands beside them."""

from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest

from bench.tutorials import stocks as recipe
from fastrnn.cli import main
from fastrnn.cli import run as commands
from fastrnn.tutorials import stocks
from fastrnn.tutorials.stocks import CELLS, OPTIMIZERS, draw, errors, learn, make_prices


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def prices():
    return make_prices()


@pytest.fixture
def brief(monkeypatch):
    """Windows of 20 days: what is learned in a third of the time."""
    monkeypatch.setattr(stocks, "WINDOW", 20)
    return make_prices()


@pytest.fixture(scope="module")
def learned():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stocks, "WINDOW", 20)
        return learn(make_prices(), epochs=10)


def test_what_is_held_out_has_no_part_in_the_training(prices):
    close, cut = prices.close, prices.cut
    assert len(close) == 2148
    assert cut == 2148 - 429
    assert (prices.low, prices.high) == (close[:cut].min(), close[:cut].max())
    x, y = prices.x[prices.training], prices.y[prices.training]
    assert (min(x.min(), y.min()), max(x.max(), y.max())) == (0, 1)
    assert len(x) == cut - 60
    assert y[-1, 0] * (prices.high - prices.low) + prices.low == pytest.approx(close[cut - 1])
    # The later prices leave the range that is scaled to 0 to 1.
    assert prices.y[prices.held_out].max() > 1.1


def test_windows_are_followed_by_their_targets(prices):
    scaled = (prices.close - prices.low) / (prices.high - prices.low)
    for n in (0, 1000, 2087):
        assert np.array_equal(prices.x[n, :, 0], scaled[n : n + 60])
        assert prices.y[n, 0] == scaled[n + 60]
    held_out = prices.held_out
    assert np.array_equal(prices.y[held_out, 0], scaled[prices.cut :])
    assert np.array_equal(prices.x[held_out, -1, 0], scaled[prices.cut - 1 : -1])
    assert np.array_equal(prices.persistence[1:], prices.truth[:-1])
    assert np.array_equal(prices.close[-429:], prices.truth)


def test_errors_of_a_forecast():
    assert errors(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 7.0])) == pytest.approx((20 / 3, (20 / 3) ** 0.5, 2))


def test_it_learns_and_does_not_beat_persistence(prices, learned):
    """With windows of 60 days the error is 14 to 20 dollars after 10 epochs and 12 to 22 after all 50, seeds 0 to 3."""
    _, rmse, mae = errors(learned.forecast, prices.truth)
    assert rmse < 0.6 * prices.truth.std()
    assert rmse > errors(prices.persistence, prices.truth)[1]
    assert mae < rmse
    record = learned.history.history
    assert record["val_loss"][-1] * (prices.high - prices.low) ** 2 == pytest.approx(rmse**2, rel=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_cells(cell, brief):
    """Of seeds 0 to 4 the error is 16 to 33 dollars after 3 epochs."""
    outcome = learn(brief, cell, epochs=3, seed=1)
    assert errors(outcome.forecast, brief.truth)[1] < 50 < 0.7 * brief.truth.std()
    assert [layer.kind for layer in outcome.model.layers] == [
        CELLS[cell].kind,
        "dropout",
        CELLS[cell].kind,
        "dropout",
        "dense",
    ]
    assert [layer.units for layer in outcome.model.layers[::2]] == [80, 100, 1]
    assert outcome.model.seed == 1


def rows_of(lines):
    """The table of figures, by name."""
    start = next(n for n, line in enumerate(lines) if line.startswith("held out, "))
    rows = (line.rsplit(maxsplit=5) for line in lines[start + 1 : lines.index("", start)])
    return {name: [float(figure.replace("-", "nan")) for figure in figures] for name, *figures in rows}


def test_the_command(brief, capsys):
    assert main(["run", "stocks", "--epochs", "1", "--plot", "prices.png"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [f"training {cell}, adam" for cell in CELLS]
    assert "1699 windows of 20 days to train on, 429 held out from 2011-06-16" in lines[4]
    rows = rows_of(lines)
    assert list(rows) == ["persistence", *(f"{cell}, adam" for cell in CELLS)]
    assert rows["persistence"][:4] == [107.85, 10.385, 7.2399, 1]
    for mse, rmse, mae, ratio, _ in rows.values():
        assert mse == pytest.approx(rmse**2, rel=1e-3)
        assert mae < rmse
        assert ratio == pytest.approx(rmse / 10.385, rel=1e-3)
    assert lines[-3].startswith("Persistence, tomorrow's price as today's, is hard to beat")
    assert lines[-2].startswith("Networks that beat it here: 0 of 3.")
    assert lines[-1] == "plot: prices.png"
    assert Path("prices.png").read_bytes().startswith(b"\x89PNG")


def test_optimizers_are_compared(brief, capsys):
    assert main(["run", "stocks", "--epochs", "1", "--optimizer", "all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "another rate or seed may change their order" in lines[-1]
    rows = rows_of(lines)
    assert list(rows)[1:] == [f"simple_rnn, {optimizer}" for optimizer in OPTIMIZERS]
    assert len({figures[0] for figures in rows.values()}) == 6
    assert [figures[4] for figures in rows.values()][1:] == [0.01, 0.001, 0.01, 0.001, 0.001]


def test_one_of_each(brief, capsys):
    assert main(["run", "stocks", "--epochs", "1", "--cell", "gru", "--optimizer", "rmsprop"]) == 0
    assert list(rows_of(capsys.readouterr().out.splitlines())) == ["persistence", "gru, rmsprop"]


def test_the_flags_name_what_there_is():
    hints = get_type_hints(commands.stocks)
    for flag, known in (("cell", CELLS), ("optimizer", OPTIMIZERS)):
        assert get_args(get_args(hints[flag])[0]) == (*known, "all")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cell", "lsmt"], 'Invalid value "lsmt" for --cell. Choose from: "simple_rnn", "gru", "lstm", "all".'),
        (["--optimizer", "adamw"], 'Invalid value "adamw" for --optimizer.'),
        (["--cell", "simple_rnn", "gru", "--optimizer", "all"], "2 cells with 5 optimizers; expected one cell"),
        (["--epochs", "0"], "epochs is 0; expected"),
        (["--seed", "-1"], "seed is -1; expected"),
    ],
)
def test_what_is_refused(arguments, message, capsys):
    assert main(["run", "stocks", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"fastrnn: {message}")
    assert printed.err.count("\n") == 1


def test_unknown_names_in_python():
    with pytest.raises(ValueError, match="cell='lsmt'; expected one of: simple_rnn, gru, lstm, all"):
        stocks.main(["lsmt"])
    with pytest.raises(
        ValueError, match="optimizer='adamw'; expected one of: sgd, momentum, adagrad, rmsprop, adam, all"
    ):
        stocks.main(optimizers=["adamw"])


def test_the_picture(prices, learned):
    first, second, end, losses = draw(prices, {"simple_rnn, adam": learned, "another": learned}).axes
    for ax, days in ((first, 429), (second, 429), (end, 40)):
        lines = {line.get_label(): line for line in ax.get_lines()}
        assert np.array_equal(lines["truth"].get_ydata(), prices.close[-days:])
        forecast = lines["forecast" if days > 40 else "another"]
        assert np.array_equal(forecast.get_ydata(), learned.forecast[-days:])
        assert forecast.get_xdata()[-1] == np.datetime64("2013-03-01")
    assert [line.get_label() for line in end.get_lines()] == ["truth", "persistence", "simple_rnn, adam", "another"]
    assert np.array_equal(end.get_lines()[1].get_ydata(), prices.close[-41:-1])
    # A panel of all days has one forecast: on one another they cannot be told apart.
    assert len(first.get_lines()) == len(second.get_lines()) == 2
    assert first.get_title(loc="left").startswith("simple_rnn, adam: ")
    training, held_out, *_ = losses.get_lines()
    assert list(training.get_ydata()) == learned.history.history["loss"]
    assert list(held_out.get_ydata()) == learned.history.history["val_loss"]


def test_both_programs_of_the_benchmark_train_alike(monkeypatch):
    """Without dropout, whose masks they draw differently."""
    for name, value in {"UNITS": (6, 9), "DROPOUT": 0.0, "EPOCHS": 2, "BATCH": 400}.items():
        monkeypatch.setattr(recipe, name, value)
    before = recipe.rmse(make_prices(), recipe.predict(recipe.draw_weights(3), make_prices().x[-429:]))
    slow, fast = recipe.slow(3), recipe.fast(3)
    assert fast == pytest.approx(slow, rel=1e-3)
    assert abs(slow / before - 1) > 0.05
