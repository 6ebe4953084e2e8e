"""What a run says: the README's table, its headline, and where they go."""

import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.race import Row, Timing
from bench.start import Start
from fastrnn.kernels.target import TARGET

README = Path(__file__).parent.parent / "README.md"
PROJECT = "fastrnn"
COMMAND = "python -m bench"

_HEAD = (
    "cell",
    "B",
    "T",
    "I",
    "H",
    "fastrnn, µs (threads)",
    "best peer, µs (which, threads)",
    "ratio",
    "best peer at one call a step, µs",
    "ratio",
    "GFLOP/s",
    "% of peak",
)

_NOTES = """\
Time of one training step: forward, mean squared error on the last output, backward, Adam. fastrnn is timed through
`Trainer.fit`, an epoch a call, with the shuffle; PyTorch in eager mode, a call a step; JAX as one compiled call a step
and as one compiled call an epoch (no shuffle), the better of the two. Each has its best of 1 and 2 threads and of its
settings, which `--json` lists. Each contestant's first step is held against the float64 reference before it is timed.

GFLOP/s count the products only: forward 2BT(IH + H²), backward 2BT(IH + 2H²), since no gradient of x is needed. The
peak is that of a loop of independent multiply-adds on as many threads, measured in the same rounds:
{peaks}."""


def best(row: Row, project: bool, call: str = "") -> Timing | None:
    """Return the row's fastest timing of the project, or of the peers, whose setting begins with ``call``."""
    timings = [t for t in row.timings if (t.name == PROJECT) == project and t.setting.startswith(call)]
    return min(timings, key=lambda timing: timing.seconds, default=None)


def ratios(rows: Iterable[Row], call: str = "") -> list[float]:
    """Return how many times the best peer's time a training step takes, for the rows that have both timings."""
    result = []
    for row in rows:
        ours, peer = best(row, True), best(row, False, call)
        if ours and peer:
            result.append(peer.seconds / ours.seconds)
    return result


def headline(rows: Sequence[Row]) -> str:
    """Return the sentence with the measured figure."""
    figures = ratios(rows)
    if not figures:
        return "No peer was timed: nothing to compare with."
    count = f"{len(figures)} row{'s' if len(figures) > 1 else ''}"
    return (
        f"A training step runs {_number(min(figures))} to {_number(max(figures))} times as fast as the best of PyTorch "
        f"and JAX, each at its best setting (geometric mean {_number(_geometric_mean(figures))} over {count})."
    )


def table(rows: Sequence[Row], start: Start, versions: Mapping[str, str]) -> str:
    """Return the table and what must be said under it, in Markdown."""
    absent = "not installed" if "not installed" in versions.values() else "not timed"
    lines = [_line(_HEAD), _line("---" for _ in _HEAD), *(_line(_cells(row, absent)) for row in rows)]
    means = [f"{_number(_geometric_mean(r))}" for call in ("", "step") if (r := ratios(rows, call))]
    peaks = [f"{_number(np.median([row.peak[count] for row in rows]))} GFLOP/s on {count}" for count in rows[0].peak]
    lines += [
        "",
        f"Geometric mean of the ratios: {', at one call a step '.join(means) or 'no peer was timed'}.",
        "",
        _NOTES.format(peaks=", ".join(peaks)),
        "",
        f"Start, in a fresh process, to the end of the first `fit`: {start.describe()}.",
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


def require_blocks(text: str) -> None:
    """Raise ValueError unless the README has the two blocks that a run fills."""
    for name in ("bench", "bench:headline"):
        if not _block(name).search(text):
            raise ValueError(f"README.md has no <!-- {_begin(name)} --> ... <!-- {name}:end -->; add the two lines")


def fill_blocks(text: str, table: str, headline: str) -> str:
    """Return the README with the new table and headline."""
    for name, content in (("bench", f"\n{table}\n"), ("bench:headline", headline)):
        text = _block(name).sub(lambda found, content=content: f"{found[1]}{content}{found[2]}", text)
    return text


def _begin(name: str) -> str:
    return "bench:begin" if name == "bench" else name


def _block(name: str) -> re.Pattern[str]:
    return re.compile(f"(<!-- {_begin(name)} -->).*?(<!-- {name}:end -->)", re.DOTALL)


def _cells(row: Row, absent: str) -> list[str]:
    case = row.case
    ours, peer, peer_per_step = best(row, True), best(row, False), best(row, False, "step")
    if ours is None:
        raise ValueError(f"{case.name} has no timing of {PROJECT}; expected one in every row")
    gflops = case.flops / ours.seconds * 1e-9
    # Half as many lanes in double precision.
    peak = row.peak[ours.threads] / (2 if case.dtype == "float64" else 1)
    cell = case.cell if case.dtype == "float32" else f"{case.cell}, {case.dtype}"
    return [
        cell,
        *map(str, (case.B, case.T, case.I, case.H)),
        f"{_microseconds(ours)} ({ours.threads})",
        *_against(peer, ours, absent),
        *_against(peer_per_step, ours, absent),
        _number(gflops),
        f"{100.0 * gflops / peak:.0f}",
    ]


def _against(peer: Timing | None, ours: Timing, absent: str) -> tuple[str, str]:
    if peer is None:
        return absent, ""
    return f"{_microseconds(peer)} ({peer.name}, {peer.threads})", f"**{_number(peer.seconds / ours.seconds)}**"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _microseconds(timing: Timing) -> str:
    return _number(timing.seconds * 1e6)


def _number(value: float) -> str:
    """Return three digits, all of those before the point."""
    return f"{value:.0f}" if value >= 100.0 else f"{value:.3g}"


def _geometric_mean(figures: Sequence[float]) -> float:
    return float(np.exp(np.mean(np.log(figures))))
