"""Random combinations of all public settings under guards: a sample of ``python -m tests.searches.settings``."""

import contextlib
import inspect
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import fastrnn as fr
from tests.helpers.settings import CHOICES, OF_A_CELL, draw, value
from tests.helpers.settings_laws import Refused, check, fenced
from tests.searches.settings import as_text, case_of, shrink

SAMPLE = 60
TRIED = {
    **{name: name for name in (*CHOICES, *OF_A_CELL)},
    "recurrent_activation": "gate", "return_sequences": "every_step", "go_backwards": "way", "merge_mode": "mode",
    "vocabulary": "inputs", "size": "inputs", "validation_data": "validation", "validation_split": "validation",
    "rate": "above", "input_size": "inputs", "x": "form", "y": "form", "layer": "way", "layers": "depth",
    "return_state": "task", "wants": "task", "reset_after": "kind",
}  # fmt: skip
"""The choice that tries a parameter."""
UNTRIED = {
    "model", "name", "epochs", "callbacks", "verbose", "more", "unit_forget_bias", "embeddings_initializer",
    "kernel_initializer", "recurrent_initializer", "bias_initializer", "vector_initializer",
}  # fmt: skip
"""Parameters that no kernel knows of."""


@pytest.mark.parametrize("part", range(4))
def test_random_settings_go_together(part: int) -> None:
    for place in range(part, SAMPLE, 4):
        case = case_of(0, place)
        print(f"python -m tests.searches.settings --case '{as_text(case)}'")
        with contextlib.suppress(Refused):
            check(case)


@pytest.mark.parametrize(
    "public",
    [
        fr.Sequential, fr.Trainer, fr.Trainer.fit, fr.Trainer.evaluate, fr.Sequential.predict, fr.Sequential.gradients,
        *fr.layers.CELLS.values(), fr.Bidirectional, fr.Dense, fr.Embedding, fr.OneHot, fr.Dropout,
    ],
    ids=lambda public: public.__qualname__,
)  # fmt: skip
def test_all_public_settings_are_tried(public: Any) -> None:
    """Whoever adds a parameter adds a choice to `tests.helpers.settings`."""
    missing = set(inspect.signature(public).parameters) - {"self"} - TRIED.keys() - UNTRIED
    assert not missing, f"add {', '.join(missing)} to the choices of tests.helpers.settings"
    assert set(TRIED.values()) <= {*CHOICES, *OF_A_CELL}


def test_cases_are_drawn_from_everything_and_hardly_ever_refused() -> None:
    cases = [case_of(3, place) for place in range(500)]
    for name, values in CHOICES.items():
        tried = {str(value(case, name)) for case in cases}
        assert len(tried) == len({str(v) for v in values}) or name == "data"
    assert cases[:5] == [draw(np.random.default_rng([3, place])) for place in range(5)]


def test_a_case_of_its_own_is_run_and_a_failure_is_made_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is left: here by a failure of two settings together."""
    command = [sys.executable, "-m", "tests.searches.settings", "--case", '{"task": 2, "kind0": 1}']
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    culprits = {"dtype": 1, "units1": 3}
    monkeypatch.setattr("tests.searches.settings.fails", lambda case: culprits.items() <= case.items())
    assert shrink(case_of(3, 7) | culprits) == culprits


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fences are made by Linux's mprotect")
def test_fences_end_with_the_array() -> None:
    script = "from tests.helpers.settings_laws import fenced; import ctypes, numpy as np; a = fenced(np.zeros(3)); "
    for place, code in ((24, -11), (16, 0)):
        peek = f"ctypes.string_at(a.ctypes.data + {place}, 1)"
        assert subprocess.run([sys.executable, "-c", script + peek], check=False).returncode == code
    np.testing.assert_array_equal(fenced(np.arange(5)), np.arange(5))
