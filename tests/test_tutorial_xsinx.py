"""The tutorial xsinx: its data, the recipe as `Trainer` and as NumPy do it, fits, forecasts, picture and command."""

from pathlib import Path

import numpy as np
import pytest

import bench.tutorials.xsinx as programs
import fastrnn as fr
from fastrnn.cli import main
from fastrnn.tutorials import xsinx

SERIES = xsinx.make_series()


@pytest.fixture(scope="module")
def recipe():
    return xsinx.recipe(SERIES, 50)


@pytest.fixture(scope="module")
def learned():
    return xsinx.learn(SERIES)


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
    windows = xsinx.make_windows(SERIES.y)
    assert windows.shape == (96, 5, 6)
    for n in (0, 7, 95):
        assert np.array_equal(windows[n], SERIES.y[n : n + 5])


def test_what_is_trained_on(monkeypatch):
    """The recipe: five groups of x to y of the last. Smaller steps: four groups of y to the next."""
    given = []

    class Told(Exception):
        pass

    def fit(trainer, x, y, *_, **options):
        given.append((x, y, options))
        raise Told

    monkeypatch.setattr(xsinx.fr.Trainer, "fit", fit)
    for train in xsinx.recipe, xsinx.learn:
        with pytest.raises(Told):
            train(SERIES)
    (x, of_x, options), (y, of_y, others) = given
    assert np.array_equal(of_x, SERIES.y[4:])
    assert np.array_equal(of_y, SERIES.y[4:])
    for n in (0, 7, 95):
        assert np.array_equal(x[n], SERIES.x[n : n + 5])
        assert np.array_equal(y[n], SERIES.y[n : n + 4])
    for chosen in options, others:
        assert (chosen["batch_size"], chosen["shuffle"], chosen["carry_state"]) == (1, False, True)


def test_the_recipe_is_the_summed_error_at_its_rate():
    """One update by hand, in NumPy: rate 0.023 times twice the error, through the five groups of the first window."""
    model = xsinx.make_model()
    kernel, recurrent, bias, dense, dense_bias = map(np.float64, model.get_weights())
    assert dense.std() == pytest.approx(1, abs=0.2)
    assert recurrent.std() == pytest.approx(1, abs=0.1)
    x, targets = xsinx.make_windows(SERIES.x), SERIES.y[4:]
    states = [np.zeros(20)]
    for group in x[0]:
        states.append(np.tanh(group @ kernel + states[-1] @ recurrent + bias))
    d_output = 2 * (states[-1] @ dense + dense_bias - targets[0])
    d_state, d_kernel = d_output @ dense.T, np.zeros_like(kernel)
    for step in (4, 3, 2, 1, 0):
        d_sum = d_state * (1 - states[step + 1] ** 2)
        d_kernel += np.outer(x[0, step], d_sum)
        d_state = d_sum @ recurrent.T
    trainer = xsinx.make_trainer(model)
    trainer.fit(x[:1], targets[:1], epochs=1, **xsinx.CARRIED)
    after = model.get_weights()
    assert np.allclose(after[3], dense - 0.023 * np.outer(states[-1], d_output), atol=1e-4)
    assert np.allclose(after[0], kernel - 0.023 * d_kernel, atol=1e-4)


def test_the_last_epoch_is_what_fit_does():
    x, targets = xsinx.make_windows(SERIES.x), SERIES.y[4:]
    by_fit, by_hand = xsinx.make_trainer(xsinx.make_model(0.3)), xsinx.make_trainer(xsinx.make_model(0.3))
    history = by_fit.fit(x, targets, epochs=2, **xsinx.CARRIED)
    by_hand.fit(x, targets, epochs=1, **xsinx.CARRIED)
    said = xsinx.last_epoch(by_hand, x, targets)
    assert xsinx.rmse(said, targets) ** 2 == pytest.approx(history.history["loss"][1], rel=1e-3)
    for one, other in zip(by_fit.model.get_weights(), by_hand.model.get_weights(), strict=True):
        assert np.allclose(one, other, atol=1e-3)


def test_the_recipes_forecast_goes_on_in_x():
    """A window of x ends with each group ahead; the state is carried on. In an untrained network, where it is seen."""
    model = xsinx.make_model(0.1)
    _, state = xsinx.follow(model, xsinx.make_windows(SERIES.x))
    forecast = xsinx.forecast_from_x(model, SERIES, state)
    assert forecast.shape == (20, 6)
    first, state = model.predict([[*SERIES.x[96:], SERIES.x_next[0]]], initial_state=state, return_state=True)
    second = model.predict([[*SERIES.x[97:], *SERIES.x_next[:2]]], initial_state=state)
    assert np.allclose(forecast[:2], [first[0], second[0]], atol=1e-6)
    assert not np.allclose(first, second, atol=1e-4)


def test_the_other_forecast_reads_its_answers(learned):
    """The first group ahead is what follows the last four; the second one reads that."""
    model = learned.model
    _, state = xsinx.follow(model, xsinx.make_windows(SERIES.y)[:, :-1])
    assert xsinx.forecast_from_answers(model, SERIES, state).tolist() == learned.forecast.tolist()
    first, state = model.predict(SERIES.y[None, 96:], initial_state=state, return_state=True)
    second = model.predict(np.vstack([SERIES.y[97:], first])[None], initial_state=state)
    assert np.allclose(learned.forecast[:2], [first[0], second[0]], atol=1e-6)


@pytest.mark.parametrize("epochs", [50, 300])
def test_recipe(epochs):
    """Over 30 seeds: at most 0.34 in the last epoch and 0.24 from repeating; mostly 0.244 and 0.011."""
    from_fit, from_forecast = [], []
    for seed in range(3):
        series = xsinx.make_series(seed)
        outcome = xsinx.recipe(series, epochs, seed)
        assert outcome.fit.shape == (96, 6)
        assert xsinx.rmse(outcome.fit, series.y[4:]) == outcome.following < 0.45
        assert outcome.knowing > 2.2
        fit, forecast = xsinx.repeat(series)
        from_fit.append(xsinx.rmse(outcome.fit[1:], fit[1:]))
        from_forecast.append(xsinx.rmse(outcome.forecast, forecast))
        errors = [ahead(outcome, part) for part in (slice(1), slice(5), slice(15, None))]
        assert errors[0] < 0.5 < 4 < errors[2]
        assert errors == sorted(errors)
    for distances in from_fit, from_forecast:
        assert max(distances) < 0.4
        assert np.median(distances) < 0.03


def test_repeating():
    fit, forecast = xsinx.repeat(SERIES)
    assert fit.tolist() == SERIES.y[3:99].tolist()
    assert forecast.tolist() == [SERIES.y[99].tolist()] * 20


def test_learned():
    """Over 30 seeds: at most 0.49 as the weights ended; ahead 0.13 in the first group, 1.2 in five; later 0.9 to 9."""
    outcomes = [xsinx.learn(xsinx.make_series(seed), seed=seed) for seed in range(3)]
    assert max(outcome.knowing for outcome in outcomes) < 0.6
    assert np.median([outcome.knowing for outcome in outcomes]) < 0.15
    errors = np.array([[ahead(one, part) for part in (slice(1), slice(5), slice(10, None))] for one in outcomes])
    _, repeated = xsinx.repeat(SERIES)
    assert errors[:, 0].max() < 0.25 < xsinx.rmse(repeated[:1], SERIES.y_next[:1])
    assert np.median(errors[:, 1]) < 0.6 < 1.1 < xsinx.rmse(repeated[:5], SERIES.y_next[:5])
    assert (np.diff(errors, axis=1) > 0).all()


def test_learned_from_x_the_forecast_hardly_moves():
    """Over 30 seeds: between -4.3 and -2.9, a point by at most 0.8; the truth rises from -1.6 to 5.7."""
    x = xsinx.make_windows(SERIES.x)
    for seed in range(3):
        trainer = fr.Trainer(xsinx.make_model(0.1, seed), loss="mse", optimizer=fr.Adam(3e-4))
        trainer.fit(x, SERIES.y[4:], 300, **xsinx.CARRIED)
        forecast = xsinx.forecast_from_x(trainer.model, SERIES, xsinx.follow(trainer.model, x)[1])
        assert -5 < forecast.min() < forecast.max() < -2.2
        assert np.ptp(forecast, axis=0).max() < 1.5


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
    rows = {line[:45].strip(): [float(cell) for cell in line[45:].split()] for line in printed.out.splitlines()[4:8]}
    parts = (slice(1), slice(1, 5), slice(5, None))
    for name, outcome in [
        ("the recipe, from x, 50 epochs", recipe),
        ("smaller weights and steps, from y, 300 epochs", learned),
    ]:
        expected = [outcome.following, outcome.knowing, *(ahead(outcome, part) for part in parts)]
        assert rows[name] == pytest.approx(expected, rel=1e-4)
    assert rows["repeat the last group"] == pytest.approx([0.142, 0.142, 0.329, 1.277, 5.107], abs=2e-3)
    assert list(rows)[2] == "the recipe, from x, 300 epochs"
    assert printed.out.endswith("plot: xsinx.svg\n")
    assert Path("xsinx.svg").read_text().startswith("<?xml")
    assert 20 < printed.err.count("\n") <= 30


def test_the_programs_of_the_benchmark_agree(monkeypatch):
    """At this rate a difference in the last digit can grow for a while, until the units are at 1 and -1."""
    monkeypatch.setattr(programs, "EPOCHS", 1)
    assert programs.fast(2) == pytest.approx(programs.slow(2), rel=1e-8)
    monkeypatch.setattr(programs, "EPOCHS", 50)
    assert programs.slow(0) == pytest.approx(0.244, abs=0.01)
    assert programs.fast(0) == pytest.approx(0.244, abs=0.01)


def test_refusals(capsys):
    with pytest.raises(ValueError, match="epochs is 0; expected a whole number from 1 up"):
        xsinx.recipe(SERIES, 0)
    assert main(["run", "xsinx", "--seed", "-1"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "fastrnn: seed is -1; expected a whole number from 0 up\n"
