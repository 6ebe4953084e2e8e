"""Cold start (nothing compiled yet) and warm start (cached) beyond ``import numpy``: ``python -m bench.start``.

Each in fresh processes.
"""

import json
import os
import subprocess
import sys
import tempfile
from typing import NamedTuple

_IMPORT = """
import json
import time
import numpy as np
start = time.perf_counter()
import fastrnn as fr
imported = time.perf_counter()
"""
_FIT = """
model = fr.Sequential([fr.{cell}(32), fr.Dense(1)], input_size=1)
trainer = fr.Trainer(model, loss="mse", optimizer=fr.Adam(1e-3))
built = time.perf_counter()
rng = np.random.default_rng(0)
x, y = rng.standard_normal((256, 50, 1), dtype=np.float32), rng.standard_normal((256, 1), dtype=np.float32)
trainer.fit(x, y, epochs=1, batch_size=32, verbose=0)
fitted = time.perf_counter()
print(json.dumps(dict(zip(("import", "build", "fit"), (imported - start, built - imported, fitted - built)))))
"""
_WARMUP = """
fr.warmup()
print(json.dumps({"import": imported - start, "warmup": time.perf_counter() - imported}))
"""
PROGRAMS = {
    "first `fit` of a SimpleRNN": _IMPORT + _FIT.format(cell="SimpleRNN"),
    "first `fit` of an LSTM": _IMPORT + _FIT.format(cell="LSTM"),
    "everything, `fr.warmup()`": _IMPORT + _WARMUP,
}
_WARM_RUNS = 5


class Start(NamedTuple):
    """The parts, in seconds, of a program's cold start, and of the warm one whose sum is the median."""

    program: str
    cold: dict[str, float]
    warm: dict[str, float]

    def describe(self) -> str:
        """Return both starts in words."""
        return f"{self.program}: cold {_describe(self.cold)}, warm {_describe(self.warm)}"


def _describe(parts: dict[str, float]) -> str:
    return f"{_total(parts):.2f} s ({', '.join(f'{name} {seconds:.2f}' for name, seconds in parts.items())})"


def _total(parts: dict[str, float]) -> float:
    return sum(parts.values())


def measure_start(program: str) -> Start:
    """Run one of ``PROGRAMS`` with an empty cache, then again with what that left behind."""
    with tempfile.TemporaryDirectory() as cache:
        cold = _run(program, cache)
        warm = [_run(program, cache) for _ in range(_WARM_RUNS)]
    return Start(program, cold, sorted(warm, key=_total)[_WARM_RUNS // 2])


def _run(program: str, cache: str) -> dict[str, float]:
    environment = {**os.environ, "FASTRNN_CACHE_DIR": cache}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAMS[program]], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    parts: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return parts


if __name__ == "__main__":
    for program in PROGRAMS:
        print(measure_start(program).describe(), flush=True)
