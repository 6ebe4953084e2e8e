"""`fastrnn run`: what it lists, what it refuses, and that asking loads nothing."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from fastrnn.cli import main
from fastrnn.ground.settings import cell_name
from fastrnn.tutorials import NAMES
from fastrnn.tutorials.comparison import compare


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def told(capsys, *arguments):
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def test_alone_it_lists_the_tutorials(capsys):
    listed = [line.strip("│ ").split("  ", 1) for line in told(capsys, "run").splitlines() if line.startswith("│")]
    assert sorted(name for name, _ in listed) == sorted(NAMES)
    assert all(purpose.endswith(".") for _, purpose in listed)


@pytest.mark.parametrize("name", NAMES)
def test_every_tutorial_explains_itself(name, capsys):
    help_text = told(capsys, "run", name, "--help")
    assert {"--seed", "--plot"} <= set(help_text.split())
    module = importlib.import_module(f"fastrnn.tutorials.{name.replace('-', '_')}")
    assert callable(module.main)


def test_asking_loads_neither_compiler_nor_matplotlib():
    asked = [["run"], ["run", "--help"], *(["run", name, "--help"] for name in NAMES)]
    check = (
        f"import sys\nfrom fastrnn.cli import main\nassert not any(main(a) for a in {asked})\n"
        "assert not {'numba', 'polars', 'matplotlib', 'fastrnn.model.sequential'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)


def test_unknown_names_and_options_get_one_line(capsys):
    for arguments, message in (
        (["nonsense"], 'Unknown command "nonsense". Available commands: '),
        (["sine", "--sed", "3"], "Unknown option: --sed"),
        (["sine", "3"], "Unused Tokens: ['3']"),
    ):
        assert main(["run", *arguments]) == 2
        printed = capsys.readouterr()
        assert printed.out == ""
        assert printed.err.startswith(f"fastrnn: {message}")
        assert printed.err.count("\n") == 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("plot", "message"),
    [
        ("no/fit.png", "no/fit.png cannot be written: no is no folder; create it first"),
        ("fit.doc", "fit.doc ends in 'doc'; expected the ending of a picture"),
    ],
)
def test_pictures_are_refused_before_the_work(name, plot, message, capsys, monkeypatch):
    def fit(*_, **__):
        raise AssertionError("it trained before it refused")

    monkeypatch.setattr("fastrnn.training.trainer.Trainer.fit", fit)
    assert main(["run", name, "--plot", plot]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert not list(Path().iterdir())


def test_the_readme_lists_the_tutorials():
    rows = Path(__file__).parents[2].joinpath("README.md").read_text(encoding="utf-8").splitlines()
    assert set(NAMES) <= {row.split("`")[1] for row in rows if row.startswith("| `")}


def test_figures_stand_in_columns():
    text = compare(
        [("loss", 0.0070123, 0.007), ("epochs", 2000, None), ("sum", 101185.64, 5e4), ("a longer name", "yes", "no")]
    )
    assert text.splitlines() == [
        "                    here  published",
        "loss           0.0070123      0.007",
        "epochs              2000          -",
        "sum             101185.6    50000.0",
        "a longer name        yes         no",
    ]


def test_cells_of_stocks_are_spelled_as_one_likes(capsys, monkeypatch):
    seen = []
    monkeypatch.setattr("fastrnn.tutorials.stocks.main", lambda cells, *_, **__: seen.extend(cells))
    told(capsys, "run", "stocks", "--cell", "LSTM", "SimpleRNN", "rnn", "Gru", "ALL")
    assert [cell_name(cell) for cell in seen] == ["lstm", "simple_rnn", "simple_rnn", "gru", "all"]
    assert main(["run", "stocks", "--cell", "ltsm"]) == 2
    assert 'Invalid value "ltsm" for --cell. Choose from: ' in capsys.readouterr().err
