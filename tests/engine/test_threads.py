"""Threads, interrupts and forks: nothing hangs, nothing is left half done."""

import copy
import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from fastrnn.code import cache
from fastrnn.code.undisturbed import Undisturbed
from fastrnn.engine import team
from fastrnn.engine.team import Team
from fastrnn.ground.locks import new_lock
from fastrnn.operations.call import Operation
from fastrnn.operations.updates import UPDATE
from tests.helpers.waiting import HUNG

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def forks(test: Any) -> Any:
    """Mark a test that forks, of which newer Pythons warn where there are threads."""
    test = pytest.mark.filterwarnings("ignore::DeprecationWarning")(test)
    return pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")(test)


def new_crew(monkeypatch: pytest.MonkeyPatch, crew: team._Crew | None = None) -> None:
    """Let the next job of more than one thread find a crew of which all threads are still to be started."""
    monkeypatch.setattr(team, "_own", threading.local())
    if crew is not None:
        team._own.crew = crew


def in_child(work: Callable[[], Any]) -> int:
    """Do something in a forked process; return its exit code, that of SIGALRM if it hangs."""
    child = os.fork()
    if child == 0:
        signal.alarm(HUNG)
        faulthandler.dump_traceback_later(HUNG - 10)
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def reseeded(trainer: fr.Trainer) -> fr.Trainer:
    trainer.seed = 3
    return trainer


def run(*arguments: str) -> str:
    """Run Python in a process of its own, and return what it tells."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@posix
def test_interrupts_at_random_instants() -> None:
    """A sample of the search, which says what holds after each."""
    assert "40 calls" in run("-m", "tests.searches.interrupts", "--count", "40")


@forks
def test_forks_at_random_instants() -> None:
    assert "14 forks" in run("-m", "tests.searches.forks", "--count", "14")


def test_first_use_by_several_threads_makes_one_network() -> None:
    x = np.ones((2, 3, 2))
    for _ in range(20):
        model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)])
        threads = [threading.Thread(target=model.predict, args=(x,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        model.set_weights([np.zeros_like(w) for w in model.get_weights()])
        assert not model.predict(x).any()


@forks
def test_a_forked_process_finds_the_locks_open() -> None:
    x = np.ones((2, 3, 2))
    model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)], input_size=2)
    model.predict(x)
    (plan,) = model._plans.values()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with plan.lock:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    status = in_child(lambda: model.predict(x))
    done.set()
    thread.join()
    assert status == 0


def test_data_and_results_are_let_go() -> None:
    import weakref

    model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)])
    x, y = np.ones((2, 3, 2), np.float32), np.ones((2, 1), np.float32)
    fr.Trainer(model).fit(x, y, epochs=1, verbose=0)
    result = model.predict(x)
    left = [weakref.ref(a) for a in (x, y, result)]
    del x, y, result
    assert [r() for r in left] == [None, None, None]


def test_every_callback_hears_the_end() -> None:
    ended = []

    class Breaks(fr.Callback):
        def epoch(self, epoch: int, figures: dict[str, float]) -> None:
            raise KeyError("epoch")

        def end(self) -> None:
            ended.append(self)

    trainer = fr.Trainer(fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)]))
    with pytest.raises(KeyError, match="epoch"):
        trainer.fit(np.ones((2, 3, 2)), np.ones((2, 1)), callbacks=[Breaks(), Breaks()], verbose=0)
    assert len(ended) == 2


@pytest.mark.filterwarnings("ignore::fastrnn.TrainingWarning")
@pytest.mark.parametrize("optimizer", [fr.Adam(1e-3), fr.RMSProp(), fr.RMSProp(momentum=0.9), fr.Adagrad()])
def test_overflown_squares_do_not_make_a_weight_nan(optimizer: Any) -> None:
    model = fr.Sequential([fr.SimpleRNN(2, "linear"), fr.Dense(1)], input_size=1)
    fr.Trainer(model, optimizer=optimizer).fit(np.full((1, 1, 1), 1e10), np.full((1, 1), -1e10), epochs=3, verbose=0)
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_an_interrupted_run_leaves_the_bookkeeping_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is run counts as run, and weights laid out before it are laid out anew."""
    x, y = np.random.default_rng(0).standard_normal((8, 5, 2)).astype(np.float32), np.ones((8, 1), np.float32)
    model = fr.Sequential([fr.LSTM(4), fr.Dense(1)], input_size=2)
    trainer = fr.Trainer(model, optimizer=fr.SGD(0.5))
    before = trainer.evaluate(x, y)
    run = Team.run

    def interrupted(self: Team, *arguments: Any) -> None:
        run(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(Team, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(x, y, epochs=1, batch_size=8, verbose=0)
    monkeypatch.undo()
    assert trainer._plan is not None
    assert trainer._plan.draws == trainer._plan.updates == 1
    fresh = fr.Sequential(model.layers, input_size=2)
    fresh.set_weights(model.get_weights())
    assert trainer.evaluate(x, y) == fr.Trainer(fresh).evaluate(x, y) != before


@pytest.mark.parametrize("woken", [False, True])
def test_an_interrupt_while_threads_are_woken_leaves_none_waiting(monkeypatch: pytest.MonkeyPatch, woken: bool) -> None:
    model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)], input_size=2)
    x = np.random.default_rng(0).standard_normal((8, 5, 2))
    expected = model.predict(x, threads=1)
    new_crew(monkeypatch)
    wake = team._Crew._wake

    def interrupted(crew: team._Crew, i: int) -> None:
        if woken:
            wake(crew, i)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(team._Crew, "_wake", interrupted)
        with pytest.raises(KeyboardInterrupt):
            model.predict(x, threads=2)
    for _ in range(3):
        assert_array_equal(model.predict(x, threads=2), expected)


def test_threads_are_found_awake_or_asleep() -> None:
    model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)], input_size=2)
    x = np.random.default_rng(0).standard_normal((16, 5, 2))
    expected = model.predict(x, threads=1)
    for pause in (0.0, 0.0, 0.05, 0.0005, 0.001, 0.002, 0.004) * 5:
        time.sleep(pause)
        assert_array_equal(model.predict(x, threads=4), expected)


def test_a_thread_that_leaves_while_another_is_woken_is_woken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    crew = team._Crew(3)
    wake = crew._wake

    def wake_late(i: int) -> None:
        if i == 2:
            time.sleep(0.1)  # the first has come and gone
        wake(i)

    monkeypatch.setattr(crew, "_wake", wake_late)
    model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)], input_size=2)
    x = np.random.default_rng(0).standard_normal((12, 5, 2))
    results: list[Any] = []

    def call() -> None:
        team._own.crew = crew
        results.append(model.predict(x, threads=3))

    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    caller.join(HUNG)
    assert_array_equal(results, [model.predict(x, threads=1)])


def test_one_crew_serves_teams_of_all_sizes_and_goes_when_it_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "IDLE_SECONDS", 0.2)
    new_crew(monkeypatch, team._Crew(5))
    crew = team._own.crew
    model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)], input_size=2)
    x = np.random.default_rng(0).standard_normal((20, 5, 2))
    expected = model.predict(x, threads=1)
    for threads in (2, 3, 5, 4, 2):
        assert_array_equal(model.predict(x, threads=threads), expected)
    assert team._own.crew is crew
    assert sum(crew._is_there) <= 4
    while list(team._serving.values()).count(crew) != sum(crew._is_there):
        time.sleep(0.001)  # one that was started for the next job comes when the processors let it
    for pause in (0.0, 0.19, 0.2, 0.21, 0.22, 0.3):
        time.sleep(pause)
        assert_array_equal(model.predict(x, threads=2), expected)
    while any(crew._is_there):
        time.sleep(0.01)
    assert crew not in team._serving.values()
    assert_array_equal(model.predict(x, threads=5), expected)


@forks
def test_a_forked_process_has_threads_of_its_own() -> None:
    """Between two calls, and in the middle of a fit."""
    x, y = np.ones((64, 5, 2)), np.ones((64, 1))
    model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)], input_size=2)
    trainer = fr.Trainer(model, threads=2)
    model.predict(x, threads=2)
    children: list[int] = []

    def fork(epoch: int, figures: dict[str, float]) -> None:
        if epoch == 0:
            children.append(os.fork())
            if children[-1] == 0:
                signal.alarm(HUNG)

    trainer.fit(x, y, epochs=3, batch_size=32, callbacks=[fork], verbose=0)
    if children[-1] == 0:
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0
    assert in_child(lambda: model.predict(x, threads=2)) == 0


@forks
@pytest.mark.parametrize("place", ["elsewhere", "callback"])
def test_a_process_forked_during_a_fit_fits_anew(place: str) -> None:
    """Whether the thread that forks is the one that fits, or another."""
    x, y = np.ones((8, 3, 2)), np.ones((8, 1))
    trainer = fr.Trainer(fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)]))
    statuses: list[int] = []

    def fork() -> None:
        statuses.append(in_child(lambda: trainer.fit(x, y, epochs=1, verbose=0)))

    def hear(epoch: int, figures: dict[str, float]) -> None:
        if place == "callback":
            fork()
            return
        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()

    trainer.fit(x, y, epochs=1, callbacks=[hear], verbose=0)
    assert statuses == [0]


@forks
def test_a_fit_that_another_came_between_ends_with_an_error() -> None:
    """In a child that was forked in a callback, where both are the same trainer's."""
    x, y = np.ones((8, 3, 2)), np.ones((8, 1))
    trainer = fr.Trainer(fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)]))
    children: list[int] = []

    def fork(epoch: int, figures: dict[str, float]) -> None:
        if epoch == 0:
            children.append(os.fork())
            if children[-1] == 0:
                trainer.fit(x, y, epochs=1, verbose=0)

    told = ""
    try:
        trainer.fit(x, y, epochs=2, callbacks=[fork], verbose=0)
    except RuntimeError as error:
        told = str(error)
    finally:
        if children[-1] == 0:
            os._exit("another fit of this trainer" not in told)
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0


@forks
def test_a_prediction_repeated_in_a_child_waits_for_nobody() -> None:
    """Not for threads of the parent, which the fork found on their way through a job."""
    model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)], input_size=2)
    x = np.random.default_rng(0).standard_normal((8, 5, 2))
    expected = [model.predict(x, threads=2) for _ in range(3)][-1]
    (plan,) = model._plans.values()
    plan._program.barrier[0] = 1
    assert in_child(lambda: assert_array_equal(model.predict(x, threads=2), expected)) == 0


@forks
def test_a_fork_waits_until_no_thread_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "FOLDER", tmp_path)

    def compile_kernel() -> None:
        Operation("zero_gradients", "training.optimizers", UPDATE).address("float32")

    for pause in (0.01, 0.01, 0.015, 0.02, 0.025, 0.03):  # compiling; then loading, and giving it back to LLVM
        thread = threading.Thread(target=compile_kernel)
        thread.start()
        time.sleep(pause)
        assert in_child(compile_kernel) == 0
        thread.join()
    with Undisturbed():
        assert in_child(compile_kernel) == 0


@forks
def test_a_child_keeps_the_locks_that_its_own_thread_holds() -> None:
    lock = new_lock()

    def use() -> None:
        with lock:
            pass

    with lock:
        child = os.fork()
    if child == 0:
        signal.alarm(HUNG)
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@forks
@pytest.mark.parametrize("changed", [lambda trainer: trainer, copy.deepcopy, reseeded])
def test_a_child_shuffles_though_another_thread_did_when_it_was_made(changed: Any) -> None:
    trainer = changed(fr.Trainer(fr.Sequential([fr.SimpleRNN(2)], input_size=1)))
    held, done = threading.Event(), threading.Event()

    def shuffle() -> None:
        with trainer.generator.lock:
            held.set()
            done.wait(HUNG)

    thread = threading.Thread(target=shuffle)
    thread.start()
    held.wait(HUNG)
    try:
        assert in_child(lambda: trainer.fit(np.ones((4, 3, 1)), np.ones((4, 2)), epochs=1, verbose=0)) == 0
    finally:
        done.set()
        thread.join()


@posix
def test_what_is_undisturbed_hears_an_interrupt_at_its_end() -> None:
    done = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    with pytest.raises(KeyboardInterrupt), Undisturbed():
        with Undisturbed():
            signal.raise_signal(signal.SIGINT)
            done.append("inner")
        done.append("outer")
    assert done == ["inner", "outer"]
    assert signal.signal(signal.SIGINT, before) is signal.default_int_handler


def test_a_brief_call_does_not_wait_for_threads_that_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is done by one thread, with the same bits, and the next finds the others awake."""
    model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)], input_size=2)
    x = np.random.default_rng(0).standard_normal((19, 5, 2))
    lengths = np.arange(19) % 6
    expected = model.predict(x, lengths, return_state=True, threads=1)
    new_crew(monkeypatch)
    runs: list[bool] = []
    run = team._Crew.run

    def noted(crew: team._Crew, *arguments: Any, waits: bool) -> bool:
        runs.append(run(crew, *arguments, waits=waits))
        return runs[-1]

    monkeypatch.setattr(team._Crew, "run", noted)
    while not any(runs):
        for got, want in zip(model.predict(x, lengths, return_state=True, threads=3), expected, strict=True):
            assert_array_equal(got, want)
    assert not runs[0]
