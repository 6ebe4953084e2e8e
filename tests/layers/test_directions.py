"""Directions: both at once are two models of one, backwards is forwards on reversed input, padding is never read."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from tests.helpers.laws import DTYPES, FORWARDS, Array, assert_near, flat, make_layer, make_states, moved_to_end

cells = pytest.mark.parametrize("kind", FORWARDS)
both_forms = pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
padded = pytest.mark.parametrize("lengths", [None, np.array([7, 0, 3, 1, 6, 7, 2])], ids=["whole", "padded"])
N, T, F, H = 7, 7, 3, 5
MERGES: dict[str, Any] = {
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "ave": lambda a, b: (a + b) / 2,
}


def make_model(layer: Any, dtype: str, seed: int = 0) -> fr.Sequential:
    model = fr.Sequential([layer], input_size=F, dtype=dtype)
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(-0.6, 0.6, w.shape) for w in model.get_weights()])
    return model


def make_x(dtype: str) -> Array:
    return np.random.default_rng(9).standard_normal((N, T, F)).astype(dtype)


def reversed_rows(array: Array, lengths: Array | None) -> Array:
    """Return each row reversed within its length."""
    turned = array.copy()
    for row, length in enumerate(np.full(len(array), T) if lengths is None else lengths):
        turned[row, :length] = array[row, :length][::-1]
    return turned


def both(kind: str, mode: str, every_step: bool, dtype: str) -> tuple[fr.Sequential, fr.Sequential, fr.Sequential]:
    """Return a bidirectional model, and its halves as models of their own: forwards, and backwards as go_backwards."""
    layer = make_layer(kind, H, every_step=every_step)
    model = make_model(fr.Bidirectional(layer, mode), dtype)
    halves = (layer, make_layer(kind, H, every_step=every_step, go_backwards=True))
    forward, backward = (fr.Sequential([half], input_size=F, dtype=dtype) for half in halves)
    weights = model.get_weights()
    forward.set_weights(weights[: len(weights) // 2])
    backward.set_weights(weights[len(weights) // 2 :])
    return model, forward, backward


@each_dtype
@both_forms
@padded
@pytest.mark.parametrize("mode", MERGES)
@cells
def test_both_directions_are_two_models(
    kind: str, mode: str, lengths: Array | None, every_step: bool, dtype: str
) -> None:
    model, forward, backward = both(kind, mode, every_step, dtype)
    x, initial = make_x(dtype), make_states(model, N)
    y, states = model.predict(x, lengths, initial, return_state=True)
    y_forward, state_forward = forward.predict(x, lengths, initial[0], return_state=True)
    y_backward, state_backward = backward.predict(x, lengths, initial[1], return_state=True)
    if every_step:
        # Aligned in time: the last one computed belongs to step 0; both show 0 at padding.
        y_backward = y_backward[:, ::-1]
        if lengths is not None:
            y_forward[np.arange(T) >= lengths[:, None]] = 0.0
    assert_near(y, MERGES[mode](y_forward, y_backward), scale=1.0)
    for a, b in zip(flat(states), flat([state_forward, state_backward]), strict=True):
        assert_array_equal(a, b)


@each_dtype
@both_forms
@pytest.mark.parametrize("mode", MERGES)
@cells
def test_gradients_of_both_directions_are_those_of_two_models(
    kind: str, mode: str, every_step: bool, dtype: str
) -> None:
    """Each half with the targets that give it the error it gets from the merged outputs."""
    model, forward, backward = both(kind, mode, every_step, dtype)
    x = make_x(dtype)
    out = [m.predict(x) for m in (forward, backward)]
    if every_step:
        out[1] = out[1][:, ::-1]
    rng = np.random.default_rng(2)
    width = 2 * H if mode == "concat" else H
    y = rng.standard_normal((N, T, width) if every_step else (N, width)).astype(dtype)
    error = MERGES[mode](*out) - y
    if mode == "concat":
        errors = (error[..., :H] / 2, error[..., H:] / 2)
    elif mode == "mul":
        errors = (error * out[1], error * out[0])
    else:
        errors = (error, error) if mode == "sum" else (error / 2, error / 2)
    _, got = model.gradients(x, y, wants=["x", "initial_state"])
    wanted = []
    for half, own, own_error in zip((forward, backward), out, errors, strict=True):
        target = (own - own_error).astype(dtype)
        if every_step and half is backward:
            target = target[:, ::-1]
        wanted.append(half.gradients(x, target, wants=["x", "initial_state"])[1])
    names = [name for name in got if name not in ("x", "initial_state")]
    expected = [one[name] for one in wanted for name in one if name not in ("x", "initial_state")]
    bound = 2e-5 if dtype == "float32" else 1e-12
    scale = max(float(np.abs(a).max()) for a in expected)
    pairs = [
        *zip([got[name] for name in names], expected, strict=True),
        (got["x"], wanted[0]["x"] + wanted[1]["x"]),
        *zip(flat([got["initial_state"]]), flat([one["initial_state"] for one in wanted]), strict=True),
    ]
    for a, b in pairs:
        np.testing.assert_allclose(a, b, rtol=0, atol=bound * scale)


@each_dtype
@both_forms
@padded
@cells
def test_backwards_is_forwards_on_reversed_rows(kind: str, lengths: Array | None, every_step: bool, dtype: str) -> None:
    """Outputs in the order of computing, the last at the end; states, loss and gradients; rows reversed by length."""
    backward = make_model(make_layer(kind, H, every_step=every_step, go_backwards=True), dtype)
    forward = make_model(make_layer(kind, H, every_step=every_step), dtype)
    x, initial = make_x(dtype), make_states(backward, N)
    turned = reversed_rows(x, lengths)
    got = backward.predict(x, lengths, initial, return_state=True)
    y, state = forward.predict(turned, lengths, initial, return_state=True)
    assert_near(got, (moved_to_end(y, lengths) if every_step else y, state), scale=1.0)
    y = np.random.default_rng(1).standard_normal(got[0].shape).astype(dtype)
    target = moved_to_end(y, lengths) if every_step else y
    wants = ["x", "initial_state"]
    loss, gradients = backward.gradients(x, target, lengths=lengths, initial_state=initial, wants=wants)
    other_loss, other = forward.gradients(turned, y, lengths=lengths, initial_state=initial, wants=wants)
    assert loss == pytest.approx(other_loss, rel=1e-5 if dtype == "float32" else 1e-12)
    assert (gradients["x"] != other["x"]).any()
    other["x"] = reversed_rows(other["x"], lengths)
    assert_near(gradients, other)


@each_dtype
@cells
def test_final_states_are_the_last_states_computed(kind: str, dtype: str) -> None:
    layer = fr.Bidirectional(make_layer(kind, H))
    model = make_model(layer, dtype)
    x, lengths = make_x(dtype), np.array([7, 1, 3, 1, 6, 7, 2])
    y, states = model.predict(x, lengths, return_state=True)
    h = [flat([state])[0] for state in states]
    assert_array_equal(h[0], y[np.arange(N), lengths - 1, :H])
    assert_array_equal(h[1], y[:, 0, H:])
    turned = make_model(make_layer(kind, H, go_backwards=True), dtype)
    y, state = turned.predict(x, lengths, return_state=True)
    assert_array_equal(flat([state])[0], y[:, -1])


def stacks() -> dict[str, Any]:
    """Layers of both sorts that read backwards, over and under each other and those that know no time."""
    lstm, gru = fr.LSTM(H, return_sequences=True), fr.GRU(H, return_sequences=True)
    return {
        "both over both": [fr.Bidirectional(lstm), fr.Bidirectional(gru, "mul"), fr.Dense(2)],
        "backwards over both": [fr.Dense(4), fr.Bidirectional(lstm, "ave"), fr.GRU(H, go_backwards=True), fr.Dense(2)],
        "both over backwards": [
            fr.LSTM(H, go_backwards=True, return_sequences=True), fr.Dropout(0.3),
            fr.Bidirectional(fr.SimpleRNN(H, return_sequences=True, recurrent_dropout=0.2), "sum"), fr.Dense(2),
        ],
        "backwards twice": [
            fr.SimpleRNN(H, go_backwards=True, return_sequences=True),
            fr.LSTM(H, go_backwards=True, return_sequences=True),
        ],
    }  # fmt: skip


@each_dtype
@pytest.mark.parametrize("name", stacks())
def test_padding_is_never_read(name: str, dtype: str) -> None:
    """Whatever stands behind the rows' ends gives the same bits of outputs, gradients and trained weights."""
    x, lengths = make_x(dtype), np.array([7, 0, 3, 1, 6, 5, 2])
    padding = np.arange(T) >= lengths[:, None]
    garbage, holes = x.copy(), x.copy()
    garbage[padding], holes[padding] = -1e4, np.nan
    results = []
    for given in (x, garbage, holes):
        model = fr.Sequential(stacks()[name], input_size=F, dtype=dtype)
        every_step, outputs = model.output_form
        y = np.random.default_rng(3).standard_normal((N, T, outputs) if every_step else (N, outputs)).astype(dtype)
        loss, gradients = model.gradients(given, y, lengths=lengths, wants=["x", "initial_state"])
        assert any(gradients["x"].any(axis=(1, 2)))
        assert not gradients["x"][np.arange(T) >= lengths[:, None]].any()
        found = [model.predict(given, lengths, return_state=True), np.array(loss), *gradients.values()]
        history = fr.Trainer(model, tbptt=(2, 3)).fit(given, y, epochs=2, batch_size=3, lengths=lengths, verbose=0)
        results.append(flat([*found, np.array(history.history["loss"]), *model.get_weights()]))
    for a, b, c in zip(*results, strict=True):
        assert_array_equal(a, b)
        assert_array_equal(a, c)


@each_dtype
@pytest.mark.parametrize("name", stacks())
def test_a_row_of_no_steps_counts_for_nothing(name: str, dtype: str) -> None:
    """The gradients without it are the same, and its outputs are those of its initial states."""
    model = fr.Sequential(stacks()[name], input_size=F, dtype=dtype)
    every_step, outputs = model.output_form
    x, lengths = make_x(dtype), np.array([7, 0, 3, 1, 6, 0, 2])
    y = np.random.default_rng(3).standard_normal((N, T, outputs) if every_step else (N, outputs)).astype(dtype)
    loss, gradients = model.gradients(x, y, lengths=lengths)
    left = lengths > 0
    other_loss, other = model.gradients(x[left], y[left], lengths=lengths[left])
    assert loss == pytest.approx(other_loss, rel=1e-6 if dtype == "float32" else 1e-12)
    assert_near(gradients, other)
    initial = make_states(model, N)
    _, states = model.predict(x, lengths, initial, return_state=True)
    for state, start in zip(flat([states]), flat([initial]), strict=True):
        assert_array_equal(state[~left], start[~left])


def test_states_of_a_stack_are_listed_from_below_and_forwards_first() -> None:
    model = fr.Sequential([fr.Bidirectional(fr.LSTM(4, return_sequences=True)), fr.GRU(6, go_backwards=True)])
    _, states = model.predict(make_x("float64"), return_state=True)
    assert [tuple(a.shape for a in s) if isinstance(s, tuple) else s.shape for s in states] == [
        ((N, 4), (N, 4)), ((N, 4), (N, 4)), (N, 6)
    ]  # fmt: skip
    x, initial = make_x("float64"), make_states(model, N)
    y = model.predict(x, initial_state=initial)
    for place in range(3):
        changed = list(initial)
        changed[place] = tuple(a + 0.5 for a in initial[place]) if place < 2 else initial[2] + 0.5
        assert (model.predict(x, initial_state=changed) != y).any()
