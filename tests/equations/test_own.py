"""A cell and an activation of a user's own, used like those that there are; and gradients held against differences."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastrnn as fr
from fastrnn.equations import act, s, sigmoid, tanh, where

N, T, F = 9, 7, 3
LENGTHS = np.array([7, 3, 0, 1, 7, 7, 5, 4, 2])


@fr.cell(gates="i f g o", states="h c")
def plain_lstm(i: Any, f: Any, g: Any, o: Any, h: Any, c: Any) -> Any:
    c = s(f) * c + s(i) * act(g)
    return s(o) * act(c), c


@fr.cell(gates="z r", inputs="n", recurrents="q")
def plain_gru(z: Any, r: Any, n: Any, q: Any, h: Any) -> Any:
    n = act(n + s(r) * q)
    return n + s(z) * (h - n)


@fr.cell(gates="a", inputs="b", late="n", recurrents="q", vectors="p", states="h c m")
def everything(a: Any, b: Any, n: Any, q: Any, p: Any, h: Any, c: Any, m: Any) -> Any:
    """Gates of every kind, one of them used twice, and a state that is seen again two steps later."""
    k = n(sigmoid(a) * h + 0.5 * c)
    new = tanh(k + p * m) + where(q < 0.0, 0.1 * q, 0.2 * q)
    return new * sigmoid(b) + tanh(b) * 0.3, 0.5 * c + tanh(a) * 0.5, c


@fr.activation
def own_swish(x: Any) -> Any:
    return x * sigmoid(x)


CUSTOM = {"plain_lstm": plain_lstm, "plain_gru": plain_gru, "everything": everything}


def make(cell: Any, dtype: str = "float64", **options: Any) -> Any:
    """Return a stack of two layers of a cell, the upper one in both directions, and data for it."""
    rng = np.random.default_rng(2)
    upper = fr.Recurrent(cell, 5, activation="own_swish", **options)
    model = fr.Sequential(
        [fr.Recurrent(cell, units=20, return_sequences=True, **options), fr.Bidirectional(upper), fr.Dense(3, "gelu")],
        input_size=F,
        dtype=dtype,
    )
    model.set_weights([rng.uniform(-0.5, 0.5, w.shape) for w in model.get_weights()])
    return model, rng.standard_normal((N, T, F)), rng.standard_normal((N, 3))


@pytest.mark.parametrize(("own", "theirs"), [(plain_lstm, fr.LSTM), (plain_gru, fr.GRU)], ids=["lstm", "gru"])
def test_an_own_cell_has_the_bits_of_a_built_in_one(own: Any, theirs: Any) -> None:
    options = {"dropout": 0.1, "recurrent_dropout": 0.2, "zoneout": 0.1}
    weights = []
    for make_layer in (lambda units, **o: fr.Recurrent(own, units, **o), theirs):
        layers = [make_layer(20, return_sequences=True, **options), make_layer(9, go_backwards=True, **options)]
        model = fr.Sequential([*layers, fr.Dense(2)], input_size=F, seed=1)
        rng = np.random.default_rng(0)
        model.set_weights([rng.uniform(-0.5, 0.5, w.shape) for w in model.get_weights()])
        x, y = rng.standard_normal((N, T, F)), rng.standard_normal((N, 2))
        fr.Trainer(model, threads=2).fit(x, y, epochs=3, batch_size=4, lengths=LENGTHS, verbose=0)
        weights.append(np.concatenate([w.ravel() for w in model.get_weights()]))
    assert_array_equal(weights[0], weights[1])


@pytest.mark.parametrize("options", [{}, {"zoneout": 0.2, "use_bias": False}], ids=str)
@pytest.mark.parametrize("cell", CUSTOM.values(), ids=CUSTOM)
def test_gradients_are_those_of_central_differences(cell: Any, options: dict[str, Any]) -> None:
    model, x, y = make(cell, **options)
    for arguments in ({}, {"lengths": LENGTHS}, {"recompute": None}):
        check = fr.check_gradients(model, x, y, **arguments)
        assert check.error < 1e-8, check
    assert {row.name for row in check} == set(model.parameters())
    assert len(str(check).splitlines()) == len(check) + 1


def test_gradients_that_are_wrong_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, y = make(plain_gru)
    gradients = fr.Sequential.gradients

    def wrong(self: Any, *arguments: Any, **options: Any) -> Any:
        loss, found = gradients(self, *arguments, **options)
        return loss, {name: value * 1.01 for name, value in found.items()}

    monkeypatch.setattr(fr.Sequential, "gradients", wrong)
    assert fr.check_gradients(model, x, y).error > 1e-4


def test_check_gradients_refuses_and_leaves_the_model() -> None:
    model, x, y = make(plain_gru, "float32")
    before = model.get_weights()
    assert fr.check_gradients(model, x, y, "mae", numbers=2).error < 1e-6
    for arguments in ({"numbers": 0}, {"loss": "mes"}, {"lengths": [1]}):
        with pytest.raises(ValueError, match="expected"):
            fr.check_gradients(model, x, y, **arguments)
    for a, b in zip(before, model.get_weights(), strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("cell", CUSTOM.values(), ids=CUSTOM)
def test_files_name_it_and_the_caller_hands_it_in(cell: Any, tmp_path: Path) -> None:
    model, x, y = make(cell, dropout=0.1)
    model.save(tmp_path / "model.safetensors")
    loaded = fr.load(tmp_path / "model.safetensors", custom_objects=CUSTOM)
    assert_array_equal(loaded.predict(x), model.predict(x))
    assert cell.equation.__code__.co_code not in (tmp_path / "model.safetensors").read_bytes()
    trainer = fr.Trainer(model, tbptt=3)
    trainer.fit(x, y, epochs=2, batch_size=4, lengths=LENGTHS, verbose=0)
    trainer.save_checkpoint(tmp_path / "run.ckpt")
    resumed = fr.Trainer.resume(tmp_path / "run.ckpt", custom_objects=CUSTOM)
    for each in (trainer, resumed):
        each.fit(x, y, epochs=1, batch_size=4, lengths=LENGTHS, verbose=0)
    for a, b in zip(trainer.model.get_weights(), resumed.model.get_weights(), strict=True):
        assert_array_equal(a, b)
    for custom, words in (
        (None, "which is not handed in"),
        ({cell.name: lambda: 0}, "but function is handed in"),
        ({"other": cell}, "which is not handed in"),
    ):
        with pytest.raises(
            ValueError, match=f"names the cell '{cell.name}', {words}; expected custom_objects="
        ) as error:
            fr.load(tmp_path / "model.safetensors", custom_objects=custom)
        assert "\n" not in str(error.value)
    with pytest.raises(TypeError, match="custom_objects is a list; expected a dict"):
        fr.load(tmp_path / "model.safetensors", custom_objects=[cell])  # type: ignore[arg-type]


def test_states_and_streams_of_an_own_cell() -> None:
    model = fr.Sequential([fr.Recurrent(everything, 6, return_sequences=True)], input_size=F, dtype="float64")
    x = np.random.default_rng(0).standard_normal((2, T, F))
    outputs, state = model.predict(x, return_state=True)
    assert [each.shape for each in state] == [(2, 6)] * 3
    stream = model.stream(batch=2)
    assert_allclose(np.stack([stream.step(x[:, t]) for t in range(T)], axis=1), outputs, rtol=1e-12)
    again = model.predict(x[:, 4:], initial_state=model.predict(x[:, :4], return_state=True)[1])
    assert_allclose(again, outputs[:, 4:], rtol=1e-12)


@pytest.mark.parametrize(
    ("make_layer", "message"),
    [
        (lambda: fr.Recurrent(tanh, 3), "cell=<function tanh.*expected a function under @fastrnn.cell"),
        (lambda: fr.Recurrent(plain_gru, 0), "units=0; expected a whole number from 1 up"),
        (lambda: fr.Recurrent(plain_gru, 3, vector_initializer="zero"), "vector_initializer.*perhaps zeros"),
    ],
)
def test_what_is_no_layer_is_refused(make_layer: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        make_layer()
