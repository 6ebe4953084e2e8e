"""What is told while kernels compile: how many of how many, and nothing where none is."""

import logging
import re
import subprocess
import sys
from collections.abc import Iterable

import pytest

import fastrnn as fr
from fastrnn.code.compiled import Compiled
from fastrnn.code.target import TARGET
from fastrnn.engine import compiling, plan, program
from fastrnn.engine.program import Training
from fastrnn.ground import log
from fastrnn.operations.job import drive


@pytest.mark.parametrize("recompute", [False, True])
def test_all_that_a_plan_needs_is_counted_before_it_is_compiled(
    monkeypatch: pytest.MonkeyPatch, recompute: bool
) -> None:
    """Nothing is left to be compiled later, unseen."""
    counted, compiled = [], []
    address = Compiled.address

    def prepare(needed: Iterable[tuple[Compiled, str]]) -> None:
        counted.extend(needed)

    def keep(self: Compiled, dtype: str = "") -> int:
        compiled.append((self, dtype))
        return address(self, dtype)

    monkeypatch.setattr(program, "prepare", prepare)
    monkeypatch.setattr(Compiled, "address", keep)
    plan._driver.cache_clear()
    network = fr.Sequential([fr.LSTM(4, dropout=0.5), fr.Dense(3)], input_size=9).network
    training = Training(recompute=True) if recompute else Training(optimizer=fr.Adam(), clip_norm=1.0, dropout_seed=0)
    plan.Plan(network, 20, 7, columns=("mse",), threads=1, training=training)
    plan._driver(drive)
    assert len(set(counted)) > 5
    assert set(compiled) == set(counted)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(log, "tell", lines.append)
    monkeypatch.setattr(logging.getLogger("fastrnn"), "propagate", False)
    return lines


def test_what_is_compiled_is_counted(monkeypatch: pytest.MonkeyPatch, told: list[str]) -> None:
    monkeypatch.setattr(compiling, "OFTEN", -1.0)
    with compiling._Notice(3) as notice:
        notice.tell(2)
        notice.tell(3)
    head, *lines = told
    assert head == f"fastrnn: compiling 3 kernels for this processor ({TARGET.cpu}) ..."
    assert [re.sub(r"\d+\.\d s", "S", line) for line in lines] == [
        "fastrnn: 2 of 3 kernels, S", "fastrnn: 3 of 3 kernels, S", "fastrnn: 3 kernels, S, kept for later runs",
    ]  # fmt: skip


def test_what_is_broken_off_says_so(told: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt), compiling._Notice(9):
        raise KeyboardInterrupt
    assert re.fullmatch(r"fastrnn: stopped after \d\.\d s", told[-1])


SILENT = "import logging; logging.getLogger('fastrnn').setLevel(logging.WARNING)"
OWN = "import logging, sys; logging.basicConfig(level='INFO', format='own: %(message)s', stream=sys.stderr)"


@pytest.mark.parametrize(("setup", "shown"), [("", "fastrnn: one\n"), (OWN, "own: one\n"), (SILENT, "")])
def test_the_log_is_the_users(setup: str, shown: str) -> None:
    """A program's own handlers get what is said, and nothing is said twice; a level silences it."""
    code = f"{setup}\nfrom fastrnn.ground.log import inform; inform('one')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", shown)
