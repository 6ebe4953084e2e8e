"""The tutorials' recipes in `bench`: what each module has, turns taken in order, and the table that comes of them."""

import re

import pytest

from bench import recipes
from bench.recipes import Result, Timing, find_recipes, recipes_table
from bench.table import README, fill_blocks, require_blocks


class Told:
    """A recipe whose programs note their turns."""

    NAME, WHAT = "told", "3 turns; the seed"

    def __init__(self):
        self.turns = []

    def slow(self, seed):
        self.turns.append("slow")
        return float(seed)

    def fast(self, seed):
        self.turns.append("fast")
        return seed + 0.5


@pytest.fixture
def results(monkeypatch):
    monkeypatch.setattr("fastrnn.warmup", lambda dtype: 0.0)
    return lambda recipe, rounds: recipes.run_recipes([recipe], rounds)[0]


def test_programs_take_turns(results):
    told = Told()
    result = results(told, 3)
    assert told.turns == ["slow", "fast"] * 3
    assert (result.slow.figure, result.fast.figure) == (recipes.SEED, recipes.SEED + 0.5)


def test_long_programs_take_fewer_turns(results, monkeypatch):
    clock = iter([0, 30, 30, 31, 31, 32, 32, 34])
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    told = Told()
    result = results(told, 3)
    assert told.turns == ["slow", "fast", "fast", "fast"]
    assert (result.slow.best, result.fast.best) == (30, 1)


@pytest.mark.parametrize(("seconds", "shown"), [(0.5, "**0.25**"), (0.001, "**125**")])
def test_the_table_shows_the_speed_up_as_it_is(seconds, shown):
    result = Result("told", "size", Timing([0.2, 0.125], [1.23456, 1.23456]), Timing([seconds], [9.0]))
    cells = recipes_table([result]).splitlines()[2].strip("| ").split(" | ")
    assert cells == ["told", "size", "0.125", f"{seconds:.3g}", shown, "1.235", "9"]


def test_the_table_tells_the_threads_of_blas(monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    assert "NumPy's BLAS has its default, a thread for each core." in recipes_table([])
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert "NumPy's BLAS has those of OPENBLAS_NUM_THREADS=1." in recipes_table([])


def test_the_table_goes_between_its_marks_and_nowhere_else():
    readme = README.read_text(encoding="utf-8")
    require_blocks(readme, ["tutorials", "bench", "bench:headline"])
    filled = fill_blocks(readme, {"tutorials": "\nthe table\n"})
    assert "<!-- tutorials:begin -->\nthe table\n<!-- tutorials:end -->" in filled
    for before, after in zip(*(re.split("<!-- tutorials:.*? -->", text) for text in (readme, filled)), strict=True):
        assert after in (before, "\nthe table\n")
    with pytest.raises(ValueError, match="no <!-- tutorials:begin --> "):
        require_blocks("", ["tutorials"])


def test_each_recipe_has_what_is_told_of_it():
    found = find_recipes()
    assert len({recipe.NAME for recipe in found}) == len(found)
    for recipe in found:
        assert "\n" not in recipe.WHAT
        assert "|" not in recipe.NAME + recipe.WHAT
        assert callable(recipe.slow)
        assert callable(recipe.fast)


def test_a_part_that_names_no_recipe():
    with pytest.raises(SystemExit, match="--rows nothing names no tutorial; expected a part of: "):
        find_recipes(["nothing"])
