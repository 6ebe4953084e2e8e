"""The README: what it shows runs, and what it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL), ids=lambda code: "block")
def test_the_python_runs(code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(code, names)
    assert names["trainer"].evaluate(names["x"][500:], names["y"][500:])["loss"] < 0.01
    assert capsys.readouterr().out


def test_files_named_in_it_are_there():
    named = re.findall(r"`((?:fastrnn|tests|bench|\.ci)/[\w./]+)`", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("name", ["bench:begin", "bench:end", "bench:headline", "bench:headline:end"])
def test_marks_that_the_benchmark_fills(name):
    assert README.count(f"<!-- {name} -->") == 1
