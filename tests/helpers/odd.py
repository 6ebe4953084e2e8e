"""Odd things to put before a command: what files hold, where they are, what is asked, and where it is printed."""

import contextlib
import errno
import io
import os
import random
import resource
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

from fastrnn import datasets

# fmt: off
NAMES = [
    "a", "value", "Température", "温度", "\x1b[31mred", "a\u202eb", "price ($) / $x", "$", "_hidden", "", "a\nb", "'",
    '"', ";", "x" * 5000, "{0}", "%s", "\\", "date", "Date", "year", "timestamp", "time", "nan", "1", "cell=x",
    "\u200b", "\ud83d\ude00", "é\u0301",
]
NUMBERS = [
    "1", "2.5", "-3", "1e308", "-1e308", "1e-320", "1e999", "nan", "inf", "", "NA", "1_000", "0x10", "١٢", "1,5",
    "1.234,56", "1,234", "1.234", "1,234.56", "12%", "€ 3", "1e9", "1000000000.001", "9007199254740993", "-0", "+1",
    ".5", ",5", "5.", "1e5", "true", "x", "--", "  7  ", "\t7", "0" * 400, "9" * 400,
]
DAYS = [
    "2024-01-{:02d}", "2024/1/{}", "202401{:02d}", "{:02d}.01.2024", "01/{:02d}/2024", "{}/1/2024", "Jan {} 2024",
    "2024-01-01T{:02d}:00", "2024-01-01 00:00:{:02d}.000000001", "2023-10-29 0{}:00", "0001-01-{:02d}",
    "9999-12-{:02d}", "2024-01-01T00:{:02d}:00+14:00", "0001-01-01T00:{:02d}:00+14:00", "19{:02d}", "{}", "1970-{:02d}",
    "2262-04-{:02d}T00:00:00.123456789",
]
STARTS = [0, 1_600_000_000, 1_600_000_000_000, 1_600_000_000_000_000, 1_600_000_000_000_000_000, 20240101, 10**15, -5]
LEVELS = [(0, 1), (100, 1), (1e9, 1e-3), (1e15, 1), (0, 1e150), (0, 1e-300), (5, 0), (1e300, 1e299)]
HEADS = [
    b"", b"\n", b"\xef\xbb\xbf", b"\xff\xfe", b"\xff\xfe\0\0", b"PAR1", b"PAR1" * 9, b"a", b'"', b"a\n" + 30 * b"1\n",
]
FILES = [
    "data.csv", "a[1].csv", "a*.csv", "file:a.csv", "-.csv", "a b.csv", "\x1b[31m.csv", "Année.csv", "温.csv",
    "x" * 250, "a\nb.csv", "data.parquet", "\udcff.csv", "{0}.csv",
]
PLACES = ["file"] * 16 + ["link", "dangling", "loop", "folder", "pipe", "device", "none", "below"]
OUTPUTS = [
    "out", "out.safetensors", "new/out", "folder", "kept", "link", "dangling", "loop", "/dev/null", "/dev/full", "",
    ".", "data.csv", "o" * 255, "o" * 300, "\x1b[2J", "fit.png",
]
PICTURES = [
    "fit.png", "fit.svg", "fit.pdf", "fit.jpg", "fit.xyz", "fit", "new/fit.png", "folder.png", "/dev/full", "PNG.PNG",
    "out", "fit.pgf", "fit.ps", "fit.rgba", "fit.svgz", "fit.eps", "fit.webp", "fit.tif",
]
VALUES = [
    "0", "-1", "1.5", "nan", "inf", "abc", "", "1e3", "0x2", "--", "٣", "1_0", "True", "none", "99999999999999999999",
    "\x1b[31m", "é" * 300,
]
TRAIN = [
    "--window", "--horizon", "--cell", "--units", "--epochs", "--batch-size", "--learning-rate", "--dtype", "--seed",
    "--threads", "--period", "--missing", "--target", "--features", "--refit", "--out", "--plot",
]
TEXT = ["--cell", "--units", "--dropout", "--held-out", "--encoding", "--resume", "--plot", "--clip-norm"]
FEATURES = ["c1", "c1,c2", "a,a", '"', "a\nb", "a\r", "", "," * 200, "x" * 140_000]
WORDS = [
    "train", "predict", "text", "run", "info", "--help", "--version", "-h", "warmup", "stocks", "letters", "nonsense",
    "", "-", "--", "\x1b", "\udcff", "--dtype", "é",
]
MORE = [
    ["--cell", "LSTM"], ["--cell", "RNN"], ["--horizon", "2"], ["--refit"], ["--missing", "drop"],
    ["--missing", "previous"],
]
# fmt: on
# What would take for ever rather than be refused.
ENDLESS = {"--epochs", "--steps", "--length"}


# ------------------------------------------------------------------------------------------------ what files hold


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
        level, spread = draw.choice(LEVELS)
        column = [repr(level + spread * draw.random()) for _ in range(rows)]
    else:
        column = [draw.choice(NUMBERS) for _ in range(rows)]
    for _ in range(draw.choice([0, 0, 0, 1, 3]) if column else 0):
        column[draw.randrange(len(column))] = draw.choice([*NUMBERS, *NAMES])
    return column


def table(draw: random.Random) -> bytes:
    """Give a table as text, in one of many manners."""
    rows, columns = draw.choice([0, 1, 2, 12, 25, 40, 40, 60]), draw.choice([1, 1, 2, 2, 3, 5])
    separator, end = draw.choice(",,,;\t| "), draw.choice(["\n", "\n", "\n", "\r\n", "\r", "\n\n", "\u2028"])
    header = [draw.choice([f"c{column}", f"c{column}", draw.choice(NAMES)]) for column in range(columns)]
    body = list(zip(*(cells(draw, rows) for _ in range(columns)), strict=True))
    quoted = draw.random() < 0.3

    def write(cell: str) -> str:
        return quote(cell) if quoted or separator in cell or "\n" in cell else cell

    lines = [separator.join(map(write, row)) for row in [header, *body]]
    for _ in range(draw.choice([0, 0, 0, 1, 2])):
        odd = draw.choice(["", separator, '"', "#", lines[0], "x" * 140_000, "\x0c"])
        lines.insert(draw.randrange(len(lines) + 1), odd)
    text = end.join(lines) + draw.choice(["", end, end * 3])
    encoding = draw.choice(["utf-8"] * 6 + ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "shift_jis"])
    return text.encode(encoding, "replace" if encoding in ("cp1252", "shift_jis") else "surrogatepass")


def series(draw: random.Random) -> tuple[bytes, str]:
    """Give a table that can be learned, with at most one oddity, and the name of its target."""
    rows, name = 40, draw.choice(["value", *(name for name in NAMES if name.strip() and name.isprintable())])
    level, spread = draw.choice(LEVELS)
    values = [f"{level + spread * draw.gauss(0, 1):.17g}" for _ in range(rows)]
    form, count = draw.choice([*((form, 28) for form in DAYS[:2]), *((form, rows) for form in DAYS[5:9]), ("{}", rows)])
    times = [form.format(1 + row % count) for row in range(min(rows, count))]
    separator = draw.choice(",;\t")
    if separator == ";" and draw.random() < 0.5:
        values = [value.replace(".", ",") for value in values]
    lines = [f"when{separator}{quote(name)}"]
    lines += [f"{at}{separator}{value}" for at, value in zip(times, values, strict=False)]
    del lines[draw.choice([1, 7, 9]) : draw.choice([1, 1, 1, 9, 12])]
    end, encoding = draw.choice(["\n", "\r\n", "\r"]), draw.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32"])
    return (end.join(lines) + draw.choice(["", end, end * 5])).encode(encoding), name


def quote(cell: str) -> str:
    """Put a cell in quotes."""
    return '"' + cell.replace('"', '""') + '"'


def mutated(draw: random.Random, data: bytes) -> bytes:
    """Change bytes here and there, or cut the end off."""
    changed = bytearray(data)
    for _ in range(draw.choice([1, 1, 3, 20])):
        place, size = draw.randrange(len(changed) + 1), draw.choice([1, 1, 4, 60])
        new = draw.choice([b"", draw.randbytes(size), b'"', b",", b"\n", b"\0", b"\xff\xfe", b"1" * 50])
        changed[place : place + draw.choice([0, size])] = new
    return bytes(changed[: draw.choice([len(changed)] * 3 + [draw.randrange(len(changed) + 1)])])


def content(draw: random.Random) -> bytes:
    """Give a file's bytes."""
    kind = draw.randrange(20)
    if kind == 0:
        return draw.randbytes(draw.choice([0, 1, 4, 300, 5000]))
    if kind == 1:
        return draw.choice(HEADS)
    if kind == 2:
        names = ",".join(f"n{i}" for i in range(20_000))
        return f"{names}\n{names.replace('n', '')}\n".encode()
    if kind == 3:
        return mutated(draw, datasets.path(draw.choice(["airline", "sunspots"])).read_bytes())
    if kind == 4:
        return mutated(draw, parquet())
    data = table(draw)
    return mutated(draw, data) if kind < 9 else data


def parquet() -> bytes:
    """Give a small Parquet file."""
    import polars as pl

    file, days = io.BytesIO(), np.arange("2024-01-01", "2024-02-10", dtype="M8[D]")
    pl.DataFrame({"t": days, "a": np.arange(40.0)}).write_parquet(file)
    return file.getvalue()


# ------------------------------------------------------------------------------------------------ where files are


def place(draw: random.Random, data: bytes) -> str:
    """Put a file somewhere, and give its name."""
    name, kind = draw.choice(["data.csv"] * 8 + FILES), draw.choice(PLACES)
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
    elif kind != "none":
        Path(name).write_bytes(data)
    return f"{name}/deeper.csv" if kind == "below" else name


def feed(path: Path, data: bytes) -> None:
    """Write to a pipe, as long as somebody reads."""
    with contextlib.suppress(OSError):
        path.write_bytes(data)


def option(draw: random.Random, names: list[str]) -> list[str]:
    """Give a flag and a value, or something like it."""
    name = draw.choice(names)
    value = draw.choice([value for value in VALUES if not (name in ENDLESS and len(value) == 20)])
    return draw.choice(
        [[name, value], [name, value], [name], [f"{name}={value}"], [name[:-1], "1"], [name.upper(), "1"]]
    )


# ------------------------------------------------------------------------------------------------ where it is printed


class Failing(io.StringIO):
    """A stream whose writes fail with an error of the system."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, text: str) -> int:
        raise OSError(self.number, os.strerror(self.number))


class Stream(NamedTuple):
    """A stream, what came through it where that can be known, and whether what is printed there is lost."""

    stream: Any
    read: Callable[[], str] | None = None
    full: bool = False


def stream(draw: random.Random) -> Stream:
    """Give a stream as consoles, logs and pipes have it, or worse."""
    kind = draw.choice(["utf-8"] * 8 + ["ascii", "cp1252", "none", "closed", "full", "pipe", "failing"])
    if kind in ("utf-8", "ascii", "cp1252"):
        raw = io.BytesIO()
        return Stream(io.TextIOWrapper(raw, encoding=kind, write_through=True), lambda: raw.getvalue().decode(kind))
    if kind == "none":
        return Stream(None)
    if kind == "closed":
        closed = io.StringIO()
        closed.close()
        return Stream(closed)
    if kind == "full":
        return Stream(open("/dev/full", "w", encoding="utf-8"), full=True)
    if kind == "pipe":
        read, write = os.pipe()
        os.close(read)
        return Stream(open(write, "w", encoding="utf-8"))
    return Stream(Failing(draw.choice([errno.EIO, errno.EPIPE])), full=True)


@contextlib.contextmanager
def disk(draw: random.Random) -> Iterator[bool]:
    """Let the disk be full, for some commands; gives whether it is."""
    kind = draw.choice(["sound"] * 12 + ["small", "fsync", "replace"])
    if kind == "sound":
        yield False
    elif kind == "small":
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (draw.choice([0, 700, 3000]), hard))
        try:
            yield True
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    else:
        with mock.patch(f"os.{kind}", side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))):
            yield True
