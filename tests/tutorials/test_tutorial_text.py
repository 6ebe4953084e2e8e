"""The tutorial: at a reduced size it beats counts of pairs; its command prints figures, a sample, and the picture."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import pytest

from bench.tutorials import text as recipe
from fastrnn.cli import main
from fastrnn.datasets import alice
from fastrnn.text import Book, TextModel
from fastrnn.tutorials import text


@pytest.fixture(autouse=True)
def third(tmp_path, monkeypatch):
    """A third of the book and a quarter of the network, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(text, "TextModel", lambda **given: TextModel(**given | {"units": given["units"] // 4}))
    monkeypatch.setattr(text, "ALICE", Book(alice()[:50_000], "a third"))


@pytest.mark.parametrize("seed", [0, 1])
def test_it_beats_counts_of_pairs_and_learns_on(seed):
    model, report = text.learn(epochs=3, seed=seed)
    figures = text.figures(report)
    assert list(figures)[:3] == ["the network", "counts, order 0", "counts, order 1"]
    assert figures["the network"] == report.bits < figures["counts, order 1"] - 0.3
    assert report.kept == 3
    assert model.units == 384 // 4
    assert len(model.generate(text.PROMPT, 100)) == 100


def test_the_command(capsys):
    assert main(["run", "text", "--epochs", "2", "--plot", "bits.svg"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("a third: 50,000 characters, ")
    rows = {
        line[:20].strip(): line.split()[-1]
        for line in printed.out.splitlines()
        if line.startswith(("the", "counts, order 1 "))
    }
    assert float(rows["the network"]) < 3.4
    assert float(rows["counts, order 1"]) == pytest.approx(3.554, abs=0.01)
    assert printed.out.count(text.PROMPT) >= 2
    assert printed.out.endswith("\nplot: bits.svg\n")
    assert printed.err.count("held_out_bits") == 2
    drawn = Path("bits.svg").read_text(encoding="utf-8")
    for name in ("while learning, with dropout", "held out; kept epoch 2: ", "counts, order 1: 3.554"):
        assert f"<!-- {name}" in drawn
    assert main(["run", "text", "--epochs", "0"]) == 2
    assert capsys.readouterr().err == "fastrnn: --epochs 0; expected a whole number, at least 1\n"


def test_both_programs_of_the_recipe_do_the_same(monkeypatch):
    """As long as rounding has not grown: the first updates are of the size of the weights."""
    monkeypatch.setattr(recipe, "CHARACTERS", 150)
    monkeypatch.setattr(recipe, "SWEEPS", 1)
    assert recipe.fast(0) == pytest.approx(recipe.slow(0), rel=1e-5)
