"""Cold start (nothing compiled yet) and warm start (cached), each in fresh processes: ``python -m bench.start``."""

import json
import os
import subprocess
import sys
import tempfile
from typing import NamedTuple

import numpy as np

_PROGRAM = """
import time
start = time.perf_counter()
import json
import numpy as np
import fastrnn as fr
imported = time.perf_counter()
model = fr.Sequential([fr.SimpleRNN(32), fr.Dense(1)], input_size=1)
trainer = fr.Trainer(model, loss="mse", optimizer=fr.Adam(1e-3))
built = time.perf_counter()
rng = np.random.default_rng(0)
x, y = rng.standard_normal((256, 50, 1), dtype=np.float32), rng.standard_normal((256, 1), dtype=np.float32)
trainer.fit(x, y, epochs=1, batch_size=32, verbose=0)
print(json.dumps([imported - start, built - imported, time.perf_counter() - built]))
"""
_WARM_RUNS = 5


class Parts(NamedTuple):
    """Seconds of one start."""

    imports: float
    build: float
    first_fit: float


class Start(NamedTuple):
    """The cold start, and the median of the warm ones."""

    cold: Parts
    warm: Parts

    def describe(self) -> str:
        """Return both starts in words."""
        return f"cold (nothing compiled yet) {_describe(self.cold)}; warm {_describe(self.warm)}"


def _describe(parts: Parts) -> str:
    imports, build, first_fit = parts
    return f"{sum(parts):.2f} s (import {imports:.2f}, build {build:.2f}, fit {first_fit:.2f})"


def measure_start() -> Start:
    """Run the program with an empty cache, then again with what that left behind."""
    with tempfile.TemporaryDirectory() as cache:
        cold = _run(cache)
        warm = [_run(cache) for _ in range(_WARM_RUNS)]
    return Start(cold, min(warm, key=lambda parts: abs(sum(parts) - np.median([sum(p) for p in warm]))))


def _run(cache: str) -> Parts:
    environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return Parts(*json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    print(measure_start().describe())
