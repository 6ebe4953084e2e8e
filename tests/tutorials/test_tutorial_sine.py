"""The tutorial sine: its data, what the published recipe comes to, and that the other one learns."""

from pathlib import Path

import numpy as np
import pytest

import bench.tutorials.sine as programs
from fastrnn.cli import main
from fastrnn.tutorials import sine

WINDOWS = sine.make_windows()


@pytest.fixture(scope="module")
def faithful():
    return sine.recipe(sine.at_positions(WINDOWS))


@pytest.fixture(scope="module")
def plain():
    return sine.recipe(WINDOWS)


@pytest.fixture(scope="module")
def learned():
    return sine.learn(WINDOWS)


def test_windows():
    assert [a.shape for a in WINDOWS] == [(100, 50, 1), (100, 1), (50, 50, 1), (50, 1)]
    assert WINDOWS.x[7, :, 0].tolist() == np.sin(np.arange(7, 57)).tolist()
    assert WINDOWS.y[:, 0].tolist() == np.sin(np.arange(50, 150)).tolist()
    assert WINDOWS.x_val[49, :, 0].tolist() == np.sin(np.arange(149, 199)).tolist()
    assert WINDOWS.y_val[:, 0].tolist() == np.sin(np.arange(150, 200)).tolist()


def test_positions():
    x = sine.at_positions(WINDOWS).x
    assert x.shape == (100, 50, 50)
    assert (x.sum(axis=2) == WINDOWS.x[:, :, 0]).all()
    assert all((x[:, t, :t] == 0).all() and (x[:, t, t + 1 :] == 0).all() for t in range(50))


@pytest.mark.parametrize("windows", [WINDOWS, sine.at_positions(WINDOWS)])
def test_untrained(windows):
    """The output is the sum of 100 weights in [0, 1): 50 with a standard deviation of 100 / sqrt(1200)."""
    features = windows.x.shape[2]
    errors = np.array([sine.measure(sine.make_trainer(features, seed), windows) for seed in range(20)])
    assert np.abs(errors[:, 0] / errors[:, 1] - 2).max() < 1e-3
    assert abs(errors[:, 0].mean() - 1.25e5) < 4 * 1.44e4 / np.sqrt(20)
    assert 0.6 < errors[:, 0].std() / 1.44e4 < 1.5
    published = np.array(sine.PUBLISHED[1])
    assert (np.abs(errors.mean(axis=0) - published) < 2 * np.array([1.44e4, 0.72e4])).all()


@pytest.mark.parametrize("mode", ["faithful", "plain"])
def test_published_recipe(mode, request):
    """Clipped, all outputs fall by 10 an epoch (100 windows, 100 weights, 1e-4 x 10), as the published ones do."""
    outcome = request.getfixturevalue(mode)
    assert len(outcome.loss) == len(outcome.val_loss) == 26
    published = [sine.PUBLISHED[epoch][0] for epoch in (1, 2, 3, 4)]
    for losses in (outcome.loss[:4], published):
        assert np.abs(np.diff(np.sqrt(2 * np.array(losses) / 100)) + 10).max() < 0.01
    # Half the variance of the targets, times their number: one value for every window.
    assert outcome.loss[24] == pytest.approx(WINDOWS.y.var() * 50, rel=1e-3)
    assert np.ptp(outcome.prediction) < 1e-4
    assert outcome.rmse == pytest.approx(WINDOWS.y_val.std(), rel=1e-3)


def test_the_recipe_is_half_the_squared_error_clipped():
    """One update of one window, by hand: rate 1e-4, the gradient of half the squared error within [-10, 10]."""
    trainer = sine.make_trainer(1)
    model = trainer.model
    before = model.get_weights()
    x, y = WINDOWS.x[:1], WINDOWS.y[:1]
    error = float((model.predict(x) - y)[0, 0])
    assert error > 10
    trainer.fit(x, y, epochs=1, batch_size=1, verbose=0)
    assert np.allclose(before[-1] - model.get_weights()[-1], 1e-3, rtol=1e-3)
    model.set_weights([*before[:-1], before[-1] * (3 + float(y[0, 0])) / (error + float(y[0, 0]))])
    smaller = model.get_weights()[-1]
    trainer.fit(x, y, epochs=1, batch_size=1, verbose=0)
    assert np.allclose(smaller - model.get_weights()[-1], 3e-4, rtol=1e-3)


@pytest.mark.parametrize("seed", range(2))
def test_it_learns(seed):
    outcome = sine.learn(WINDOWS, seed=seed)
    assert outcome.rmse < 0.01
    assert outcome.val_loss[-1] == pytest.approx(outcome.rmse**2 * 25, rel=1e-3)


def test_picture(faithful, plain, learned):
    wave, upper, lower = sine.draw(WINDOWS, faithful, plain, learned).axes
    assert wave.get_lines()[0].get_ydata().tolist() == np.sin(np.arange(50)).tolist()
    truth, recipe, tanh = upper.get_lines()
    assert truth.get_ydata().tolist() == WINDOWS.y_val[:, 0].tolist()
    assert np.abs(tanh.get_ydata() - truth.get_ydata()).max() < 0.03
    assert np.ptp(recipe.get_ydata()) < 1e-4
    assert all(line.get_xdata().tolist() == list(range(150, 200)) for line in upper.get_lines())
    one_hot, feature, published = lower.get_lines()
    assert one_hot.get_ydata().tolist() == faithful.loss[:25]
    assert feature.get_ydata().tolist() == plain.loss[:25]
    assert published.get_ydata()[0] == 101185.6
    assert [line.get_label() for line in lower.get_lines()] == ["one-hot positions", "one feature", "published"]


def test_command(tmp_path, monkeypatch, capsys, faithful, plain, learned):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "sine", "--plot", "sine.png"]) == 0
    printed = capsys.readouterr()
    parts = printed.out.split("\n\n")
    assert "published: what the author's program printed" in parts[0]
    for part, outcome in zip(parts[1:3], (faithful, plain), strict=True):
        lines = [line.split() for line in part.splitlines()[2:]]
        assert [line[0] for line in lines] == [*map(str, range(1, 26)), "end"]
        for line, loss, val_loss in zip(lines, outcome.loss, outcome.val_loss, strict=True):
            assert [float(cell) for cell in line[1:3]] == pytest.approx([loss, val_loss], rel=1e-3)
        published = {int(line[0]): tuple(map(float, line[3:])) for line in lines if line[3:]}
        assert published == sine.PUBLISHED
    lines = [line.split() for line in parts[3].splitlines()[2:]]
    assert [line[0] for line in lines] == [*map(str, range(1, 200, 20)), "end"]
    assert float(lines[-1][1]) == pytest.approx(learned.loss[-1], abs=1e-5)
    assert f"20 tanh units, Adam                  {learned.rmse:.5g}" in printed.out
    assert printed.out.endswith("plot: sine.png\n")
    assert Path("sine.png").read_bytes().startswith(b"\x89PNG")
    # What it tells as it goes is the table itself: no other scale beside it.
    assert printed.err == ""


def test_the_programs_of_the_benchmark_agree(monkeypatch):
    monkeypatch.setattr(programs, "EPOCHS", 6)
    slow = programs.slow(0)
    assert programs.fast(0) == pytest.approx(slow, rel=1e-3)
    assert 300 < slow < 2000


@pytest.mark.parametrize(("option", "value"), [("epochs", "0"), ("seed", "-1")])
def test_refusals(option, value, capsys):
    assert main(["run", "sine", f"--{option}", value]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"fastrnn: {option} is {value}; expected a whole number from ")
    assert printed.err.count("\n") == 1
