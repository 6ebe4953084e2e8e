"""``python -m bench``: peak, project and peers in turn; prints the README's table."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.race import Row, run_row
from bench.start import Start, measure_start
from bench.table import COMMAND, PROJECT, README, fill_blocks, headline, require_blocks, table
from bench.worker import PEERS, Worker
from tests.cases import GRID, Case

_THREADS = (1, 2)


def main() -> None:
    """Run what the command line asks for."""
    options = _parse_arguments()
    readme = README.read_text(encoding="utf-8") if options.write_readme else ""
    if options.write_readme:
        require_blocks(readme)
    workers, versions = _open_workers([PROJECT, *options.peers])
    try:
        start = measure_start()
        rows = []
        for case in _select(options.rows):
            print(f"{case.name} ...", file=sys.stderr, flush=True)
            rows.append(run_row(case, workers, _THREADS, options.rounds, options.seconds))
    finally:
        for worker in workers:
            worker.close()
    text, sentence = table(rows, start, versions), headline(rows)
    if options.json:
        options.json.write_text(_to_json(rows, start, versions), encoding="utf-8")
    if options.write_readme:
        README.write_text(fill_blocks(readme, text, sentence), encoding="utf-8")
    print(f"{sentence}\n\n{text}")


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--rows", nargs="+", default=[""], metavar="PART", help="only rows whose name contains a PART")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS, help="only these peers (none: no peer)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each contestant (%(default)s)")
    parser.add_argument("--seconds", type=float, default=0.25, help="length of a turn (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--write-readme", action="store_true", help="put the table into README.md")
    options = parser.parse_args()
    if options.write_readme and (options.rows != [""] or list(options.peers) != list(PEERS)):
        parser.error("--write-readme with --rows or --peers; expected the whole run: leave them out")
    return options


def _select(parts: Sequence[str]) -> list[Case]:
    cases = [case for case in GRID if any(part in case.name for part in parts)]
    if not cases:
        raise SystemExit(
            f"--rows {' '.join(parts)} names no row; expected a part of: {', '.join(c.name for c in GRID)}"
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


def _to_json(rows: Sequence[Row], start: Start, versions: dict[str, str]) -> str:
    record = {
        "versions": versions,
        "start": {"cold": start.cold._asdict(), "warm": start.warm._asdict()},
        "rows": [
            {"case": r.case._asdict(), "peak_gflops": r.peak, "timings": [t._asdict() for t in r.timings]} for r in rows
        ],
    }
    return json.dumps(record, indent=1)


if __name__ == "__main__":
    main()
