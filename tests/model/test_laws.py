"""Laws of prediction and of gradients: what must not matter does not, what must add up does."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import fastrnn as fr
from tests.helpers.laws import (
    DTYPES,
    FORWARDS,
    KINDS,
    Batch,
    assert_near,
    copy_of,
    each,
    flat,
    make_batch,
    make_layer,
    make_states,
    moved_to_end,
)
from tests.helpers.refusals import changed

pytestmark = pytest.mark.parametrize("dtype", DTYPES)
all_kinds = pytest.mark.parametrize("kind", KINDS)
forwards = pytest.mark.parametrize("kind", FORWARDS)
both_forms = pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])
RAGGED = np.array([0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1])
"""Lengths of eleven rows, none of the whole eight steps."""


@forwards
@settings(max_examples=10)
@given(cut=st.integers(1, 7), seed=st.integers(0, 99))
def test_splitting_a_window_and_carrying_the_state_is_the_whole(dtype: str, kind: str, cut: int, seed: int) -> None:
    model, x, _ = make_batch(dtype, kind, seed=seed)
    whole, whole_state = model.predict(x, return_state=True)
    first, state = model.predict(x[:, :cut], return_state=True)
    second, state = model.predict(x[:, cut:], initial_state=state, return_state=True)
    assert_near(np.concatenate([first, second], axis=1), whole)
    assert_near(state, whole_state)


@forwards
def test_a_stream_is_the_whole_step_by_step(dtype: str, kind: str) -> None:
    model, x, _ = make_batch(dtype, kind)
    whole, whole_state = model.predict(x, return_state=True)
    stream = model.stream(batch=len(x))
    for _ in range(2):
        outputs = [stream.step(x[:, t]) for t in range(x.shape[1])]
        assert_near(np.stack(outputs, axis=1), whole)
        assert_near(stream.state, whole_state)
        stream.reset()


@forwards
def test_a_stream_can_go_on_from_a_final_state(dtype: str, kind: str) -> None:
    model, x, _ = make_batch(dtype, kind, units=(5,))
    _, state = model.predict(x[:, :-1], return_state=True)
    stream = model.stream(batch=len(x))
    stream.state = state
    assert_near(stream.step(x[:, -1]), model.predict(x)[:, -1])


@all_kinds
@both_forms
@settings(max_examples=5)
@given(order=st.permutations(range(11)))
def test_permuting_the_batch_permutes_the_result(dtype: str, kind: str, every_step: bool, order: list[int]) -> None:
    batch = make_batch(dtype, kind, every_step=every_step)
    lengths, weights = np.arange(11) % 9, np.arange(11) % 4 + 1.0
    y, states = batch.model.predict(batch.x, lengths, return_state=True)
    permuted, permuted_states = batch.model.predict(batch.x[order], lengths[order], return_state=True)
    assert_near(permuted, y[order])
    assert_near(permuted_states, each(lambda state: state[order], states))
    loss, gradients = batch.gradients(lengths=lengths, sample_weight=weights)
    permuted_loss, permuted_gradients = batch.gradients(order, lengths=lengths[order], sample_weight=weights[order])
    assert permuted_loss == pytest.approx(loss, rel=1e-6 if dtype == "float32" else 1e-12)
    gradients["x"] = gradients["x"][order]
    gradients["initial_state"] = each(lambda state: state[order], gradients["initial_state"])
    assert_near(permuted_gradients, gradients)


@all_kinds
@both_forms
def test_a_batch_of_one_is_a_slice(dtype: str, kind: str, every_step: bool) -> None:
    batch = make_batch(dtype, kind, every_step=every_step)
    whole, states = batch.model.predict(batch.x, return_state=True)
    loss, gradients = batch.gradients()
    losses, sums = (
        [],
        {name: np.zeros_like(value) for name, value in gradients.items() if name in batch.model.parameters()},
    )
    for row in range(len(batch.x)):
        one = slice(row, row + 1)
        y, own_states = batch.model.predict(batch.x[one], return_state=True)
        assert_near(y, whole[one])
        assert_near(own_states, each(lambda state, one=one: state[one], states))
        own_loss, own = batch.gradients(one)
        losses.append(own_loss)
        assert_near(own["x"] / len(batch.x), gradients["x"][one], scale=float(np.abs(gradients["x"]).max()))
        for name in sums:
            sums[name] += own[name] / len(batch.x)
    assert loss == pytest.approx(np.mean(losses), rel=1e-6 if dtype == "float32" else 1e-12)
    assert_near({name: gradients[name] for name in sums}, sums)


@all_kinds
@both_forms
@pytest.mark.parametrize("batch_size", [1, 3, 4, 8, 100])
def test_the_batch_size_of_predict_does_not_matter(dtype: str, kind: str, every_step: bool, batch_size: int) -> None:
    model, x, _ = make_batch(dtype, kind, every_step=every_step)
    lengths = np.arange(11) % 9
    initial = make_states(model, len(x))
    expected = model.predict(x, lengths, initial, return_state=True)
    assert_near(model.predict(x, lengths, initial, return_state=True, batch_size=batch_size), expected)


@all_kinds
@both_forms
@pytest.mark.parametrize("tbptt", [None, (2, 3), (3, 1), 4])
def test_padding_changes_nothing(dtype: str, kind: str, every_step: bool, tbptt: Any) -> None:
    """Garbage behind the end of every row leaves outputs, loss and gradients alone, to the bit."""
    batch = make_batch(dtype, kind, every_step=every_step)
    lengths = RAGGED
    inside = np.arange(batch.x.shape[1]) < lengths[:, None]
    garbage = batch.x.copy()
    garbage[~inside] = 1e4
    noise = batch.y.copy()
    if every_step:
        noise[~inside] = -1e4
    else:
        noise[lengths == 0] = -1e4
    loss, gradients = batch.gradients(lengths=lengths, tbptt=tbptt)
    got_loss, got = Batch(batch.model, garbage, noise).gradients(lengths=lengths, tbptt=tbptt)
    assert got_loss == loss
    for name, value in gradients.items():
        for a, b in zip(flat([got[name]]), flat([value]), strict=True):
            assert_array_equal(a, b)
    assert not gradients["x"][~inside].any()
    y = batch.model.predict(batch.x, lengths)
    assert_array_equal(batch.model.predict(garbage, lengths), y)


@all_kinds
@both_forms
@pytest.mark.parametrize("tbptt", [None, (2, 3), (3, 1), 4])
def test_the_number_of_padded_steps_does_not_matter(dtype: str, kind: str, every_step: bool, tbptt: Any) -> None:
    """Five steps are enough for the longest row."""
    batch = make_batch(dtype, kind, every_step=every_step)
    if kind not in FORWARDS:
        tbptt = None  # a cell that reads backwards cuts its pieces from the last step on
    loss, gradients = batch.gradients(lengths=RAGGED, tbptt=tbptt)
    short = Batch(batch.model, batch.x[:, :5], batch.y[:, :5] if every_step else batch.y)
    short_loss, short_gradients = short.gradients(lengths=RAGGED, tbptt=tbptt)
    assert short_loss == pytest.approx(loss, rel=1e-6 if dtype == "float32" else 1e-12)
    gradients["x"] = gradients["x"][:, :5]
    assert_near(short_gradients, gradients)


@all_kinds
@both_forms
def test_a_padded_row_is_the_row_by_itself(dtype: str, kind: str, every_step: bool) -> None:
    model, x, _ = make_batch(dtype, kind, every_step=every_step)
    y, states = model.predict(x, RAGGED, return_state=True)
    for row in range(1, len(x)):
        one, length = slice(row, row + 1), RAGGED[row]
        alone, own_states = model.predict(x[one, :length], return_state=True)
        assert_near(alone, y[one, :length] if every_step else y[one])
        assert_near(own_states, each(lambda state, one=one: state[one], states))


@pytest.mark.parametrize("kind", ["lstm", "bidirectional", "backwards"])
@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy", "categorical_crossentropy"])
def test_numbers_beyond_the_lengths_and_in_rows_without_weight_are_not_read(dtype: str, kind: str, loss: str) -> None:
    """NaN or infinity in x and y there is neither refused nor felt; within the lengths it is refused."""
    model, x, y = make_batch(dtype, kind, units=(6,))
    y = np.exp(y) / np.exp(y).sum(axis=-1, keepdims=True)
    weights = np.ones(11)
    weights[3] = 0.0
    inside = np.arange(x.shape[1]) < RAGGED[:, None]
    counts = moved_to_end(inside, RAGGED) if kind == "backwards" else inside.copy()
    counts[3] = False
    arguments = {"lengths": RAGGED, "sample_weight": weights}
    wanted = model.gradients(x, y, loss, **arguments)
    figures = fr.Trainer(model, loss).evaluate(x, y, **arguments)
    for hole in (np.nan, np.inf):
        holes_x, holes_y = np.where(inside[..., None], x, hole), np.where(counts[..., None], y, hole)
        assert_near(model.gradients(holes_x, holes_y, loss, **arguments)[1], wanted[1])
        assert fr.Trainer(model, loss).evaluate(holes_x, holes_y, **arguments) == figures
        assert_array_equal(model.predict(holes_x, RAGGED), model.predict(x, RAGGED))
        row, step = np.argwhere(inside)[-1]
        with pytest.raises(ValueError, match=rf"x has (nan|inf) in row {row}"):
            model.predict(changed(x, (row, step), hole), RAGGED)
        row, step = np.argwhere(counts)[-1]
        with pytest.raises(ValueError, match=rf"y has (nan|inf) in row {row}"):
            model.gradients(x, changed(y, (row, step), hole), loss, **arguments)


@forwards
def test_what_a_layer_shows_at_padding(dtype: str, kind: str) -> None:
    """As Keras: forwards the last output again, in both directions 0, backwards 0 before the first one computed."""
    lengths = np.array([3, 0, 8, 5])
    layers = {
        "forwards": make_layer(kind, 5),
        "both": fr.Bidirectional(make_layer(kind, 5)),
        "backwards": make_layer(kind, 5, go_backwards=True),
    }
    rng = np.random.default_rng(0)
    for name, layer in layers.items():
        model = fr.Sequential([layer], input_size=3, dtype=dtype)
        y = model.predict(rng.standard_normal((4, 8, 3)), lengths, make_states(model, 4))
        for row, length in enumerate(lengths):
            own = y[row, 8 - length :] if name == "backwards" else y[row, :length]
            other = y[row, : 8 - length] if name == "backwards" else y[row, length:]
            assert (own != 0.0).all()
            if name != "forwards":
                assert not other.any()
            elif length:
                assert_array_equal(other, np.broadcast_to(own[-1], other.shape))


@forwards
def test_steps_behind_the_end_repeat_the_last_output(dtype: str, kind: str) -> None:
    model, x, _ = make_batch(dtype, kind)
    lengths = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 3, 1])
    y, states = model.predict(x, lengths, return_state=True)
    for row, length in enumerate(lengths):
        assert_array_equal(y[row, length:], np.broadcast_to(y[row, max(length - 1, 0)], y[row, length:].shape))
    for state in flat(states):
        assert not state[0].any()


@all_kinds
@both_forms
@pytest.mark.parametrize("loss", ["mse", "mae"])
def test_no_error_gives_no_gradient(dtype: str, kind: str, every_step: bool, loss: str) -> None:
    batch = make_batch(dtype, kind, every_step=every_step)
    perfect = batch._replace(y=batch.model.predict(batch.x))
    value, gradients = perfect.gradients(loss=loss)
    assert value == 0.0
    assert not any(array.any() for array in flat(gradients.values()))


@both_forms
@pytest.mark.parametrize(
    "nothing", [{"sample_weight": np.zeros(11)}, {"lengths": np.zeros(11, int)}], ids=["weights", "lengths"]
)
@all_kinds
def test_where_nothing_counts_the_loss_is_nan_and_gradients_are_zero(
    dtype: str, kind: str, every_step: bool, nothing: dict[str, Any]
) -> None:
    value, gradients = make_batch(dtype, kind, every_step=every_step).gradients(**nothing)
    assert math.isnan(value)
    assert not any(array.any() for array in flat(gradients.values()))


@all_kinds
@both_forms
def test_weight_zero_leaves_a_row_out_and_weight_two_takes_it_twice(dtype: str, kind: str, every_step: bool) -> None:
    batch = make_batch(dtype, kind, every_step=every_step)
    lengths = np.array([8, 7, 6, 5, 4, 3, 2, 1, 8, 8, 8])
    weights = np.array([1, 0, 2, 1, 1, 0, 1, 3, 1, 2, 0])
    rows = np.repeat(np.arange(11), weights)
    loss, weighted = batch.gradients(sample_weight=weights, lengths=lengths)
    repeated_loss, repeated = batch.gradients(rows, lengths=lengths[rows])
    assert loss == pytest.approx(repeated_loss, rel=1e-6 if dtype == "float32" else 1e-12)
    names = batch.model.parameters()
    assert_near({name: weighted[name] for name in names}, {name: repeated[name] for name in names})
    assert not weighted["x"][weights == 0].any()


@all_kinds
@both_forms
def test_only_the_ratio_of_weights_matters(dtype: str, kind: str, every_step: bool) -> None:
    batch = make_batch(dtype, kind, every_step=every_step)
    weights = np.linspace(0.5, 2.0, 11)
    loss, gradients = batch.gradients(sample_weight=weights)
    other_loss, other = batch.gradients(sample_weight=weights * 4.0)
    assert other_loss == pytest.approx(loss, rel=1e-6 if dtype == "float32" else 1e-12)
    assert_near(other, gradients)


@all_kinds
@both_forms
@pytest.mark.parametrize("tbptt", [8, (8, 100), (100, 8)])
def test_truncation_beyond_the_sequence_is_full_back_propagation(
    dtype: str, kind: str, every_step: bool, tbptt: Any
) -> None:
    batch = make_batch(dtype, kind, every_step=every_step)
    loss, full = batch.gradients()
    truncated_loss, truncated = batch.gradients(tbptt=tbptt)
    assert truncated_loss == loss
    assert_near(truncated, full)


@all_kinds
def test_truncation_of_short_pieces_with_long_memory_is_full_back_propagation(dtype: str, kind: str) -> None:
    """Every piece's errors reach back to the start: with a last output only or with all, k1 does not matter."""
    for every_step in (False, True):
        batch = make_batch(dtype, kind, every_step=every_step)
        assert_near(batch.gradients(tbptt=(3, 100))[1], batch.gradients()[1])


@forwards
def test_truncation_truncates(dtype: str, kind: str) -> None:
    """With one step of memory no error reaches the inputs before the last step."""
    batch = make_batch(dtype, kind, every_step=False)
    gradients = batch.gradients(tbptt=1)[1]
    assert gradients["x"][:, -1].any()
    assert not gradients["x"][:, :-1].any()
    assert not any(state.any() for state in flat(gradients["initial_state"]))


@all_kinds
def test_gradients_change_nothing_in_the_model(dtype: str, kind: str) -> None:
    batch = make_batch(dtype, kind)
    weights, y = batch.model.get_weights(), batch.model.predict(batch.x)
    _, gradients = batch.gradients()
    for array in flat(gradients.values()):
        array[...] = 7
    assert all((a == b).all() for a, b in zip(batch.model.get_weights(), weights, strict=True))
    assert_array_equal(batch.model.predict(batch.x), y)


def test_what_goes_in_is_only_read(dtype: str) -> None:
    batch = make_batch(dtype)
    lengths, weights = np.arange(11) % 9, np.ones(11)
    initial = make_states(batch.model, len(batch.x))
    for array in (batch.x, batch.y, lengths, weights, *initial):
        array.setflags(write=False)
    y = batch.model.predict(batch.x, lengths, initial)
    batch.gradients(lengths=lengths, sample_weight=weights, initial_state=initial)
    fr.Trainer(batch.model).fit(batch.x, batch.y, epochs=1, lengths=lengths, sample_weight=weights, verbose=0)
    y[...] = 0


def test_the_layout_of_what_goes_in_does_not_matter(dtype: str) -> None:
    model, x, _ = make_batch(dtype)
    expected = model.predict(x)
    backwards = x[::-1, ::-1, ::-1].copy()[::-1, ::-1, ::-1]
    for other in (
        np.asfortranarray(x),
        backwards,
        x.tolist(),
        np.repeat(x, 2, axis=0)[::2],
        x.astype(x.dtype.newbyteorder()),
    ):
        assert_array_equal(model.predict(other), expected)


def test_setting_the_weights_that_were_got_changes_nothing(dtype: str) -> None:
    model, x, _ = make_batch(dtype)
    y = model.predict(x)
    weights = model.get_weights()
    model.set_weights(weights)
    assert_array_equal(model.predict(x), y)
    assert_array_equal(copy_of(model).predict(x), y)
    weights[0][...] = 0  # a copy
    assert_array_equal(model.predict(x), y)


def test_writing_to_a_view_of_the_parameters_changes_the_model(dtype: str) -> None:
    model, x, _ = make_batch(dtype)
    before = model.predict(x)
    model.parameters()["dense.bias"][:] += [1.0, -2.0]
    assert_near(model.predict(x), before + np.array([1.0, -2.0], dtype))
    model.parameters()["dense.kernel"][:] = 0.0
    assert_array_equal(model.predict(x), np.broadcast_to(model.parameters()["dense.bias"], before.shape))
    for view in model.parameters().values():
        view[:] = 0.0
    assert not any(weight.any() for weight in model.get_weights())


@all_kinds
def test_results_of_one_call_are_not_overwritten_by_the_next(dtype: str, kind: str) -> None:
    model, x, _ = make_batch(dtype, kind)
    y, states = model.predict(x, return_state=True)
    kept = [array.copy() for array in flat([y, *states])]
    model.predict(-x, return_state=True)
    for a, b in zip(flat([y, *states]), kept, strict=True):
        assert_array_equal(a, b)
