"""Losses and metrics: their values by definition, in whatever form they are computed, and what they refuse."""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import fastrnn as fr
from fastrnn.engine import threads as sharing
from fastrnn.engine.columns import Columns
from fastrnn.reference import losses as reference
from fastrnn.reference.model import gradients as slow_gradients
from tests.helpers.laws import DTYPES, Array, assert_near, copy_of, flat
from tests.helpers.problems import losses_of, make_targets
from tests.helpers.refusals import check
from tests.helpers.training import fit_by_reference

V, T = ValueError, TypeError
N, STEPS, INPUTS, CLASSES = 21, 6, 3, 5
SPARSE = "sparse_categorical_crossentropy"
CROSSENTROPIES = ("binary_crossentropy", "categorical_crossentropy", SPARSE)
ACTIVATION = {"binary_crossentropy": "sigmoid", "categorical_crossentropy": "softmax", SPARSE: "softmax"}
RELATIVE = {"float32": 2e-6, "float64": 1e-13}
both_forms = pytest.mark.parametrize("every_step", [False, True], ids=["last", "sequences"])


def make_model(
    activation: str, dtype: str = "float64", every_step: bool = True, outputs: int = CLASSES, top: Any = None
) -> fr.Sequential:
    """Return a model with a dense layer of that activation on top (or ``top``); its weights are not small."""
    above = fr.Dense(outputs, activation) if top is None else top
    stack = [fr.GRU(7, return_sequences=every_step or isinstance(above, fr.SimpleRNN)), above]
    model = fr.Sequential(stack, input_size=INPUTS, dtype=dtype, seed=1)
    rng = np.random.default_rng(2)
    model.set_weights([rng.standard_normal(weight.shape) for weight in model.get_weights()])
    return model


def make_data(model: fr.Sequential, loss: str, seed: int = 0, rows: int = N) -> tuple[Array, Array, Array, Array]:
    """Return x, y, weights and lengths; some of these are 0."""
    rng = np.random.default_rng(seed)
    every_step, outputs = model.output_form
    x = rng.standard_normal((rows, STEPS, INPUTS)).astype(model.dtype)
    y = make_targets(rng, loss, (rows, STEPS, outputs) if every_step else (rows, outputs), model.dtype)
    return x, y, rng.integers(0, 3, rows) / 2.0, rng.integers(0, STEPS + 1, rows)


def value_of(name: str, output: Array, y: Array, weight: Array, lengths: Array, loss: str) -> float:
    """Compute a column from the outputs, which a cross-entropy of linear ones takes for logits."""
    output, shares = output.astype(np.float64), reference.loss_shares(output.shape[:-1], weight, lengths)
    if name == "accuracy":
        if loss == SPARSE:
            return reference.sparse_categorical_accuracy(output, y, shares)
        if loss == "binary_crossentropy" or output.shape[-1] == 1:
            return reference.binary_accuracy(output, y, shares)
        return reference.categorical_accuracy(output, y, shares)
    return reference.LOSSES[name][0](output, y, shares)


COLUMNS = {
    ("linear", "mse"): ["mae", "accuracy"],
    ("sigmoid", "mae"): ["mse", "binary_crossentropy", "accuracy", "mse"],
    ("softmax", "mse"): ["categorical_crossentropy", "accuracy", "mae"],
    ("sigmoid", "binary_crossentropy"): ["accuracy", "mae", "binary_crossentropy"],
    ("softmax", "categorical_crossentropy"): ["mse", "accuracy"],
    ("softmax", SPARSE): ["accuracy", SPARSE],
}


@pytest.mark.parametrize("dtype", DTYPES)
@both_forms
@pytest.mark.parametrize(("activation", "loss"), COLUMNS)
def test_every_column_is_its_definition_on_the_predictions(
    activation: str, loss: str, every_step: bool, dtype: str
) -> None:
    metrics = COLUMNS[activation, loss]
    model = make_model(activation, dtype, every_step)
    crossed = [name for name in (loss, *metrics) if name in CROSSENTROPIES]
    x, y, weight, lengths = make_data(model, crossed[0] if crossed else loss)
    output = model.predict(x, lengths)
    figures = fr.Trainer(model, loss, metrics=metrics).evaluate(x, y, weight, lengths)
    assert list(figures) == list(dict.fromkeys(["loss", *metrics]))
    for name, figure in figures.items():
        expected = value_of(loss if name == "loss" else name, output, y, weight, lengths, loss)
        assert figure == pytest.approx(expected, rel=RELATIVE[dtype], abs=1e-12)
    assert 0.0 < figures.get("accuracy", 0.5) < 1.0


@both_forms
@pytest.mark.parametrize("loss", CROSSENTROPIES)
def test_linear_outputs_are_logits(loss: str, every_step: bool) -> None:
    """The same loss, accuracy and gradients as over the activation that makes probabilities of them."""
    logits, probable = (make_model(a, every_step=every_step) for a in ("linear", ACTIVATION[loss]))
    x, y, weight, lengths = make_data(logits, loss)
    figures = [fr.Trainer(m, loss, metrics=["accuracy"]).evaluate(x, y, weight, lengths) for m in (logits, probable)]
    assert figures[0] == figures[1]
    (value, gradients), (other, others) = (m.gradients(x, y, loss, weight, lengths) for m in (logits, probable))
    assert value == other == figures[0]["loss"]
    for name, gradient in gradients.items():
        assert_array_equal(others[name], gradient)


@pytest.mark.parametrize("loss", ["mse", "mae", "binary_crossentropy"])
def test_accuracy_of_a_single_output_is_its_side_of_one_half(loss: str) -> None:
    model = make_model("linear" if loss == "mse" else "sigmoid", outputs=1)
    x, _, weight, lengths = make_data(model, loss)
    y = np.random.default_rng(3).integers(0, 2, (N, STEPS))
    figures = fr.Trainer(model, loss, metrics=["accuracy"]).evaluate(x, y, weight, lengths)
    counts = (np.arange(STEPS) < lengths[:, None]) * weight[:, None]
    right = (model.predict(x, lengths)[..., 0] > 0.5) == (y == 1)
    assert figures["accuracy"] == pytest.approx((right * counts).sum() / counts.sum(), rel=1e-12)


def test_equal_outputs_are_the_first_class() -> None:
    """So a model that has learned nothing is not always right."""
    model = make_model("softmax", every_step=False)
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])
    x, _, _, _ = make_data(model, SPARSE)
    trainer = fr.Trainer(model, SPARSE, metrics=["accuracy"])
    assert trainer.evaluate(x, np.zeros(N, int))["accuracy"] == 1.0
    figures = trainer.evaluate(x, np.full(N, 3))
    assert figures["accuracy"] == 0.0
    assert figures["loss"] == pytest.approx(np.log(CLASSES))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", CROSSENTROPIES)
@pytest.mark.parametrize("outputs", [2, 15, 16, 17, 300, 700])
def test_any_number_of_outputs(outputs: int, loss: str, dtype: str) -> None:
    model = make_model(ACTIVATION[loss], dtype, outputs=outputs)
    x, y, weight, lengths = make_data(model, loss, rows=N if outputs < 100 else 5)
    layers = [{"kind": "gru", "return_sequences": True}, {"kind": "dense", "activation": "linear"}]
    slow = slow_gradients(layers, model.get_weights(), x, y, loss, weight, lengths)
    value, fast = model.gradients(x, y, loss, weight, lengths)
    assert value == pytest.approx(slow.loss, rel=RELATIVE[dtype])
    scale = max(float(np.abs(gradient).max()) for gradient in slow.weights)
    for gradient, expected in zip(fast.values(), slow.weights, strict=True):
        assert_allclose(gradient, expected, rtol=0.0, atol=RELATIVE[dtype] * 10 * scale)


# ---------------------------------------------------------------------------------------------- far from 0


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("loss", CROSSENTROPIES)
@pytest.mark.parametrize("right", [True, False])
def test_logits_far_from_zero(right: bool, loss: str, dtype: str) -> None:
    """Loss and gradients keep their digits where the model is all but certain, and stay finite where it is wrong."""
    model = make_model(ACTIVATION[loss], dtype, every_step=False, outputs=3)
    logits = np.array([30.0, -25.0, -40.0], dtype)
    model.set_weights([*(np.zeros_like(w) for w in model.get_weights()[:-1]), logits if right else -100.0 * logits])
    target = np.array([1.0, 0.0, 0.0])
    y = np.zeros(N, int) if loss == SPARSE else np.tile(target, (N, 1))
    value, gradients = model.gradients(np.ones((N, STEPS, INPUTS)), y, loss)
    if loss == "binary_crossentropy":
        e = np.exp(-np.abs(logits.astype(float)))
        expected, d = np.mean(e), np.array([-e[0], e[1], e[2]]) / 3
        wrong, d_wrong = 100.0 * 95.0 / 3, np.array([-1.0, 1.0, 1.0]) / 3
    else:
        e = np.exp(logits.astype(float) - logits[0])
        expected, d = e[1] + e[2], np.array([-e[1] - e[2], e[1], e[2]])
        wrong, d_wrong = 7000.0, np.array([-1.0, 0.0, 1.0])
    assert value == pytest.approx(expected if right else wrong, rel=1e-6)
    assert_allclose(gradients["dense.bias"], d if right else d_wrong, rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_of_anything_is_probabilities(dtype: str) -> None:
    model = make_model("softmax", dtype)
    for scale in (0.0, 1.0, 1e4):
        model.parameters()["dense.kernel"][:] *= scale
        y = model.predict(np.random.default_rng(0).standard_normal((N, STEPS, INPUTS)))
        assert (y >= 0.0).all()
        assert_allclose(y.sum(axis=-1), 1.0, rtol=1e-6)


def test_probabilities_of_a_recurrent_layer_are_held_away_from_certainty() -> None:
    """As in Keras: the loss of a saturated sigmoid is that of 1e-7, and its gradient 0."""
    model = fr.Sequential([fr.SimpleRNN(1, "sigmoid")], input_size=1, dtype="float64")
    model.set_weights([[[100.0]], [[0.0]], [0.0]])
    value, gradients = model.gradients([[[1.0]], [[-1.0]]], [[0.0], [1.0]], "binary_crossentropy")
    assert value == pytest.approx(-np.log(1e-7))
    assert not any(gradient.any() for gradient in gradients.values())


# ---------------------------------------------------------------------------------------------- laws


@pytest.mark.parametrize("dtype", DTYPES)
@both_forms
@pytest.mark.parametrize("loss", CROSSENTROPIES)
def test_targets_that_do_not_count_are_not_read(loss: str, every_step: bool, dtype: str) -> None:
    """Padding of -1, and of numbers that would lie far outside of memory."""
    model = make_model(ACTIVATION[loss], dtype, every_step)
    x, y, weight, lengths = make_data(model, loss)
    outside = (np.arange(STEPS) >= lengths[:, None]) | (weight == 0)[:, None]
    outside = outside if every_step else (lengths == 0) | (weight == 0)
    padded = y.copy()
    padded[outside] = np.iinfo(np.int64).min if loss == SPARSE else -1e30
    padded[outside & np.roll(outside, 1, axis=0)] = -1
    metrics = ["accuracy"]
    expected = fr.Trainer(model, loss, metrics=metrics).evaluate(x, y, weight, lengths)
    assert fr.Trainer(model, loss, metrics=metrics).evaluate(x, padded, weight, lengths) == expected
    (value, gradients), (other, others) = (model.gradients(x, target, loss, weight, lengths) for target in (y, padded))
    assert value == other
    for name, gradient in gradients.items():
        assert_array_equal(others[name], gradient)


@pytest.mark.parametrize("metrics", [["binary_crossentropy"], ["binary_crossentropy", "accuracy"]])
@pytest.mark.parametrize("activation", ["sigmoid", "linear"])
def test_metrics_change_no_bit_of_a_fit(activation: str, metrics: list[str]) -> None:
    """A metric that takes logits makes the activation wait; the model trains as without."""
    runs = []
    for own in ([], metrics):
        model = make_model(activation)
        x, y, weight, lengths = make_data(model, "binary_crossentropy")
        history = fr.Trainer(model, "mse", metrics=own).fit(
            x, y, epochs=3, batch_size=8, sample_weight=weight, lengths=lengths, verbose=0
        )
        runs.append([np.array(history.history["loss"]), *model.get_weights()])
    for a, b in zip(*runs, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("loss", CROSSENTROPIES)
def test_metrics_of_a_fit_are_those_of_the_weights_before_each_update(loss: str) -> None:
    model = make_model(ACTIVATION[loss])
    x, y, weight, lengths = make_data(model, loss)
    metrics = ["accuracy", *([] if loss == SPARSE else ["mse"])]
    expected = fr.Trainer(copy_of(model), loss, metrics=metrics).evaluate(x, y, weight, lengths)
    trainer = fr.Trainer(model, loss, fr.SGD(0.1), metrics)
    history = trainer.fit(x, y, epochs=1, batch_size=N, sample_weight=weight, lengths=lengths, verbose=0)
    assert {name: figures[0] for name, figures in history.history.items()} == pytest.approx(expected, rel=1e-12)


SETTINGS: dict[str, dict[str, Any]] = {
    "full": {"clip_norm": 0.5},
    "tbptt": {"tbptt": (2, 3)},
    "chunk": {"tbptt": (2, 3), "tbptt_update": "chunk"},
    "recompute": {"recompute": "sqrt"},
}


@pytest.mark.parametrize("splits", [False, True], ids=["rows", "units"])
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("loss", CROSSENTROPIES)
def test_threads_change_no_bit_of_a_fit(loss: str, setting: str, splits: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every kind of metric, a last minibatch that is smaller, and shards unless threads share out the units."""
    if splits:
        monkeypatch.setattr(sharing, "SPLIT_BYTES", 0)
        monkeypatch.setattr(sharing, "GRADIENT_SHARE", 10**9)
    metrics = ["accuracy", *([] if loss == SPARSE else ["mse"])]
    runs = []
    for threads in (1, 2):
        stack = [fr.LSTM(64, return_sequences=True), fr.Dense(19, ACTIVATION[loss])]
        model = fr.Sequential(stack, input_size=INPUTS, dtype="float64")
        x, y, weight, lengths = make_data(model, loss, rows=100)
        trainer = fr.Trainer(model, loss, fr.SGD(0.5, momentum=0.9), metrics, threads=threads, **SETTINGS[setting])
        history = trainer.fit(
            x, y, epochs=2, batch_size=20 if splits else 70, sample_weight=weight, lengths=lengths, verbose=0
        )
        assert trainer._plan is not None
        assert (trainer._plan.splits, trainer._plan.shards > 1) == (splits and threads > 1, not splits)
        runs.append([*(np.array(figures) for figures in history.history.values()), *model.get_weights()])
    for a, b in zip(*runs, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("loss", CROSSENTROPIES)
def test_a_fit_is_that_of_the_reference(loss: str, setting: str) -> None:
    """Shards, their windows and segments, dropout below the top."""
    settings = SETTINGS[setting]
    stack = [fr.LSTM(5, return_sequences=True), fr.Dropout(0.25), fr.Dense(4, ACTIVATION[loss])]
    model = fr.Sequential(stack, input_size=INPUTS, dtype="float64")
    x, y, weight, lengths = make_data(model, loss, rows=90)
    start, optimizer = copy_of(model), fr.SGD(0.5)
    trainer = fr.Trainer(model, loss, optimizer, threads=2, **settings)
    trainer.fit(x, y, epochs=1, batch_size=70, sample_weight=weight, lengths=lengths, shuffle=False, verbose=0)
    settings = {name: value for name, value in settings.items() if name != "recompute"}
    expected = fit_by_reference(
        start, x, y, optimizer, epochs=1, batch_size=70, sample_weight=weight, lengths=lengths, loss=loss, **settings
    )
    for a, b in zip(model.get_weights(), expected, strict=True):
        assert_allclose(a, b, rtol=0.0, atol=1e-12)


def test_carried_states_with_classes() -> None:
    """Two halves of sequences, one after the other with the state carried on, are as the whole in pieces."""
    whole, halves = (make_model("softmax") for _ in range(2))
    x, y, _, _ = make_data(whole, SPARSE)
    tbptt = {"tbptt": STEPS // 2, "tbptt_update": "chunk"}
    fr.Trainer(whole, SPARSE, fr.SGD(0.1), **tbptt).fit(x, y, epochs=1, batch_size=N, shuffle=False, verbose=0)
    cut = STEPS // 2
    fr.Trainer(halves, SPARSE, fr.SGD(0.05)).fit(
        np.concatenate([x[:, :cut], x[:, cut:]]), np.concatenate([y[:, :cut], y[:, cut:]]), epochs=1, batch_size=N,
        shuffle=False, carry_state=True, verbose=0,
    )  # fmt: skip
    assert_near(halves.get_weights(), whole.get_weights())


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_models_are_saved_and_stream(dtype: str, tmp_path: Any) -> None:
    model = make_model("softmax", dtype)
    x, _, _, _ = make_data(model, SPARSE)
    model.save(tmp_path / "m.safetensors")
    loaded = fr.load(tmp_path / "m.safetensors")
    assert_array_equal(loaded.predict(x), model.predict(x))
    stream = loaded.stream(N)
    assert_near(np.stack([stream.step(x[:, t]) for t in range(STEPS)], axis=1), model.predict(x))


def test_softmax_between_layers() -> None:
    """Below a recurrent layer and below a dense one: the gradients are those of differences."""
    stack = [fr.Dense(4, "softmax"), fr.LSTM(3, return_sequences=True), fr.Dense(6, "softmax"), fr.Dense(2)]
    model = fr.Sequential(stack, input_size=INPUTS, dtype="float64")
    x, y, weight, lengths = make_data(model, "mse")
    value, gradients = model.gradients(x, y, "mse", weight, lengths)
    for name, view in model.parameters().items():
        place = tuple(0 for _ in view.shape)
        values = []
        for step in (1e-6, -1e-6):
            view[place] += step
            values.append(fr.Trainer(model).evaluate(x, y, weight, lengths)["loss"])
            view[place] -= step
        assert gradients[name][place] == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5, abs=1e-10)
    assert value > 0.0


# ---------------------------------------------------------------------------------------------- what goes together


def test_which_losses_a_model_can_have() -> None:
    plain = ["mse", "mae"]
    expected = {
        "linear": [*plain, *CROSSENTROPIES],
        "sigmoid": [*plain, "binary_crossentropy"],
        "softmax": [*plain, *CROSSENTROPIES[1:]],
        "tanh": plain,
        "relu": plain,
    }
    assert {activation: losses_of(make_model(activation)) for activation in expected} == expected
    rnn = fr.SimpleRNN(CLASSES, "sigmoid", return_sequences=True)
    assert losses_of(make_model("", top=rnn)) == expected["sigmoid"]
    for mode, losses in (("ave", expected["sigmoid"]), ("sum", plain)):
        both = fr.Sequential([fr.Bidirectional(fr.SimpleRNN(CLASSES, "sigmoid"), mode)])
        assert losses_of(both) == losses
    for rate, losses in ((0.0, expected["softmax"]), (0.5, plain)):
        assert losses_of(fr.Sequential([fr.GRU(3), fr.Dense(CLASSES, "softmax"), fr.Dropout(rate)])) == losses
    assert losses_of(fr.Sequential([fr.GRU(3), fr.Dense(CLASSES), fr.Dropout(0.5)])) == expected["linear"]
    assert losses_of(make_model("linear", outputs=1)) == [*plain, "binary_crossentropy"]


def columns(activation: str, loss: str, *metrics: str, outputs: int = CLASSES) -> Any:
    return lambda: fr.Trainer(make_model(activation, outputs=outputs), loss, metrics=list(metrics))


TOGETHER = {
    "relu": (columns("relu", "binary_crossentropy"), ["outputs are relu", "sigmoid or linear", "Dense(5, activation="]),
    "tanh": (columns("tanh", SPARSE), [f"loss is '{SPARSE}'", "outputs are tanh", "softmax or linear", "'softmax'"]),
    "classes of sigmoids": (
        columns("sigmoid", "categorical_crossentropy"), ["outputs are sigmoid", "softmax", "or use binary_crossentropy"]
    ),
    "sides of a softmax": (
        columns("softmax", "binary_crossentropy"), ["outputs are softmax", "or use categorical_crossentropy"]
    ),
    "one class": (columns("softmax", SPARSE, outputs=1), ["1 output", "at least 2", "use binary_crossentropy"]),
    "classes of one sigmoid": (
        columns("sigmoid", "categorical_crossentropy", outputs=1),
        ["1 output;", "use binary_crossentropy with Dense(1, activation='sigmoid')"],
    ),
    "a metric's outputs": (
        columns("sigmoid", "mse", "categorical_crossentropy"), ["metrics[0] is 'categorical_crossentropy'", "sigmoid"]
    ),
    "numbers with classes": (
        columns("softmax", SPARSE, "accuracy", "mse"),
        ["metrics has 'mse', whose targets are numbers", f"loss='{SPARSE}' are classes", "leave it out"],
    ),
    "classes with numbers": (
        columns("softmax", "mse", SPARSE), [f"metrics has '{SPARSE}', whose targets are classes", "loss='mse'"]
    ),
    "accuracy as a loss": (columns("softmax", "accuracy"), ["loss is 'accuracy'", "expected one of mse"]),
    "another metric": (columns("softmax", "mse", "f1"), ["metrics[0] is 'f1'", "accuracy"]),
    "dropped": (
        lambda: fr.Trainer(fr.Sequential([fr.GRU(3), fr.Dense(2, "softmax"), fr.Dropout(0.5)]), SPARSE),
        ["outputs are dropped softmax", "expected softmax or linear"],
    ),
    "summed": (
        lambda: fr.Trainer(fr.Sequential([fr.Bidirectional(fr.GRU(3, "sigmoid"), "sum")]), "binary_crossentropy"),
        ["outputs are summed sigmoid"],
    ),
    "gradients": (
        lambda: make_model("tanh").gradients(np.ones((2, 3, INPUTS)), [[0] * 3] * 2, SPARSE), ["outputs are tanh"]
    ),
    "softmax in a cell": (lambda: fr.LSTM(3, "softmax"), ["activation='softmax'", "tanh, sigmoid, relu, linear"]),
    "softmax of a gate": (lambda: fr.GRU(3, "tanh", "softmax"), ["recurrent_activation='softmax'"]),
}  # fmt: skip


@pytest.mark.parametrize("case", TOGETHER)
def test_what_does_not_go_together_is_refused(case: str) -> None:
    call, parts = TOGETHER[case]
    check(V, parts, call)


def test_no_cure_is_refused_in_its_turn() -> None:
    with pytest.raises(ValueError, match="outputs are softmax") as refusal:
        columns("softmax", "binary_crossentropy", outputs=1)()
    assert "categorical_crossentropy" not in str(refusal.value)


def test_names() -> None:
    assert Columns([fr.SimpleRNN(2)], ("mse", "accuracy")).names == ("mse", "accuracy")


# ---------------------------------------------------------------------------------------------- targets


CLASS = np.arange(6).reshape(2, 3) % 4


@pytest.mark.parametrize(
    "y", [CLASS, CLASS.tolist(), CLASS.astype(np.uint8), CLASS[..., None], np.asfortranarray(CLASS), CLASS[:, ::-1]]
)
@both_forms
def test_classes_in_any_form(y: Any, every_step: bool) -> None:
    model = make_model("softmax", every_step=every_step)
    x = np.ones((2, 3, INPUTS))
    if not every_step:
        y = np.asarray(y)[:, 0]
    expected = model.gradients(x, np.ascontiguousarray(y, np.int64).reshape((2, 3) if every_step else 2), SPARSE)
    got = model.gradients(x, y, SPARSE)
    assert got[0] == expected[0]
    for a, b in zip(flat(got[1].values()), flat(expected[1].values()), strict=True):
        assert_array_equal(a, b)


def targets(loss: str, y: Any, every_step: bool = True, outputs: int = CLASSES, **arguments: Any) -> Any:
    model = make_model(ACTIVATION[loss], every_step=every_step, outputs=outputs)
    return lambda: fr.Trainer(model, loss).fit(np.ones((2, 3, INPUTS)), y, epochs=1, verbose=0, **arguments)


def at(array: Array, place: tuple[int, ...], value: Any) -> Array:
    copy = array.copy()
    copy[place] = value
    return copy


HALVES = np.tile([0.5, 0.5, 0.0, 0.0, 0.0], (2, 3, 1))
BINARY, CATEGORICAL, _ = CROSSENTROPIES
RANGE = "classes from 0 to 4"
TARGETS = {
    "whole floats": (targets(SPARSE, CLASS.astype(float)), T, ["y has dtype float64", "y.astype(int)", RANGE]),
    "NaN": (targets(SPARSE, at(CLASS.astype(float), (0, 0), np.nan)), T, ["y has dtype float64", "whole numbers"]),
    "booleans": (targets(SPARSE, CLASS > 1), T, ["y has dtype bool", "whole numbers"]),
    "text": (targets(SPARSE, CLASS.astype(str)), T, ["y has dtype <U", "whole numbers"]),
    "one-hot": (
        targets(SPARSE, np.eye(CLASSES)[CLASS]), V,
        ["y has shape (2, 3, 5)", "expected (2, 3)", RANGE, "y.argmax(axis=-1)", "use categorical_crossentropy"],
    ),
    "a class a row": (targets(SPARSE, [1, 2]), V, ["y has shape (2,)", "expected (2, 3)", RANGE]),
    "a class a step": (targets(SPARSE, CLASS, every_step=False), V, ["y has shape (2, 3)", "expected (2,)", RANGE]),
    "ragged": (targets(SPARSE, [[1, 2, 3], [1]]), V, ["y is ragged", RANGE, "pad the shorter rows"]),
    "too large": (targets(SPARSE, at(CLASS, (1, 2), 5)), V, ["y has 5 in row 1 at step 2, 1 such in all", RANGE]),
    "too large a byte": (targets(SPARSE, at(CLASS, (1, 2), 5).astype(np.int8)), V, ["y has 5 in row 1 at step 2"]),
    "negative": (targets(SPARSE, [0, -1], every_step=False), V, ["y has -1 in row 1, 1 such in all", RANGE]),
    "negative within the lengths": (
        targets(SPARSE, at(CLASS, (1, 1), -1), lengths=[1, 2]), V, ["y has -1 in row 1 at step 1"]
    ),
    "classes for probabilities": (
        targets(CATEGORICAL, CLASS), V, ["y has shape (2, 3)", "expected (2, 3, 5)", "use sparse_categorical"]
    ),
    "classes in a column": (
        targets(CATEGORICAL, CLASS[:, :1], every_step=False), V, ["expected (2, 5)", "use sparse_categorical"]
    ),
    "half the sum": (
        targets(CATEGORICAL, at(HALVES, (1, 1, 0), 0.0)), V,
        ["y adds up to 0.5 in row 1 at step 1, 1 such in all", "expected 1", "y.sum(axis=-1, keepdims=True)"],
    ),
    "negative probabilities": (
        targets(CATEGORICAL, at(at(HALVES, (0, 0, 0), -0.5), (0, 0, 1), 1.5)), V,
        ["y has -0.5 in row 0 (at index (0, 0, 0)), 2 such", "from 0 to 1"],
    ),
    "nothing": (targets(CATEGORICAL, np.zeros((2, 5)), every_step=False), V, ["y adds up to 0 in row 0, 2 such"]),
    "beyond 1": (targets(BINARY, at(HALVES, (1, 2, 4), 1.5)), V, ["y has 1.5 in row 1", "from 0 to 1", "mse"]),
    "below 0": (targets(BINARY, -HALVES), V, ["y has -0.5 in row 0", "12 such", "from 0 to 1"]),
    "NaN probability": (targets(BINARY, at(HALVES, (1, 2, 4), np.nan)), V, ["y has nan in row 1"]),
    "validation": (
        targets(SPARSE, CLASS, validation_data=(np.ones((1, 3, INPUTS)), [[1, 2, 9]])), V, ["y has 9 in row 0"]
    ),
    "gradients": (
        lambda: make_model("linear").gradients(np.ones((1, 2, INPUTS)), [[0, 7]], SPARSE), V, ["y has 7 in row 0"]
    ),
    "evaluate": (
        lambda: fr.Trainer(make_model("linear"), SPARSE).evaluate(np.ones((1, 2, INPUTS)), [[0.0, 1.0]]), T,
        ["y has dtype float64"],
    ),
    "a metric's targets": (
        lambda: fr.Trainer(make_model("sigmoid"), metrics=[BINARY]).evaluate(np.ones((2, 3, INPUTS)), 3 * HALVES), V,
        ["y has 1.5 in row 0", "from 0 to 1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TARGETS)
def test_targets_refused(case: str) -> None:
    call, error, parts = TARGETS[case]
    check(error, parts, call)


def test_probabilities_may_be_rounded() -> None:
    """Half-precision numbers, booleans and whole numbers are targets as they are."""
    x = np.ones((2, 3, INPUTS))
    thirds = np.full((2, 3, 3), 1 / 3).astype(np.float16)
    value, _ = make_model("softmax", outputs=3).gradients(x, thirds, "categorical_crossentropy")
    assert value > 0.0
    one_hot = np.eye(CLASSES, dtype=int)[CLASS]
    model = make_model("softmax")
    wide, _ = model.gradients(x, one_hot, "categorical_crossentropy")
    assert wide == pytest.approx(model.gradients(x, CLASS, SPARSE)[0], rel=1e-14)
    flags = make_model("sigmoid").gradients(x, one_hot == 1, "binary_crossentropy")[0]
    assert flags == make_model("sigmoid").gradients(x, one_hot, "binary_crossentropy")[0]
