"""What is told while kernels compile: how many of how many, and nothing where none is."""

import re
import sys
from collections.abc import Iterable
from typing import Any

import pytest

import fastrnn as fr
from fastrnn.engine import compiling, program
from fastrnn.engine.compiling import Notice
from fastrnn.engine.plan import Plan
from fastrnn.engine.program import Training
from fastrnn.kernels.machine.operation import Compiled


@pytest.mark.parametrize("recompute", [False, True])
def test_all_that_a_plan_needs_is_counted_before_it_is_compiled(
    monkeypatch: pytest.MonkeyPatch, recompute: bool
) -> None:
    """Nothing is left to be compiled later, unseen."""
    counted, compiled = [], []
    code = Compiled.code

    def prepare(functions: Iterable[Compiled], *_: Any) -> None:
        counted.extend(dict.fromkeys(functions))

    def keep(self: Compiled, dtype: str) -> Any:
        compiled.append(self)
        return code(self, dtype)

    monkeypatch.setattr(program, "prepare", prepare)
    monkeypatch.setattr(Compiled, "code", keep)
    network = fr.Sequential([fr.LSTM(4, dropout=0.5), fr.Dense(3)], input_size=9).network
    training = Training(recompute=True) if recompute else Training(optimizer=fr.Adam(), clip_norm=1.0, dropout_seed=0)
    Plan(network, 20, 7, columns=("mse",), threads=2, training=training)
    assert len(counted) > 5
    assert set(compiled) == set(counted)


@pytest.mark.parametrize("live", [False, True])
def test_what_is_compiled_is_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], live: bool
) -> None:
    monkeypatch.setattr(compiling, "OFTEN", -1.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: live)
    notice = Notice("float32", 3)
    with notice:
        notice.tell(1, False)
        notice.tell(2, True)
        notice.tell(3, False)
    notice.end()
    head, *lines = re.split(r"[\r\n]+", capsys.readouterr().err.rstrip())
    assert head == "fastrnn: compiling further float32 kernels ..."
    assert [re.sub(r"\d+\.\d s", "S", line) for line in lines] == [
        "fastrnn: 2 of 3 kernels, S", "fastrnn: 3 of 3 kernels, S", "fastrnn: 3 of 3 kernels, S, kept for later runs",
    ]  # fmt: skip


def test_nothing_is_told_where_nothing_is_compiled(capsys: pytest.CaptureFixture[str]) -> None:
    notice = Notice("float32", 9)
    with notice:
        for done in range(9):
            notice.tell(done, False)
    notice.end()
    assert capsys.readouterr().err == ""


def test_what_is_broken_off_ends_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    notice = Notice("float32", 9)
    with pytest.raises(KeyboardInterrupt), notice:
        notice.begin("the kernels")
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "fastrnn: compiling the kernels ...\nstopped\n"
