"""The model's surface: worked example, counts, names, summary, what it takes and what it gives."""

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastrnn as fr

DTYPES = ("float32", "float64")


@pytest.mark.parametrize("dtype", DTYPES)
def test_keras_worked_example(dtype: str) -> None:
    model = fr.Sequential([fr.SimpleRNN(3, activation="linear", return_sequences=True)], input_size=2, dtype=dtype)
    model.set_weights([[[1, 0, 2], [2, 1, 3]], [[1, 2, 1], [1, 0, 1], [0, 1, 0]], [0, 0, 1]])
    y, state = model.predict([[[1, 3], [1, 1], [2, 3]]], return_state=True)
    assert_array_equal(y, [[[7, 3, 12], [13, 27, 16], [48, 45, 54]]])
    assert_array_equal(state, [[48, 45, 54]])
    assert y.dtype == state.dtype == dtype


@pytest.mark.parametrize(("units", "recurrent", "dense"), [(3, 18, 4), (4, 28, 5)])
def test_parameter_counts(units: int, recurrent: int, dense: int) -> None:
    model = fr.Sequential([fr.SimpleRNN(units), fr.Dense(1)], input_size=2)
    assert model.count_params() == recurrent + dense
    sizes = {name: view.size for name, view in model.parameters().items()}
    assert sum(size for name, size in sizes.items() if name.startswith("simple_rnn.")) == recurrent
    assert sum(size for name, size in sizes.items() if name.startswith("dense.")) == dense


def test_names_and_shapes_are_those_of_keras() -> None:
    layers = [fr.SimpleRNN(4, return_sequences=True), fr.SimpleRNN(3, use_bias=False), fr.Dense(2), fr.Dense(1)]
    model = fr.Sequential(layers, input_size=5)
    assert {name: view.shape for name, view in model.parameters().items()} == {
        "simple_rnn.kernel": (5, 4),
        "simple_rnn.recurrent_kernel": (4, 4),
        "simple_rnn.bias": (4,),
        "simple_rnn_1.kernel": (4, 3),
        "simple_rnn_1.recurrent_kernel": (3, 3),
        "dense.kernel": (3, 2),
        "dense.bias": (2,),
        "dense_1.kernel": (2, 1),
        "dense_1.bias": (1,),
    }
    for view, weight in zip(model.parameters().values(), model.get_weights(), strict=True):
        assert_array_equal(view, weight)
        assert view.dtype == weight.dtype == np.float32


def test_a_layer_may_have_a_name_of_its_own() -> None:
    model = fr.Sequential([fr.SimpleRNN(4, name="memory"), fr.Dense(1)], input_size=1)
    assert next(iter(model.parameters())) == "memory.kernel"


SUMMARY = """\
Layer (type)              Output Shape     Param #
==================================================
simple_rnn (SimpleRNN)    (None, None, 3)       18
simple_rnn_1 (SimpleRNN)  (None, 40)         1,760
dense (Dense)             (None, 1)             41
==================================================
Total params: 1,819 (7.11 KB)
"""


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    fr.Sequential([fr.SimpleRNN(3, return_sequences=True), fr.SimpleRNN(40), fr.Dense(1)], input_size=2).summary()
    assert capsys.readouterr().out == SUMMARY


def test_defaults_are_those_of_the_contract() -> None:
    def defaults(function: Any) -> dict[str, Any]:
        return {
            name: p.default for name, p in inspect.signature(function).parameters.items() if p.default is not p.empty
        }

    assert defaults(fr.Sequential) == {"input_size": None, "dtype": "float32", "seed": 0}
    assert defaults(fr.Sequential.predict) == {
        "lengths": None, "initial_state": None, "return_state": False, "batch_size": None, "threads": None
    }  # fmt: skip
    gradients = defaults(fr.Sequential.gradients)
    assert [gradients[name] for name in ("loss", "sample_weight", "lengths", "initial_state", "tbptt")] == [
        "mse",
        *[None] * 4,
    ]
    assert defaults(fr.Sequential.stream) == {"batch": 1}


def test_a_model_is_built_by_its_first_data() -> None:
    model = fr.Sequential([fr.SimpleRNN(3), fr.Dense(1)])
    assert (model.built, model.input_size) == (False, None)
    model.predict(np.zeros((1, 2, 5)))
    assert (model.built, model.input_size, model.dtype, model.seed) == (True, 5, "float32", 0)
    early = fr.Sequential([fr.SimpleRNN(3), fr.Dense(1)])
    early.build(5)
    early.build(5)
    for a, b in zip(model.get_weights(), early.get_weights(), strict=True):
        assert_array_equal(a, b)
    assert [type(layer).__name__ for layer in model.layers] == ["SimpleRNN", "Dense"]


def test_initial_weights_follow_keras() -> None:
    """Kernels glorot-uniform, the recurrent kernel orthogonal, biases zero; the same draw in either precision."""
    model = fr.Sequential([fr.SimpleRNN(64), fr.Dense(32)], input_size=16, seed=1, dtype="float64")
    weights = model.parameters()
    for name, (fan_in, fan_out) in {"simple_rnn.kernel": (16, 64), "dense.kernel": (64, 32)}.items():
        limit = np.sqrt(6 / (fan_in + fan_out))
        assert 0.9 * limit < np.abs(weights[name]).max() <= limit
    recurrent = weights["simple_rnn.recurrent_kernel"]
    assert_allclose(recurrent.T @ recurrent, np.eye(64), atol=1e-12)
    assert not weights["simple_rnn.bias"].any()
    assert not weights["dense.bias"].any()
    single = fr.Sequential([fr.SimpleRNN(64), fr.Dense(32)], input_size=16, seed=1)
    for a, b in zip(single.get_weights(), model.get_weights(), strict=True):
        assert_array_equal(a, b.astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float64, "float64", np.dtype("float64")])
def test_dtype_may_be_numpys(dtype: Any) -> None:
    assert fr.Sequential([fr.SimpleRNN(1)], input_size=1, dtype=dtype).get_weights()[0].dtype == np.float64


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("given", [np.float16, np.float32, np.float64, np.int8, np.uint16, np.int64, bool, list])
def test_numbers_of_any_kind_are_taken_in(dtype: str, given: Any) -> None:
    x = np.arange(24).reshape(2, 4, 3) % 2
    model = fr.Sequential([fr.SimpleRNN(3), fr.Dense(2)], dtype=dtype)
    expected = model.predict(x.astype(dtype))
    value = x.tolist() if given is list else x.astype(given)
    got = model.predict(value)
    assert_array_equal(got, expected)
    assert got.dtype == dtype
    loss, gradients = model.gradients(value, np.ones((2, 2), int))
    assert type(loss) is float
    assert {array.dtype for array in gradients.values()} == {np.dtype(dtype)}


@pytest.mark.parametrize("every_step", [False, True])
def test_a_last_axis_of_one_output_may_be_left_out(every_step: bool) -> None:
    x = np.random.default_rng(0).standard_normal((4, 5, 2))
    model = fr.Sequential([fr.SimpleRNN(3, return_sequences=every_step), fr.Dense(1)], dtype="float64")
    y = x.sum(axis=2) if every_step else x.sum(axis=(1, 2))
    loss, gradients = model.gradients(x, y)
    other_loss, other = model.gradients(x, y[..., None])
    assert loss == other_loss
    for name, value in gradients.items():
        assert_array_equal(value, other[name])
    assert model.predict(x).shape == (*y.shape, 1)


@pytest.mark.parametrize("every_step", [False, True])
def test_shapes_of_what_comes_out(every_step: bool) -> None:
    layers = [fr.SimpleRNN(4, return_sequences=True), fr.SimpleRNN(3, return_sequences=every_step), fr.Dense(2)]
    model = fr.Sequential(layers)
    x = np.zeros((6, 5, 7))
    y, states = model.predict(x, return_state=True)
    assert y.shape == ((6, 5, 2) if every_step else (6, 2))
    assert [state.shape for state in states] == [(6, 4), (6, 3)]
    _, gradients = model.gradients(x, y, wants=("x", "initial_state"))
    assert gradients.keys() == {*model.parameters(), "x", "initial_state"}
    assert gradients["x"].shape == x.shape
    assert [state.shape for state in gradients["initial_state"]] == [(6, 4), (6, 3)]
    for array in (y, *states, gradients["x"], *gradients["initial_state"]):
        assert array.flags.c_contiguous
        assert array.flags.writeable


def test_one_recurrent_layer_takes_and_gives_its_state_as_an_array() -> None:
    model = fr.Sequential([fr.SimpleRNN(3)], input_size=1)
    x = np.ones((2, 4, 1))
    y, state = model.predict(x, return_state=True)
    assert_array_equal(y, state)
    again = model.predict(x, initial_state=state)
    assert (again != y).any()
    assert_array_equal(model.predict(x, initial_state=[state]), again)
    assert model.gradients(x, y, wants=["initial_state"])[1]["initial_state"].shape == (2, 3)
    assert model.stream(2).state.shape == (2, 3)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "relu", "linear", None])
def test_activations_of_a_layer_alone(activation: str | None) -> None:
    model = fr.Sequential([fr.SimpleRNN(3, activation)], input_size=3, dtype="float64")
    model.set_weights([np.eye(3), np.zeros((3, 3)), np.zeros(3)])
    a = np.array([-1.5, 0.0, 0.7])
    functions = {"tanh": np.tanh, "sigmoid": lambda a: 1 / (1 + np.exp(-a)), "relu": lambda a: np.maximum(a, 0)}
    assert_allclose(model.predict(a.reshape(1, 1, 3))[0], functions.get(activation or "", lambda a: a)(a), rtol=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_diverged_model_shows_nan(dtype: str) -> None:
    """Infinity and NaN in the arithmetic come out at the end, in every activation; nothing hides them."""
    for activation in ("tanh", "sigmoid", "relu", "linear"):
        model = fr.Sequential(
            [fr.SimpleRNN(5, activation, return_sequences=True), fr.Dense(2)], input_size=1, dtype=dtype
        )
        model.parameters()["simple_rnn.bias"][2] = np.nan
        y = model.predict(np.ones((6, 3, 1)))
        assert np.isnan(y).all(), activation
        loss, gradients = model.gradients(np.ones((6, 3, 1)), np.zeros((6, 3, 2)))
        assert np.isnan(loss)
        assert np.isnan(gradients["dense.bias"]).all()


def test_growth_beyond_the_range_is_infinite() -> None:
    model = fr.Sequential([fr.SimpleRNN(1, "linear", return_sequences=True)], input_size=1)
    model.set_weights([[[1.0]], [[1e30]], [1.0]])
    y = model.predict(np.ones((1, 3, 1)))[0, :, 0]
    assert_array_equal(np.isinf(y), [False, False, True])


def test_a_model_remembers_more_shapes_than_it_keeps_buffers_for() -> None:
    model = fr.Sequential([fr.SimpleRNN(3), fr.Dense(1)], input_size=2)
    x = np.random.default_rng(0).standard_normal((3, 20, 2))
    first = [model.predict(x[:, :steps]) for steps in range(1, 21)]
    again = [model.predict(x[:, :steps]) for steps in range(1, 21)]
    for a, b in zip(first, again, strict=True):
        assert_array_equal(a, b)


def test_a_long_sequence() -> None:
    """A running sum over 20,000 steps, forward and back."""
    model = fr.Sequential([fr.SimpleRNN(1, "linear")], input_size=1, dtype="float64")
    model.set_weights([[[1.0]], [[1.0]], [0.0]])
    x = np.random.default_rng(0).standard_normal((2, 20_000, 1))
    assert_allclose(model.predict(x), x.sum(axis=1), rtol=1e-10)
    _, gradients = model.gradients(x, x.sum(axis=1) - 1.0, wants=("x",))
    assert_allclose(gradients["x"], np.ones_like(x), rtol=1e-8)


def test_the_package_offers_its_surface() -> None:
    names = {
        "Sequential",
        "SimpleRNN",
        "Dense",
        "Trainer",
        "SGD",
        "Adam",
        "RMSProp",
        "Adagrad",
        "Callback",
        "ProgressBar",
        "History",
        "warmup",
    }
    assert names <= set(dir(fr))
    for name in names:
        assert callable(getattr(fr, name))
    with pytest.raises(AttributeError, match="LSTMM"):
        fr.LSTMM  # noqa: B018


@pytest.mark.parametrize("used", [False, True], ids=["new", "used"])
@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["copied", "pickled"]
)
def test_a_copy_is_a_model_of_its_own(duplicate: Callable[[fr.Sequential], fr.Sequential], used: bool) -> None:
    """Whose weights, views and predictions belong together as those of the original do."""
    model = fr.Sequential([fr.SimpleRNN(3), fr.Dense(1)], input_size=2)
    x = np.random.default_rng(0).standard_normal((4, 5, 2))
    if used:
        model.predict(x)
    other = duplicate(model)
    before = model.predict(x)
    assert_array_equal(other.predict(x), before)
    fr.Trainer(other, optimizer=fr.SGD(0.5)).fit(x, np.ones((4, 1)), epochs=3, verbose=0)
    assert (other.predict(x) != before).all()
    assert_array_equal(model.predict(x), before)
    model.set_weights(other.get_weights())
    assert_array_equal(model.predict(x), other.predict(x))


def test_numpys_numbers_are_numbers() -> None:
    one = np.int64(1)
    model = fr.Sequential([fr.SimpleRNN(np.int32(2)), fr.Dense(one)], input_size=np.int64(3), seed=np.int64(4))
    x = np.ones((5, 4, 3))
    for real in (np.float32, np.float64):
        optimizers = (
            fr.SGD(real(0.1), momentum=real(0.5)),
            fr.Adam(real(0.1), beta_1=real(0.5)),
            fr.RMSProp(real(0.1), rho=real(0.5)),
            fr.Adagrad(real(0.1), epsilon=real(0.5)),
        )
        for optimizer in optimizers:
            trainer = fr.Trainer(
                model, optimizer=optimizer, clip_norm=real(1.0), tbptt=(one, one), threads=one, seed=one
            )
            trainer.fit(x, np.ones(5), epochs=one, batch_size=np.int64(2), validation_split=real(0.25), verbose=0)
    assert model.predict(x, batch_size=np.int64(2)).shape == (5, 1)


def test_predict_sees_every_change_of_the_weights() -> None:
    """Laid-out weights are kept between calls, but never those of before a change, whoever made it."""
    x = np.random.default_rng(0).standard_normal((3, 5, 2)).astype(np.float32)
    model = fr.Sequential([fr.LSTM(4), fr.Dense(1)], input_size=2)

    def expected() -> Any:
        other = fr.Sequential(model.layers, input_size=2)
        other.set_weights(model.get_weights())
        return other.predict(x)

    before = model.predict(x)
    model.set_weights([2 * weight for weight in model.get_weights()])
    changed = model.predict(x)
    assert (changed != before).any()
    np.testing.assert_array_equal(changed, expected())
    told = []
    fr.Trainer(model).fit(
        x, np.ones((3, 1)), epochs=2, verbose=0, callbacks=[lambda epoch, figures: told.append(model.predict(x))]
    )
    assert (told[0] != changed).any()
    np.testing.assert_array_equal(told[1], model.predict(x))
    np.testing.assert_array_equal(told[1], expected())
    view = model.parameters()["lstm.kernel"]
    model.predict(x)
    view[0, 0] += 1.0
    np.testing.assert_array_equal(model.predict(x), expected())
    view[0, 0] += 1.0
    np.testing.assert_array_equal(model.predict(x, threads=2), expected())
