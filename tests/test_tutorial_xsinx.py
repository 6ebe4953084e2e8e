"""The tutorial xsinx: its data, the recipe as `Trainer` and as NumPy do it, fits, forecasts, picture and command."""

from pathlib import Path

import numpy as np
import pytest

import bench.tutorials.xsinx as programs
from fastrnn.cli import main
from fastrnn.tutorials import xsinx

SERIES = xsinx.make_series()


@pytest.fixture(scope="module")
def recipe():
    return xsinx.recipe(SERIES.y, 50)


@pytest.fixture(scope="module")
def learned():
    return xsinx.learn(SERIES.y)


def ahead(outcome, groups):
    return xsinx.rmse(outcome.forecast[groups], SERIES.y_next[groups])


def test_series():
    assert [a.shape for a in SERIES] == [(100, 6), (100, 6), (20, 6), (20, 6)]
    assert SERIES.x.ravel() == pytest.approx(np.linspace(0.01, 6.00, 600))
    assert SERIES.x_next.ravel() == pytest.approx(np.linspace(6.01, 7.20, 120))
    noise = SERIES.y - SERIES.x * np.sin(SERIES.x)
    assert 0.009 < np.abs(noise).max() <= 0.01
    assert SERIES.y_next.tolist() == (SERIES.x_next * np.sin(SERIES.x_next)).tolist()
    assert not np.array_equal(xsinx.make_series(1).y, SERIES.y)


def test_windows():
    x, targets = xsinx.make_windows(SERIES.y)
    assert x.shape == (96, 4, 6)
    assert targets.shape == (96, 6)
    for window in (0, 7, 95):
        assert np.array_equal(x[window], SERIES.y[window : window + 4])
        assert np.array_equal(targets[window], SERIES.y[window + 4])


def test_the_recipe_is_the_summed_error_at_its_rate():
    """One update by hand, in NumPy: rate 0.023 times twice the error, through the four groups of the first window."""
    model = xsinx.make_model()
    kernel, recurrent, bias, dense, dense_bias = map(np.float64, model.get_weights())
    assert dense.std() == pytest.approx(1, abs=0.2)
    assert recurrent.std() == pytest.approx(1, abs=0.1)
    x, targets = xsinx.make_windows(SERIES.y)
    states = [np.zeros(20)]
    for group in x[0]:
        states.append(np.tanh(group @ kernel + states[-1] @ recurrent + bias))
    d_output = 2 * (states[-1] @ dense + dense_bias - targets[0])
    d_state, d_kernel = d_output @ dense.T, np.zeros_like(kernel)
    for step in (3, 2, 1, 0):
        d_sum = d_state * (1 - states[step + 1] ** 2)
        d_kernel += np.outer(x[0, step], d_sum)
        d_state = d_sum @ recurrent.T
    trainer = xsinx.make_trainer(model)
    trainer.fit(x[:1], targets[:1], epochs=1, **xsinx.CARRIED)
    after = model.get_weights()
    assert np.allclose(after[3], dense - 0.023 * np.outer(states[-1], d_output), atol=1e-4)
    assert np.allclose(after[0], kernel - 0.023 * d_kernel, atol=1e-4)


def test_the_last_epoch_is_what_fit_does():
    x, targets = xsinx.make_windows(SERIES.y)
    by_fit, by_hand = xsinx.make_trainer(xsinx.make_model(0.3)), xsinx.make_trainer(xsinx.make_model(0.3))
    history = by_fit.fit(x, targets, epochs=2, **xsinx.CARRIED)
    by_hand.fit(x, targets, epochs=1, **xsinx.CARRIED)
    said = xsinx.last_epoch(by_hand, x, targets)
    assert xsinx.rmse(said, targets) ** 2 == pytest.approx(history.history["loss"][1], rel=1e-3)
    for one, other in zip(by_fit.model.get_weights(), by_hand.model.get_weights(), strict=True):
        assert np.allclose(one, other, atol=1e-3)


def test_a_forecast_goes_on_as_the_fit_did(learned):
    """The first group ahead is what follows the last four; the second one reads that."""
    model = learned.model
    x, _ = xsinx.make_windows(SERIES.y)
    _, state = xsinx.follow(model, x)
    assert xsinx.go_on(model, SERIES.y, state).tolist() == learned.forecast.tolist()
    first, state = model.predict(SERIES.y[None, 96:], initial_state=state, return_state=True)
    second = model.predict(np.vstack([SERIES.y[97:], first])[None], initial_state=state)
    assert np.allclose(learned.forecast[:2], [first[0], second[0]], atol=1e-6)


@pytest.mark.parametrize("epochs", [50, 300])
@pytest.mark.parametrize("seed", range(3))
def test_recipe(epochs, seed):
    """Over 30 seeds: 0.15 to 0.33 in the last epoch, 1.7 to 3.2 as the weights ended."""
    series = xsinx.make_series(seed)
    outcome = xsinx.recipe(series.y, epochs, seed)
    assert outcome.fit.shape == (96, 6)
    assert xsinx.rmse(outcome.fit, series.y[4:]) == outcome.following < 0.45
    assert outcome.knowing > 1.2
    errors = [xsinx.rmse(outcome.forecast[part], SERIES.y_next[part]) for part in (slice(1), slice(5), slice(15, None))]
    assert errors[0] < 0.5 < 4 < errors[2]
    assert errors == sorted(errors)


def test_learned():
    """Over 30 seeds: at most 0.49 as the weights ended, 0.13 in the first group ahead; in the last five 4 and more."""
    outcomes = [xsinx.learn(xsinx.make_series(seed).y, seed=seed) for seed in range(6)]
    assert max(outcome.knowing for outcome in outcomes) < 0.6
    assert np.median([outcome.knowing for outcome in outcomes]) < 0.15
    errors = np.array([[ahead(one, part) for part in (slice(1), slice(5), slice(10, None))] for one in outcomes])
    assert errors[:, 0].max() < 0.25
    assert np.median(errors[:, 1]) < 0.6
    # A forecast that only repeats: 1.2.
    assert (np.diff(errors, axis=1) > 0).all()


def test_picture(recipe, learned):
    figure = xsinx.draw(SERIES, {"recipe": recipe, "learned": learned})
    for ax, outcome, name in zip(figure.axes, (recipe, learned), ("recipe", "learned"), strict=True):
        assert ax.get_title(loc="left") == name
        truth, fit, coming, forecast = ax.get_lines()
        assert [line.get_color() for line in ax.get_lines()] == ["tab:green", "tab:red", "tab:blue", "tab:orange"]
        assert truth.get_ydata().tolist() == SERIES.y.ravel().tolist()
        assert fit.get_xdata().tolist() == SERIES.x[4:].ravel().tolist()
        assert fit.get_ydata().tolist() == outcome.fit.ravel().tolist()
        assert coming.get_ydata().tolist() == SERIES.y_next.ravel().tolist()
        assert forecast.get_ydata().tolist() == outcome.forecast.ravel().tolist()


def test_command(tmp_path, monkeypatch, capsys, recipe, learned):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "xsinx", "--plot", "xsinx.svg"]) == 0
    printed = capsys.readouterr()
    rows = {line[:38].strip(): [float(cell) for cell in line[38:].split()] for line in printed.out.splitlines()[4:7]}
    parts = (slice(1), slice(1, 5), slice(5, None))
    for name, outcome in (("the recipe, 50 epochs", recipe), ("smaller weights and steps, 300 epochs", learned)):
        expected = [outcome.following, outcome.knowing, *(ahead(outcome, part) for part in parts)]
        assert rows[name] == pytest.approx(expected, rel=1e-4)
    assert printed.out.endswith("plot: xsinx.svg\n")
    assert Path("xsinx.svg").read_text().startswith("<?xml")
    assert 20 < printed.err.count("\n") <= 30


def test_the_programs_of_the_benchmark_agree(monkeypatch):
    """At first: at this rate a difference in the last digit grows, and in the end only the error's size is the same."""
    monkeypatch.setattr(programs, "EPOCHS", 1)
    assert programs.fast(0) == pytest.approx(programs.slow(0), rel=1e-9)
    monkeypatch.setattr(programs, "EPOCHS", 50)
    assert 0.1 < programs.fast(0) < 0.45


def test_refusals(capsys):
    with pytest.raises(ValueError, match="epochs is 0; expected a whole number from 1 up"):
        xsinx.recipe(SERIES.y, 0)
    assert main(["run", "xsinx", "--seed", "-1"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "fastrnn: seed is -1; expected a whole number from 0 up\n"
