"""Settings and descriptions that do not hold are refused, and a refused call leaves no trace."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from tests.helpers.laws import Array, make_batch
from tests.helpers.refusals import Given, Refusal, check, make_given

V, T = ValueError, TypeError


@pytest.fixture
def given() -> Given:
    return make_given()


CALLS: dict[str, tuple[Callable[[Given], Any], Refusal, list[str]]] = {
    "epochs 0": (lambda g: g.fit(epochs=0), V, ["epochs is 0", "from 1 up"]),
    "epochs 1.5": (lambda g: g.fit(epochs=1.5), V, ["epochs is 1.5", "whole number"]),
    "epochs True": (lambda g: g.fit(epochs=True), V, ["epochs is True", "whole number"]),
    "batch_size 0": (lambda g: g.fit(batch_size=0), V, ["batch_size is 0", "from 1 up"]),
    "batch_size text": (lambda g: g.fit(batch_size="32"), V, ["batch_size is '32'", "whole number"]),
    "batch_size of predict": (lambda g: g.model.predict(g.x, batch_size=-1), V, ["batch_size is -1", "from 1 up"]),
    "threads 0": (lambda g: g.fit({"threads": 0}), V, ["threads is 0", "from 1 up"]),
    "threads of predict": (lambda g: g.model.predict(g.x, threads=1.0), V, ["threads is 1.0", "whole number"]),
    "split 1": (lambda g: g.fit(validation_split=1.0), V, ["validation_split is 1.0", "from 0 up to 1"]),
    "split negative": (lambda g: g.fit(validation_split=-0.1), V, ["validation_split is -0.1", "from 0 up to 1"]),
    "split NaN": (lambda g: g.fit(validation_split=np.nan), V, ["validation_split is nan", "from 0 up to 1"]),
    "split text": (lambda g: g.fit(validation_split="0.2"), (V, T), ["validation_split is '0.2'", "number"]),
    "split of too few": (lambda g: g.fit(validation_split=0.01), V, ["validation_split=0.01 of 11", "more sequences"]),
    "validation twice": (
        lambda g: g.fit(validation_split=0.2, validation_data=(g.x, g.y)), V, ["validation_data and validation_split"]
    ),
    "validation of x": (lambda g: g.fit(validation_data=(g.x,)), V, ["validation_data", "(x, y)"]),
    "validation array": (lambda g: g.fit(validation_data=g.x), V, ["validation_data", "(x, y)"]),
    "validation of five": (
        lambda g: g.fit(validation_data=(g.x, g.y, None, None, None)), V, ["validation_data is a tuple of 5", "(x, y)"]
    ),
    "validation's lengths": (
        lambda g: g.fit(validation_data=(g.x, g.y, [3] * 11)), V,
        ["validation_data has whole numbers in the third place", '"lengths": lengths'],
    ),
    "validation by a wrong name": (
        lambda g: g.fit(validation_data={"x": g.x, "y": g.y, "length": [3] * 11}), V,
        ["validation_data has 'length'", "sample_weight and lengths"],
    ),
    "validation without y": (lambda g: g.fit(validation_data={"x": g.x}), V, ["validation_data lacks 'y'", "x and y"]),
    "validation's weights": (
        lambda g: g.fit(validation_data={"x": g.x, "y": g.y, "sample_weight": [1.0]}), V,
        ["validation_data: sample_weight has shape (1,)"],
    ),
    "evaluation's lengths": (
        lambda g: fr.Trainer(g.model).evaluate(g.x, g.y, np.full(11, 3)), V,
        ["evaluate has whole numbers in the third place", "lengths=..."],
    ),
    "evaluation's weights twice": (
        lambda g: fr.Trainer(g.model).evaluate(g.x, g.y, np.ones(11), sample_weight=np.ones(11)), T,
        ["an argument twice", "sample_weight and lengths"],
    ),
    "carry and shuffle": (
        lambda g: g.fit(carry_state=True, batch_size=11), V, ["carry_state=True with shuffle=True", "shuffle=False"]
    ),
    "carry and remainder": (
        lambda g: g.fit(carry_state=True, shuffle=False, batch_size=4), V,
        ["11 sequences in batches of 4", "batch_size divides"],
    ),
    "loss": (lambda g: g.fit({"loss": "msee"}), V, ["loss is 'msee'", "mse, mae"]),
    "loss None": (lambda g: g.fit({"loss": None}), V, ["loss is None", "mse, mae"]),
    "loss of gradients": (lambda g: g.model.gradients(g.x, g.y, loss="l1"), V, ["loss is 'l1'", "mse, mae"]),
    "wants": (lambda g: g.model.gradients(g.x, g.y, wants=("y",)), V, ["wants is 'y'", "x, initial_state"]),
    "metric": (lambda g: g.fit({"metrics": ["mae", "r2"]}), V, ["metrics[1] is 'r2'", "mse, mae"]),
    "metric None": (lambda g: g.fit({"metrics": [None]}), V, ["metrics[0] is None", "mse, mae"]),
    "optimizer name": (lambda g: g.fit({"optimizer": "adm"}), V, ["optimizer is 'adm'", "perhaps adam"]),
    "optimizer class": (lambda g: g.fit({"optimizer": fr.Adam}), T, ["optimizer is", "Adam(1e-3)"]),
    "model": (lambda g: fr.Trainer([fr.SimpleRNN(3)]), T, ["model is [SimpleRNN", "Sequential"]),
    "clip_value 0": (lambda g: g.fit({"clip_value": 0}), V, ["clip_value is 0", "above 0"]),
    "clip_norm negative": (lambda g: g.fit({"clip_norm": -1.0}), V, ["clip_norm is -1.0", "above 0"]),
    "clip_norm infinite": (lambda g: g.fit({"clip_norm": np.inf}), V, ["clip_norm is inf", "above 0"]),
    "tbptt 0": (lambda g: g.fit({"tbptt": 0}), V, ["k1 is 0", "from 1 up"]),
    "tbptt k2": (lambda g: g.fit({"tbptt": (2, 0)}), V, ["k2 is 0", "from 1 up"]),
    "tbptt three": (lambda g: g.fit({"tbptt": (1, 2, 3)}), V, ["tbptt is (1, 2, 3)", "(k1, k2)"]),
    "tbptt 2.5": (lambda g: g.model.gradients(g.x, g.y, tbptt=2.5), V, ["2.5", "whole number"]),
    "tbptt_update": (lambda g: g.fit({"tbptt_update": "step"}), V, ["tbptt_update is 'step'", "sequence, chunk"]),
    "trainer's seed": (lambda g: g.fit({"seed": -1}), V, ["seed is -1", "from 0 up"]),
    "trainer's seed 1.5": (lambda g: g.fit({"seed": 1.5}), (V, T), ["seed is 1.5", "whole number"]),
    "a callback that is none": (lambda g: g.fit(callbacks=[3]), (V, T), ["callbacks", "3"]),
    "a callback's class": (
        lambda g: g.fit(callbacks=[print, fr.EarlyStopping]), T, ["callbacks[1]", "call it: EarlyStopping(...)"]
    ),
    "callbacks that are no list": (lambda g: g.fit(callbacks=print), (V, T), ["callbacks"]),
    "build again": (lambda g: g.model.build(4), V, ["input_size is 4", "expected 3"]),
    "stream batch": (lambda g: g.model.stream(0), V, ["batch is 0", "from 1 up"]),
    "stream rows": (lambda g: g.model.stream(2).step(np.ones((3, 3))), V, ["x has shape (3, 3)", "expected (2, 3)"]),
    "stream features": (lambda g: g.model.stream(2).step(np.ones((2, 4))), V, ["x has shape", "4)", "3"]),
    "stream of steps": (lambda g: g.model.stream(2).step(np.ones((2, 1, 3))), V, ["x has shape (2, 1, 3)", "(2, 3)"]),
    "stream NaN": (lambda g: g.model.stream(2).step([[1, 1, 1], [1, np.nan, 1]]), V, ["x has nan in row 1"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_settings(given: Given, case: str) -> None:
    call, error, parts = CALLS[case]
    check(error, parts, lambda: call(given), given.model)


MODELS: dict[str, tuple[Callable[[], Any], Refusal, list[str]]] = {
    "no layers": (lambda: fr.Sequential([]), V, ["no layers", "SimpleRNN(32)"]),
    "dense alone": (lambda: fr.Sequential([fr.Dense(1)]), V, ["no recurrent layer, only Dense", "SimpleRNN(32)"]),
    "ids alone": (lambda: fr.Sequential([fr.OneHot(9)]), V, ["no recurrent layer, only OneHot", "SimpleRNN(32)"]),
    "nothing recurrent": (
        lambda: fr.Sequential([fr.Embedding(9, 2), fr.Dropout(0.5), fr.Dense(1)]), V,
        ["no recurrent layer, only Embedding, Dropout, Dense"],
    ),
    "last step below": (
        lambda: fr.Sequential([fr.SimpleRNN(2), fr.LSTM(2)]), V,
        ["layer 1 (LSTM) reads sequences", "layer 0 (SimpleRNN)", "return_sequences=True in layer 0"],
    ),
    "last step below dense": (
        lambda: fr.Sequential([fr.Dense(3), fr.GRU(2), fr.Dense(1), fr.Dropout(0.5), fr.SimpleRNN(2)]), V,
        ["layer 4 (SimpleRNN) reads sequences", "layer 1 (GRU)", "return_sequences=True in layer 1"],
    ),
    "last step of both directions": (
        lambda: fr.Sequential([fr.Bidirectional(fr.LSTM(2)), fr.Bidirectional(fr.LSTM(2))]), V,
        ["layer 1 (Bidirectional) reads sequences", "return_sequences=True in layer 0's layer"],
    ),
    "embedding above": (
        lambda: fr.Sequential([fr.Dense(2), fr.Embedding(9, 2), fr.LSTM(2)]), V,
        ["layer 1 (Embedding) takes ids", "first", "move it"],
    ),
    "ids twice": (
        lambda: fr.Sequential([fr.OneHot(9), fr.Embedding(9, 2), fr.LSTM(2)]), V, ["layer 1 (Embedding) takes ids"]
    ),
    "one-hot above": (
        lambda: fr.Sequential([fr.LSTM(2, return_sequences=True), fr.OneHot(9)]), V, ["layer 1 (OneHot) takes ids"]
    ),
    "dense on one-hot": (
        lambda: fr.Sequential([fr.OneHot(9), fr.Dense(2), fr.LSTM(2)]), V,
        ["layer 1 (Dense) is above a OneHot", "a recurrent layer", "Embedding"],
    ),
    "dropout on one-hot": (
        lambda: fr.Sequential([fr.OneHot(9), fr.Dropout(0.5), fr.LSTM(2)]), V,
        ["layer 1 (Dropout) is above a OneHot", "the recurrent layer's dropout"],
    ),
    "vocabulary": (
        lambda: fr.Sequential([fr.Embedding(9, 2), fr.LSTM(2)], input_size=2), V,
        ["input_size is 2", "expected 9", "leave input_size out"],
    ),
    "no layer": (lambda: fr.Sequential([fr.SimpleRNN(2), "dense"]), T, ["layer 1 is 'dense'", "Dense(1)"]),
    "a class": (lambda: fr.Sequential([fr.SimpleRNN]), T, ["layer 0 is", "SimpleRNN(32)"]),
    "dtype": (lambda: fr.Sequential([fr.SimpleRNN(2)], dtype="float16"), V, ["dtype is 'float16'", "float32, float64"]),
    "seed": (lambda: fr.Sequential([fr.SimpleRNN(2)], seed=-1), V, ["seed is -1", "from 0 up"]),
    "seed 0.5": (lambda: fr.Sequential([fr.SimpleRNN(2)], seed=0.5), V, ["seed is 0.5", "whole number"]),
    "input_size": (lambda: fr.Sequential([fr.SimpleRNN(2)], input_size=0), V, ["input_size is 0", "from 1 up"]),
    "names": (
        lambda: fr.Sequential([fr.SimpleRNN(2, name="a"), fr.Dense(2, name="a")], input_size=1), V,
        ["2 layers have name='a'", "rename"],
    ),
    "units 0": (lambda: fr.SimpleRNN(0), V, ["SimpleRNN has units=0", "from 1 up"]),
    "units 2.5": (lambda: fr.Dense(2.5), V, ["Dense has units=2.5", "whole number"]),
    "activation": (lambda: fr.SimpleRNN(2, "mish"), V, ["activation='mish'", "tanh, sigmoid, relu, linear"]),
    "use_bias": (lambda: fr.Dense(2, use_bias=1), V, ["use_bias=1", "True or False"]),
    "return_sequences": (lambda: fr.SimpleRNN(2, return_sequences="no"), V, ["return_sequences='no'"]),
    "initializer": (lambda: fr.Dense(2, kernel_initializer="glorot"), V, ["kernel_initializer", "glorot_uniform"]),
    "recurrent_activation": (lambda: fr.GRU(2, "tanh", "hard"), V, ["recurrent_activation='hard'", "tanh, sigmoid"]),
    "dropout 1": (lambda: fr.LSTM(2, dropout=1), V, ["LSTM has dropout=1", "from 0 up to 1, and below it"]),
    "rate": (lambda: fr.Dropout(-0.1), V, ["Dropout has rate=-0.1", "from 0 up to 1, and below it"]),
    "vocabulary 0": (lambda: fr.OneHot(0), V, ["OneHot has vocabulary=0", "from 1 up"]),
    "size 0": (lambda: fr.Embedding(9, 0), V, ["Embedding has size=0", "from 1 up"]),
    "backwards in both directions": (
        lambda: fr.Bidirectional(fr.LSTM(2, go_backwards=True)), V, ["go_backwards=True", "leave go_backwards out"]
    ),
    "name in both directions": (
        lambda: fr.Bidirectional(fr.LSTM(2, name="a")), V, ["name='a'", "Bidirectional(..., name='a')"]
    ),
    "dense in both directions": (lambda: fr.Bidirectional(fr.Dense(2)), T, ["layer=Dense", "LSTM(32)"]),
    "no merge_mode": (lambda: fr.Bidirectional(fr.GRU(2), None), V, ["merge_mode=None", "concat", "its halves"]),
    "merge_mode": (lambda: fr.Bidirectional(fr.GRU(2), "max"), V, ["merge_mode='max'", "concat, sum, mul, ave"]),
    "layer name": (lambda: fr.Dense(2, name="a.b"), V, ["name='a.b'", "without '.'"]),
    "learning rate 0": (lambda: fr.SGD(0.0), V, ["SGD has learning_rate=0.0", "above 0"]),
    "learning rate NaN": (lambda: fr.Adam(np.nan), V, ["Adam has learning_rate=nan", "above 0"]),
    "learning rate text": (lambda: fr.Adam("0.1"), V, ["Adam has learning_rate='0.1'", "number"]),
    "momentum 1": (lambda: fr.SGD(0.1, momentum=1.0), V, ["SGD has momentum=1.0", "below 1"]),
    "nesterov alone": (lambda: fr.SGD(0.1, nesterov=True), V, ["nesterov=True and momentum=0", "such as 0.9"]),
    "weight_decay": (lambda: fr.SGD(0.1, weight_decay=-1e-3), V, ["weight_decay=-0.001", "at least 0"]),
    "beta_2": (lambda: fr.Adam(beta_2=1.0), V, ["Adam has beta_2=1.0", "below 1"]),
    "rho": (lambda: fr.RMSProp(rho=1.0), V, ["RMSProp has rho=1.0", "below 1"]),
    "momentum of RMSProp": (lambda: fr.RMSProp(momentum=-0.1), V, ["RMSProp has momentum=-0.1", "at least 0"]),
    "epsilon of RMSProp": (lambda: fr.RMSProp(epsilon=0.0), V, ["RMSProp has epsilon=0.0", "above 0"]),
    "epsilon of Adagrad": (lambda: fr.Adagrad(epsilon=-1.0), V, ["Adagrad has epsilon=-1.0", "above 0"]),
    "learning rate of Adagrad": (lambda: fr.Adagrad(0.0), V, ["Adagrad has learning_rate=0.0", "above 0"]),
    "epsilon": (lambda: fr.Adam(epsilon=0.0), V, ["Adam has epsilon=0.0", "above 0"]),
    "warmup": (lambda: fr.warmup("half"), V, ["dtype is 'half'", "float32, float64"]),
}  # fmt: skip


@pytest.mark.parametrize("case", MODELS)
def test_descriptions(case: str) -> None:
    call, error, parts = MODELS[case]
    check(error, parts, call)


def other_weights(weights: list[Array], place: int, value: Any) -> list[Any]:
    return [value if i == place else 2.0 * weight for i, weight in enumerate(weights)]


SET_WEIGHTS: dict[str, tuple[Callable[[list[Array]], Any], Refusal, list[str]]] = {
    "fewer": (lambda w: w[:-1], V, ["weights has 7 arrays", "expected 8", "dense.bias"]),
    "none": (lambda w: [], V, ["weights has 0 arrays", "expected 8"]),
    "shape": (lambda w: other_weights(w, 6, np.ones((2, 9))), V, ["dense.kernel has shape (2, 9)", "expected (9, 2)"]),
    "flat": (lambda w: other_weights(w, 7, np.ones((2, 1))), V, ["dense.bias has shape (2, 1)", "expected (2,)"]),
    "NaN": (lambda w: other_weights(w, 7, [1.0, np.nan]), V, ["dense.bias has nan"]),
    "beyond float32": (lambda w: other_weights(w, 7, [1.0, 1e200]), V, ["dense.bias has", "finite"]),
    "text": (lambda w: other_weights(w, 7, ["a", "b"]), T, ["dense.bias has dtype <U1", "numbers"]),
}


@pytest.mark.parametrize("case", SET_WEIGHTS)
def test_set_weights(given: Given, case: str) -> None:
    make, error, parts = SET_WEIGHTS[case]
    check(error, parts, lambda: given.model.set_weights(make(given.model.get_weights())), given.model)


@pytest.mark.parametrize(
    "use",
    [
        lambda model: model.get_weights(),
        lambda model: model.parameters(),
        lambda model: model.set_weights([]),
        lambda model: model.count_params(),
        lambda model: model.summary(),
    ],
    ids=["get_weights", "parameters", "set_weights", "count_params", "summary"],
)
def test_a_model_without_weights_says_how_to_get_some(use: Callable[[fr.Sequential], Any]) -> None:
    check(V, ["no weights yet", "input_size=", "build"], lambda: use(fr.Sequential([fr.SimpleRNN(2)])))


def unbuilt() -> fr.Sequential:
    return fr.Sequential([fr.SimpleRNN(2), fr.Dense(1)])


REFUSED: dict[str, Callable[[fr.Sequential, Array, Array], Any]] = {
    "predict, lengths": lambda model, x, y: model.predict(x, lengths=[9, 9, 9]),
    "predict, initial_state": lambda model, x, y: model.predict(x, initial_state=np.ones((3, 3))),
    "predict, batch_size": lambda model, x, y: model.predict(x, batch_size=0),
    "predict, threads": lambda model, x, y: model.predict(x, threads=0),
    "gradients, y": lambda model, x, y: model.gradients(x, y[:2]),
    "gradients, tbptt": lambda model, x, y: model.gradients(x, y, tbptt=0),
    "gradients, loss": lambda model, x, y: model.gradients(x, y, loss="l2"),
    "fit, y": lambda model, x, y: fr.Trainer(model).fit(x, y[:2]),
    "fit, batch_size": lambda model, x, y: fr.Trainer(model).fit(x, y, batch_size=0),
    "fit, carry_state": lambda model, x, y: fr.Trainer(model).fit(x, y, carry_state=True),
    "fit, validation_split": lambda model, x, y: fr.Trainer(model).fit(x, y, validation_split=0.1),
    "fit, validation_data": lambda model, x, y: fr.Trainer(model).fit(x, y, validation_data=(x, y[:2])),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_call_does_not_build_the_model(case: str) -> None:
    """So that the next, right call may have another number of features."""
    model = unbuilt()
    with pytest.raises(V):
        REFUSED[case](model, np.ones((3, 4, 2)), np.ones((3, 1)))
    assert not model.built
    assert model.predict(np.ones((3, 4, 5))).shape == (3, 1)


def test_a_refused_fit_leaves_the_trainer_as_it_was() -> None:
    """Weights, shuffling and the optimizer's state go on as if the bad calls had never been made."""
    plain, x, y = make_batch("float64")
    troubled, _, _ = make_batch("float64")
    trainers = [fr.Trainer(model, seed=3) for model in (plain, troubled)]
    for trainer in trainers:
        trainer.fit(x, y, epochs=1, batch_size=4, verbose=0)
    for bad in (
        {"epochs": 0},
        {"batch_size": 0},
        {"lengths": [99] * 11},
        {"carry_state": True},
        {"validation_data": (x, y[:3])},
    ):
        with pytest.raises(V):
            trainers[1].fit(x, y, **({"verbose": 0} | bad))
    for trainer in trainers:
        trainer.fit(x, y, epochs=2, batch_size=4, verbose=0)
    for a, b in zip(plain.get_weights(), troubled.get_weights(), strict=True):
        assert_array_equal(a, b)


def test_a_refused_step_leaves_the_stream_as_it_was(given: Given) -> None:
    stream, other = given.model.stream(2), given.model.stream(2)
    for one in (stream, other):
        one.step(np.ones((2, 3)))
    for bad in (np.ones((2, 4)), np.full((2, 3), np.nan), np.ones(3)):
        with pytest.raises(V):
            stream.step(bad)
    assert_array_equal(stream.step(np.ones((2, 3))), other.step(np.ones((2, 3))))


def test_validation_data_has_the_features_of_x() -> None:
    """A model that is not built yet takes its features from x, and refuses others for validation."""
    trainer = fr.Trainer(fr.Sequential([fr.SimpleRNN(3), fr.Dense(1)]))
    x, y = np.zeros((4, 5, 2)), np.zeros((4, 1))
    with pytest.raises(ValueError, match=r"validation_data has shape \(4, 5, 3\); expected \(N, T, 2\)"):
        trainer.fit(x, y, validation_data=(np.zeros((4, 5, 3)), y), verbose=0)
    assert not trainer.model.built


def test_one_fit_at_a_time() -> None:
    trainer = fr.Trainer(fr.Sequential([fr.SimpleRNN(3), fr.Dense(1)]))
    x, y = np.zeros((4, 5, 2)), np.zeros((4, 1))
    with pytest.raises(RuntimeError, match="fitting already; expected one fit at a time"):
        trainer.fit(x, y, verbose=0, callbacks=[lambda epoch, figures: trainer.fit(x, y, verbose=0)])
    trainer.fit(x, y, epochs=1, verbose=0)


@pytest.mark.parametrize("name", ["metrics", "wants"])
def test_a_word_is_no_list_of_words(name: str) -> None:
    model = fr.Sequential([fr.SimpleRNN(3), fr.Dense(1)], input_size=2)
    with pytest.raises(TypeError, match=f"{name} is .*; expected a list"):
        if name == "metrics":
            fr.Trainer(model, metrics="mae")
        else:
            model.gradients(np.zeros((4, 5, 2)), np.zeros((4, 1)), wants="x")


def test_a_fault_of_the_validation_data_is_told_as_theirs() -> None:
    x, y = np.ones((4, 3, 2)), np.ones((4, 1))
    trainer = fr.Trainer(fr.Sequential([fr.SimpleRNN(2), fr.Dense(1)]))
    with pytest.raises(ValueError, match=r"^validation_data: x has nan in row 0"):
        trainer.fit(x, y, validation_data=(x * np.nan, y), verbose=0)


def test_a_single_sequence_is_told_how_to_become_one_of_many() -> None:
    model = fr.Sequential([fr.SimpleRNN(2), fr.Dense(1)], input_size=2)
    with pytest.raises(ValueError, match=r"x\[None\] is a single sequence$"):
        model.predict(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"x\[:, :, None\] adds a feature axis$"):
        model.predict(np.ones((4, 3)))


class Tall:
    """Shows itself on many lines."""

    def __repr__(self) -> str:
        return "\n".join(["tall"] * 999)


DESCRIBED = [
    *(fr.SimpleRNN, fr.LSTM, fr.GRU, fr.Bidirectional, fr.Dense, fr.Dropout, fr.Embedding, fr.OneHot),
    *(fr.SGD, fr.Adam, fr.RMSProp, fr.Adagrad, fr.EarlyStopping, fr.ModelCheckpoint, fr.initializers.Normal),
]
NEEDED: dict[str, Any] = {"units": 2, "layer": fr.LSTM(2), "rate": 0.1, "vocabulary": 3, "size": 2, "path": "a"}


@pytest.mark.parametrize("called", DESCRIBED, ids=lambda called: called.__name__)
@pytest.mark.parametrize(
    "value", [np.zeros((40, 40)), {"a": np.zeros((40, 40))}, Tall()], ids=["array", "dict", "tall"]
)
def test_whatever_is_given_the_refusal_is_one_short_line(called: Any, value: Any) -> None:
    """An array shows itself on many lines, a model's parameters on hundreds."""
    parameters = list(inspect.signature(called).parameters)
    needed = {each: NEEDED[each] for each in parameters if each in NEEDED}
    for parameter in parameters:
        with pytest.raises((V, T)) as refusal:
            called(**needed | {parameter: value})
        message = str(refusal.value)
        assert "\n" not in message
        assert len(message) < 400
