"""Ctrl-C at random instants of short calls: ``python -m tests.searches.interrupts --count 1000 --seed 0``.

Half of the interrupts are spread over the time that a call takes, half over its steps of Python, of which most are done
in a hundredth of that time. After each:

- the call has raised KeyboardInterrupt, or was over; nobody swallowed it, and its handler is the one that there was;
- models and trainers work on, in this thread and in another: nobody holds a lock;
- the trainer saves a checkpoint that resumes to the same bits, and both train on to the same bits;
- a file holds what it held or what was to be written, and there is no other file;
- there are no more threads than before.
"""

from __future__ import annotations

import copy
import faulthandler
import os
import pickle
import queue
import random
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import fastrnn as fr
from fastrnn.code import cache
from fastrnn.engine import team
from fastrnn.operations.call import Operation
from fastrnn.operations.updates import UPDATE
from tests.helpers.searching import arguments, counted

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((48, 6, 3)), RNG.standard_normal((48, 1))
NOWHERE = open(os.devnull, "w")  # noqa: SIM115 - a file that goes without being closed would swallow a Ctrl-C
THREADS = 2 * os.cpu_count()  # type: ignore[operator]
PATIENCE = 120.0
"""Seconds after which something hangs."""


class Elsewhere:
    """Another thread, which does what it is told."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Callable[[], Any]] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._serve, name="elsewhere", daemon=True).start()
        self.known = {"MainThread", "elsewhere", "tqdm_monitor"}

    def _serve(self) -> None:
        while True:
            try:
                self._results.put((self._orders.get()(), None))
            except BaseException as error:
                self._results.put((None, error))

    def __call__(self, work: Callable[[], Any]) -> Any:
        self._orders.put(work)
        try:
            result, error = self._results.get(timeout=PATIENCE)
        except queue.Empty:
            faulthandler.dump_traceback()
            raise TimeoutError("another thread hangs") from None
        if error is not None:
            raise error
        return result


class Scene:
    """What the calls are made with; ``folder`` is for the files, and holds no others."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.model_file, self.checkpoint = folder, folder / "m.safetensors", folder / "t.ckpt"
        for path in folder.iterdir():
            path.unlink()
        layers = [fr.LSTM(5, return_sequences=True, dropout=0.2), fr.GRU(4), fr.Dense(1)]
        self.model = fr.Sequential(layers, input_size=3, seed=seed)
        self.trainer = fr.Trainer(self.model, optimizer=fr.Adam(0.01), metrics=["mae"], threads=2, seed=seed)
        self.stream = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)], input_size=3).stream(2)
        learner = fr.Sequential([fr.GRU(4), fr.Dense(1)], input_size=3, seed=seed)
        self.live = fr.Trainer(learner, optimizer="adam", tbptt=(100, 120), tbptt_update="chunk").stream(2)
        self.fit()
        self.model.save(self.model_file)
        self.trainer.save_checkpoint(self.checkpoint)

    def fit(self, rows: int = 48, **settings: Any) -> None:
        self.trainer.fit(X[:rows], Y[:rows], **({"epochs": 2, "batch_size": 16, "verbose": 0} | settings))

    def fit_with_callbacks(self) -> None:
        watching = [
            fr.EarlyStopping("loss", patience=3, restore_best_weights=True),
            fr.ModelCheckpoint(self.checkpoint, "val_mae", save_best_only=True),
            fr.ProgressBar(NOWHERE),
        ]
        self.fit(validation_split=0.25, callbacks=watching)

    def fit_another_shape(self) -> None:
        self.fit(rows=random.choice([20, 30, 40]), batch_size=random.choice([4, 8, 10]))

    def predict(self) -> None:
        rows = random.choice([1, 16, 33])
        for _ in range(random.choice([1, 3])):
            self.model.predict(X[:rows], threads=random.choice([None, 1, 2, 3]))

    def predict_states(self) -> None:
        self.model.predict(X[:20], lengths=np.arange(20) % 7, return_state=True, threads=2)

    def step(self) -> None:
        self.stream.step(X[:2, 0])

    def run(self) -> None:
        self.stream.run(X[:2])

    def learn(self) -> None:
        self.live.learn(X[:2, 0], Y[:2])

    def learn_many(self) -> None:
        for _ in range(random.choice([1, 40])):
            self.live.learn(X[:2], np.repeat(Y[:2, None], X.shape[1], axis=1))

    def settle(self) -> None:
        random.choice([lambda: self.live.reset(1), lambda: self.live.step(X[:2, 0]), lambda: self.live.state])()

    def evaluate(self) -> None:
        self.trainer.evaluate(X[:20], Y[:20])

    def gradients(self) -> None:
        self.model.gradients(X[:5], Y[:5])

    def save(self) -> None:
        self.model.save(self.model_file)

    def save_checkpoint(self) -> None:
        self.trainer.save_checkpoint(self.checkpoint)

    def resume(self) -> None:
        fr.Trainer.resume(self.checkpoint).evaluate(X[:5], Y[:5])

    def load(self) -> None:
        fr.load(self.model_file).predict(X[:5])

    def set_weights(self) -> None:
        self.model.set_weights([weight * 1.001 for weight in self.model.get_weights()])

    def copy(self) -> None:
        copy.deepcopy(self.trainer)
        pickle.loads(pickle.dumps(self.trainer))

    def compile(self) -> None:
        before, cache.FOLDER = cache.FOLDER, Path(tempfile.mkdtemp(dir=self.folder.parent))
        try:
            Operation("zero_gradients", "training.optimizers", UPDATE).address("float32")
        finally:
            cache.FOLDER = before

    def check(self, elsewhere: Elsewhere) -> None:
        """Hold the laws."""
        files = {path.name for path in self.folder.iterdir()}
        assert files == {self.model_file.name, self.checkpoint.name}, f"files are left: {files}"
        fr.load(self.model_file)
        fr.Trainer.resume(self.checkpoint)
        for model in (self.model, self.stream._model, self.live._model):
            fresh = fr.Sequential(model.layers, input_size=3)
            fresh.set_weights(model.get_weights())
            expected = fresh.predict(X)
            assert np.array_equal(model.predict(X), expected), "a prediction is by old weights"
            assert np.array_equal(elsewhere(lambda model=model: model.predict(X)), expected)
        self.trainer.save_checkpoint(self.checkpoint)
        resumed = fr.Trainer.resume(self.checkpoint)
        copied = copy.deepcopy(self.trainer)
        elsewhere(self.learn)
        lists = self.trainer.history.history
        assert {len(values) for values in lists.values()} == {len(self.trainer.history.epoch)}, "a torn history"
        assert self.trainer.history.epoch == list(range(len(lists["loss"]))), "an epoch is there twice"
        elsewhere(self.fit)
        for other in (resumed, copied):
            other.fit(X, Y, epochs=2, batch_size=16, verbose=0)
            assert repr(other.history.history) == repr(lists), "a resumed or copied trainer goes on otherwise"
            for ours, theirs in zip(self.model.get_weights(), other.model.get_weights(), strict=True):
                assert ours.tobytes() == theirs.tobytes(), "a resumed or copied trainer has other weights"
        assert len(team._serving) <= THREADS, f"{len(team._serving)} threads serve"
        others = {thread.name for thread in threading.enumerate()} - elsewhere.known
        assert not others, f"threads are left: {others}"


CALLS = {name: call for name, call in vars(Scene).items() if name not in ("check", "__init__") and callable(call)}
RARE = ("compile",)


def is_traced(frame: FrameType | None) -> bool:
    """Whether a frame is, or was called by, a trace function, such as a handler that hears the next signal there."""
    while frame is not None:
        if frame.f_code.co_name == "trace":
            return True
        frame = frame.f_back
    return False


class Interrupter:
    """Ctrl-C by a timer, whose signal comes at any instant, as a key's does: what SIGINT would do is done then."""

    def __init__(self) -> None:
        self.has_fired = False
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has those in the background ignore it
        signal.signal(signal.SIGALRM, self._fire)
        self.place = ""
        self.swallowed: list[str] = []
        sys.unraisablehook = self._note

    def _fire(self, number: int, frame: FrameType | None) -> None:
        if is_traced(frame):  # a signal is heard at some steps, this at all
            signal.setitimer(signal.ITIMER_REAL, 1e-4)  # when this handler is over: it must not hear the next one
            return
        self.has_fired = True
        self.place = "".join(traceback.format_stack(frame, 3))
        handler = signal.getsignal(signal.SIGINT)
        assert callable(handler)
        handler(signal.SIGINT, frame)

    def _note(self, told: Any) -> None:
        if isinstance(told.exc_value, KeyboardInterrupt):
            self.swallowed.append(f"in {told.object!r}")

    def after(self, seconds: float) -> None:
        """Interrupt after a time."""
        self.has_fired = False
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-6))

    def after_steps(self, steps: int, seconds: float) -> None:
        """Interrupt ``seconds`` after so many steps of Python."""
        self.has_fired = False
        left = steps

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal left
            frame.f_trace_opcodes = True
            left -= 1
            if left <= 0:
                sys.settrace(None)
                signal.setitimer(signal.ITIMER_REAL, seconds)
                return None
            return trace

        sys.settrace(trace)

    def stop(self) -> None:
        """Interrupt no more."""
        sys.settrace(None)
        signal.setitimer(signal.ITIMER_REAL, 0)


def steps_of(call: Callable[[], None]) -> int:
    """Return how many steps of Python a call takes."""
    steps = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal steps
        frame.f_trace_opcodes = True
        steps += 1
        return trace

    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return steps


def search(numbers: Iterable[int], seed: int, folder: Path, calls: list[str]) -> list[str]:
    """Interrupt a call for each number; return what is wrong, a line for each."""
    random.seed(seed)
    team.IDLE_SECONDS = 0.05  # so that threads end and are started again all the time
    scene, elsewhere, interrupter = Scene(folder, seed), Elsewhere(), Interrupter()
    times, steps = {}, {}
    for name in calls:
        CALLS[name](scene)
        start = time.perf_counter()
        CALLS[name](scene)
        times[name] = time.perf_counter() - start
        steps[name] = 0 if name in RARE else steps_of(lambda name=name: CALLS[name](scene))
    told, interrupted, count = [], 0, 0
    weights = [0.02 if name in RARE else 1.0 for name in calls]
    for number in numbers:
        count += 1
        (name,) = random.choices(calls, weights)
        by_steps = steps[name] and random.random() < 0.5
        came = is_over = False
        problem = ""
        try:
            try:
                if by_steps:
                    interrupter.after_steps(random.randint(1, steps[name]), random.uniform(1e-6, 2e-5))
                else:
                    interrupter.after(random.uniform(0, 1.1 * times[name]))
                CALLS[name](scene)
                is_over = True
                interrupter.stop()
                for _ in range(3):
                    time.sleep(0)
            except KeyboardInterrupt:
                came = True
            interrupter.stop()
        except KeyboardInterrupt:
            came = True
            interrupter.stop()
        except BaseException:
            interrupter.stop()
            problem = traceback.format_exc()
        interrupted += came and not is_over
        try:
            assert not problem, problem
            assert not interrupter.swallowed, interrupter.swallowed
            assert came or not interrupter.has_fired, f"swallowed in {interrupter.place}"
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, "the handler is another"
            scene.check(elsewhere)
        except BaseException:
            told.append(f"trial {number}, {name}, {'by steps' if by_steps else 'by time'}: {traceback.format_exc(8)}")
            print(told[-1], flush=True)
            interrupter.swallowed.clear()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            scene, elsewhere = Scene(folder, seed), Elsewhere()
    print(f"{count} calls, {interrupted} interrupted: {len(told)} faults")
    return told


def main() -> int:
    """Search as the command line says; 1 if something is wrong."""
    parser = arguments(__doc__)
    parser.add_argument("--count", type=int, help="how many calls, instead of --seconds")
    parser.add_argument("--calls", nargs="+", default=list(CALLS), choices=list(CALLS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "files"
        files.mkdir()
        return int(bool(search(counted(given), given.seed, files, given.calls)))


if __name__ == "__main__":
    sys.exit(main())
