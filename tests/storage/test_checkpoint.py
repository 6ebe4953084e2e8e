"""Model files: load after save is identity, and nothing that is not a model is built."""

import errno
import os

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

import fastrnn as fr
from fastrnn.ground.files import FileFormatError, write_tensors
from fastrnn.initializers import Constant, Normal
from fastrnn.storage.model_file import ModelHeader, load_model, model_header, save_model
from tests.helpers.files import entry, forge, kill_between_write_and_replace

DTYPES = ["float32", "float64"]
EXTRA = {"column": "naïve", "scale": [1.5, 2**70], "deep": {"none": None, "flag": True}}


def make_model(dtype="float32", seed=3):
    layers = [fr.SimpleRNN(3, return_sequences=True), fr.SimpleRNN(2, "relu", name="top"), fr.Dense(1)]
    return fr.Sequential(layers, input_size=2, dtype=dtype, seed=seed)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def assert_same(a, b):
    assert a.layers == b.layers
    assert (a.input_size, a.dtype, a.seed) == (b.input_size, b.dtype, b.seed)
    assert list(a.parameters()) == list(b.parameters())
    for ours, theirs in zip(a.get_weights(), b.get_weights(), strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_load_after_save_is_identity(path, dtype):
    model = make_model(dtype)
    x = np.random.default_rng(0).normal(size=(4, 5, 2))
    model.save(path)
    loaded = fr.load(path)
    assert_same(loaded, model)
    assert loaded.predict(x).tobytes() == model.predict(x).tobytes()


def test_every_bit_of_the_weights_is_kept(path):
    model = make_model()
    for array in model.parameters().values():
        array[...] = -0.0
        array.flat[0] = np.array(0x7FC12345, np.uint32).view(np.float32)  # a NaN with a payload
        array.flat[-1] = 1e-45  # subnormal
    model.save(path)
    assert_same(fr.load(path), model)


@pytest.mark.parametrize(
    "layers",
    [
        [fr.SimpleRNN(1)],
        [fr.SimpleRNN(3, "linear", use_bias=False), fr.Dense(2, None, use_bias=False, name="out")],
        [
            fr.SimpleRNN(2, recurrent_initializer="identity", kernel_initializer=Normal(0.1)),
            fr.Dense(1, name="dense_1"),
        ],
        [fr.SimpleRNN(2), fr.Dense(2, "sigmoid", bias_initializer=Constant(1)), fr.Dense(1)],
        [fr.LSTM(3, "relu", None, unit_forget_bias=False, dropout=0.25, recurrent_dropout=0.5, name="top")],
        [fr.Dense(2), fr.Dropout(0.1), fr.GRU(3, return_sequences=True), fr.GRU(2, reset_after=False, use_bias=False)],
        [fr.SimpleRNN(3, return_sequences=True, go_backwards=True), fr.Dense(1), fr.LSTM(2), fr.Dropout(0.5)],
        [fr.Bidirectional(fr.LSTM(3, return_sequences=True)), fr.Bidirectional(fr.GRU(2), "ave", name="both")],
    ],
)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_kind_of_stack(path, layers, dtype):
    model = fr.Sequential(layers, input_size=1, dtype=dtype, seed=5)
    model.set_weights([np.pi * (1 + weight) for weight in model.get_weights()])
    model.save(path)
    assert_same(fr.load(path), model)


@pytest.mark.parametrize(
    "layers",
    [
        [fr.Embedding(7, 2, embeddings_initializer=Normal(0.5)), fr.Dropout(0.2), fr.LSTM(3), fr.Dense(7)],
        [fr.OneHot(7), fr.Bidirectional(fr.SimpleRNN(2), "mul"), fr.Dense(1)],
    ],
)
def test_stacks_that_take_ids(path, layers):
    model = fr.Sequential(layers, input_size=7)
    model.save(path)
    assert_same(fr.load(path), model)


def test_the_loaded_model_trains_on(path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 5, 2)), rng.normal(size=(8, 1))
    model = make_model("float64")
    model.save(path)
    models = [model, fr.load(path)]
    for one in models:
        fr.Trainer(one, seed=1).fit(x, y, epochs=2, batch_size=4, verbose=0)
    assert_same(*models)
    assert not np.array_equal(models[0].get_weights()[0], make_model("float64").get_weights()[0])


def test_equal_models_give_equal_files(path, tmp_path):
    make_model().save(path)
    for _ in range(3):
        make_model().save(tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == path.read_bytes()


@settings(max_examples=30)
@given(
    extra=st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=10,
        ),
    )
)
def test_extra_comes_back(tmp_path_factory, extra):
    path = tmp_path_factory.getbasetemp() / "extra"
    save_model(path, make_model(), extra)
    assert load_model(path)[1] == extra


def test_extra_and_model_come_back_together(path):
    model = make_model()
    save_model(path, model, EXTRA)
    loaded, extra = load_model(path)
    assert_same(loaded, model)
    assert extra == EXTRA
    assert load_model(path)[1] == EXTRA


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (float("nan"), r"extra\['key'\] is nan"),
        ([0.0, float("inf")], r"extra\['key'\]\[1\] is inf"),
        ({1: 2}, r"extra\['key'\] has the key 1"),
        (np.float64(1), r"extra\['key'\] is np.float64\(1.0\)"),
        ((b"x",), r"extra\['key'\]\[0\] is b'x'"),
        ({1}, r"extra\['key'\] is \{1\}"),
    ],
)
def test_extra_that_json_would_change(path, value, match):
    with pytest.raises(TypeError, match=match):
        save_model(path, make_model(), {"key": value})
    assert not path.exists()


def test_a_model_without_weights(path):
    with pytest.raises(ValueError, match="no weights yet; expected input_size"):
        fr.Sequential([fr.SimpleRNN(2)]).save(path)
    assert not path.exists()


FIRST_VERSION = (
    '{"type":"model","layers":[{"type":"SimpleRNN","units":2,"activation":"relu","name":"low","use_bias":true,'
    '"kernel_initializer":"glorot_uniform","bias_initializer":"zeros","return_sequences":true,'
    '"recurrent_initializer":"identity"},{"type":"SimpleRNN","units":1,"activation":"tanh","name":null,'
    '"use_bias":false,"kernel_initializer":"glorot_uniform","bias_initializer":"zeros","return_sequences":false,'
    '"recurrent_initializer":"orthogonal"},{"type":"Dense","units":1,"activation":"linear","name":null,'
    '"use_bias":true,"kernel_initializer":"glorot_uniform","bias_initializer":{"type":"Constant","value":0.5}}],'
    '"input_size":1,"dtype":"float32","seed":0,"fastrnn":"0.1.0","extra":{"a":1}}'
)
"""The header as the first version wrote it, when SimpleRNN and Dense were all there was."""


def test_a_file_of_the_first_version(path):
    expected = fr.Sequential(
        [
            fr.SimpleRNN(2, "relu", return_sequences=True, name="low", recurrent_initializer="identity"),
            fr.SimpleRNN(1, use_bias=False),
            fr.Dense(1, bias_initializer=Constant(0.5)),
        ],
        input_size=1,
    )
    body = np.arange(expected.count_params(), dtype="<f4")
    arrays, end = [], 0
    for name, view in expected.parameters().items():
        view[...] = body[end // 4 : end // 4 + view.size].reshape(view.shape)
        arrays.append(entry(name, "F32", list(view.shape), end, end + view.nbytes))
        end += view.nbytes
    forge(path, FIRST_VERSION, arrays=",".join(arrays), body=body.tobytes())
    loaded, extra = load_model(path)
    assert_same(loaded, expected)
    assert extra == {"a": 1}


# ---------------------------------------------------------------------------------------------- failures while saving


def test_a_full_disk_leaves_the_old_model(path, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    make_model(seed=1).save(path)
    with monkeypatch.context() as patch, pytest.raises(OSError, match="as it was") as raised:
        patch.setattr(os, "fsync", fail)
        make_model(seed=2).save(path)
    assert raised.value.errno == errno.ENOSPC
    assert os.listdir(path.parent) == [path.name]
    assert_same(fr.load(path), make_model(seed=1))


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_kill_while_saving_leaves_the_old_model(path):
    make_model(seed=1).save(path)
    code = f"import fastrnn as fr; fr.Sequential([fr.SimpleRNN(2)], input_size=1).save({str(path)!r})"
    kill_between_write_and_replace(code)
    assert_same(fr.load(path), make_model(seed=1))
    make_model(seed=2).save(path)
    assert_same(fr.load(path), make_model(seed=2))


# ---------------------------------------------------------------------------------------------- refusals


def assert_refused(path, match="expected"):
    with pytest.raises(FileFormatError, match=match) as refusal:
        fr.load(path)
    assert path.name in str(refusal.value)


def test_a_file_cut_off_or_changed(path):
    make_model().save(path)
    whole = path.read_bytes()
    for end in range(0, len(whole), 37):
        path.write_bytes(whole[:end])
        assert_refused(path)
        path.write_bytes(whole[:end] + bytes([whole[end] ^ 1]) + whole[end + 1 :])
        assert_refused(path)


def test_a_foreign_file(path):
    save_file(make_model().parameters(), path, {"format": "pt"})
    assert_refused(path, "fastrnn did not write")
    path.write_text("not a model")
    assert_refused(path)


def weights_of(model, **changes):
    weights = dict(model.parameters()) | changes
    return {name: array for name, array in weights.items() if array is not None}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"dense.bias": None}, "no array 'dense.bias'"),
        ({"dense.more": np.zeros(1, np.float32)}, "an array 'dense.more'"),
        (
            {"dense.bias": np.zeros(2, np.float32)},
            r"dense.bias of float32 and shape \(2,\); expected float32 and \(1,\)",
        ),
        ({"dense.bias": np.zeros(1)}, "dense.bias of float64"),
        ({"dense.bias": np.zeros(1, np.int32)}, "dense.bias of int32"),
    ],
)
def test_arrays_that_are_not_the_models_weights(path, changes, match):
    model = make_model()
    write_tensors(path, weights_of(model, **changes), model_header(model))
    assert_refused(path, match)


RNN = {"type": "SimpleRNN", "units": 2}


@pytest.mark.parametrize(
    "change",
    [
        {"layers": []},
        {"layers": [RNN | {"more": 1}]},
        {"layers": [RNN | {"type": "Lambda"}]},
        {"layers": [{"type": "SimpleRNN"}]},
        {"layers": [RNN | {"units": 0}]},
        {"layers": [RNN | {"units": True}]},
        {"layers": [RNN | {"units": 10**12}]},
        {"layers": [RNN | {"units": 10**400}]},
        {"layers": [RNN | {"activation": "mish"}]},
        {"layers": [RNN | {"kernel_initializer": "he"}]},
        {"layers": [RNN | {"kernel_initializer": {"type": "Normal", "std": -1}}]},
        {"layers": [RNN | {"bias_initializer": "orthogonal"}]},
        {"layers": [RNN, RNN]},
        {"layers": [RNN | {"name": "a"}, RNN | {"name": "a"}]},
        {"layers": [{"type": "Dense", "units": 2}]},
        {"layers": [RNN | {"dropout": 1.0}]},
        {"layers": [RNN | {"go_backwards": 1}]},
        {"layers": [RNN | {"type": "LSTM"}]},
        {"layers": [RNN | {"type": "GRU"}]},
        {"layers": [{"type": "Bidirectional", "layer": RNN}]},
        {"layers": [{"type": "Bidirectional", "layer": {"type": "Bidirectional", "layer": RNN}}]},
        {"layers": [RNN, {"type": "OneHot", "vocabulary": 2}]},
        {"layers": [RNN, {"type": "Dropout", "rate": -1}]},
        {"layers": [{"type": "OneHot", "vocabulary": 2}, RNN]},
        {"layers": [{"type": "OneHot", "vocabulary": 1}, RNN], "input_size": 2},
        {"layers": [{"type": "OneHot", "vocabulary": 1}, {"type": "Dropout", "rate": 0.5}, RNN]},
        {"layers": [{"type": "Embedding", "vocabulary": 10**15, "size": 1}, RNN]},
        {"layers": [RNN] * 100_000},
        {"input_size": 0},
        {"input_size": -1},
        {"input_size": 10**15},
        {"input_size": 1.5},
        {"dtype": "float16"},
        {"dtype": "object"},
        {"seed": -1},
        {"extra": []},
        {"more": 1},
    ],
    ids=lambda change: str(change)[:60],
)
def test_a_hostile_description(path, change):
    """Each with a right digest and the arrays of the unchanged description, which alone loads."""
    header = {
        "type": "model",
        "layers": [RNN],
        "input_size": 1,
        "dtype": "float32",
        "seed": 0,
        "fastrnn": "",
        "extra": {},
    }
    names = {"kernel": (1, 2), "recurrent_kernel": (2, 2), "bias": (2,)}
    arrays, end = [], 0
    for name, shape in names.items():
        size = 4 * int(np.prod(shape))
        arrays.append(entry(f"simple_rnn.{name}", "F32", list(shape), end, end + size))
        end += size
    body = np.arange(end // 4, dtype="<f4").tobytes()
    forge(path, msgspec.json.encode(header).decode(), arrays=",".join(arrays), body=body)
    assert fr.load(path).count_params() == 8
    forge(path, msgspec.json.encode(header | change).decode(), arrays=",".join(arrays), body=body)
    assert_refused(path)


BOTH = [fr.OneHot(5), fr.Bidirectional(fr.LSTM(3)), fr.Dense(2)]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"input_size": 6}, "input_size is 6; expected 5, the vocabulary"),
        ({"layers": [fr.OneHot(6), *BOTH[1:]], "input_size": 6}, r"forward.kernel .*\(5, 12\); expected .*\(6, 12\)"),
        ({"layers": [BOTH[0], fr.LSTM(3), BOTH[2]]}, r"no array 'lstm\."),
        ({"layers": [BOTH[0], fr.Bidirectional(fr.GRU(4)), BOTH[2]]}, "bidirectional"),
        ({"layers": [BOTH[0], fr.Bidirectional(fr.LSTM(3), "sum"), BOTH[2]]}, r"dense.kernel .*\(6, 2\)"),
        ({"layers": [BOTH[0], fr.Bidirectional(fr.LSTM(3), name="b"), BOTH[2]]}, r"no array 'b\."),
        (
            {"layers": [BOTH[0], fr.Bidirectional(fr.LSTM(3, use_bias=False)), BOTH[2]]},
            r"an array '\S*\.bias'; expected only",
        ),
        ({"layers": [BOTH[0], fr.Dropout(0.5), *BOTH[1:]]}, "layer 1 .Dropout. is above a OneHot"),
        ({"layers": [*BOTH, BOTH[0]]}, "layer 3 .OneHot. takes ids"),
    ],
)
def test_layers_that_are_not_those_of_the_arrays(path, change, match):
    model = fr.Sequential(BOTH, input_size=5)
    header = model_header(model)
    write_tensors(path, model.parameters(), header)
    assert_same(fr.load(path), model)
    write_tensors(path, model.parameters(), msgspec.structs.replace(header, **change))
    assert_refused(path, match)


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        fr.load(tmp_path / "absent")
    with pytest.raises((IsADirectoryError, PermissionError)):
        fr.load(tmp_path)


def test_the_header_tells_the_version_that_wrote_it():
    header = model_header(make_model())
    assert isinstance(header, ModelHeader)
    assert header.fastrnn == fr.__version__
