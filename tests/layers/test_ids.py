"""Models that read ids: the same as one-hot vectors through a matrix, streams, and what is no id."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from tests.helpers.laws import DTYPES, FORWARDS, KINDS, Array, assert_near, each, flat, make_layer
from tests.helpers.refusals import check

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
both_forms = pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])
V, N, T = 9, 11, 6
UNUSED = (2, 8)


def make_ids() -> Array:
    """Return ids of which two do not occur."""
    known = [i for i in range(V) if i not in UNUSED]
    return np.random.default_rng(4).choice(known, (N, T))


def make_pair(first: str, kind: str, every_step: bool, dtype: str) -> tuple[fr.Sequential, fr.Sequential, Array]:
    """Return a model of ids, the same one for one-hot vectors, and targets."""
    above = [make_layer(kind, 7, every_step=every_step), fr.Dense(2)]
    by_id = fr.Sequential([fr.Embedding(V, 5) if first == "embedding" else fr.OneHot(V), *above], dtype=dtype)
    by_vector = fr.Sequential(
        [*([fr.Dense(5, use_bias=False)] if first == "embedding" else []), *above], input_size=V, dtype=dtype
    )
    by_id.build(V)
    rng = np.random.default_rng(0)
    by_id.set_weights([rng.uniform(-0.5, 0.5, w.shape) for w in by_id.get_weights()])
    by_vector.set_weights(by_id.get_weights())
    y = rng.standard_normal((N, T, 2) if every_step else (N, 2)).astype(dtype)
    return by_id, by_vector, y


@each_dtype
@both_forms
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", ["embedding", "one_hot"])
def test_ids_are_one_hot_vectors(first: str, kind: str, every_step: bool, dtype: str) -> None:
    """Outputs, states, loss, gradients and the weights after training."""
    by_id, by_vector, y = make_pair(first, kind, every_step, dtype)
    x, lengths = make_ids(), np.arange(N) % (T + 1)
    vectors = np.eye(V, dtype=dtype)[x]
    got = by_id.predict(x, lengths, return_state=True)
    assert_near(got, by_vector.predict(vectors, lengths, return_state=True), scale=1.0)
    for options in ({}, {"tbptt": (2, 3)}, {"lengths": lengths, "sample_weight": np.arange(N) + 0.5}):
        loss, gradients = by_id.gradients(x, y, wants=["initial_state"], **options)
        other_loss, other = by_vector.gradients(vectors, y, wants=["initial_state"], **options)
        assert loss == pytest.approx(other_loss, rel=1e-5 if dtype == "float32" else 1e-12)
        assert_near(list(gradients.values()), list(other.values()), scale=float(np.abs(gradients["dense.bias"]).max()))
    for model, given in ((by_id, x), (by_vector, vectors)):
        fr.Trainer(model, optimizer=fr.SGD(0.1)).fit(given, y, epochs=2, batch_size=4, lengths=lengths, verbose=0)
    assert_near(by_id.get_weights(), by_vector.get_weights(), scale=1.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", ["embedding", "one_hot"])
def test_ids_beyond_the_lengths_are_never_read(first: str, kind: str) -> None:
    """Whatever stands there, also what is no id: the same bits of outputs, losses, gradients and trained weights."""
    lengths = np.arange(N) % (T + 1)
    results = []
    for garbage in (0, 3, -1, V, 10**12):
        model, _, y = make_pair(first, kind, True, "float32")
        x = np.where(np.arange(T) < lengths[:, None], make_ids(), garbage)
        loss, gradients = model.gradients(x, y, lengths=lengths)
        trainer = fr.Trainer(model, optimizer=fr.SGD(0.1, momentum=0.5), clip_norm=0.1)
        trainer.fit(x, y, epochs=2, batch_size=4, lengths=lengths, verbose=0)
        evaluated = trainer.evaluate(x, y, lengths=lengths)["loss"]
        results.append(
            [np.array([loss, evaluated]), *gradients.values(), *model.get_weights(), model.predict(x, lengths)]
        )
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            assert_array_equal(a, b)


@each_dtype
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", ["embedding", "one_hot"])
def test_rows_of_ids_that_do_not_occur_get_no_gradient(first: str, kind: str, dtype: str) -> None:
    """Exactly zero; nor do those that occur in padding only, and without momentum training leaves them as they are."""
    model, _, y = make_pair(first, kind, False, dtype)
    x, lengths = make_ids(), np.full(N, T - 1)
    x[:, -1] = UNUSED[0]
    before = model.get_weights()
    _, gradients = model.gradients(x, y, lengths=lengths)
    used = np.isin(np.arange(V), x[:, :-1])
    assert not used[list(UNUSED)].any()
    names = [name for name in gradients if gradients[name].shape[0] == V]
    assert len(names) == (2 if first == "one_hot" and kind == "bidirectional" else 1)
    for name in names:
        assert not gradients[name][~used].any()
        assert gradients[name][used].any(axis=1).all()
    fr.Trainer(model, optimizer=fr.SGD(0.1)).fit(x, y, epochs=2, batch_size=4, lengths=lengths, verbose=0)
    for (name, after), start in zip(model.parameters().items(), before, strict=True):
        if name in names:
            assert_array_equal(after[~used], start[~used])
            assert (after[used] != start[used]).any(axis=1).all()


@each_dtype
def test_an_id_may_come_again_and_again(dtype: str) -> None:
    """Its gradients add up: one word in all places."""
    model, other, y = make_pair("embedding", "lstm", True, dtype)
    x = np.full((N, T), 3)
    _, gradients = model.gradients(x, y)
    _, wanted = other.gradients(np.eye(V, dtype=dtype)[x], y)
    assert_near(list(gradients.values()), list(wanted.values()), scale=1.0)


@each_dtype
@both_forms
@pytest.mark.parametrize("kind", FORWARDS)
@pytest.mark.parametrize("first", ["embedding", "one_hot", "features"])
def test_a_stream_is_the_whole_step_by_step(first: str, kind: str, every_step: bool, dtype: str) -> None:
    """Also of a model that answers with its last step only: its answer to every prefix."""
    if first == "features":
        model = make_pair("one_hot", kind, every_step, dtype)[1]
        x: Array = np.random.default_rng(0).standard_normal((N, T, V)).astype(dtype)
    else:
        model, x = make_pair(first, kind, every_step, dtype)[0], make_ids()
    stream = model.stream(batch=N)
    for _ in range(2):
        for t in range(T):
            got = stream.step(x[:, t])
            whole, state = model.predict(x[:, : t + 1], return_state=True)
            assert got.shape == (N, 2)
            assert_near(got, whole[:, -1] if every_step else whole, scale=1.0)
            assert_near(stream.state, state, scale=1.0)
            assert isinstance(stream.state, tuple) == (kind == "lstm")
        stream.reset()
        assert not any(a.any() for a in flat([stream.state]))


@each_dtype
def test_a_stream_of_one_row_goes_on_from_a_given_state(dtype: str) -> None:
    """h and c of one row of a batch."""
    model, x = make_pair("embedding", "lstm", True, dtype)[0], make_ids()
    y = model.predict(x)
    _, state = model.predict(x[:, :3], return_state=True)
    stream = model.stream()
    stream.state = each(lambda array: array[5:6], state)
    for t in range(3, T):
        assert_near(stream.step(x[5:6, t]), y[5:6, t], scale=1.0)


@each_dtype
@pytest.mark.parametrize("integer", [np.uint8, np.int8, np.int32, np.uint64, list])
def test_ids_may_be_integers_of_any_size(integer: Any, dtype: str) -> None:
    model, x = make_pair("embedding", "gru", False, dtype)[0], make_ids()
    given = x.tolist() if integer is list else x.astype(integer)
    assert_array_equal(model.predict(given), model.predict(x))


@each_dtype
def test_the_number_of_inputs_is_the_vocabulary(dtype: str) -> None:
    model = fr.Sequential([fr.Embedding(V, 2), fr.LSTM(3)], dtype=dtype)
    model.predict(make_ids())
    assert model.input_size == V
    assert {name: w.shape for name, w in model.parameters().items()} == {
        "embedding.embeddings": (V, 2), "lstm.kernel": (2, 12), "lstm.recurrent_kernel": (3, 12), "lstm.bias": (12,)
    }  # fmt: skip


def of_ids(change: Callable[[Array], Any]) -> Callable[[fr.Sequential], Any]:
    return lambda model: model.predict(change(make_ids()))


def with_id(value: int) -> Callable[[Array], Array]:
    def change(x: Array) -> Array:
        x[3, 2] = value
        return x

    return change


REFUSED: dict[str, tuple[Callable[[fr.Sequential], Any], type[Exception] | tuple[type[Exception], ...], list[str]]] = {
    "too large": (of_ids(with_id(V)), ValueError, ["x has", str(V), "row 3", "step 2"]),
    "negative": (of_ids(with_id(-1)), ValueError, ["x has", "-1", "row 3", "step 2"]),
    "negative within the length": (
        lambda model: model.predict(with_id(-1)(make_ids()), np.full(N, 3)),
        ValueError,
        ["x has -1", "row 3", "step 2"],
    ),
    "features": (of_ids(lambda x: np.eye(V)[x]), (ValueError, TypeError), ["x has shape", "(N, T)"]),
    "one row": (of_ids(lambda x: x[0]), ValueError, ["x has shape (6,)", "(N, T)"]),
    "no steps": (of_ids(lambda x: x[:, :0]), ValueError, ["x has shape (11, 0)"]),
    "no rows": (of_ids(lambda x: x[:0]), ValueError, ["x has shape (0, 6)"]),
    "numbers that are not whole": (of_ids(lambda x: x + 0.5), (ValueError, TypeError), ["x", "ids"]),
    "text": (of_ids(lambda x: x.astype(str)), (ValueError, TypeError), ["x", "ids"]),
    "a step of a stream": (lambda m: m.stream(N).step(np.full(N, V)), ValueError, ["x has", str(V)]),
    "a stream's shape": (lambda m: m.stream(N).step(make_ids()), ValueError, ["x has shape (11, 6)", "(11,)"]),
    "gradients of ids": (
        lambda m: m.gradients(make_ids(), np.zeros((N, 2)), wants=["x"]), ValueError, ["wants has 'x'", "ids"]
    ),
    "training": (
        lambda m: fr.Trainer(m).fit(with_id(V)(make_ids()), np.zeros((N, 2)), verbose=0), ValueError, ["x has", str(V)]
    ),
    "validation": (
        lambda m: fr.Trainer(m).fit(
            make_ids(), np.zeros((N, 2)), validation_data=(with_id(V)(make_ids()), np.zeros((N, 2))), verbose=0
        ),
        ValueError, ["x has", str(V)],
    ),
    "another vocabulary": (
        lambda m: fr.Sequential(m.layers, input_size=V + 1), ValueError, [f"input_size is {V + 1}", f"expected {V}"]
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("first", ["embedding", "one_hot"])
def test_what_is_no_id(first: str, case: str) -> None:
    call, error, parts = REFUSED[case]
    model = make_pair(first, "lstm", False, "float32")[0]
    check(error, parts, lambda: call(model), model)
