"""Layers and initial values: what Keras's have, and the same from a constructor as from a file."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastrnn as fr
from fastrnn import initializers as init
from fastrnn.layers import ACTIVATIONS, AnyLayer, layer_names, parameter_shapes

SIZES = st.integers(1, 12)


def decode(layer):
    return msgspec.json.decode(msgspec.json.encode(layer), type=AnyLayer)


def draw(initializer, shape, size=1, seed=0):
    return initializer.draw(np.random.default_rng(seed), shape, size)


# ---------------------------------------------------------------------------------------------- descriptions


@pytest.mark.parametrize(("units", "counts"), [(3, (18, 4)), (4, (28, 5))])
def test_parameter_counts_of_the_keras_examples(units, counts):
    assert (fr.SimpleRNN(units).count_params(2), fr.Dense(1).count_params(units)) == counts


@given(inputs=SIZES, units=SIZES, use_bias=st.booleans())
def test_shapes_in_the_order_of_keras(inputs, units, use_bias):
    rnn, dense = fr.SimpleRNN(units, use_bias=use_bias), fr.Dense(units, use_bias=use_bias)
    bias = [("bias", (units,))] if use_bias else []
    recurrent = [("kernel", (inputs, units)), ("recurrent_kernel", (units, units)), *bias]
    assert list(rnn.weight_shapes(inputs).items()) == recurrent
    assert list(dense.weight_shapes(inputs).items()) == [("kernel", (inputs, units)), *bias]
    for layer in (rnn, dense):
        weights = layer.initial_weights(inputs, np.random.default_rng(0))
        assert {name: array.shape for name, array in weights.items()} == layer.weight_shapes(inputs)
        assert layer.count_params(inputs) == sum(array.size for array in weights.values())
        assert layer.output_size == units


def test_arguments_as_in_keras():
    layer = fr.SimpleRNN(3, "relu", return_sequences=True)
    assert (layer.units, layer.activation, layer.return_sequences, layer.use_bias) == (3, "relu", True, True)
    assert fr.SimpleRNN(3).activation == "tanh"
    assert fr.Dense(3).activation == "linear"
    assert fr.SimpleRNN(3, activation=None) == fr.SimpleRNN(3, "linear")
    assert fr.Dense(np.int64(3)) == fr.Dense(3)
    assert type(fr.Dense(np.int64(3)).units) is int
    assert (fr.SimpleRNN(1).kind, fr.Dense(1).kind) == ("simple_rnn", "dense")


def test_layers_are_frozen():
    with pytest.raises(AttributeError):
        fr.Dense(3).units = 4


@given(
    units=SIZES,
    activation=st.sampled_from(ACTIVATIONS),
    use_bias=st.booleans(),
    name=st.none() | st.just("a"),
    kernel=st.sampled_from([*init.BY_NAME, *init.BY_NAME.values(), init.Constant(0.5), init.Uniform(-1, 2)]),
)
def test_a_layer_survives_the_file(units, activation, use_bias, name, kernel):
    for make in (fr.SimpleRNN, fr.Dense):
        layer = make(units, activation, use_bias=use_bias, name=name, kernel_initializer=kernel)
        assert decode(layer) == layer


@pytest.mark.parametrize("make", [fr.SimpleRNN, fr.Dense])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"units": 0}, "units=0; expected a whole number from 1 up"),
        ({"units": -1}, "units=-1"),
        ({"units": True}, "units=True|got `bool`"),
        ({"units": 2.5}, "units=2.5|got `float`"),
        ({"units": "3"}, "units='3'|got `str`"),
        ({"units": None}, "units=None|got `null`"),
        ({"activation": "gelu"}, "activation='gelu'; expected one of tanh, sigmoid, relu, linear"),
        ({"activation": 1}, "activation=1|got `int`"),
        ({"use_bias": 1}, "use_bias=1|got `int`"),
        ({"name": ""}, "name=''; expected"),
        ({"name": "a.b"}, "name='a.b'; expected"),
        ({"name": 3}, "name=3|got `int`"),
        ({"kernel_initializer": "he"}, "kernel_initializer: initializer is 'he'; expected one of glorot_uniform"),
        ({"bias_initializer": 0.5}, "bias_initializer: initializer is 0.5|got `float`"),
    ],
)
def test_a_constructor_and_a_file_refuse_alike(make, change, match):
    arguments = {"units": 3} | change
    with pytest.raises((TypeError, ValueError), match=match):
        make(**arguments)
    with pytest.raises(msgspec.ValidationError, match=match):
        msgspec.convert({"type": make.__name__} | arguments, AnyLayer)


def test_what_only_recurrent_layers_have():
    with pytest.raises(ValueError, match="return_sequences=1; expected True or False"):
        fr.SimpleRNN(3, return_sequences=1)
    with pytest.raises(ValueError, match="recurrent_initializer: initializer is 'he'"):
        fr.SimpleRNN(3, recurrent_initializer="he")
    with pytest.raises(TypeError, match="return_sequences"):
        fr.Dense(3, return_sequences=True)


@pytest.mark.parametrize("text", ['{"type":"Dense","units":3,"more":1}', '{"type":"Lambda"}', '{"units":3}', "[]"])
def test_a_file_with_what_is_no_layer(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=AnyLayer)


# ---------------------------------------------------------------------------------------------- names


def test_names_count_by_kind_and_leave_given_ones():
    layers = [fr.SimpleRNN(1), fr.SimpleRNN(1), fr.Dense(1, name="dense_1"), fr.Dense(1), fr.Dense(1)]
    assert layer_names(layers) == ["simple_rnn", "simple_rnn_1", "dense_1", "dense", "dense_2"]
    with pytest.raises(ValueError, match="2 layers have name='a'; expected a name once"):
        layer_names([fr.Dense(1, name="a"), fr.Dense(1, name="a")])


def test_names_are_those_of_the_models_parameters():
    layers = [fr.SimpleRNN(3, return_sequences=True), fr.SimpleRNN(2, use_bias=False), fr.Dense(4, name="out")]
    shapes = parameter_shapes(layers, 5)
    parameters = fr.Sequential(layers, input_size=5).parameters()
    assert list(shapes.items()) == [(name, array.shape) for name, array in parameters.items()]


# ---------------------------------------------------------------------------------------------- initial values


def test_models_of_one_seed_start_alike_in_both_dtypes():
    layers = [fr.SimpleRNN(5, return_sequences=True), fr.SimpleRNN(3), fr.Dense(2)]
    single, double = (
        fr.Sequential(layers, input_size=4, dtype=t, seed=7).get_weights() for t in ("float32", "float64")
    )
    for a, b in zip(single, double, strict=True):
        np.testing.assert_array_equal(a, b.astype(np.float32))
    other = fr.Sequential(layers, input_size=4, dtype="float64", seed=8).get_weights()
    assert not np.array_equal(other[0], double[0])


def test_defaults_are_those_of_keras():
    weights = fr.SimpleRNN(6).initial_weights(4, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(weights["kernel"], init.GlorotUniform().draw(rng, (4, 6), 6))
    np.testing.assert_array_equal(weights["recurrent_kernel"], init.Orthogonal().draw(rng, (6, 6), 6))
    np.testing.assert_array_equal(weights["bias"], np.zeros(6))


@given(rows=SIZES, columns=SIZES, gain=st.floats(0.5, 2))
def test_orthogonal(rows, columns, gain):
    q = draw(init.Orthogonal(gain), (rows, columns)) / gain
    product = q.T @ q if rows >= columns else q @ q.T
    np.testing.assert_allclose(product, np.eye(min(rows, columns)), atol=1e-13)
    # The sign that makes the factor unique: what was drawn is q times a triangle with a positive diagonal.
    drawn = np.random.default_rng(0).standard_normal((max(rows, columns), min(rows, columns)))
    triangle = (q if rows >= columns else q.T).T @ drawn
    np.testing.assert_allclose(np.tril(triangle, -1), 0, atol=1e-12)
    assert np.all(np.diag(triangle) > 0)


@given(inputs=SIZES, units=SIZES)
def test_ranges_of_the_uniform_ones(inputs, units):
    for initializer, limit in [
        (init.GlorotUniform(), math.sqrt(6 / (inputs + units))),
        (init.TorchUniform(), 1 / math.sqrt(units)),
        (init.Uniform(-0.3, 0.3), 0.3),
    ]:
        values = np.abs(draw(initializer, (inputs, units), units))
        assert np.all(values <= limit)
        many = np.abs(np.concatenate([draw(initializer, (inputs, units), units, seed).ravel() for seed in range(50)]))
        assert many.max() > 0.8 * limit


def test_torch_scales_by_units_or_by_inputs():
    rng = np.random.default_rng(0)
    names = {"kernel_initializer": "torch_uniform", "bias_initializer": "torch_uniform"}
    rnn = fr.SimpleRNN(400, **names, recurrent_initializer="torch_uniform").initial_weights(4, rng)
    dense = fr.Dense(4, **names).initial_weights(400, rng)
    for array in (*rnn.values(), dense["kernel"]):
        assert 0.9 / 20 < np.abs(array).max() <= 1 / 20
    assert np.abs(dense["bias"]).max() <= 1 / 20


def test_the_plain_ones():
    np.testing.assert_array_equal(draw(init.Zeros(), (2,)), np.zeros(2))
    np.testing.assert_array_equal(draw(init.Ones(), (2, 3)), np.ones((2, 3)))
    np.testing.assert_array_equal(draw(init.Constant(0.5), (2, 3)), np.full((2, 3), 0.5))
    np.testing.assert_array_equal(draw(init.Identity(2), (2, 3)), [[2, 0, 0], [0, 2, 0]])
    values = draw(init.Normal(0.1), (200, 200))
    assert abs(values.mean()) < 2e-3
    assert values.std() == pytest.approx(0.1, rel=0.02)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: init.Uniform(1, 0), "expected low <= high"),
        (lambda: init.Uniform(0, math.inf), "high=inf; expected a finite number"),
        (lambda: init.Normal(-1), "std=-1; expected a number from 0 up"),
        (lambda: init.Normal("1"), "std='1'; expected a finite number"),
        (lambda: init.Constant(math.nan), "value=nan; expected a finite number"),
        (lambda: init.Orthogonal(True), "gain=True; expected a finite number"),
        (lambda: init.Identity(None), "gain=None; expected a finite number"),
        (lambda: fr.Sequential([fr.SimpleRNN(2, bias_initializer="identity")], 1), r"Identity was given .* \(2,\)"),
    ],
)
def test_what_makes_no_initial_value(make, match):
    with pytest.raises(ValueError, match=match):
        make()
