"""Settings of the whole suite, and what all of it shares."""

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis.strategies import none

# For `tests.helpers` and `bench`. Last, so that an installed fastrnn is what is tested, not the sources beside it.
ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT))
# Before NumPy is imported: its matrices are small here, and threads of a BLAS cost more than they do.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import fastrnn  # noqa: E402

if Path(fastrnn.__file__).parents[1] == ROOT:  # not installed: processes that a test starts find it as this one does
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has those in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The first example of a test may compile kernels.
settings.register_profile("fastrnn", deadline=None)
settings.load_profile("fastrnn")

MANY = 1000
"""Tests that are worth compiling all kernels before the first of them."""
WARM = """
import sys
sys.executable = ""  # no second process: there are two of these
import fastrnn
fastrnn.warmup(sys.argv[1])
"""


def pytest_collection_finish() -> None:
    """What is imported by now stays: tests that collect garbage need not look through it again and again."""
    # Older versions of Hypothesis ask the garbage collector, once, who refers to their random numbers.
    settings(max_examples=1, database=None)(given(none())(lambda nothing: None))()
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _compiled(request: pytest.FixtureRequest) -> None:
    """Before a run of many tests, compile the kernels of both precisions side by side, as far as they are not kept.

    Tests, and the processes that they start, then load them. A run of few tests compiles what these need.
    """
    if len(request.session.items) < MANY:
        return
    processes = [subprocess.Popen([sys.executable, "-P", "-c", WARM, dtype]) for dtype in ("float32", "float64")]
    assert [process.wait() for process in processes] == [0, 0]
