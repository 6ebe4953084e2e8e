"""What a fit shows: how much, where, how wide; and that showing fails no fit."""

import contextlib
import io
import os
import pickle
import re
import struct
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

import fastrnn as fr
from fastrnn.callbacks.lines import Lines, telling
from fastrnn.ground.console import Console
from tests.helpers.laws import make_batch

pty, fcntl, termios = (pytest.importorskip(name) for name in ("pty", "fcntl", "termios"))
FIGURES = ["loss", "mae", "val_loss", "val_mae"]


def fit(epochs: int = 3, **arguments: Any) -> fr.History:
    model, x, y = make_batch("float32")
    trainer = fr.Trainer(model, metrics=["mae"])
    return trainer.fit(x, y, **{"epochs": epochs, "validation_split": 0.3} | arguments)


def lines_of(history: fr.History, epochs: int) -> list[str]:
    """The lines that Keras's format makes of a history, without the seconds."""
    return [
        " - ".join([f"epoch {e + 1}/{epochs}", *(f"{name}: {told[e]:.4f}" for name, told in history.history.items())])
        for e in history.epoch
    ]


def without_seconds(text: str) -> list[str]:
    return [re.sub(r" - \d+\.\ds$", "", line) for line in text.splitlines()]


@pytest.fixture
def quiet(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """What has been shown since the last call, on standard error; nothing is on standard output."""
    fit(1, verbose=0)  # the first use may tell that it compiles
    capsys.readouterr()

    def read() -> str:
        shown = capsys.readouterr()
        assert shown.out == ""
        return shown.err

    return read


# ---------------------------------------------------------------------------------------------- how much


@pytest.mark.parametrize("verbose", [2, None])
def test_a_line_an_epoch_where_there_is_no_terminal(quiet: Callable[[], str], verbose: int | None) -> None:
    history = fit(verbose=verbose)
    assert without_seconds(quiet()) == lines_of(history, 3)


@pytest.mark.parametrize("verbose", [0, False])
def test_silence(quiet: Callable[[], str], verbose: int) -> None:
    fit(verbose=verbose)
    assert quiet() == ""


@pytest.mark.parametrize("verbose", [1, True])
def test_a_bar_is_gone_in_the_end_and_the_lines_stay(quiet: Callable[[], str], verbose: int) -> None:
    history = fit(verbose=verbose)
    shown = quiet()
    assert "seq/s" in shown
    assert without_seconds(as_on_a_screen(shown)) == lines_of(history, 3)


@pytest.mark.parametrize("verbose", [3, -1, "auto", 1.0, None])
def test_other_words_for_how_much(verbose: Any) -> None:
    if verbose is None:
        assert telling(None, [Lines()]) == telling(None, (fr.ProgressBar(),)) == telling(0) == []
    else:
        with pytest.raises(ValueError, match=r"^verbose is .*; expected 0 \(silent\), 1 \(a bar\), 2 \("):
            fit(verbose=verbose)


def test_thousands_of_epochs_are_told_in_about_a_hundred_lines() -> None:
    for epochs, most, expected in [(100, 100, 100), (101, 100, 51), (4000, 100, 100), (4000, 10, 10), (70, None, 70)]:
        target = io.StringIO()
        lines = Lines(target, most)
        lines.begin(None, epochs, 1)  # type: ignore[arg-type]
        for epoch in range(epochs):
            lines.epoch(epoch, {"loss": 1.0})
        lines.end()
        told = [int(line.split("/")[0].removeprefix("epoch ")) for line in target.getvalue().splitlines()]
        assert told == sorted(set(told))
        assert {1, epochs} <= set(told)
        assert expected <= len(told) <= expected + 3, (epochs, most)
        assert max(b - a for a, b in pairwise(told)) <= -(-epochs // expected)


def test_the_last_epoch_of_a_fit_that_is_stopped_is_told(quiet: Callable[[], str]) -> None:
    model, x, y = make_batch("float32")
    trainer = fr.Trainer(model)
    trainer.fit(x, y, epochs=500, callbacks=[lambda epoch, _: epoch == 7 and trainer.stop()])
    assert quiet().splitlines()[-1].startswith("epoch 8/500 - loss: ")


def test_figures_are_written_as_in_keras() -> None:
    target = io.StringIO()
    lines = Lines(target)
    lines.begin(None, 1, 1)  # type: ignore[arg-type]
    lines.epoch(0, {"a": 12.34567, "b": 0.000123456, "c": -0.5, "d": float("nan"), "e": 0.0})
    assert "a: 12.3457 - b: 1.2346e-04 - c: -0.5000 - d: nan - e: 0.0000e+00" in target.getvalue()


def test_used_bars_are_pickled() -> None:
    for one in (fr.ProgressBar(), Lines()):
        fit(1, callbacks=[one], verbose=0)
        assert type(pickle.loads(pickle.dumps(one))) is type(one)


# ---------------------------------------------------------------------------------------------- how wide


def as_on_a_screen(text: str) -> str:
    """What stays of a text, each line written over from its beginning."""
    shown = []
    for line in text.replace("\r\n", "\n").split("\n"):
        kept = ""
        for part in line.split("\r"):
            kept = part + kept[len(part) :]
        shown.append(kept.rstrip())
    return "\n".join(shown).rstrip("\n")


def frames_at(columns: int, epochs: int) -> tuple[list[str], str, fr.History]:
    """What a bar draws on a terminal so wide: every state of the live line, and what stays on the screen."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    read: list[bytes] = []

    def drain() -> None:
        with contextlib.suppress(OSError):  # nobody writes any more
            while True:
                read.append(os.read(ours, 4096))

    reader = threading.Thread(target=drain)
    reader.start()
    with open(theirs, "w", encoding="utf-8") as terminal:
        bar = fr.ProgressBar(terminal)
        line, drawn = bar._line, list[str]()
        bar._line = lambda *told: drawn.append(line(*told)) or drawn[-1]  # type: ignore[method-assign]
        refresh = lambda *_: bar._bar.refresh()  # noqa: E731
        history = fit(epochs, callbacks=[bar, refresh], verbose=0)
    reader.join()
    os.close(ours)
    return drawn, as_on_a_screen(b"".join(read).decode()), history


@pytest.mark.parametrize(("columns", "whole"), [(40, 2), (60, 3), (80, 4), (200, 4)])
def test_the_bar_gives_way_to_the_figures_and_none_is_cut(columns: int, whole: int) -> None:
    drawn, screen, history = frames_at(columns, 3)
    last = drawn[-1]
    assert max(map(len, drawn)) <= columns  # of older tqdm, all of it
    expected = [f"{name} {history.history[name][-1]:.4f}" for name in FIGURES[:whole]]
    assert [found.replace(":", "") for found in re.findall(r"\w+:? [\d.]+\b", last.split(" |")[0])][-whole:] == expected
    assert ("seq/s" in last) == (columns == 200)
    assert without_seconds(screen) == lines_of(history, 3)


# ---------------------------------------------------------------------------------------------- where


class Broken(io.TextIOBase):
    """A stream that fails at whatever is asked of it."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def write(self, text: str) -> int:
        raise self.error

    def flush(self) -> None:
        raise self.error

    isatty = fileno = flush  # type: ignore[assignment]


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize(
    "make",
    [
        lambda: None, closed, object, lambda: Broken(BrokenPipeError(32, "Broken pipe")),
        lambda: Broken(OSError(28, "No space")), lambda: Broken(ValueError("closed")), lambda: Broken(RuntimeError()),
    ],
    ids=["None", "closed", "no stream", "pipe", "disk", "value", "other"],
)  # fmt: skip
@pytest.mark.parametrize("verbose", [None, 1, 2])
def test_no_stream_no_failure(monkeypatch: pytest.MonkeyPatch, make: Callable[[], Any], verbose: int | None) -> None:
    expected = fit(verbose=0).history
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, make())
    shown = fit(verbose=verbose).history
    monkeypatch.undo()
    assert shown == expected


def test_a_character_that_a_stream_does_not_have_is_written_otherwise() -> None:
    raw = io.BytesIO()
    console = Console(io.TextIOWrapper(raw, encoding="ascii"))
    console.write("Temperatur\u00fcber")
    console.flush()
    assert raw.getvalue() == b"Temperatur\\xfcber"


def test_a_notebook_shows_a_live_line_in_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its streams are no terminals; standard error would be red."""
    cell = type("OutStream", (io.StringIO,), {"__module__": "ipykernel.iostream"})
    out, err = cell(), cell()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    history = fit()
    monkeypatch.undo()
    assert err.getvalue() == ""
    assert without_seconds(as_on_a_screen(out.getvalue())) == lines_of(history, 3)
    with monkeypatch.context() as notebook:
        notebook.setattr(sys, "stdout", out)
        assert isinstance(telling(None)[0], fr.ProgressBar)


def test_a_process_without_streams_trains() -> None:
    code = (
        "import numpy as np, fastrnn as fr; trainer = fr.Trainer(fr.Sequential([fr.SimpleRNN(2), fr.Dense(1)])); "
        "trainer.fit(np.ones((4, 3, 1)), np.ones((4, 1)), epochs=2)"
    )
    assert subprocess.run(["sh", "-c", f"{sys.executable} -c '{code}' >&- 2>&-"], check=False).returncode == 0


def test_no_fit_fails_for_want_of_a_place_to_warn() -> None:
    script = "import sys, numpy as np, fastrnn as fr; x, y = np.ones((2, 3, 1)), np.full((2, 1), 1e30); "
    script += "trainer = fr.Trainer(fr.Sequential([fr.SimpleRNN(2), fr.Dense(1)]), optimizer=fr.SGD(1e30)); "
    script += "sys.stderr.close(); print(len(trainer.fit(x, y, epochs=3, verbose=0).epoch))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "3\n"


def test_a_bar_that_is_switched_off_elsewhere_costs_no_fit() -> None:
    """TQDM_DISABLE=1 is for other programs' bars; `verbose=0` is for ours."""
    script = "import numpy as np, fastrnn as fr; x, y = np.ones((4, 3, 2)), np.ones((4, 1)); "
    script += "fr.Trainer(fr.Sequential([fr.SimpleRNN(2), fr.Dense(1)])).fit(x, y, epochs=2, verbose=1)"
    done = subprocess.run(
        [sys.executable, "-c", script], env=os.environ | {"TQDM_DISABLE": "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "epoch 2/2 - loss: " in done.stderr
