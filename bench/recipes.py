"""The tutorials beside plain NumPy: their recipes' two programs in turn, in one process."""

import os
import pkgutil
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple, Protocol, cast

import bench.tutorials
import fastrnn as fr
from bench.project import versions
from bench.table import COMMAND, line, machine, number

SEED = 0
ENOUGH_SECONDS = 20.0
"""A program that has run this long takes no further turn."""

_HEAD = ("tutorial", "what", "NumPy, s", "fastrnn, s", "speed-up", "figure, NumPy", "figure, fastrnn")
_NOTES = """\
The tutorial's own recipe, from its random weights to its last figure: a plain NumPy program, a loop over the steps with
the gradient written out, and the same training by fastrnn's `Trainer.fit`, in turn in one process, the best time of
each. The kernels are compiled before. NumPy computes in float64; so does fastrnn in addition and xsinx, in the others
it computes in float32, its default. sine has the correct gradient, which the published program has not. fastrnn chooses
its number of threads by the work; {blas}.

Both programs start from the same weights and take the rows in the same order. Their figures differ by
rounding; in text they agree in size only, as a difference in the last digit grows over its updates; in stocks they
differ by chance too, as each program draws dropout masks of its own."""
_BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


class Recipe(Protocol):
    """A module of `bench.tutorials`."""

    NAME: str
    WHAT: str

    def slow(self, seed: int) -> float: ...

    def fast(self, seed: int) -> float: ...


class Timing(NamedTuple):
    """Of every turn of one program: its seconds, and the figure it ended with."""

    seconds: list[float]
    figures: list[float]

    @property
    def best(self) -> float:
        """The seconds of the fastest turn."""
        return min(self.seconds)

    @property
    def figure(self) -> float:
        """The figure that every turn ended with."""
        return self.figures[0]

    def take_turn(self, program: Callable[[int], float]) -> None:
        """Run the program, unless its turns have been long enough."""
        if sum(self.seconds) < ENOUGH_SECONDS:
            start = time.perf_counter()
            figure = program(SEED)
            self.seconds.append(time.perf_counter() - start)
            self.figures.append(figure)


class Result(NamedTuple):
    """A recipe's two programs, timed."""

    name: str
    what: str
    slow: Timing
    fast: Timing


def find_recipes(parts: Sequence[str] = ("",)) -> list[Recipe]:
    """Return the recipes whose name contains one of the parts, in the order of their names."""
    found = [import_module(f"bench.tutorials.{m.name}") for m in pkgutil.iter_modules(bench.tutorials.__path__)]
    recipes = sorted((cast(Recipe, module) for module in found), key=lambda recipe: recipe.NAME)
    chosen = [recipe for recipe in recipes if any(part in recipe.NAME for part in parts)]
    if not chosen:
        raise SystemExit(
            f"--rows {' '.join(parts)} names no tutorial; expected a part of: {', '.join(r.NAME for r in recipes)}"
        )
    return chosen


def run_recipes(recipes: Sequence[Recipe], rounds: int) -> list[Result]:
    """Time each recipe's two programs, with the kernels compiled."""
    for dtype in ("float32", "float64"):
        fr.warmup(dtype)
    return [_run(recipe, rounds) for recipe in recipes]


def _run(recipe: Recipe, rounds: int) -> Result:
    print(f"{recipe.NAME} ...", file=sys.stderr, flush=True)
    slow, fast = Timing([], []), Timing([], [])
    for _ in range(rounds):
        slow.take_turn(recipe.slow)
        fast.take_turn(recipe.fast)
    return Result(recipe.NAME, recipe.WHAT, slow, fast)


def recipes_table(results: Sequence[Result]) -> str:
    """Return the table and what must be said under it, in Markdown."""
    lines = [line(_HEAD), line("---" for _ in _HEAD)]
    lines += [line(_cells(result)) for result in results]
    lines += ["", _NOTES.format(blas=_blas_threads())]
    return "\n".join([*lines, "", f"{machine()}; {versions()}. Reproduce with `{COMMAND} --tutorials`."])


def _blas_threads() -> str:
    """Tell how many threads NumPy's BLAS has: it settles that when it is loaded."""
    told = [f"{name}={os.environ[name]}" for name in _BLAS_VARIABLES if name in os.environ]
    return "NumPy's BLAS has " + (f"those of {', '.join(told)}" if told else "its default, a thread for each core")


def _cells(result: Result) -> list[str]:
    slow, fast = result.slow, result.fast
    return [
        result.name,
        result.what,
        number(slow.best),
        number(fast.best),
        f"**{number(slow.best / fast.best)}**",
        f"{slow.figure:.4g}",
        f"{fast.figure:.4g}",
    ]
