"""Search for settings that do not go together: ``python -m tests.searches.settings --count 1000 --seed 0``.

Draws random combinations of all public settings (`tests.helpers.settings`), with sizes that cross the borders of lanes,
tiles, shards and windows, and asserts what holds for all of them (`tests.helpers.settings_laws`). Everything runs in
child processes, so that a crash is caught and named; what fails is made as plain as it can be while it fails, and
printed as the ``--case`` that shows it again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter

import numpy as np

from tests.helpers.searching import arguments
from tests.helpers.settings import CHOICES, Case, draw, value
from tests.helpers.settings_laws import Refused, check

CHUNK = 50
"""Cases that a child process runs."""
SHRUNK = 10
"""Failures that are made plain: each takes some tens of child processes."""
PYTHON = [sys.executable, "-X", "faulthandler", "-m", "tests.searches.settings"]


def case_of(seed: int, place: int) -> Case:
    """Return the case at a place of a search."""
    return draw(np.random.default_rng([seed, place]))


def as_text(case: Case) -> str:
    """Name what a case chooses that is not plain, in the form that ``--case`` takes."""
    return json.dumps({name: place for name, place in case.items() if value(case, name) != value({}, name)})


def fails(case: Case) -> bool:
    """Run one case in a child process."""
    child = subprocess.run([*PYTHON, "--case", as_text(case)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return child.returncode not in (0, 2)


def shrink(case: Case) -> Case:
    """Return the case with everything plain that may be plain while it fails: many settings at a time, then few."""
    case = json.loads(as_text(case))
    size = len(case)
    while size := size // 2:
        chosen = list(case)
        for first in range(0, len(chosen), size):
            names = chosen[first : first + size]
            plainer = {name: place for name, place in case.items() if name not in names}
            if fails(plainer):
                case = plainer
    return case


def run_chunk(seed: int, first: int, last: int) -> None:
    """Run the cases ``first`` ... ``last - 1``, telling of each before it runs and what has become of it."""
    for place in range(first, last):
        print(f"case {place}", flush=True)
        try:
            check(case_of(seed, place))
        except Refused as refusal:
            print(f"refused {refusal}", flush=True)
        except Exception as error:  # whatever it is, it has been found
            print(f"failed {type(error).__name__}: {' '.join(str(error).split())[:300]}", flush=True)


def search(seed: int, start: int, count: int | None, seconds: float) -> int:
    """Run ``count`` cases, or for so many seconds; print what failed, made plain, and what was refused.

    Returns how many failed.
    """
    begun, refused, place = time.perf_counter(), Counter[str](), start
    failed: list[int] = []

    def fail(how: str) -> None:
        failed.append(place)
        print(f"case {place} of seed {seed}: {how}", flush=True)

    def is_over() -> bool:
        return time.perf_counter() - begun >= seconds if count is None else place >= start + count

    while not is_over():
        last = place + CHUNK if count is None else min(start + count, place + CHUNK)
        chunk = [*PYTHON, "--seed", str(seed), "--chunk", str(place), str(last)]
        child = subprocess.run(chunk, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in child.stdout.splitlines():
            word, _, rest = line.partition(" ")
            if word == "case":
                place = int(rest)
            elif word == "refused":
                refused[" ".join(part for part in rest.split() if not any(c.isdigit() for c in part))[:100]] += 1
            elif word == "failed":
                fail(rest)
        if child.returncode:
            fail(f"crashed with exit code {child.returncode}")
        place += 1
    took = time.perf_counter() - begun
    print(f"{place - start} cases in {took:.0f} s: {len(failed)} failed, {refused.total()} were refused")
    for line, times in refused.most_common():
        print(f"  {times:6} {line}")
    for found in failed[:SHRUNK]:
        plainest = as_text(shrink(case_of(seed, found)))
        print(f"case {found}: python -m tests.searches.settings --case '{plainest}'", flush=True)
    return len(failed)


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, help="how many cases, instead of --seconds")
    parser.add_argument("--start", type=int, default=0, help="the first case, to go on where a search ended")
    parser.add_argument("--case", help="run this case alone: a JSON object of names and places of choices")
    parser.add_argument("--chunk", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.chunk:
        run_chunk(given.seed, *given.chunk)
        return 0
    if given.case is None:
        return int(search(given.seed, given.start, given.count, given.seconds) > 0)
    case = json.loads(given.case)
    print({name: value(case, name) for name in case if name in CHOICES})
    try:
        check(case)
    except Refused as refusal:
        print(f"refused: {refusal}")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
