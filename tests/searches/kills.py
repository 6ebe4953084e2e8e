"""``kill -9`` at random instants of saving: ``python -m tests.searches.kills --count 500 --seed 0``.

A process saves a model, or fits with a checkpoint after every epoch, until it is killed. After each kill the file holds
what was saved before or after, a checkpoint goes on, and the next save leaves no other file in the folder but those of
another process that saves beside it all the time, and never finds its own file gone.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

import fastrnn as fr
from fastrnn.storage.trainer_file import read_history
from tests.helpers.searching import arguments, counted

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((32, 4, 3)), RNG.standard_normal((32, 1))
TARGET, BESIDE = "target", "beside"


def make_model(seed: int) -> fr.Sequential:
    """A model of 70 kB, whose file is not written in one piece."""
    return fr.Sequential([fr.LSTM(64), fr.Dense(1)], input_size=3, seed=seed)


def start(work: Callable[[], None]) -> int:
    """Fork a process that does something again and again, and ends with 1 if that fails; return its number.

    When this returns it has begun.
    """
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, b".")
            while os.getppid() != 1:
                work()
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.read(read, 1)
    os.close(read)
    os.close(write)
    return child


def search(numbers: Iterable[int], seed: int, folder: Path) -> list[str]:
    """Kill so often; return what is wrong, a line for each."""
    random.seed(seed)
    models = [make_model(1), make_model(2)]
    expected = [model.predict(X, threads=1) for model in models]
    target = folder / TARGET
    models[0].save(target)
    trainer = fr.Trainer(models[0], threads=1)
    trainer.fit(X, Y, epochs=1, verbose=0)
    models[0].set_weights(make_model(1).get_weights())

    def save() -> None:
        random.choice(models).save(target)

    def fit() -> None:
        trainer.fit(X, Y, epochs=50, callbacks=[fr.ModelCheckpoint(target)], verbose=0)

    def save_beside() -> None:
        models[1].save(folder / BESIDE)
        time.sleep(0.002)

    told, left, count, stop = [], 0, 0, signal.SIGKILL
    beside = start(save_beside)
    begun = time.perf_counter()
    save()
    duration = time.perf_counter() - begun
    for number in numbers:
        count += 1
        work = random.choice([save, save, save, fit])
        child = start(work)
        time.sleep(random.uniform(0, 2 * duration))
        os.kill(child, stop)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        left += len(set(os.listdir(folder)) - {TARGET, BESIDE}) > 1
        try:
            assert status == -stop, f"the process has ended with {status}"
            prediction = fr.load(target).predict(X, threads=1)
            if work is save:
                assert any(np.array_equal(prediction, each) for each in expected), "another model"
            if read_history(target):
                fr.Trainer.resume(target).fit(X, Y, epochs=1, verbose=0)
            save()
            assert os.waitpid(beside, os.WNOHANG) == (0, 0), "the process beside has failed"
            os.kill(beside, signal.SIGSTOP)
            os.waitpid(beside, os.WUNTRACED)
            save()
            others = [name for name in os.listdir(folder) if name not in (TARGET, BESIDE)]
            os.kill(beside, signal.SIGCONT)
            assert len(others) <= 1, f"files are left: {others}"
        except Exception:
            told.append(f"kill {number}: {traceback.format_exc(2)}")
            print(told[-1], flush=True)
    os.kill(beside, stop)
    os.waitpid(beside, 0)
    save()
    if set(os.listdir(folder)) != {TARGET, BESIDE}:
        told.append(f"files are left at the end: {os.listdir(folder)}")
        print(told[-1])
    print(f"{count} kills, {left} left a file at first: {len(told)} faults")
    return told


def main() -> int:
    """Search as the command line says; 1 if something is wrong."""
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, help="how many kills, instead of --seconds")
    given = parser.parse_args()
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a disk would take nearly all of the time
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        return int(bool(search(counted(given), given.seed, Path(folder))))


if __name__ == "__main__":
    sys.exit(main())
