"""Forks at random instants while other threads work: ``python -m tests.searches.forks --count 200 --seed 0``.

Other threads predict with a model, fit a trainer, and compile and load a kernel. Each child does one of these, with the
same model, trainer and kernel or with others, and must be done in time, with the right bits.
"""

from __future__ import annotations

import faulthandler
import os
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

import fastrnn as fr
from fastrnn.code import cache
from fastrnn.operations.call import Operation
from fastrnn.operations.updates import UPDATE
from tests.helpers.searching import arguments, counted

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((64, 8, 3)), RNG.standard_normal((64, 1))
PATIENCE = 60
"""Seconds after which a child hangs, on a machine however busy."""


def make_model() -> fr.Sequential:
    return fr.Sequential([fr.LSTM(8), fr.Dense(1)], input_size=3)


class Work:
    """What threads and children do; the threads keep at it until the end of the search."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model, self.trainer = make_model(), fr.Trainer(make_model(), threads=2)
        self.expected = self.model.predict(X, threads=1)
        self.is_over = False
        self.errors: list[str] = []

    def predict(self) -> None:
        assert np.array_equal(self.model.predict(X, threads=2), self.expected)

    def predict_another_shape(self) -> None:
        rows = random.randint(1, len(X))
        found = self.model.predict(X[:rows], threads=random.choice([1, 2, 3]))
        assert np.allclose(found, self.expected[:rows], rtol=1e-4, atol=1e-5)

    def predict_with_a_new_model(self) -> None:
        assert np.array_equal(make_model().predict(X, threads=2), self.expected)

    def fit(self) -> None:
        self.trainer.fit(X, Y, epochs=3, batch_size=32, verbose=0)

    def save(self) -> None:
        self.model.save(self.folder / f"{os.getpid()}")
        os.unlink(self.folder / f"{os.getpid()}")

    def compile(self) -> None:
        Operation("zero_gradients", "training.optimizers", UPDATE).address("float32")
        for path in self.folder.glob("float32/zero_gradients-*[0-9a-f]"):
            if random.random() < 0.2:
                path.unlink(missing_ok=True)

    def keep_at(self, work: Callable[[], None]) -> None:
        while not self.is_over:
            try:
                work()
            except Exception:
                self.errors.append(traceback.format_exc(3))
            time.sleep(random.choice([0, 0, 0.001]))


CHILDREN = (
    Work.predict, Work.predict, Work.predict_another_shape, Work.predict_with_a_new_model, Work.fit, Work.save,
    Work.compile,
)  # fmt: skip


def fork(work: Work, seed: int) -> tuple[str, int]:
    """Fork a child that does one thing; return what, and its process."""
    task = CHILDREN[seed % len(CHILDREN)]
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)
        faulthandler.dump_traceback_later(PATIENCE - 10)
        random.seed(seed)
        status = 1
        try:
            task(work)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return task.__name__, child


def search(numbers: Iterable[int], seed: int, folder: Path) -> list[str]:
    """Fork a child for each number; return what is wrong, a line for each."""
    random.seed(seed)
    cache.FOLDER = folder
    work = Work(folder)
    tasks = (work.predict, work.predict_another_shape, work.fit, work.compile)
    threads = [threading.Thread(target=work.keep_at, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    told, count = [], 0
    for number in numbers:
        count += 1
        time.sleep(random.uniform(0, 0.01))
        name, child = fork(work, seed + number)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status:
            told.append(f"child {number}, {name}: {'hangs' if status == -signal.SIGALRM else f'ends with {status}'}")
            print(told[-1], flush=True)
    work.is_over = True
    for thread in threads:
        thread.join()
    told += [f"in a thread of the parent: {error}" for error in work.errors]
    print(f"{count} forks: {len(told)} faults")
    return told


def main() -> int:
    """Search as the command line says; 1 if something is wrong."""
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, help="how many forks, instead of --seconds")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = search(counted(given), given.seed, Path(folder))
    print(*told[:5], sep="\n")
    return int(bool(told))


if __name__ == "__main__":
    sys.exit(main())
