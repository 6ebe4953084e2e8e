"""Names that there are not: Python's own line, with what they are called here; nothing else of a name is changed."""

import copy
import inspect
import pickle
import pydoc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastrnn as fr
from fastrnn.forecast import Forecaster
from fastrnn.ground.dialects import DIALECTS, VALUES
from fastrnn.text import TextModel, TextSettings
from tests.helpers.refusals import Given, check, make_given

A, T, V = AttributeError, TypeError, ValueError


@pytest.fixture(scope="module")
def given() -> Given:
    return make_given()


def imported(line: str) -> Callable[[Given], None]:
    return lambda g: exec(line)


CALLS: dict[str, tuple[Callable[[Given], Any], type[Exception], list[str]]] = {
    # A keyword.
    "Adam(lr)": (lambda g: fr.Adam(lr=0.1), T, ["Adam() got an unexpected keyword argument 'lr'", "learning_rate"]),
    "Adam(betas)": (lambda g: fr.Adam(betas=(0.9, 0.999)), T, ["'betas'; expected beta_1 and beta_2"]),
    "two": (lambda g: fr.Adam(betas=0, eps=0), T, ["Adam() got", "arguments: for 'betas' expected beta_1"]),
    "LSTM(hidden_size)": (lambda g: fr.LSTM(hidden_size=3), T, ["LSTM() got", "'hidden_size'; expected units"]),
    "LSTM(input_shape)": (lambda g: fr.LSTM(3, input_shape=(8, 2)), T, ["expected input_size=... of Sequential"]),
    "LSTM(num_layers)": (lambda g: fr.LSTM(3, num_layers=2), T, ["expected one layer after another"]),
    "LSTM(batch_first)": (lambda g: fr.LSTM(3, batch_first=True), T, ["expected it left out: sequences are (N, T, F)"]),
    "LSTM(seed)": (lambda g: fr.LSTM(3, seed=1), T, ["'seed'; expected seed=... of Sequential"]),
    "LSTM()": (lambda g: fr.LSTM(), T, ["LSTM(): missing", "'units'; expected LSTM(units, activation="]),
    "LSTM(1, 2, 3, 4)": (lambda g: fr.LSTM(1, 2, 3, 4), T, ["LSTM(): too many positional arguments"]),
    "Dense(out_features)": (lambda g: fr.Dense(out_features=3), T, ["'out_features'; expected units"]),
    "Dense, misspelt": (lambda g: fr.Dense(3, activaton="relu"), T, ["'activaton'; expected perhaps activation"]),
    "Embedding": (lambda g: fr.Embedding(9, embedding_dim=3), T, ["'embedding_dim'; expected size"]),
    "Normal": (lambda g: fr.initializers.Normal(stddev=3), T, ["'stddev'; expected std"]),
    "Sequential": (lambda g: fr.Sequential([], input_shape=3), T, ["Sequential() got", "expected input_size"]),
    "Trainer(lr)": (lambda g: fr.Trainer(g.model, lr=1), T, ["Trainer() got", "expected optimizer=Adam(...)"]),
    "fit(lr)": (lambda g: g.fit(lr=0.1), T, ["Trainer.fit() got", "'lr'; expected optimizer=Adam(...) of Trainer"]),
    "fit(loss)": (lambda g: g.fit(loss="mse"), T, ["Trainer.fit() got", "'loss'; expected loss=... of Trainer"]),
    "fit, nothing alike": (lambda g: g.fit(zzz=1), T, ["'zzz'; expected one of x, y, epochs, batch_size, "]),
    "predict(verbose)": (lambda g: g.model.predict(g.x, verbose=0), T, ["predict() got", "nothing is printed"]),
    "resume": (lambda g: fr.Trainer.resume(file="a"), T, ["Trainer.resume() got", "'file'; expected one of path"]),
    "load": (lambda g: fr.load("a", compile=False), T, ["load() got", "'compile'; expected one of path"]),
    "warmup": (lambda g: fr.warmup(dtyp=1), T, ["'dtyp'; expected perhaps dtype"]),
    "EarlyStopping": (lambda g: fr.EarlyStopping(verbose=1), T, ["EarlyStopping() got", "nothing is printed"]),
    "ModelCheckpoint": (lambda g: fr.ModelCheckpoint(filepath="a"), T, ["'filepath'; expected path"]),
    "Forecaster": (lambda g: Forecaster(lr=1), T, ["Forecaster() got", "'lr'; expected learning_rate"]),
    "TextModel": (lambda g: TextModel(hidden_size=1), T, ["TextModel() got", "'hidden_size'; expected units"]),
    # An attribute.
    "model.fit": (lambda g: g.model.fit, A, ["'Sequential' object has no attribute 'fit'; expected Trainer(model"]),
    "model.compile": (lambda g: g.model.compile(), A, ["expected Trainer(model, loss=..., optimizer=...,"]),
    "model.forward": (lambda g: g.model.forward, A, ["expected predict"]),
    "model.state_dict": (lambda g: g.model.state_dict(), A, ["expected parameters() or get_weights()"]),
    "model, misspelt": (lambda g: g.model.get_weight(), A, ["expected perhaps get_weights"]),
    "model, nothing alike": (lambda g: g.model.zzz, A, ["expected one of build, ", ", summary"]),
    "trainer.compile": (lambda g: fr.Trainer(g.model).compile(), A, ["'Trainer' object", "expected Trainer(model, "]),
    "trainer.predict": (lambda g: fr.Trainer(g.model).predict, A, ["expected trainer.model.predict"]),
    "history.loss": (lambda g: fr.History().val_loss, A, ["expected history.history['val_loss']"]),
    "stream.predict": (lambda g: g.model.stream().predict, A, ["'Stream' object", "expected step"]),
    "optimizer.lr": (lambda g: fr.Adam().lr, A, ["'Adam' object has no attribute 'lr'; expected learning_rate"]),
    "layer.hidden_size": (lambda g: fr.GRU(2).hidden_size, A, ["'GRU' object", "expected units"]),
    "text.alphabet": (lambda g: TextModel().alphabet, A, ["expected fit or TextModel.load first"]),
    # A call of what is none.
    "model(x)": (lambda g: g.model(g.x), T, ["'Sequential' object is not callable; expected model.predict(x)"]),
    "layer(x)": (lambda g: fr.LSTM(2)(g.x), T, ["'LSTM' object is not callable; expected a list of layers"]),
    "on_epoch_end": (
        lambda g: type("Mine", (fr.Callback,), {"on_epoch_end": print}), T,
        ["Mine has on_epoch_end, which is not called; expected epoch(self, epoch, figures)"],
    ),
    # A name of a module.
    "RMSprop": (lambda g: fr.RMSprop, A, ["module 'fastrnn' has no attribute 'RMSprop'; expected perhaps RMSProp"]),
    "GRUCell": (lambda g: fr.GRUCell, A, ["expected fastrnn.GRU", "stream() takes a step at a time"]),
    "nn": (lambda g: fr.nn.LSTM, A, ["'nn'; expected the layers themselves: fastrnn.LSTM"]),
    "Lion": (lambda g: fr.Lion, A, ["expected one that there is, such as AdamW, SGD or RMSProp"]),
    "nothing alike": (lambda g: fr.Zzz, A, ["expected one of ", "GRU, LSTM, "]),
    "callbacks": (lambda g: fr.callbacks.TerminateOnNaN, A, ["module 'fastrnn.callbacks'", "'TerminateOnNaN'"]),
    "layers": (lambda g: fr.layers.Lstmm, A, ["module 'fastrnn.layers'", "expected perhaps LSTM"]),
    "losses": (lambda g: fr.losses.MeanSquaredError, A, ['expected its name: loss="mse"']),
    "initializers": (lambda g: fr.initializers.RandomNormal, A, ["expected fastrnn.initializers.Normal"]),
    "import": (imported("from fastrnn import LSTM, RMSprop"), ImportError, ["name 'RMSprop'", "perhaps RMSProp"]),
    "import callbacks": (imported("from fastrnn.callbacks import LambdaCallback"), ImportError, ["LambdaCallback"]),
    "import text": (imported("from fastrnn.text import TextModl"), ImportError, ["expected perhaps TextModel"]),
    # A value that is a name.
    "loss": (lambda g: g.fit({"loss": "mean_squared_error"}), V, ["'mean_squared_error'", "; perhaps mse"]),
    "metric": (lambda g: g.fit({"metrics": ["acc"]}), V, ["metrics[0] is 'acc'", "; perhaps accuracy"]),
    "activation": (lambda g: fr.Dense(2, "relu6"), V, ["Dense has activation='relu6'", "; perhaps relu"]),
    "in capitals": (lambda g: fr.LSTM(2, "Tanh"), V, ["activation='Tanh'", "; perhaps tanh"]),
    "initializer": (lambda g: fr.Dense(2, kernel_initializer="xavier"), V, ["; perhaps glorot_uniform"]),
    "merge_mode": (lambda g: fr.Bidirectional(fr.LSTM(2), "add"), V, ["; perhaps sum"]),
    "dtype": (lambda g: fr.Sequential([fr.LSTM(2)], dtype="double"), V, ["; perhaps float64"]),
    "monitor": (
        lambda g: g.fit({"metrics": ["accuracy"]}, callbacks=[fr.EarlyStopping("acc")]), V,
        ["monitor is 'acc'", "; perhaps accuracy"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_one_line_says_what_it_is_called_here(given: Given, case: str) -> None:
    call, error, parts = CALLS[case]
    check(error, parts, lambda: call(given), given.model)


OWNERS: dict[str, Any] = {
    **{name: getattr(fr, name) for name in fr.__all__},
    **{kind.__name__: kind for kind in (Forecaster, TextModel, TextSettings)},
    **{
        kind.__name__: kind
        for kind in (fr.layers.Layer, fr.layers.Unidirectional, fr.layers.IdLayer, fr.layers.base.Weighted)
    },
    **{kind.__name__: kind for kind in (fr.optimizers.Optimizer, fr.initializers.Initializer, fr.model.stream.Stream)},
    "LearningStream": fr.training.live.LearningStream,
    **{kind.__name__: kind for kind in (fr.initializers.Uniform, fr.initializers.Normal)},
    "Settings": Forecaster.__mro__[1],
    "fastrnn": fr,
    "fastrnn.losses": fr.losses,
    "fastrnn.initializers": fr.initializers,
}


def names_of(scope: str) -> set[str]:
    """What a scope has: attributes, and the arguments of what is called."""
    owner, _, method = scope.partition(".")
    found = OWNERS[scope] if scope in OWNERS else getattr(OWNERS[owner], method)
    has_signature = callable(found) and not (isinstance(found, type) and issubclass(found, Warning))
    return {*dir(found), *(inspect.signature(found).parameters if has_signature else ())}


EVERY = {"epoch", *(name for scope in (*OWNERS, *DIALECTS) for name in names_of(scope))}


@pytest.mark.parametrize("scope", DIALECTS)
def test_the_words_of_others_are_none_of_ours_and_ours_are_there(scope: str) -> None:
    """Else a word would be told to be another, or a name that there is not would be told."""
    ours = names_of(scope)
    for word, cure in DIALECTS[scope].items():
        assert word not in ours, word
        assert not cure.isidentifier() or cure in EVERY, cure


def test_a_value_of_others_is_told_only_where_its_like_is_known() -> None:
    assert not set(VALUES) & set(VALUES.values()) - {"identity"}
    for call in (lambda: fr.Sequential([fr.LSTM(2)], dtype="relu6"), lambda: fr.Dense(2, "acc")):
        with pytest.raises(ValueError, match="expected one of") as refusal:
            call()
        assert "perhaps" not in str(refusal.value)


@pytest.mark.parametrize(
    ("named", "signature"),
    [
        (fr.Adagrad, "(learning_rate: float = 0.01, epsilon: float = 1e-10, weight_decay: float = 0.0)"),
        (fr.Dropout, "(rate: float, *, name: str | None = None)"),
        (fr.load, "(path: 'FilePath', custom_objects: 'Mapping[str, Any] | None' = None) -> 'Sequential'"),
        (fr.Sequential.count_params, "(self) -> 'int'"),
    ],
)
def test_help_shows_the_true_signature(named: Any, signature: str) -> None:
    assert str(inspect.signature(named)) == signature
    assert named.__doc__.splitlines()[0] in pydoc.render_doc(named, renderer=pydoc.plaintext)


def test_what_a_call_raises_itself_is_left_alone() -> None:
    with pytest.raises(TypeError, match=r"^Bidirectional has layer=Dense"):
        fr.Bidirectional(fr.Dense(2))
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'y'$"):
        fr.Trainer(fr.Sequential([fr.LSTM(2)])).fit(np.ones((2, 2, 2)))

    class Mine(fr.Callback):
        @property
        def broken(self) -> int:
            return [].missing

        def epoch(self, epoch: int, figures: dict[str, float]) -> None:
            raise TypeError("of mine")

    with pytest.raises(AttributeError, match=r"^'list' object has no attribute 'missing'$"):
        Mine().broken  # noqa: B018
    with pytest.raises(TypeError, match=r"^of mine$"):
        make_given().fit(callbacks=[Mine()])


@pytest.mark.parametrize(
    "make", [lambda: fr.Adam(1e-2), lambda: fr.LSTM(3, dropout=0.5), lambda: fr.Bidirectional(fr.GRU(2)), fr.History]
)
def test_descriptions_are_copied_and_pickled_as_before(make: Callable[[], Any]) -> None:
    one = make()
    for other in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert type(other) is type(one)
        assert repr(other) == repr(one) or vars(other) == vars(one)
    assert not hasattr(one, "fit")
    assert getattr(one, "fit", None) is None


def test_modules_are_there_without_being_imported_first() -> None:
    assert fr.initializers.Constant(0.1).value == 0.1
    assert fr.text.TextModel is TextModel
    assert {"text", "forecast", "layers"} <= set(dir(fr))
