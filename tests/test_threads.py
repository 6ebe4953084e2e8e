"""Threads, interrupts and forks: nothing hangs, nothing is left half done."""

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from fastrnn import team
from fastrnn.team import Team
from tests.waiting import HUNG

INTERRUPTED = """
import signal, sys, threading, time
import numpy as np
import fastrnn as fr
from fastrnn import team
x, y = np.zeros((64, 8, 8)), np.zeros((64, 1))
trainer = fr.Trainer(fr.Sequential([fr.SimpleRNN(8), fr.Dense(1)]), threads=2)
trainer.fit(x, y, epochs=1, batch_size=16, verbose=0)
caught = 0
for i in range(60):
    timer = threading.Timer(0.0002 * (i % 20), signal.raise_signal, (signal.SIGINT,))
    if i % 2:
        team._idle.clear()  # threads are made anew
    try:
        timer.start()
        while True:
            trainer.fit(x, y, epochs=5, batch_size=16, verbose=0)
    except KeyboardInterrupt:
        caught += 1
trainer.fit(x, y, epochs=1, batch_size=16, verbose=0)
print(caught)
"""


@pytest.mark.skipif(os.name != "posix", reason="raises SIGINT")
def test_an_interrupt_ends_a_fit_of_two_threads() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=HUNG, check=False
    )
    assert done.stdout.strip() == "60", done.stderr


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
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
    child = os.fork()
    if child == 0:
        signal.alarm(HUNG)
        model.predict(x)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    done.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 0


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
    monkeypatch.setattr(team, "_idle", [])  # a crew that sleeps
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
    monkeypatch.setattr(team, "_idle", [crew])
    model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)], input_size=2)
    x = np.random.default_rng(0).standard_normal((12, 5, 2))
    results: list[Any] = []
    caller = threading.Thread(target=lambda: results.append(model.predict(x, threads=3)), daemon=True)
    caller.start()
    caller.join(HUNG)
    assert_array_equal(results, [model.predict(x, threads=1)])


def test_one_crew_serves_teams_of_all_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(team, "_idle", [])
    before = threading.active_count()
    for threads in (2, 3, 5, 4, 2):
        with Team(threads):
            pass
    assert [crew.threads for crew in team._idle] == [5]
    for _ in range(100 * HUNG):
        if threading.active_count() <= before + 4:
            break
        time.sleep(0.01)
    assert threading.active_count() == before + 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
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
    children.append(os.fork())
    if children[-1] == 0:
        signal.alarm(HUNG)
        model.predict(x, threads=2)
        os._exit(0)
    for child in children:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_brief_call_does_not_wait_for_threads_that_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is done by one thread, with the same bits, and the next finds the others awake."""
    model = fr.Sequential([fr.SimpleRNN(4), fr.Dense(1)], input_size=2)
    x = np.random.default_rng(0).standard_normal((19, 5, 2))
    lengths = np.arange(19) % 6
    expected = model.predict(x, lengths, return_state=True, threads=1)
    monkeypatch.setattr(team, "_idle", [])
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
