"""Data that change while they are used, by a callback or another thread: never an address that was not checked."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from fastrnn.engine.plan import Data, Plan
from fastrnn.ground.memory import guarded
from tests.helpers.laws import Array, flat
from tests.helpers.refusals import check

N, T, V, CLASSES = 20, 6, 9, 5
GARBAGE = (10**9, -1, V + 3, 2**62)


def make_data() -> dict[str, Array]:
    """Return ids, classes, lengths and weights, each in the form that the kernels read; some rows do not count."""
    rng = np.random.default_rng(0)
    data = {"x": rng.integers(0, V, (N, T)), "y": rng.integers(0, CLASSES, (N, T))}
    data |= {"lengths": rng.integers(0, T + 1, N), "sample_weight": rng.uniform(0.5, 1.5, N)}
    data["sample_weight"][3] = 0.0
    data["y"][3] = GARBAGE[0]
    return data


def make_trainer(first: Any = None, **settings: Any) -> fr.Trainer:
    layers = [first or fr.Embedding(V, 4), fr.GRU(6, return_sequences=True), fr.Dense(CLASSES)]
    return fr.Trainer(fr.Sequential(layers), "sparse_categorical_crossentropy", metrics=["accuracy"], **settings)


def fit(trainer: fr.Trainer, data: dict[str, Array], change: Callable[[], Any] = lambda: None) -> list[Array]:
    """Fit three epochs, with a change after each, and return figures and weights."""
    history = trainer.fit(**data, epochs=3, batch_size=7, callbacks=[lambda epoch, figures: change()], verbose=0)
    return [*map(np.array, history.history.values()), *trainer.model.get_weights()]


@pytest.mark.parametrize("garbage", GARBAGE)
@pytest.mark.parametrize("name", ["x", "y", "lengths", "sample_weight"])
@pytest.mark.parametrize("first", [fr.Embedding(V, 4), fr.OneHot(V)], ids=["embedding", "one_hot"])
def test_what_a_callback_makes_of_ids_classes_lengths_and_weights(first: Any, name: str, garbage: int) -> None:
    wanted = fit(make_trainer(first, optimizer=fr.SGD(0.1)), make_data())
    data = make_data()
    with guarded():
        got = fit(make_trainer(first, optimizer=fr.SGD(0.1)), data, lambda: data[name].fill(garbage))
    for a, b in zip(got, wanted, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["x", "y", "lengths", "sample_weight"])
def test_what_a_callback_makes_of_held_out_data(name: str) -> None:
    def run(change: Callable[[dict[str, Array]], Any]) -> list[float]:
        held, trainer = make_data(), make_trainer()
        history = trainer.fit(
            **make_data(), epochs=3, validation_data=tuple(held[key] for key in ("x", "y", "sample_weight", "lengths")),
            callbacks=[lambda epoch, figures: change(held)], verbose=0,
        )  # fmt: skip
        return history.history["val_loss"]

    with guarded():
        assert run(lambda held: held[name].fill(GARBAGE[0])) == run(lambda held: None)


@pytest.mark.parametrize("name", ["x", "y", "lengths"])
def test_what_a_thread_makes_of_them(name: str) -> None:
    """While one number is garbage every other moment: refused, or the same bits."""
    trainer, data = make_trainer(threads=2), make_data()
    calls: dict[str, Callable[[], list[Any]]] = {
        "fit": lambda: fit(make_trainer(threads=2), data),
        "evaluate": lambda: [*trainer.evaluate(**data).values()],
        "gradients": lambda: [*trainer.model.gradients(loss=trainer.loss, **data)[1].values()],
        "predict": lambda: flat([trainer.model.predict(data["x"], data["lengths"], return_state=True)]),
    }
    wanted = {call: run() for call, run in calls.items()}
    place, stops = (0,) * data[name].ndim, threading.Event()
    right = data[name][place]

    def write() -> None:
        while not stops.is_set():
            data[name][place] = GARBAGE[0]
            data[name][place] = right

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(8):
            for call, run in calls.items():
                try:
                    got = run()
                except ValueError:
                    continue
                for a, b in zip(got, wanted[call], strict=True):
                    assert_array_equal(a, b)
    finally:
        stops.set()
        thread.join()


@pytest.mark.skipif(os.name != "posix", reason="a file that is mapped can be cut short elsewhere only")
def test_files_of_ids_classes_lengths_and_weights_may_be_cut_short(tmp_path: Path) -> None:
    """They are mapped, read-only, and gone after the first epoch: reading them again would end the process."""
    data, mapped = make_data(), {}
    for name, array in data.items():
        array.tofile(tmp_path / name)
        mapped[name] = np.memmap(tmp_path / name, array.dtype, "r", shape=array.shape)

    def cut() -> None:
        for name in mapped:
            os.truncate(tmp_path / name, 0)

    for a, b in zip(fit(make_trainer(), mapped, cut), fit(make_trainer(), data), strict=True):
        assert_array_equal(a, b)


def test_numbers_may_be_changed_in_place_from_epoch_to_epoch() -> None:
    """Those of contiguous arrays of the model's dtype, as `fit` says; of others there is a copy."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((N, T, 2)).astype(np.float32), rng.standard_normal((N, 3)).astype(np.float32)

    def run(x: Array, change: Callable[[Array], Any]) -> list[Array]:
        x = x.copy()
        trainer = fr.Trainer(fr.Sequential([fr.LSTM(3)], input_size=2))
        trainer.fit(x, y, epochs=2, callbacks=[lambda epoch, figures: change(x)], verbose=0)
        return trainer.model.get_weights()

    plain = run(x, lambda x: None)
    augmented = run(x, lambda x: np.multiply(x, 2, out=x))
    assert any((a != b).any() for a, b in zip(plain, augmented, strict=True))
    for a, b in zip(plain, run(x.astype(np.float64), lambda x: np.multiply(x, 2, out=x)), strict=True):
        assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_shape_of_an_array_may_be_set_in_place() -> None:
    rng = np.random.default_rng(1)
    shapes = {"x": (N, T, 2), "y": (N, 3), "xv": (N, T, 2), "yv": (N, 3)}

    def run(change: Callable[[dict[str, Array]], Any]) -> list[Array]:
        data = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
        for name in shapes:
            data[name].fill(0.5)
        trainer = fr.Trainer(fr.Sequential([fr.LSTM(3)], input_size=2))
        trainer.fit(
            data["x"], data["y"], epochs=3, batch_size=4, validation_data=(data["xv"], data["yv"]),
            callbacks=[lambda epoch, figures: change(data)], verbose=0,
        )  # fmt: skip
        return [*map(np.array, trainer.history.history.values()), *trainer.model.get_weights()]

    def reshape(data: dict[str, Array]) -> None:
        for name in ("x", "xv"):
            data[name].shape = (N * T, 1, 2)

    with guarded():
        for a, b in zip(run(reshape), run(lambda data: None), strict=True):
            assert_array_equal(a, b)


def test_arrays_that_are_read_in_place_cannot_be_made_smaller() -> None:
    x, y = np.ones((N, T, 2), np.float32), np.ones((N, 3), np.float32)
    refused: list[ValueError] = []

    def shrink() -> None:
        try:
            x.resize((1, T, 2))
        except ValueError as error:
            refused.append(error)

    trainer = fr.Trainer(fr.Sequential([fr.LSTM(3)], input_size=2))
    trainer.fit(x, y, epochs=2, callbacks=[lambda epoch, figures: shrink()], verbose=0)
    assert len(refused) == 2
    assert len(x) == N


STATE = np.zeros((N, 3), np.float32)
OTHER: dict[str, tuple[dict[str, Any], str]] = {
    "x of another dtype": ({"x": np.zeros((N, T, 2))}, "x is 240 numbers of float64; expected 240 of float32"),
    "x of fewer steps": ({"x": np.zeros((N, T - 1, 2), np.float32)}, "x is 200 numbers of float32; expected 240"),
    "y of fewer outputs": ({"y": np.zeros((N, 2), np.float32)}, "y is 40 numbers of float32; expected 60 of float32"),
    "lengths": ({"lengths": np.zeros(N - 1, np.int64)}, "lengths is 19 numbers of int64; expected 20"),
    "weights": (
        {"sample_weight": np.zeros(N, np.float32)},
        "sample_weight is 20 numbers of float32",
    ),
    "order": ({"order": np.zeros(N, np.int32)}, "order is 20 numbers of int32; expected 20 of int64"),
    "states": ({"initial_state": [[STATE] * 2, [STATE]]}, "initial_state has 3 arrays; expected 4"),
    "a state": ({"initial_state": [[STATE] * 2, [STATE, STATE[1:]]]}, "initial_state is 57 numbers of float32"),
}


@pytest.mark.parametrize("case", OTHER)
def test_a_plan_reads_no_array_beyond_its_end(case: str) -> None:
    """Whatever was made of the attributes of models and trainers."""
    changed, message = OTHER[case]
    model = fr.Sequential([fr.LSTM(3, return_sequences=True), fr.LSTM(3)], input_size=2)
    plan = Plan(model.network, 4, T, columns=("mse",))
    right = Data(np.zeros((N, T, 2), np.float32), np.zeros((N, 3), np.float32))
    plan.read(right)
    check(ValueError, [message, "make a new"], lambda: plan.read(right._replace(**changed)))
