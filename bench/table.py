"""What a run says: the README's tables, its headline, and where they go."""

import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np

from bench.race import Row, Timing
from bench.start import Start
from bench.stepper import KINDS, Kind
from fastrnn.code.target import TARGET

README = Path(__file__).parent.parent / "README.md"
PROJECT = "fastrnn"
COMMAND = "python -m bench"

_TITLES: dict[Kind, str] = {"train": "Training step", "predict": "Forward pass"}
_HEAD = (
    "cell",
    "B",
    "T",
    "I",
    "H",
    "fastrnn, µs (threads)",
    "1 → 2 threads",
    "best peer, µs (which, threads)",
    "ratio",
    "GFLOP/s",
    "% of peak",
)

_NOTES: dict[Kind, str] = {
    "train": """\
Forward, mean squared error on the last output, backward, Adam. fastrnn is timed through `Trainer.fit`, an epoch a call,
with the shuffle; PyTorch in eager mode, a call a step; JAX as one compiled call a step and, in the small rows, as one
compiled call an epoch (no shuffle), the better of the two; MinGRU and MinLSTM there by `associative_scan` or `scan`,
the better of the two, and not in PyTorch, which has neither. GFLOP/s count the products only, with G = 1, 3, 4, 2,
3 gates for SimpleRNN, GRU, LSTM, MinGRU, MinLSTM: forward 2BT·G(IH + H²), backward 2BT·G(IH + 2H²), since no gradient
of x is needed; no H² for the last two.""",
    "predict": """\
One minibatch, last output only, a call a step from NumPy array to NumPy array, or from the peer's own. fastrnn is timed
through `Sequential.predict`; PyTorch in inference mode; JAX compiled; ONNX Runtime with a Transpose, its recurrent
operator and a Gemm, all optimisations. GFLOP/s count 2BT·G(IH + H²).""",
}
_COMMON_NOTES = """\
Each contestant has its best of 1 and 2 threads and of its settings, which `--json` lists, and is timed only if its
first step agrees with the float64 reference. The peak is that of a loop of independent multiply-adds on as many
threads, measured in the same rounds: {peaks}. A batch of one reads the recurrent kernel at every time step, forward and
backward; "cache" is that traffic as a share of what one core loads out of a buffer of that size, measured in the same
rounds: {bandwidths}."""


def best(row: Row, project: bool, call: str = "") -> Timing | None:
    """Return the row's fastest timing of the project, or of the peers at one kind of call."""
    timings = [t for t in row.timings if (t.name == PROJECT) == project and t.call.startswith(call)]
    return min(timings, key=lambda timing: timing.seconds, default=None)


def ratios(rows: Iterable[Row], call: str = "") -> list[float]:
    """Return how many times the project's time the best peer takes, for the rows that have both timings."""
    result = []
    for row in rows:
        ours, peer = best(row, True), best(row, False, call)
        if ours and peer:
            result.append(peer.seconds / ours.seconds)
    return result


def headline(rows: Sequence[Row]) -> str:
    """Return the sentence with the measured figures."""
    by_kind = {kind: [row for row in rows if row.kind == kind] for kind in KINDS}
    claims = [_claim(kind, own) for kind, own in by_kind.items() if ratios(own)]
    if not claims:
        return "No peer was timed: nothing to compare with."
    return f"Against peers at their best settings, {' and '.join(claims)}."


def _claim(kind: Kind, rows: Sequence[Row]) -> str:
    figures = ratios(rows)
    peers = dict.fromkeys(timing.name for row in rows for timing in row.timings if timing.name != PROJECT)
    return (
        f"a {_TITLES[kind].lower()} runs {number(min(figures))} to {number(max(figures))} times as fast as the best "
        f"of {', '.join(peers)} (geometric mean {number(_geometric_mean(figures))} over "
        f"{len(figures)} row{'s' if len(figures) > 1 else ''})"
    )


def tables(rows: Sequence[Row], starts: Sequence[Start], versions: Mapping[str, str]) -> str:
    """Return the tables and what must be said under them, in Markdown."""
    absent = "not installed" if "not installed" in versions.values() else "not timed"
    lines: list[str] = []
    for kind in KINDS:
        if own := [row for row in rows if row.kind == kind]:
            lines += [f"### {_TITLES[kind]}", "", line(_HEAD), line("---" for _ in _HEAD)]
            lines += [line(_cells(row, absent)) for row in own]
            lines += ["", _means(own), "", _NOTES[kind], ""]
    peaks = [f"{number(np.median([row.peak[count] for row in rows]))} GFLOP/s on {count}" for count in rows[0].peak]
    loads = {row.case.recurrent_bytes: row.bandwidth for row in rows if row.bandwidth}
    bandwidths = [f"{number(loads[size])} GB/s out of {number(size / 1024)} KiB" for size in sorted(loads)]
    lines += [
        "### How it is measured",
        "",
        fill(_COMMON_NOTES.format(peaks=", ".join(peaks), bandwidths=", ".join(bandwidths) or "no such row"), 120),
        "",
        "Start, in a fresh process, with nothing compiled yet and with what that leaves behind:",
        "",
        *(f"- {start.describe()}" for start in starts),
        "",
        f"{machine()}; {'; '.join(f'{name}: {v}' if v == 'not installed' else v for name, v in versions.items())}. "
        f"Reproduce with `{COMMAND}`.",
    ]
    return "\n".join(lines)


def machine() -> str:
    """Return the processor in words, without the name of the host."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists() and (found := re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)):
        model = found[1]
    return (
        f"{os.cpu_count()} cores of {model} ({TARGET.cpu}, {8 * TARGET.vector_bytes}-bit vectors), {platform.system()}"
    )


def require_blocks(text: str, names: Iterable[str]) -> None:
    """Raise ValueError unless the README has the blocks that a run fills."""
    for name in names:
        if not _block(name).search(text):
            raise ValueError(f"README.md has no <!-- {_begin(name)} --> ... <!-- {name}:end -->; add the two lines")


def fill_blocks(text: str, contents: Mapping[str, str]) -> str:
    """Return the README with the new content of each block named."""
    for name, content in contents.items():
        text = _block(name).sub(lambda found, content=content: f"{found[1]}{content}{found[2]}", text)
    return text


def _begin(name: str) -> str:
    return name if ":" in name else f"{name}:begin"


def _block(name: str) -> re.Pattern[str]:
    return re.compile(f"(<!-- {_begin(name)} -->).*?(<!-- {name}:end -->)", re.DOTALL)


def _cells(row: Row, absent: str) -> list[str]:
    case = row.case
    ours, peer = best(row, True), best(row, False)
    if ours is None:
        raise ValueError(f"{case.name} has no timing of {PROJECT}; expected one in every row")
    speed_up = _speed_up(row)
    return [
        case.cell if case.dtype == "float32" else f"{case.cell}, {case.dtype}",
        *map(str, (case.B, case.T, case.I, case.H)),
        f"{_microseconds(ours)} ({ours.threads})",
        number(speed_up) if speed_up else "",
        f"{_microseconds(peer)} ({peer.name}, {peer.threads})" if peer else absent,
        f"**{number(peer.seconds / ours.seconds)}**" if peer else "",
        number(row.flops / ours.seconds * 1e-9),
        _share_of_machine(row, ours),
    ]


def _share_of_machine(row: Row, ours: Timing) -> str:
    """Return the percentage of the multiply-add peak and, where it was measured, of the cache's bandwidth."""
    # Half as many lanes in double precision.
    peak = row.peak[ours.threads] / (2 if row.case.dtype == "float64" else 1)
    share = f"{100.0 * row.flops / ours.seconds * 1e-9 / peak:.0f}"
    if row.bandwidth is None:
        return share
    traffic = row.case.recurrent_bytes * row.kernel_reads / ours.seconds * 1e-9
    return f"{share} (cache {100.0 * traffic / row.bandwidth:.0f})"


def _speed_up(row: Row) -> float | None:
    """Return how many times as fast the project is on two threads as on one."""
    seconds = {timing.threads: timing.seconds for timing in row.timings if timing.name == PROJECT}
    return seconds[1] / seconds[2] if {1, 2} <= seconds.keys() else None


def _means(rows: Sequence[Row]) -> str:
    figures, per_step = ratios(rows), ratios(rows, "step")
    text = f"Geometric mean of the ratios: {number(_geometric_mean(figures)) if figures else 'no peer was timed'}"
    if per_step != figures:
        text += f", against the best peer at one call a step {number(_geometric_mean(per_step))}"
    if speed_ups := [s for row in rows if row.case.B >= 32 and (s := _speed_up(row))]:
        text += f". 1 → 2 threads, rows with B ≥ 32: {number(_geometric_mean(speed_ups))}"
    return f"{text}."


def line(cells: Iterable[str]) -> str:
    """Return a row of a table in Markdown."""
    return f"| {' | '.join(cells)} |"


def _microseconds(timing: Timing) -> str:
    return number(timing.seconds * 1e6)


def number(value: float) -> str:
    """Return three digits, all of those before the point."""
    return f"{value:.0f}" if value >= 100.0 else f"{value:.3g}"


def _geometric_mean(figures: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(figures))))
