"""A search at the front door: odd files, places, arguments and streams, each one command, and the laws it must keep.

``python -m tests.searches.door --count 5000 --seed 0`` runs so many commands, in this process but for a few, with next
to no training, and says which broke a law: an exit code that is documented, no traceback, one clear line where a
command is refused, files whole or as they were, and nothing on the terminal that it would obey.
"""

import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from fastrnn import Trainer, datasets, load
from fastrnn.cli import main
from fastrnn.forecast import Forecaster
from fastrnn.text import TextModel
from tests.helpers import odd
from tests.helpers.searching import arguments, counted

LIMIT = 60
"""Seconds after which a command hangs."""
EVERY = 400
"""One command in so many is a process of its own."""
MEMORY = 8 << 30
"""Bytes that this process may take: what asks for more must be refused, not the machine be brought down."""

SMALL = ["--window", "3", "--units", "2", "--epochs", "1"]
SMALL_TEXT = ["--units", "2", "--steps", "5", "--batch-size", "2", "--epochs", "1"]
ENDS = {b"\x89PNG": b"IEND\xaeB`\x82", b"<?xml": b"</svg>\n", b"%PDF": b"%%EOF\n", b"\xff\xd8\xff": b"\xff\xd9"}
"""How pictures begin and end."""


class Command(NamedTuple):
    """A command line, and the files that it is to write."""

    arguments: list[str]
    written: list[str]


class Models(NamedTuple):
    """Files of the two models that commands start from."""

    forecaster: bytes
    text: bytes


def prepare() -> Models:
    """Train the two models."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        forecaster = Forecaster(window=3, units=2, epochs=1)
        forecaster.fit(datasets.path())
        forecaster.save(path)
        forecasts = path.read_bytes()
        TextModel(units=2, steps=5, batch_size=2).fit("to be or not to be, that is the question\n" * 9, 1, path)
        return Models(forecasts, path.read_bytes())


# ------------------------------------------------------------------------------------------------ commands


def command(draw: random.Random, models: Models) -> Command:
    """Draw a command, and put what it reads into the current folder."""
    kind = draw.choice(["train"] * 14 + ["predict"] * 4 + ["write", "read", "other"])
    if kind == "train":
        return train(draw)
    if kind == "read":
        return learn(draw)
    if kind == "other":
        arguments = [draw.choice(odd.WORDS) for _ in range(draw.randrange(4))]
        # Alone these train for minutes.
        alone = arguments and arguments[0] in ("run", "text", "train", "warmup")
        return Command([*arguments, "--nonsense"] if alone else arguments, [])
    data = models.forecaster if kind == "predict" else models.text
    Path("model").write_bytes(odd.mutated(draw, data) if draw.random() < 0.3 else data)
    if kind == "predict":
        return predict(draw)
    arguments = ["text", "generate", "model", "--length", "20"]
    flags = ["--prompt", "--length", "--temperature", "--top-k", "--seed"]
    return Command(arguments + odd.option(draw, flags) * draw.randrange(2), [])


def train(draw: random.Random) -> Command:
    written, known = ["model.safetensors"], []
    if draw.random() < 0.5:
        data, target = odd.series(draw)
        known = ["--target", target]
    else:
        data = odd.content(draw)
        known = ["--target", draw.choice(["c0", "c1", "a", *odd.NAMES])] * draw.choice([0, 1])
    arguments = ["train", odd.place(draw, data), *SMALL, *known]
    if draw.random() < 0.3:
        arguments += draw.choice(odd.MORE)
    if draw.random() < 0.15:
        arguments += ["--features", draw.choice(odd.FEATURES)]
    if draw.random() < 0.2:
        written = [draw.choice(odd.OUTPUTS)]
        arguments += ["--out", *written]
    if draw.random() < 0.08:
        written.append(draw.choice(odd.PICTURES))
        arguments += ["--plot", written[-1]]
    if draw.random() < 0.2:
        arguments += odd.option(draw, odd.TRAIN)
    return Command(arguments, written)


def predict(draw: random.Random) -> Command:
    name = odd.place(draw, odd.content(draw)) if draw.random() < 0.6 else str(datasets.path())
    arguments, written = ["predict", draw.choice(["model"] * 6 + ["nothing", "/dev/zero", "."]), name], []
    if draw.random() < 0.3:
        arguments += ["--steps", draw.choice(["1", "20", "0"])]
    if draw.random() < 0.5:
        written = [draw.choice(odd.OUTPUTS)]
        arguments += ["--out", *written]
    if draw.random() < 0.2:
        arguments += odd.option(draw, ["--steps", "--missing", "--out"])
    return Command(arguments, written)


def learn(draw: random.Random) -> Command:
    book = "".join(draw.choice("ab c\x1b\n温é") for _ in range(draw.choice([0, 5, 200, 400])))
    data = book.encode(draw.choice(["utf-8", "utf-16", "cp1252"]), "replace")
    out = draw.choice(["text.safetensors"] * len(odd.OUTPUTS) + odd.OUTPUTS)
    arguments = ["text", "train", odd.place(draw, draw.choice([data, odd.content(draw)])), *SMALL_TEXT, "--out", out]
    if draw.random() < 0.2:
        arguments += odd.option(draw, odd.TEXT)
    return Command(arguments, [out, f"{out}.ckpt"])


# ------------------------------------------------------------------------------------------------ laws


def snapshot() -> dict[str, Any]:
    """Say what lies in the current folder: of files the bytes, of links the target, of all else the kind."""
    found: dict[str, Any] = {}
    for path in Path().rglob("*"):
        if path.is_symlink():
            found[str(path)] = os.readlink(path)
        else:
            found[str(path)] = path.read_bytes() if path.is_file() else path.stat().st_mode
    return found


def whole(path: Path) -> bool:
    """Whether a file that a command wrote is all there."""
    data = path.read_bytes()
    if data.startswith((b"date,forecast\n", b"step,forecast\n")):
        return data.endswith(b"\n") and all(line.count(b",") == 1 for line in data.splitlines())
    for start, end in ENDS.items():
        if data.startswith(start):
            return data.endswith(end)
    if path.suffix in (".eps", ".ps", ".rgba", ".svgz", ".tif", ".webp"):
        return bool(data)
    try:
        (Trainer.resume if path.suffix == ".ckpt" else load)(path)
    except ValueError:
        return False
    return True


def told_badly(err: str) -> str:
    """Say what is wrong with how a refusal is told; "" where nothing is."""
    lines = [line for line in err.splitlines() if line.startswith("fastrnn: ") and "compiling the" not in line]
    if not lines or err.splitlines()[-1] != lines[-1] or len(lines) > 2:
        return "not one line of refusal"
    line = lines[-1]
    if len(line) > 2500 or len(line.split()) < 4 or "encountered" in line or "Errno" in line:
        return "no clear line of refusal"
    return ""


def broken(done: Command, code: Any, out: str, err: str | None, before: dict[str, Any], full: bool) -> str:
    """Say which law a command broke; "" where it kept them all. `err` is None where nobody could hear it."""
    if code not in (0, 2):
        return f"exit code {code}"
    for text in (out, err or ""):
        if "Traceback" in text or any(char in text for char in "\x1b\u202e"):
            return "a traceback, or a character that a terminal obeys"
    if code == 2 and err is not None and (fault := told_badly(err)):
        return fault
    after = snapshot()
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    for name in changed:
        if name in before and not (name == "kept" and isinstance(after.get(name), bytes)):
            return f"{name!r} was changed"
        if not whole(Path(name)):
            return f"{name!r} is not whole"
    asked = set(done.arguments)
    elsewhere = any(flag.startswith("--out") for flag in asked) and not asked & set(done.written[:1])
    if code == 0 and not elsewhere and not asked & {"--help", "-h", "--version"}:
        for name in done.written:
            if not os.path.exists(name):
                return f"done, but no {name!r}"
    if code == 2 and changed and not full and done.arguments[0] == "train":
        return "refused, after something was written"
    return ""


# ------------------------------------------------------------------------------------------------ the search


def hang(*_: Any) -> None:
    raise TimeoutError("the command hangs")


def case(seed: int, number: int, models: Models) -> str:
    """Run one command in the current folder, which is empty; "" or what went wrong."""
    draw = random.Random(f"{seed} {number}")
    Path("folder").mkdir()
    Path("folder.png").mkdir()
    Path("kept").write_bytes(b"what was there before")
    for name, target in (("link", "kept"), ("dangling", "made"), ("loop", "loop")):
        Path(name).symlink_to(target)
    drawn = command(draw, models)
    before = snapshot()
    fault = in_a_process(drawn, before) if number % EVERY == 0 else in_this_process(drawn, draw, before)
    for path in Path().iterdir():
        if path.is_fifo():  # which nobody may have read
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    return fault and f"{drawn.arguments!r}: {fault}"


def in_this_process(drawn: Command, draw: random.Random, before: dict[str, Any]) -> str:
    out, err = odd.stream(draw), odd.stream(draw)
    streams = sys.stdout, sys.stderr
    signal.signal(signal.SIGALRM, hang)
    signal.alarm(LIMIT)
    try:
        columns = {"COLUMNS": draw.choice(["80", "80", "80", "0", "1", "7", "", "abc"])}
        with odd.disk(draw) as full, warnings.catch_warnings(), mock.patch.dict(os.environ, columns):
            warnings.simplefilter("error")
            sys.stdout, sys.stderr = out.stream, err.stream
            code = main(drawn.arguments)
            if sys.stdout is not out.stream or sys.stderr is not err.stream:
                return "the streams were not put back"
    except BaseException:
        return traceback.format_exc()
    finally:
        signal.alarm(0)
        sys.stdout, sys.stderr = streams
    heard = err.read and err.read()
    fault = broken(drawn, code, out.read() if out.read else "", heard, before, full or out.full)
    for each in (out.stream, err.stream):
        with contextlib.suppress(AttributeError, OSError):
            each.close()
    return fault and f"{fault}\n{heard or ''}"


def in_a_process(drawn: Command, before: dict[str, Any]) -> str:
    # What no shell could hand over: long arguments, zeros, and halves of characters that stand for no byte.
    arguments = [
        argument[:100_000].replace("\0", "").encode("utf-8", "surrogateescape" if "\udcff" in argument else "replace")
        for argument in drawn.arguments
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-m", "fastrnn", *arguments],
        capture_output=True, check=False, env=environment, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    out, err = (text.decode("utf-8", "replace") for text in (done.stdout, done.stderr))
    fault = broken(drawn, done.returncode, out, err, before, False)
    return fault and f"in a process of its own: {fault}\n{err}"


def search(numbers: Iterable[int], seed: int, tell: Callable[[str], None]) -> tuple[int, int]:
    """Run commands, each in a folder of its own; give how many these were, and how many broke a law."""
    home, count, faults, models = Path.cwd(), 0, 0, prepare()
    for number in numbers:
        count += 1
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                fault = case(seed, number, models)
            finally:
                os.chdir(home)
        if fault:
            faults += 1
            tell(f"case {number} of seed {seed}: {fault}")
    return count, faults


def run() -> int:
    options = arguments(__doc__)
    options.add_argument("--count", type=int, help="how many commands, instead of --seconds")
    options.add_argument("--first", type=int, default=1, help="number of the first command")
    chosen = options.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    start = time.perf_counter()
    count, faults = search(counted(chosen, chosen.first), chosen.seed, print)
    print(f"{count} commands, {faults} broke a law; {time.perf_counter() - start:.0f} s")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(run())
