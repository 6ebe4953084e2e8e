"""Searches: more of what the suite draws a sample of.

Each ``tests/searches/NAME.py`` is a command: ``python -m tests.searches.NAME --seconds 20 --seed 0`` tries random
cases, those of the seed first, for about so long (processes that it starts included) and says how many it has tried.
Where a case fails, it says how to see that one again and ends with a status other than 0. `.ci/run` runs each of them.
"""

import argparse
import itertools
import time
from collections.abc import Callable, Iterator


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return what every search is told."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long to go on (20)")
    parser.add_argument("--seed", type=int, default=0, help="where to begin (0)")
    return parser


def counted(given: argparse.Namespace, first: int = 0) -> Iterator[int]:
    """Number cases: ``--count`` of them, if that is given, or as many as begin within ``--seconds``."""
    start = time.monotonic()
    for number in itertools.count(first):
        is_over = time.monotonic() - start >= given.seconds if given.count is None else number - first >= given.count
        if is_over and (number > first or given.count is not None):
            return
        yield number


def search(attempt: Callable[[int], int | None], description: str | None = None) -> None:
    """Be such a command: call ``attempt`` with one seed after the other; it returns how many cases these were, or None.

    Raises
    ------
    Exception
        What ``attempt`` raised, after a line that tells the seed.
    """
    given = arguments(description).parse_args()
    start, seed, tried = time.monotonic(), given.seed, 0
    while seed == given.seed or time.monotonic() - start < given.seconds:
        try:
            tried += attempt(seed) or 1
        except BaseException:
            print(f"after {tried} cases; again with --seconds 0 --seed {seed}", flush=True)
            raise
        seed += 1
    print(f"{tried} cases, none failed; go on with --seed {seed}")
