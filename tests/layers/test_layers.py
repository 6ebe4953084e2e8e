"""Layers and initial values: what Keras's have, and the same from a constructor as from a file."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastrnn as fr
from fastrnn import initializers as init
from fastrnn.layers import (
    ACTIVATIONS,
    MERGE_MODES,
    AnyLayer,
    Cell,
    Stateful,
    Unidirectional,
    layer_names,
    layer_widths,
    parameter_shapes,
)

SIZES = st.integers(1, 12)
RATES = st.sampled_from([0.0, 0.25, 0.999])
CELLS = [fr.SimpleRNN, fr.LSTM, fr.GRU]
GATES = {fr.SimpleRNN: 1, fr.LSTM: 4, fr.GRU: 3}


def decode(layer):
    return msgspec.json.decode(msgspec.json.encode(layer), type=AnyLayer)


def draw(initializer, shape, size=1, seed=0):
    return initializer.draw(np.random.default_rng(seed), shape, size)


# ---------------------------------------------------------------------------------------------- descriptions


@pytest.mark.parametrize(
    ("layer", "inputs", "count"),
    [
        (fr.LSTM(3), 2, 72),
        (fr.LSTM(3, use_bias=False), 2, 60),
        (fr.GRU(3), 2, 63),
        (fr.GRU(3, reset_after=False), 2, 54),
        (fr.GRU(3, use_bias=False), 2, 45),
        (fr.Bidirectional(fr.LSTM(3)), 2, 144),
        (fr.Embedding(26, 2), 26, 52),
        (fr.OneHot(26), 26, 0),
        (fr.Dropout(0.5), 7, 0),
    ],
    ids=str,
)
def test_parameter_counts(layer, inputs, count):
    assert layer.count_params(inputs) == count


@pytest.mark.parametrize(("units", "counts"), [(3, (18, 4)), (4, (28, 5))])
def test_parameter_counts_of_the_keras_examples(units, counts):
    assert (fr.SimpleRNN(units).count_params(2), fr.Dense(1).count_params(units)) == counts


def assert_weights(layer, inputs, shapes):
    """Assert the names, order and shapes of a layer's weights, and that what is drawn has them."""
    weights = layer.initial_weights(inputs, np.random.default_rng(0))
    assert list(layer.weight_shapes(inputs).items()) == shapes
    assert [(name, array.shape) for name, array in weights.items()] == shapes
    assert layer.count_params(inputs) == sum(array.size for array in weights.values())


@given(inputs=SIZES, units=SIZES, use_bias=st.booleans(), reset_after=st.booleans(), make=st.sampled_from(CELLS))
def test_shapes_in_the_order_of_keras(inputs, units, use_bias, reset_after, make):
    options = {"reset_after": reset_after} if make is fr.GRU else {}
    layer, width = make(units, use_bias=use_bias, **options), GATES[make] * units
    bias = [("bias", (2, width) if make is fr.GRU and reset_after else (width,))] if use_bias else []
    shapes = [("kernel", (inputs, width)), ("recurrent_kernel", (units, width)), *bias]
    assert_weights(layer, inputs, shapes)
    assert layer.output_size == units
    both = [(half + name, shape) for half in ("forward.", "backward.") for name, shape in shapes]
    assert_weights(fr.Bidirectional(layer), inputs, both)


@given(inputs=SIZES, units=SIZES, use_bias=st.booleans())
def test_shapes_of_the_layers_without_a_state(inputs, units, use_bias):
    bias = [("bias", (units,))] if use_bias else []
    assert_weights(fr.Dense(units, use_bias=use_bias), inputs, [("kernel", (inputs, units)), *bias])
    assert_weights(fr.Embedding(inputs, units), inputs, [("embeddings", (inputs, units))])
    assert_weights(fr.OneHot(inputs), inputs, [])
    assert_weights(fr.Dropout(0.5), inputs, [])
    assert (fr.Dense(units).output_size, fr.Embedding(inputs, units).output_size) == (units, units)
    assert fr.OneHot(inputs).output_size == inputs
    assert fr.Dropout(0.5).compute_output_size(inputs) == inputs
    layers = [fr.Embedding(inputs, 3), fr.Dropout(0.5), fr.LSTM(units), fr.Dropout(0.5), fr.Dense(2)]
    assert layer_widths(layers, inputs) == [inputs, 3, 3, units, units, 2]


@pytest.mark.parametrize("merge_mode", MERGE_MODES)
def test_what_a_bidirectional_layer_gives(merge_mode):
    for inner in (fr.LSTM(5), fr.GRU(5, return_sequences=True)):
        layer = fr.Bidirectional(inner, merge_mode)
        assert layer.output_size == (10 if merge_mode == "concat" else 5)
        assert layer.return_sequences == inner.return_sequences


def test_cells_of_layers():
    lstm, gru = fr.LSTM(5), fr.GRU(4, go_backwards=True)
    assert lstm.cells == [Cell("", lstm, False)]
    assert gru.cells == [Cell("", gru, True)]
    assert fr.Bidirectional(lstm).cells == [Cell("forward.", lstm, False), Cell("backward.", lstm, True)]
    assert (lstm.cells[0].state_sizes, gru.cells[0].state_sizes) == ((5, 5), (4,))
    for make in CELLS:
        assert isinstance(make(1), Stateful)
        assert isinstance(make(1), Unidirectional)
        assert make(1).gates == GATES[make]
    assert isinstance(fr.Bidirectional(lstm), Stateful)
    for layer in (fr.Dense(1), fr.Dropout(0.5), fr.Embedding(2, 2), fr.OneHot(2)):
        assert layer.cells == []
        assert not isinstance(layer, Stateful)
        assert layer.takes_ids == isinstance(layer, fr.Embedding | fr.OneHot)
    assert not any(make.takes_ids for make in (*CELLS, fr.Bidirectional))


def test_arguments_as_in_keras():
    layer = fr.SimpleRNN(3, "relu", return_sequences=True)
    assert (layer.units, layer.activation, layer.return_sequences, layer.use_bias) == (3, "relu", True, True)
    assert fr.SimpleRNN(3).activation == "tanh"
    assert fr.Dense(3).activation == "linear"
    assert fr.SimpleRNN(3, activation=None) == fr.SimpleRNN(3, "linear")
    assert fr.Dense(np.int64(3)) == fr.Dense(3)
    assert type(fr.Dense(np.int64(3)).units) is int
    layer = fr.LSTM(3, "relu", "tanh", unit_forget_bias=False, dropout=0.1)
    assert (layer.units, layer.activation, layer.recurrent_activation) == (3, "relu", "tanh")
    assert (layer.unit_forget_bias, layer.dropout, layer.recurrent_dropout) == (False, 0.1, 0.0)
    layer = fr.GRU(3, "relu", None, reset_after=False, go_backwards=True)
    assert (layer.recurrent_activation, layer.reset_after, layer.go_backwards) == ("linear", False, True)
    for make in (fr.LSTM, fr.GRU):
        assert (make(3).activation, make(3).recurrent_activation) == ("tanh", "sigmoid")
    assert (fr.LSTM(3).unit_forget_bias, fr.GRU(3).reset_after) == (True, True)
    assert fr.Bidirectional(fr.LSTM(3)).merge_mode == "concat"
    assert (fr.Embedding(26, 2).vocabulary, fr.Embedding(26, 2).size) == (26, 2)
    for rate in (0, np.float64(0.0), np.float32(0.0)):
        assert fr.Dropout(rate) == fr.Dropout(0.0)
        assert type(fr.LSTM(3, dropout=rate).dropout) is type(fr.Dropout(rate).rate) is float
    for make in CELLS:
        with pytest.raises(TypeError):
            make(3, "tanh", "sigmoid", True)  # what Keras takes by place as use_bias


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
    for make in (*CELLS, fr.Dense):
        layer = make(units, activation, use_bias=use_bias, name=name, kernel_initializer=kernel)
        assert decode(layer) == layer


@given(units=SIZES, rates=st.tuples(RATES, RATES), flags=st.tuples(*[st.booleans()] * 3), name=st.none() | st.just("a"))
def test_a_recurrent_layer_survives_the_file(units, rates, flags, name):
    options = {"return_sequences": flags[0], "dropout": rates[0], "recurrent_dropout": rates[1]}
    for make, option in [
        (fr.SimpleRNN, {}),
        (fr.LSTM, {"unit_forget_bias": flags[1]}),
        (fr.GRU, {"reset_after": flags[1]}),
    ]:
        layer = make(units, **options | option)
        for merge_mode in MERGE_MODES:
            both = fr.Bidirectional(layer, merge_mode, name=name)
            assert decode(both) == both
        backwards = make(units, go_backwards=flags[2], name=name, **options | option)
        assert decode(backwards) == backwards


@given(units=SIZES, size=SIZES, rate=RATES, name=st.none() | st.just("a"))
def test_a_layer_of_ids_and_dropout_survive_the_file(units, size, rate, name):
    for layer in (
        fr.Embedding(units, size, embeddings_initializer=init.Normal(0.5), name=name),
        fr.OneHot(units, name=name),
        fr.Dropout(rate, name=name),
    ):
        assert decode(layer) == layer


@pytest.mark.parametrize("make", [*CELLS, fr.Dense])
@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"units": 0}, "units=0; expected a whole number from 1 up"),
        ({"units": -1}, "units=-1"),
        ({"units": True}, "units=True|got `bool`"),
        ({"units": 2.5}, "units=2.5|got `float`"),
        ({"units": "3"}, "units='3'|got `str`"),
        ({"units": None}, "units=None|got `null`"),
        ({"activation": "mish"}, "activation='mish'; expected one of tanh, sigmoid, relu, linear"),
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


RATE = "expected a number from 0 up to 1, and below it"
REFUSED = [
    *[
        (make, {"units": 3} | change, match)
        for make in CELLS
        for change, match in [
            ({"return_sequences": 1}, "return_sequences=1; expected True or False|got `int`"),
            ({"go_backwards": None}, "go_backwards=None; expected True or False|got `null`"),
            ({"dropout": 1.0}, f"dropout=1.0; {RATE}"),
            ({"dropout": -0.1}, f"dropout=-0.1; {RATE}"),
            ({"recurrent_dropout": 2}, f"recurrent_dropout=2(.0)?; {RATE}"),
            ({"recurrent_dropout": True}, "recurrent_dropout=True|got `bool`"),
            ({"recurrent_initializer": "he"}, "recurrent_initializer: initializer is 'he'"),
        ]
    ],
    *[
        (make, {"units": 3, "recurrent_activation": "mish"}, "recurrent_activation='mish'; expected one of tanh, sigm")
        for make in (fr.LSTM, fr.GRU)
    ],
    (fr.LSTM, {"units": 3, "unit_forget_bias": 1}, "unit_forget_bias=1; expected True or False|got `int`"),
    (fr.GRU, {"units": 3, "reset_after": "no"}, "reset_after='no'; expected True or False|got `str`"),
    (fr.Embedding, {"vocabulary": 0, "size": 2}, "vocabulary=0; expected a whole number from 1 up"),
    (fr.Embedding, {"vocabulary": 2, "size": 0}, "size=0; expected a whole number from 1 up"),
    (fr.Embedding, {"vocabulary": 2.5, "size": 2}, "vocabulary=2.5|got `float`"),
    (
        fr.Embedding,
        {"vocabulary": 2, "size": 2, "embeddings_initializer": "he"},
        "embeddings_initializer: initializer is 'he'; expected one of",
    ),
    (fr.OneHot, {"vocabulary": True}, "vocabulary=True|got `bool`"),
    (fr.OneHot, {"vocabulary": -3}, "vocabulary=-3; expected a whole number from 1 up"),
    (fr.Dropout, {"rate": 1}, f"rate=1(.0)?; {RATE}"),
    (fr.Dropout, {"rate": -0.5}, f"rate=-0.5; {RATE}"),
    (fr.Dropout, {"rate": "0.5"}, "rate='0.5'|got `str`"),
    (fr.Dropout, {"rate": 0.5, "name": "a/b"}, "name='a/b'; expected"),
]


@pytest.mark.parametrize(("make", "arguments", "match"), REFUSED)
def test_what_single_kinds_refuse(make, arguments, match):
    with pytest.raises((TypeError, ValueError), match=match):
        make(**arguments)
    with pytest.raises(msgspec.ValidationError, match=match):
        msgspec.convert({"type": make.__name__} | arguments, AnyLayer)


def test_a_rate_that_is_no_number():
    with pytest.raises(ValueError, match="rate=nan"):
        fr.Dropout(math.nan)


@pytest.mark.parametrize(
    ("inner", "match"),
    [
        ({"type": "LSTM", "units": 3, "go_backwards": True}, "go_backwards=True; expected one that reads forwards"),
        (
            {"type": "GRU", "units": 3, "name": "a"},
            r"name='a'; expected one without: .*Bidirectional\(\.\.\., name='a'\)",
        ),
        ({"type": "Dense", "units": 3}, "layer=Dense.* expected a recurrent layer|Invalid value 'Dense'"),
        ({"type": "OneHot", "vocabulary": 3}, "layer=OneHot.* expected a recurrent layer|Invalid value 'OneHot'"),
    ],
)
def test_what_bidirectional_does_not_wrap(inner, match):
    layer = msgspec.convert(inner, AnyLayer)
    with pytest.raises((TypeError, ValueError), match=match):
        fr.Bidirectional(layer)
    with pytest.raises(msgspec.ValidationError, match=match):
        msgspec.convert({"type": "Bidirectional", "layer": inner}, AnyLayer)


def test_bidirectional_wraps_one_layer_in_a_known_way():
    for merge_mode in ("max", 1):
        with pytest.raises(ValueError, match=f"merge_mode={merge_mode!r}; expected one of concat, sum, mul, ave"):
            fr.Bidirectional(fr.LSTM(3), merge_mode)
    for layer in (fr.LSTM, "lstm", fr.Bidirectional(fr.LSTM(3))):
        with pytest.raises(TypeError, match="expected a recurrent layer"):
            fr.Bidirectional(layer)


def test_what_only_recurrent_layers_have():
    with pytest.raises(TypeError, match="return_sequences"):
        fr.Dense(3, return_sequences=True)
    with pytest.raises(TypeError, match="recurrent_activation"):
        fr.SimpleRNN(3, recurrent_activation="tanh")
    with pytest.raises(TypeError, match="unit_forget_bias"):
        fr.GRU(3, unit_forget_bias=True)
    with pytest.raises(TypeError, match="reset_after"):
        fr.LSTM(3, reset_after=True)


@pytest.mark.parametrize("text", ['{"type":"Dense","units":3,"more":1}', '{"type":"Lambda"}', '{"units":3}', "[]"])
def test_a_file_with_what_is_no_layer(text):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=AnyLayer)


# ---------------------------------------------------------------------------------------------- names


def test_names_count_by_kind_and_leave_given_ones():
    kinds = {
        "simple_rnn": fr.SimpleRNN(1), "lstm": fr.LSTM(1), "gru": fr.GRU(1), "dense": fr.Dense(1),
        "bidirectional": fr.Bidirectional(fr.LSTM(1)), "embedding": fr.Embedding(2, 1), "one_hot": fr.OneHot(2),
        "dropout": fr.Dropout(0.5),
    }  # fmt: skip
    assert layer_names([*kinds.values(), *kinds.values()]) == [*kinds, *(f"{kind}_1" for kind in kinds)]
    layers = [fr.SimpleRNN(1), fr.SimpleRNN(1), fr.Dense(1, name="dense_1"), fr.Dense(1), fr.Dense(1)]
    assert layer_names(layers) == ["simple_rnn", "simple_rnn_1", "dense_1", "dense", "dense_2"]
    with pytest.raises(ValueError, match="2 layers have name='a'; expected a name once"):
        layer_names([fr.Dense(1, name="a"), fr.Dense(1, name="a")])


def test_names_are_those_of_the_models_parameters():
    layers = [fr.SimpleRNN(3, return_sequences=True), fr.SimpleRNN(2, use_bias=False), fr.Dense(4, name="out")]
    shapes = parameter_shapes(layers, 5)
    parameters = fr.Sequential(layers, input_size=5).parameters()
    assert list(shapes.items()) == [(name, array.shape) for name, array in parameters.items()]


def test_names_of_the_weights_of_both_directions():
    layers = [
        fr.Embedding(9, 4),
        fr.Bidirectional(fr.LSTM(3, return_sequences=True)),
        fr.Dropout(0.5),
        fr.Bidirectional(fr.GRU(2, use_bias=False), "sum", name="top"),
    ]
    assert parameter_shapes(layers, 9) == {
        "embedding.embeddings": (9, 4),
        "bidirectional.forward.kernel": (4, 12),
        "bidirectional.forward.recurrent_kernel": (3, 12),
        "bidirectional.forward.bias": (12,),
        "bidirectional.backward.kernel": (4, 12),
        "bidirectional.backward.recurrent_kernel": (3, 12),
        "bidirectional.backward.bias": (12,),
        "top.forward.kernel": (6, 6),
        "top.forward.recurrent_kernel": (2, 6),
        "top.backward.kernel": (6, 6),
        "top.backward.recurrent_kernel": (2, 6),
    }


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


@pytest.mark.parametrize("make", [fr.LSTM, fr.GRU])
def test_defaults_of_the_gated_layers_are_those_of_keras(make):
    weights = make(6).initial_weights(4, np.random.default_rng(0))
    width = GATES[make] * 6
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(weights["kernel"], init.GlorotUniform().draw(rng, (4, width), 6))
    np.testing.assert_array_equal(weights["recurrent_kernel"], init.Orthogonal().draw(rng, (6, width), 6))
    np.testing.assert_allclose(weights["recurrent_kernel"] @ weights["recurrent_kernel"].T, np.eye(6), atol=1e-13)
    zero, one = np.zeros(6), np.ones(6)
    expected = np.concatenate([zero, one, zero, zero]) if make is fr.LSTM else np.zeros((2, width))
    np.testing.assert_array_equal(weights["bias"], expected)


def test_the_forget_gates_bias():
    def bias(**options):
        return fr.LSTM(6, **options).initial_weights(4, np.random.default_rng(0))["bias"].reshape(4, 6)

    np.testing.assert_array_equal(bias(unit_forget_bias=False), np.zeros((4, 6)))
    np.testing.assert_array_equal(bias(bias_initializer=init.Constant(0.5))[:, 0], [0.5, 1, 0.5, 0.5])
    drawn = bias(bias_initializer="torch_uniform")
    np.testing.assert_array_equal(drawn[1], np.ones(6))
    assert len(set(drawn[[0, 2, 3]].ravel())) == 18
    assert np.abs(drawn[[0, 2, 3]]).max() <= 1 / math.sqrt(6)
    assert "bias" not in fr.LSTM(6, use_bias=False).initial_weights(4, np.random.default_rng(0))


def test_each_direction_is_drawn_on_its_own():
    layer = fr.GRU(5)
    rng = np.random.default_rng(3)
    halves = [layer.initial_weights(4, rng) for _ in range(2)]
    weights = fr.Bidirectional(layer).initial_weights(4, np.random.default_rng(3))
    for prefix, half in zip(("forward.", "backward."), halves, strict=True):
        for name, value in half.items():
            np.testing.assert_array_equal(weights[prefix + name], value)
    assert not np.array_equal(weights["forward.kernel"], weights["backward.kernel"])


def test_an_embedding_starts_as_in_keras():
    values = fr.Embedding(50, 40).initial_weights(50, np.random.default_rng(0))["embeddings"]
    assert 0.049 < np.abs(values).max() <= 0.05
    ones = fr.Embedding(3, 2, embeddings_initializer="ones").initial_weights(3, np.random.default_rng(0))
    np.testing.assert_array_equal(ones["embeddings"], np.ones((3, 2)))


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
