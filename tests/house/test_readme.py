"""The README: what it shows runs, what it names exists, and what it says is refused is."""

import re
import shlex
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.cli.app import app
from fastrnn.layers import AnyLayer

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^fastrnn (.*)$", "\n".join(text for kind, text in BLOCKS if not kind), re.MULTILINE)


def test_the_python_runs(tmp_path, monkeypatch, capsys):
    """From the top down, each block with what those above it left; each trains something that learns."""
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    blocks = [text for kind, text in BLOCKS if kind == "python"]
    assert blocks
    for code in blocks:
        names.pop("history", None)
        exec(code, names)
        # The targets' variance is 0.08 and more; that of the noise in one of them is 0.01.
        assert (names["history"].history["loss"][-1] if "history" in names else np.mean(names["losses"][-100:])) < 0.04
        assert capsys.readouterr().out
    latest = names["latest"]
    assert np.abs(names["later"] - latest).max() <= 1e-5 * np.abs(latest).max()


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_parse(line):
    command, bound, _ = app.parse_args(shlex.split(line), exit_on_error=False, print_error=False)
    words = line.partition(" --")[0].split()
    files = [word for word in words if word.endswith((".csv", ".safetensors", ".txt"))]
    assert command.__name__ == words[-len(files) - 1]
    assert len(bound.args) == len(files)


def test_every_layer_is_in_the_table():
    rows = dict(re.findall(r"^\| `(\w+)\((?:\w|, )*\)` \|(.*)$", README, re.MULTILINE))
    assert rows.keys() == {kind.__name__ for kind in get_args(AnyLayer)}
    for name, row in rows.items():
        options = re.findall(r"`([a-z_]+)(?:=True)?`", row)
        assert all(option in getattr(fr, name).__struct_fields__ for option in options if option != "units")


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: model.stream(),
        lambda model: fr.Trainer(model).fit(np.ones((2, 3, 1)), [1, 2], shuffle=False, carry_state=True),
        lambda model: fr.Trainer(model, tbptt=2, tbptt_update="chunk"),
        lambda model: fr.Trainer(model, recompute="sqrt"),
        lambda model: model.gradients(np.ones((2, 3, 1)), [1, 2], recompute="sqrt"),
    ],
    ids=["stream", "carry_state", "chunk", "recompute", "gradients"],
)
@pytest.mark.parametrize("layer", [fr.Bidirectional(fr.GRU(2)), fr.LSTM(2, go_backwards=True)], ids=["both", "back"])
def test_what_is_refused_where_a_layer_reads_backwards(layer, ask):
    with pytest.raises(ValueError, match="reads backwards"):
        ask(fr.Sequential([layer, fr.Dense(1)], input_size=1))


def test_what_recompute_does_not_go_with():
    model = fr.Sequential([fr.GRU(2), fr.Dense(1)], input_size=1)
    with pytest.raises(ValueError, match="expected one of them"):
        fr.Trainer(model, recompute="sqrt", tbptt=2)
    with pytest.raises(ValueError, match="carry_state=True with recompute"):
        fr.Trainer(model, recompute="sqrt").fit(np.ones((2, 3, 1)), [1, 2], shuffle=False, carry_state=True)


def test_files_named_in_it_are_there():
    named = re.findall(r"`((?:fastrnn|tests|bench|\.ci)/[\w./]+)`", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    "name",
    [
        "bench:begin",
        "bench:end",
        "bench:headline",
        "bench:headline:end",
        "tutorials:begin",
        "tutorials:end",
        "streams:begin",
        "streams:end",
    ],
)
def test_marks_that_the_benchmark_fills(name):
    assert README.count(f"<!-- {name} -->") == 1
