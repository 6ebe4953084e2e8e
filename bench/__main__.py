"""``python -m bench``: peak, project and peers in turn, tutorials and NumPy, or streams; prints the README's tables."""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from bench.race import Row, run_row
from bench.recipes import find_recipes, recipes_table, run_recipes
from bench.start import PROGRAMS, Start, measure_start
from bench.stepper import KINDS, Kind
from bench.streams import race
from bench.streams import table as streams_table
from bench.table import COMMAND, PROJECT, README, fill_blocks, headline, require_blocks, tables
from bench.worker import PEERS, Worker
from tests.helpers.cases import GRID, LONG, Case

_THREADS = (1, 2)
_CASES = [*GRID, *LONG]
_BLOCKS = {"peers": ("bench", "bench:headline"), "tutorials": ("tutorials",), "streams": ("streams",)}
"""What of the README a run fills."""


def main() -> None:
    """Run what the command line asks for."""
    options = _parse_arguments()
    readme = README.read_text(encoding="utf-8") if options.write_readme else ""
    if options.write_readme:
        require_blocks(readme, _BLOCKS[options.what])
    blocks = _RUNS[options.what](options)
    if options.write_readme:
        README.write_text(fill_blocks(readme, blocks), encoding="utf-8")
    print("\n\n".join(content.strip() for content in blocks.values()))


def _run_tutorials(options: argparse.Namespace) -> dict[str, str]:
    """Return the README's block by its name."""
    results = run_recipes(find_recipes(options.rows), options.rounds)
    if options.json:
        record = [
            result._asdict() | {key: getattr(result, key)._asdict() for key in ("slow", "fast")} for result in results
        ]
        options.json.write_text(json.dumps(record, indent=1), encoding="utf-8")
    return {"tutorials": f"\n{recipes_table(results)}\n"}


def _run_streams(options: argparse.Namespace) -> dict[str, str]:
    """Return the README's block by its name."""
    found = race(options.rounds, options.seconds, options.peers)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return {"streams": f"\n{streams_table(found)}\n"}


def _run_peers(options: argparse.Namespace) -> dict[str, str]:
    """Return the README's blocks by their names."""
    cases = _select(options.rows)
    kinds = KINDS if options.kind == "both" else (options.kind,)
    workers, versions = _open_workers([PROJECT, *options.peers])
    try:
        starts = [measure_start(program) for program in PROGRAMS]
        rows = _run_rows(kinds, cases, workers, options.rounds, options.seconds)
    finally:
        for worker in workers:
            worker.close()
    if options.json:
        options.json.write_text(_to_json(rows, starts, versions), encoding="utf-8")
    return {"bench:headline": headline(rows), "bench": f"\n{tables(rows, starts, versions)}\n"}


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    instead = parser.add_mutually_exclusive_group()
    for what, about in (("tutorials", "the tutorials beside NumPy"), ("streams", "streams beside the peers")):
        text = f"{about}, instead of the rows"
        instead.add_argument(f"--{what}", dest="what", action="store_const", const=what, default="peers", help=text)
    parser.add_argument("--rows", nargs="+", default=[""], metavar="PART", help="only rows whose name contains a PART")
    parser.add_argument("--kind", choices=[*KINDS, "both"], default="both", help="which steps (%(default)s)")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS, help="only these peers (none: no peer)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contestant (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.25, help="length of a turn (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--write-readme", action="store_true", help="put the tables into README.md")
    options = parser.parse_args()
    if options.what == "streams" and (options.kind != "both" or options.rows != [""]):
        parser.error("--streams with --kind or --rows; expected neither: there is one model, and all is timed")
    if options.what == "tutorials" and (options.kind != "both" or list(options.peers) != list(PEERS)):
        parser.error("--tutorials with --kind or --peers; expected neither: the tutorials are timed beside NumPy")
    whole = options.rows == [""] and options.kind == "both" and list(options.peers) == list(PEERS)
    if options.write_readme and not whole:
        parser.error("--write-readme with --rows, --kind or --peers; expected the whole run: leave them out")
    return options


_RUNS = {"peers": _run_peers, "tutorials": _run_tutorials, "streams": _run_streams}


def _select(parts: Sequence[str]) -> list[Case]:
    cases = [case for case in _CASES if any(part in case.name for part in parts)]
    if not cases:
        raise SystemExit(
            f"--rows {' '.join(parts)} names no row; expected a part of: {', '.join(c.name for c in _CASES)}"
        )
    return cases


def _open_workers(names: Sequence[str]) -> tuple[list[Worker], dict[str, str]]:
    """Return the workers of the contestants that are installed, and everybody's versions."""
    workers: list[Worker] = []
    versions = dict.fromkeys(names, "not installed")
    for name in names:
        for threads in _THREADS:
            try:
                workers.append(Worker(name, threads))
            except ModuleNotFoundError:
                if name == PROJECT:
                    raise
                break
            versions[name] = workers[-1].versions
    return workers, versions


def _run_rows(
    kinds: Sequence[Kind], cases: Sequence[Case], workers: Sequence[Worker], rounds: int, seconds: float
) -> list[Row]:
    rows = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as meter:
        for kind in kinds:
            for case in cases:
                print(f"{kind} {case.name} ...", file=sys.stderr, flush=True)
                rows.append(run_row(kind, case, workers, _THREADS, rounds, seconds, meter))
    return rows


def _to_json(rows: Sequence[Row], starts: Sequence[Start], versions: dict[str, str]) -> str:
    record = {
        "versions": versions,
        "starts": [start._asdict() for start in starts],
        "rows": [
            {
                "kind": row.kind,
                "case": row.case._asdict(),
                "peak_gflops": row.peak,
                "bandwidth_gb_s": row.bandwidth,
                "timings": [timing._asdict() for timing in row.timings],
            }
            for row in rows
        ],
    }
    return json.dumps(record, indent=1)


if __name__ == "__main__":
    main()
