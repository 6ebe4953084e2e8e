"""`fastrnn text`: what it writes and shows, that it goes on, and that every refusal is one line before any work."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fastrnn import datasets
from fastrnn.cli import main
from fastrnn.text import TextModel

SMALL = ["--units", "16", "--layers", "1", "--steps", "20", "--batch-size", "4"]
PART = datasets.alice()[1000:9000]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Commands run in a folder that holds nothing but a book."""
    monkeypatch.chdir(tmp_path)
    Path("book.txt").write_text(PART, encoding="utf-8")


@pytest.fixture
def refused(capsys, monkeypatch):
    """Run a command that must be refused without training or writing anything; its one line."""

    def fit(*_, **__):
        raise AssertionError("it trained before it refused")

    def refused(*arguments):
        before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
        with monkeypatch.context() as patch:
            patch.setattr("fastrnn.training.trainer.Trainer.fit", fit)
            code = main(["text", *map(str, arguments)])
        printed = capsys.readouterr()
        assert code == 2
        assert printed.out == ""
        assert printed.err.startswith("fastrnn: ")
        assert printed.err.count("\n") == 1
        assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before
        return printed.err

    return refused


@pytest.fixture
def model(capsys):
    assert main(["text", "train", "book.txt", *SMALL, "--epochs", "2"]) == 0
    capsys.readouterr()
    return Path("text.safetensors")


def test_train_and_generate(capsys):
    assert main(["text", "train", "book.txt", *SMALL, "--epochs", "7", "--plot", "bits.svg"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert re.fullmatch(r"book.txt: 8,000 characters, \d+ different; the last 800 held out", lines[0])
    assert lines[1].startswith("lstm, 1 layer of 16 units, ")
    assert lines[-2:] == ["model: text.safetensors", "plot: bits.svg"]
    drawn = Path("bits.svg").read_text(encoding="utf-8")
    for name in ("while learning, with dropout", "held out; kept epoch ", "counts, order 1: "):
        assert f"<!-- {name}" in drawn
    # What is told while it learns: a line an epoch, and what it would write, five times.
    assert (
        len(
            re.findall(
                r"^epoch \d/7 - loss: [\d.]+ - bits: [\d.]+ - held_out_bits: [\d.]+ - [\d.]+s$", printed.err, re.M
            )
        )
        == 7
    )
    samples = re.findall(r"^--- after epoch (\d):\n(.*?)\n---$", printed.err, re.M | re.S)
    assert [int(epoch) for epoch, _ in samples] == [2, 3, 5, 6, 7]
    assert all(len(sample) == 200 and set(sample) <= set(PART) for _, sample in samples)

    arguments = ["text", "generate", "text.safetensors", "--prompt", "Alice", "--length", "60", "--top-k", "5"]
    assert main(arguments) == 0
    written = capsys.readouterr().out
    assert written.startswith("Alice")
    assert len(written) == 5 + 60 + 1
    assert main([*arguments, "--seed", "0"]) == 0
    assert capsys.readouterr().out == written
    assert main([*arguments, "--temperature", "1.5"]) == 0
    assert capsys.readouterr().out != written


def test_the_shipped_book_is_the_default(capsys):
    assert main(["text", "train", *SMALL, "--epochs", "1", "--out", "alice"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("alice29.txt: 148,481 characters, 72 different; the last 14,848 held out\n")
    assert printed.out.endswith("\nmodel: alice\n")
    assert TextModel.load("alice").units == 16


def test_resuming_from_the_command_line(model, capsys):
    """With the settings or without, to as many epochs as are asked for."""
    for more, epochs in (([], 3), (SMALL, 4)):
        assert main(["text", "train", "book.txt", *more, "--resume", "--epochs", str(epochs)]) == 0
        printed = capsys.readouterr()
        assert f" of {epochs}, the best" in printed.out
        assert printed.out.endswith(f"model: {model}\n")
        assert printed.err.count("held_out_bits") == 1
    # Nothing is left to do: the same report, without training.
    assert main(["text", "train", "book.txt", "--resume"]) == 0
    again = capsys.readouterr()
    assert again.out == printed.out
    assert again.err == ""
    assert main(["text", "train", "book.txt", *SMALL, "--epochs", "4", "--out", "whole"]) == 0
    assert Path("whole").read_bytes() == model.read_bytes()


def test_a_model_that_is_replaced_is_named(model, capsys):
    assert main(["text", "train", "book.txt", *SMALL, "--epochs", "1"]) == 0
    assert capsys.readouterr().out.endswith("model: text.safetensors (replaced)\n")


def test_interrupted_and_resumed(capsys):
    arguments = ["text", "train", "book.txt", *SMALL]
    endless = [sys.executable, "-m", "fastrnn", *arguments, "--epochs", "1000000"]
    with subprocess.Popen(endless, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as training:
        while not Path("text.safetensors.ckpt").exists():
            assert training.poll() is None
            time.sleep(0.1)
        time.sleep(0.2)
        training.send_signal(signal.SIGINT)
        out, err = (stream.read().decode() for stream in (training.stdout, training.stderr))
    assert training.returncode == 130
    assert out == ""
    assert err.endswith("the best epoch so far is in text.safetensors; --resume goes on\n\nfastrnn: stopped\n")
    assert "Traceback" not in err
    assert main(["text", "generate", "text.safetensors", "--length", "10"]) == 0
    capsys.readouterr()
    # As many epochs as are done by then, and one more.
    from fastrnn.training.trainer import Trainer

    done = len(Trainer.resume("text.safetensors.ckpt").history.epoch)
    assert main([*arguments, "--resume", "--epochs", str(done + 1)]) == 0
    assert main([*arguments, "--epochs", str(done + 1), "--out", "whole"]) == 0
    assert Path("whole.ckpt").read_bytes() == Path("text.safetensors.ckpt").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cell", "ltsm"], "--cell ltsm; expected one of: simple_rnn, lstm, gru"),
        (["--layers", "0"], "--layers 0; expected a whole number, at least 1"),
        (["--clip-norm", "0"], "--clip-norm 0.0; expected a number above 0"),
        (["--held-out", "1"], "--held-out 1.0; expected a number above 0 and below 1"),
        (["--epochs", "0"], "--epochs 0; expected a whole number, at least 1"),
        (["--encoding", "utf-9"], "--encoding utf-9 is unknown; expected one such as"),
        (["--out", "book.txt"], "book.txt is what is read or written already; expected another file"),
        (["--out", "no/model"], "no/model cannot be written: no is no folder"),
        (["--out", "m.h5"], "--out is 'm.h5', whose ending .h5 stands for Keras; expected .safetensors or .ckpt"),
        (["--plot", "fit.doc"], "fit.doc ends in 'doc'; expected the ending of a picture"),
        (["--plot", "text.safetensors.ckpt"], "ends in 'ckpt'"),
        (["--plot", "a.png", "--out", "a.png"], "a.png is what is read or written already"),
        (["--resume"], "text.safetensors: No such file"),
        (["--batch-size", "900"], "expected at least 57601 with --batch-size 900 and --steps 64, and some to hold out"),
    ],
)
def test_train_refuses(refused, arguments, message):
    assert message in refused("train", "book.txt", *arguments)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "data.txt is empty; expected a text"),
        (b"few words", "data.txt has 9 characters, 9 of them to learn from with --held-out 0.1; expected at least"),
        (b"\x7fELF\0\0", "data.txt is a binary file"),
        (
            "Füße".encode("latin-1"),
            "byte 0xfc in line 1; expected text in UTF-8: save it so, or name its own, --encoding",
        ),
    ],
)
def test_files_that_are_no_books(refused, data, message):
    Path("data.txt").write_bytes(data)
    assert message in refused("train", "data.txt")
    assert "nothing.txt: no such file; expected a text file" in refused("train", "nothing.txt")


def test_the_book_is_never_written_over(refused):
    Path("novel.ckpt").write_text(PART)
    assert "novel.ckpt is what is read or written already" in refused("train", "novel.ckpt", "--out", "novel")


def test_a_training_that_diverges_leaves_the_model_of_its_good_epochs(model, capsys):
    """Here of an earlier training, whose last epoch was the last good one."""
    before = model.read_bytes()
    assert main(["text", "train", "book.txt", *SMALL, "--learning-rate", "1e200"]) == 2
    printed = capsys.readouterr()
    assert "Warning" not in printed.err
    assert "expected finite ones: lower --learning-rate 1e+200" in printed.err.splitlines()[-1]
    assert model.read_bytes() == before


def test_resuming_refuses(refused, model):
    assert "--units 24 when resuming; expected 16" in refused(
        "train", "book.txt", "--resume", *SMALL[2:], "--units", "24"
    )
    assert "not the text that was learned so far" in refused("train", "--resume")
    model.with_name("text.safetensors.ckpt").unlink()
    assert "text.safetensors.ckpt: no such file; expected" in refused("train", "book.txt", "--resume")
    Path("text.safetensors").write_bytes(b"\0" * 100)
    assert "text.safetensors" in refused("train", "book.txt", "--resume")


def test_what_is_written_commands_no_terminal(capsys, monkeypatch):
    """A file gets the characters that were learned, a terminal none that it would obey."""
    Path("book.txt").write_text("a\x1b[31mb\n\t" * 400, encoding="utf-8")
    assert main(["text", "train", "book.txt", *SMALL, "--epochs", "1"]) == 0
    assert "\x1b" not in capsys.readouterr().err
    asked = ["text", "generate", "text.safetensors", "--temperature", "100"]
    assert main(asked) == 0
    raw = capsys.readouterr().out
    assert "\x1b" in raw
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert main(asked) == 0
    assert capsys.readouterr().out == raw.replace("\x1b", "\\x1b")


def test_generate_refuses(refused, model):
    assert "prompt has 'ß', which the model has never seen" in refused("generate", model, "--prompt", "Fuß")
    assert "--temperature -1.0; expected a number from 0 up" in refused("generate", model, "--temperature", "-1")
    assert "--top-k 0; expected a whole number" in refused("generate", model, "--top-k", "0")
    assert "--length 0; expected a whole number" in refused("generate", model, "--length", "0")
    assert "nothing" in refused("generate", "nothing")
    assert "book.txt" in refused("generate", "book.txt")


def test_help_loads_no_compiler():
    asked = [["text"], ["text", "train", "--help"], ["text", "generate", "--help"]]
    check = (
        f"import sys\nfrom fastrnn.cli import main\nassert not any(main(a) for a in {asked})\n"
        "assert not {'numba', 'matplotlib', 'fastrnn.model.sequential', 'safetensors'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", check], check=True, capture_output=True)
