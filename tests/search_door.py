"""A search at the front door: odd files, places, arguments and streams, each one command, and the laws it must keep.

``python -m tests.search_door --count 5000 --seed 0`` runs so many commands, in this process but for a few, with next to
no training, and says which broke a law: an exit code that is documented, no traceback, one clear line where a command
is refused, files whole or as they were, and nothing on the terminal that it would obey.
"""

import argparse
import contextlib
import errno
import io
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from fastrnn import datasets, load
from fastrnn.cli import main
from fastrnn.forecast import Forecaster
from fastrnn.text import TextModel

LIMIT = 60
"""Seconds after which a command hangs."""
EVERY = 400
"""One command in so many is a process of its own."""

SMALL = ["--window", "3", "--units", "2", "--epochs", "1"]
SMALL_TEXT = ["--units", "2", "--steps", "5", "--batch-size", "2", "--epochs", "1"]


# ------------------------------------------------------------------------------------------------ what files hold

NAMES = [
    "a", "value", "Température", "温度", "\x1b[31mred", "a\u202eb", "price ($) / $x", "$", "_hidden", "", "a\nb", "'", '"', ";",
    "x" * 5000, "{0}", "%s", "\\", "date", "Date", "year", "timestamp", "time", "nan", "1", "cell=x", "\u200b", "\ud83d\ude00", "é\u0301",
]  # fmt: skip
NUMBERS = [
    "1", "2.5", "-3", "1e308", "-1e308", "1e-320", "1e999", "nan", "inf", "", "NA", "1_000", "0x10", "١٢", "1,5",
    "1.234,56", "1,234", "1.234", "1,234.56", "12%", "€ 3", "1e9", "1000000000.001", "9007199254740993", "-0", "+1", ".5", ",5",
    "5.", "1e5", "true", "x", "--", "  7  ", "\t7", "0" * 400, "9" * 400,
]  # fmt: skip
DAYS = [
    "2024-01-{:02d}", "2024/1/{}", "202401{:02d}", "{:02d}.01.2024", "01/{:02d}/2024", "{}/1/2024", "Jan {} 2024",
    "2024-01-01T{:02d}:00", "2024-01-01 00:00:{:02d}.000000001", "2023-10-29 0{}:00", "0001-01-{:02d}", "9999-12-{:02d}",
    "2024-01-01T00:{:02d}:00+14:00", "0001-01-01T00:{:02d}:00+14:00", "19{:02d}", "{}", "1970-{:02d}", "2262-04-{:02d}T00:00:00.123456789",
]  # fmt: skip
STARTS = [0, 1_600_000_000, 1_600_000_000_000, 1_600_000_000_000_000, 1_600_000_000_000_000_000, 20240101, 10**15, -5]


def cells(draw: random.Random, rows: int) -> list[str]:
    """Give a column: numbers as they should be, odd ones, dates in one format, or moments as numbers."""
    kind = draw.randrange(8)
    if kind < 3:
        column = [f"{draw.gauss(0, 1):.{draw.randrange(1, 9)}g}" for _ in range(rows)]
    elif kind == 3:
        column = [draw.choice(["7", "7.0", "1e300", "-1e300", "1e9"])] * rows
    elif kind == 4:
        form, turn = draw.choice(DAYS), draw.choice([28, 9, 59, 1000])
        column = [form.format(1 + row % turn) for row in range(rows)]
    elif kind == 5:
        start, step = draw.choice(STARTS), draw.choice([1, 3600, 86_400_000, -1, 0])
        column = [str(start + step * row) for row in range(rows)]
    elif kind == 6:
        level = draw.choice([1e9, 1e15, -1e12, 1e200])
        column = [repr(level + draw.random() * draw.choice([1e-3, 1.0])) for _ in range(rows)]
    else:
        column = [draw.choice(NUMBERS) for _ in range(rows)]
    for _ in range(draw.choice([0, 0, 0, 1, 3])):
        if column:
            column[draw.randrange(len(column))] = draw.choice([*NUMBERS, *NAMES])
    return column


def table(draw: random.Random) -> bytes:
    """Give a table as text, in one of many manners."""
    rows, columns = draw.choice([0, 1, 2, 12, 25, 40, 40, 60]), draw.choice([1, 1, 2, 2, 3, 5])
    separator = draw.choice([",", ",", ",", ";", "\t", "|", " "])
    end = draw.choice(["\n", "\n", "\n", "\r\n", "\r", "\n\n", "\u2028"])
    header = [draw.choice([f"c{column}", f"c{column}", draw.choice(NAMES)]) for column in range(columns)]
    body = list(zip(*(cells(draw, rows) for _ in range(columns)), strict=True))
    quoted = draw.random() < 0.3

    def write(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if quoted or separator in cell or "\n" in cell else cell

    lines = [separator.join(map(write, row)) for row in [header, *body]]
    for _ in range(draw.choice([0, 0, 0, 1, 2])):
        lines.insert(
            draw.randrange(len(lines) + 1), draw.choice(["", separator, '"', "#", lines[0], "x" * 140_000, "\x0c"])
        )
    text = end.join(lines) + draw.choice(["", end, end * 3])
    encoding = draw.choice(["utf-8"] * 6 + ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "shift_jis"])
    return text.encode(encoding, "replace" if encoding in ("cp1252", "shift_jis") else "surrogatepass")


def mutated(draw: random.Random, data: bytes) -> bytes:
    """Change bytes here and there."""
    data = bytearray(data)
    for _ in range(draw.choice([1, 1, 3, 20])):
        place, size = draw.randrange(len(data) + 1), draw.choice([1, 1, 4, 60])
        new = draw.choice(
            [b"", bytes(draw.randrange(256) for _ in range(size)), b'"', b",", b"\n", b"\0", b"\xff\xfe", b"1" * 50]
        )
        data[place : place + draw.choice([0, size])] = new
    return bytes(data[: draw.choice([len(data)] * 3 + [draw.randrange(len(data) + 1)])])


def content(draw: random.Random) -> bytes:
    """Give a file's bytes."""
    kind = draw.randrange(20)
    if kind == 0:
        return bytes(draw.randrange(256) for _ in range(draw.choice([0, 1, 4, 300, 5000])))
    if kind == 1:
        return draw.choice(
            [
                b"",
                b"\n",
                b"\xef\xbb\xbf",
                b"\xff\xfe",
                b"\xff\xfe\0\0",
                b"PAR1",
                b"PAR1" * 9,
                b"a",
                b'"',
                b"a\n" + b"1\n" * 30,
            ]
        )
    if kind == 2:
        names = ",".join(f"n{i}" for i in range(20_000))
        return f"{names}\n{names.replace('n', '')}\n".encode()
    if kind == 3:
        return mutated(draw, datasets.path(draw.choice(["airline", "sunspots"])).read_bytes())
    if kind == 4:
        return mutated(draw, parquet())
    data = table(draw)
    return mutated(draw, data) if kind < 9 and data else data


def parquet() -> bytes:
    """Give a small Parquet file, once made."""
    if not _made:
        import polars as pl

        file = io.BytesIO()
        pl.DataFrame({"t": np.arange("2024-01-01", "2024-02-10", dtype="M8[D]"), "a": np.arange(40.0)}).write_parquet(
            file
        )
        _made.append(file.getvalue())
    return _made[0]


_made: list[bytes] = []


# ------------------------------------------------------------------------------------------------ where files are

FILES = ["data.csv", "a[1].csv", "a*.csv", "file:a.csv", "-.csv", "a b.csv", "\x1b[31m.csv", "Année.csv", "温.csv", "x" * 250, "a\nb.csv", "data.parquet", "\udcff.csv"]  # fmt: skip


def place(draw: random.Random, data: bytes) -> str:
    """Put a file somewhere, and give its name."""
    name = draw.choice(["data.csv"] * 8 + FILES)
    kind = draw.choice(
        ["file"] * 16 + ["link", "dangling", "loop", "folder", "pipe", "device", "none", "below", "socket"]
    )
    if kind == "link":
        Path("target").write_bytes(data)
        Path(name).symlink_to("target")
    elif kind in ("dangling", "loop"):
        Path(name).symlink_to("nothing" if kind == "dangling" else name)
    elif kind == "folder":
        Path(name).mkdir()
    elif kind == "pipe":
        os.mkfifo(name)
        threading.Thread(target=feed, args=(Path(name).absolute(), data), daemon=True).start()
    elif kind == "device":
        return draw.choice(["/dev/null", "/dev/zero", "/dev/urandom", "/dev/full"])
    elif kind == "below":
        Path(name).write_bytes(data)
        return f"{name}/deeper.csv"
    elif kind != "none":
        Path(name).write_bytes(data)
    return name


def feed(path: Path, data: bytes) -> None:
    """Write to a pipe, as long as somebody reads."""
    with contextlib.suppress(OSError):
        path.write_bytes(data)


OUTPUTS = ["out", "out.safetensors", "new/out", "folder", "kept", "link", "dangling", "loop", "/dev/null", "/dev/full", "", ".", "data.csv", "o" * 255, "o" * 300, "\x1b[2J", "fit.png"]  # fmt: skip
PICTURES = ["fit.png", "fit.svg", "fit.pdf", "fit.jpg", "fit.xyz", "fit", "new/fit.png", "folder.png", "/dev/full", "PNG.PNG", "out", "fit.pgf", "fit.ps", "fit.rgba", "fit.svgz", "fit.eps", "fit.webp", "fit.tif"]  # fmt: skip
ODD = ["0", "-1", "1.5", "nan", "inf", "abc", "", "1e3", "0x2", "--", "٣", "1_0", "True", "none", "99999999999999999999", "\x1b[31m", "é" * 300]  # fmt: skip
# What would take for ever rather than be refused.
ENDLESS = {"--epochs", "--steps", "--length"}


def option(draw: random.Random, names: list[str]) -> list[str]:
    """Give a flag and a value, or something like it."""
    name = draw.choice(names)
    values = [value for value in ODD if not (name in ENDLESS and value == "99999999999999999999")]
    return draw.choice(
        [[name, draw.choice(values)], [name], [f"{name}={draw.choice(values)}"], [name[:-1], "1"], [name.upper(), "1"]]
    )


TRAIN = ["--window", "--horizon", "--cell", "--units", "--epochs", "--batch-size", "--learning-rate", "--dtype", "--seed", "--threads", "--period", "--missing", "--target", "--features", "--refit", "--out", "--plot"]  # fmt: skip


class Command(NamedTuple):
    """A command line, and the files that it may write."""

    arguments: list[str]
    written: list[str]


def series(draw: random.Random) -> tuple[bytes, str]:
    """Give a table that can be learned, with at most one oddity, and the name of its target."""
    rows, name = 40, draw.choice(["value", *(name for name in NAMES if name.strip() and name.isprintable())])
    level, spread = draw.choice(
        [(0, 1), (100, 1), (1e9, 1e-3), (1e15, 1), (0, 1e150), (0, 1e-300), (5, 0), (1e300, 1e299)]
    )
    values = [f"{level + spread * draw.gauss(0, 1):.17g}" for _ in range(rows)]
    form, count = draw.choice([(form, 28) for form in DAYS[:2]] + [(form, 40) for form in DAYS[5:9]] + [("{}", rows)])
    times = [form.format(1 + row % count) for row in range(min(rows, count))]
    separator = draw.choice([",", ";", "\t"])
    if separator == ";" and draw.random() < 0.5:
        values = [value.replace(".", ",") for value in values]
    lines = [f'when{separator}"' + name.replace('"', '""') + '"']
    lines += [f"{at}{separator}{value}" for at, value in zip(times, values, strict=False)]
    del lines[draw.choice([1, 7, 9]) : draw.choice([1, 1, 1, 9, 12])]
    end, encoding = draw.choice(["\n", "\r\n", "\r"]), draw.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32"])
    return (end.join(lines) + draw.choice(["", end, end * 5])).encode(encoding), name


def train(draw: random.Random) -> Command:
    if draw.random() < 0.5:
        data, target = series(draw)
        return train_on(draw, place(draw, data), ["--target", target])
    return train_on(draw, place(draw, content(draw)), [])


def train_on(draw: random.Random, name: str, known: list[str]) -> Command:
    arguments = ["train", name, *SMALL, *known]
    written = ["model.safetensors"]
    if draw.random() < 0.3:
        arguments += draw.choice([["--cell", draw.choice(["LSTM", "gru", "RNN", "SimpleRNN"])], ["--horizon", "2"], ["--refit"], ["--missing", draw.choice(["drop", "previous"])]])  # fmt: skip
    if not known and draw.random() < 0.4:
        arguments += ["--target", draw.choice(["c0", "c1", "a", *NAMES])]
    if draw.random() < 0.15:
        arguments += [
            "--features",
            draw.choice(["c1", "c1,c2", "a,a", '"', "a\nb", "a\r", "", "," * 200, "x" * 140_000]),
        ]
    if draw.random() < 0.2:
        written = [draw.choice(OUTPUTS)]
        arguments += ["--out", *written]
    if draw.random() < 0.08:
        written.append(draw.choice(PICTURES))
        arguments += ["--plot", written[-1]]
    if draw.random() < 0.2:
        arguments += option(draw, TRAIN)
    return Command(arguments, written)


def predict(draw: random.Random) -> Command:
    data = MODEL.read_bytes()
    Path("model").write_bytes(mutated(draw, data) if draw.random() < 0.3 else data)
    name = place(draw, content(draw)) if draw.random() < 0.6 else str(datasets.path())
    arguments, written = ["predict", draw.choice(["model"] * 6 + ["nothing", "/dev/zero", "."]), name], []
    if draw.random() < 0.3:
        arguments += ["--steps", draw.choice(["1", "20", "0"])]
    if draw.random() < 0.5:
        written = [draw.choice(OUTPUTS)]
        arguments += ["--out", *written]
    if draw.random() < 0.2:
        arguments += option(draw, ["--steps", "--missing", "--out"])
    return Command(arguments, written)


def text(draw: random.Random) -> Command:
    if draw.random() < 0.4:
        data = TEXT.read_bytes()
        Path("model").write_bytes(mutated(draw, data) if draw.random() < 0.3 else data)
        arguments = ["text", "generate", "model", "--length", "20"]
        arguments += option(draw, ["--prompt", "--length", "--temperature", "--top-k", "--seed"]) * draw.randrange(2)
        return Command(arguments, [])
    book = "".join(draw.choice("ab c\x1b\n温é") for _ in range(draw.choice([0, 5, 200, 400])))
    data = book.encode(draw.choice(["utf-8", "utf-16", "cp1252"]), "replace")
    name = place(draw, draw.choice([data, content(draw)]))
    arguments, written = ["text", "train", name, *SMALL_TEXT], ["text.safetensors", "text.safetensors.ckpt"]
    if draw.random() < 0.3:
        out = draw.choice(OUTPUTS)
        arguments, written = [*arguments, "--out", out], [out, f"{out}.ckpt"]
    if draw.random() < 0.2:
        arguments += option(
            draw, ["--cell", "--units", "--dropout", "--held-out", "--encoding", "--resume", "--plot", "--clip-norm"]
        )
    return Command(arguments, written)


def other(draw: random.Random) -> Command:
    words = ["train", "predict", "text", "run", "info", "--help", "--version", "-h", "warmup", "stocks", "letters", "nonsense", "", "-", "--", "\x1b", "\udcff", "--dtype", "é"]  # fmt: skip
    arguments = [draw.choice(words) for _ in range(draw.randrange(4))]
    # Alone these train for minutes.
    if arguments and arguments[0] in ("run", "text", "train", "warmup"):
        arguments.append("--nonsense")
    return Command(arguments, [])


# ------------------------------------------------------------------------------------------------ where it prints to


class Bursting(io.StringIO):
    """A stream whose writes fail with an error of the system."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, text: str) -> int:
        raise OSError(self.number, os.strerror(self.number))


class Stream(NamedTuple):
    """A stream and how to read what came through it; a stream that answers cannot be written to fails commands that print."""

    stream: Any
    read: Callable[[], str]
    full: bool = False


def stream(draw: random.Random) -> Stream:
    """Give a stream as consoles, logs and pipes have it, or worse."""
    kind = draw.choice(["utf-8"] * 8 + ["ascii", "cp1252", "none", "closed", "full", "pipe", "bursting"])
    if kind in ("utf-8", "ascii", "cp1252"):
        raw = io.BytesIO()
        return Stream(io.TextIOWrapper(raw, encoding=kind, write_through=True), lambda: raw.getvalue().decode(kind))
    if kind == "none":
        return Stream(None, str)
    if kind == "closed":
        closed = io.StringIO()
        closed.close()
        return Stream(closed, str)
    if kind == "full":
        return Stream(open("/dev/full", "w", encoding="utf-8"), str, True)
    if kind == "pipe":
        read, write = os.pipe()
        os.close(read)
        return Stream(open(write, "w", encoding="utf-8"), str)
    return Stream(Bursting(draw.choice([errno.EIO, errno.EPIPE])), str, True)


@contextlib.contextmanager
def disk(draw: random.Random) -> Iterator[bool]:
    """Let the disk be full, for some commands."""
    kind = draw.choice(["sound"] * 12 + ["small", "fsync", "replace"])
    if kind == "sound":
        yield False
        return
    if kind == "small":
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (draw.choice([0, 700, 3000]), hard))
        try:
            yield True
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        return
    with mock.patch(f"os.{kind}", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))):
        yield True


# ------------------------------------------------------------------------------------------------ the laws


def whole(path: Path) -> bool:
    """Whether a file that a command wrote is all there."""
    data = path.read_bytes()
    if data.startswith(b"date,forecast\n") or data.startswith(b"step,forecast\n"):
        return data.endswith(b"\n") and all(line.count(b",") == 1 for line in data.splitlines())
    ends = {
        b"\x89PNG": b"IEND\xaeB`\x82",
        b"<?xml": b"</svg>\n",
        b"%PDF": b"%%EOF\n",
        b"\xff\xd8\xff": b"\xff\xd9",
        b"%!PS": b"",
    }
    for start, end in ends.items():
        if data.startswith(start):
            return data.endswith(end)
    if path.name.endswith(".rgba"):
        return True
    if path.name.endswith(".ckpt"):
        from fastrnn import Trainer

        Trainer.resume(path)
        return True
    load(path)
    return True


def snapshot() -> dict[str, Any]:
    """Say what lies in the current folder: of files the bytes, of links the target."""
    found: dict[str, Any] = {}
    for path in Path().rglob("*"):
        if path.is_symlink():
            found[str(path)] = os.readlink(path)
        else:
            found[str(path)] = path.read_bytes() if path.is_file() else path.is_dir()
    return found


def broken(command: Command, code: Any, out: str, err: str, before: dict[str, Any], full: bool, seen: bool) -> str:
    """Say which law a command broke; "" where it kept them all."""
    if code not in (0, 2):
        return f"exit code {code}"
    if "Traceback" in out + err:
        return "a traceback"
    if "\x1b" in out + err or "\u202e" in out + err:
        return "a character that a terminal obeys"
    told = [
        line for line in err.splitlines() if line.startswith("fastrnn: ") and not line.startswith("fastrnn: compiling")
    ]
    if code == 2 and seen:
        if not told or err.splitlines()[-1] != told[-1] or len(told) > 2:
            return "not one line of refusal"
        if len(told[-1]) > 2500 or len(told[-1].split()) < 4 or "encountered" in told[-1] or "Errno" in told[-1]:
            return "no clear line of refusal"
    after = snapshot()
    for name, value in before.items():
        if after.get(name) != value and not (name in ("kept", "target") and isinstance(value, bytes)):
            return f"{name!r} was changed"
    for name in after.keys() - before.keys() | {name for name in before if after.get(name) != before[name]}:
        if isinstance(after.get(name), bytes):
            try:
                if not whole(Path(name)):
                    return f"{name!r} is not whole"
            except ValueError as error:
                return f"{name!r} is not whole: {error}"
    moved = any(argument.startswith("--out") for argument in command.arguments)
    missing = [name for name in command.written if not os.path.exists(name) and not (moved)]
    if code == 0 and missing and not {"--help", "-h", "--version"} & set(command.arguments):
        return f"done, but no {missing[0]!r}"
    if code == 2 and not full and command.arguments[:1] == ["train"] and after != before:
        return "refused, after something was written"
    return ""


def hang(*_: Any) -> None:
    raise TimeoutError("the command hangs")


def case(seed: int, number: int) -> str:
    """Run one command in the current folder, which is empty; "" or what went wrong."""
    draw = random.Random(f"{seed} {number}")
    Path("folder").mkdir()
    Path("folder.png").mkdir()
    Path("kept").write_bytes(b"what was there before")
    Path("link").symlink_to("kept")
    Path("dangling").symlink_to("made")
    Path("loop").symlink_to("loop")
    command = draw.choice([train] * 14 + [predict] * 4 + [text] * 2 + [other])(draw)
    before = snapshot()
    out, err = stream(draw), stream(draw)
    if number % EVERY == 0:
        return child(command)
    streams = sys.stdout, sys.stderr
    signal.signal(signal.SIGALRM, hang)
    signal.alarm(LIMIT)
    code: Any = None
    try:
        with disk(draw) as full, warnings.catch_warnings():
            warnings.simplefilter("error")
            sys.stdout, sys.stderr = out.stream, err.stream
            code = main(command.arguments)
            if sys.stdout is not out.stream or sys.stderr is not err.stream:
                return f"{command.arguments!r}: streams were not put back"
    except BaseException:
        sys.stdout, sys.stderr = streams
        return f"{command.arguments!r}: {traceback.format_exc()}"
    finally:
        signal.alarm(0)
        sys.stdout, sys.stderr = streams
    seen = err.stream is not None and isinstance(err.stream, io.TextIOWrapper) and err.read is not str
    told = err.read()
    fault = broken(command, code, out.read(), told, before, full or out.full, seen)
    for each in (out, err):
        with contextlib.suppress(AttributeError, OSError):
            each.stream.close()
    return fault and f"{command.arguments!r}: {fault}\n{told}"


def child(command: Command) -> str:
    """Run a command as a process of its own, some streams closed from the start."""
    before = snapshot()
    arguments = [argument[:100_000].replace("\0", "") for argument in command.arguments]
    start = [sys.executable, "-m", "fastrnn", *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": ""}
    done = subprocess.run(start, capture_output=True, check=False, env=environment, stdin=subprocess.DEVNULL)
    out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    fault = broken(command, done.returncode, out, err, before, False, True)
    return fault and f"{arguments!r} in a process: {fault}\n{err}"


def search(count: int, seed: int, tell: Callable[[str], None]) -> int:
    """Run so many commands, each in a folder of its own; give the number of those that broke a law."""
    home, faults = Path.cwd(), 0
    for number in range(1, count + 1):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                fault = case(seed, number)
            finally:
                os.chdir(home)
        if fault:
            faults += 1
            tell(f"case {number} of seed {seed}: {fault}")
    return faults


def prepare(folder: Path) -> None:
    """Train the two models that predict and generate start from."""
    global MODEL, TEXT
    MODEL, TEXT = folder / "model", folder / "text"
    forecaster = Forecaster(window=3, units=2, epochs=1)
    forecaster.fit(datasets.path())
    forecaster.save(MODEL)
    TextModel(units=2, steps=5, batch_size=2).fit("to be or not to be, that is the question\n" * 9, 1, TEXT)


MODEL = TEXT = Path()


def run() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=2000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--case", type=int, help="run this one only")
    chosen = options.parse_args()
    # A command that asks for more must be refused, not the machine be brought down.
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, resource.getrlimit(resource.RLIMIT_AS)[1]))
    folder = Path(tempfile.mkdtemp())
    try:
        prepare(folder)
        start = time.perf_counter()
        if chosen.case:
            with tempfile.TemporaryDirectory() as work:
                os.chdir(work)
                print(case(chosen.seed, chosen.case) or "kept all laws")
                os.chdir("/")
            return 0
        faults = search(chosen.count, chosen.seed, print)
        print(f"{chosen.count} commands, {faults} broke a law; {time.perf_counter() - start:.0f} s")
    finally:
        shutil.rmtree(folder)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(run())
