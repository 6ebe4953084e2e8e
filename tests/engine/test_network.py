"""Networks of all kinds of layers: one buffer with a view for each weight, what walkers read, and the table."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from fastrnn.engine.network import Network, cells_of, check_stack, output_form, vocabulary_of
from fastrnn.layers import Cell, parameter_shapes
from fastrnn.model.summary import table

LSTM = fr.LSTM(3, return_sequences=True)
GRU = fr.GRU(2, go_backwards=True)
TALL = [fr.Embedding(9, 4), fr.Dropout(0.1), fr.Bidirectional(LSTM), fr.Dense(5), GRU, fr.Dropout(0.5)]


def make(layers=TALL, size=9, dtype="float32", seed=0):
    return Network(check_stack(layers), size, dtype, seed)


def test_what_walkers_read():
    network = make()
    assert network.cells == [Cell("forward.", LSTM, False), Cell("backward.", LSTM, True), Cell("", GRU, True)]
    assert (network.recurrent_layers, network.reads_backwards, network.takes_ids) == (2, True, True)
    assert network.widths == [9, 4, 4, 6, 5, 2, 2]
    assert network.input_sizes == network.widths[:-1]
    assert (network.output_size, network.every_step, network.input_size) == (2, False, 9)
    assert network.names == ["embedding", "dropout", "bidirectional", "dense", "gru", "dropout_1"]


@pytest.mark.parametrize(
    ("layers", "form", "vocabulary", "backwards"),
    [
        ([fr.LSTM(3)], (False, 3), None, False),
        ([fr.Dense(2), fr.Dropout(0.1), fr.GRU(3, return_sequences=True)], (True, 3), None, False),
        ([fr.OneHot(7), fr.SimpleRNN(3, return_sequences=True), fr.Dense(2), fr.GRU(4)], (False, 4), 7, False),
        ([fr.Embedding(7, 2), fr.Bidirectional(LSTM), fr.Dropout(0.5)], (True, 6), 7, True),
        ([fr.Bidirectional(fr.LSTM(3), "mul")], (False, 3), None, True),
        ([fr.SimpleRNN(3, go_backwards=True)], (False, 3), None, True),
    ],
)
def test_what_a_stack_takes_and_gives(layers, form, vocabulary, backwards):
    assert output_form(layers) == form
    assert vocabulary_of(layers) == vocabulary
    assert cells_of(layers) == [cell for layer in layers for cell in layer.cells]
    network = make(layers, vocabulary or 5)
    assert (network.every_step, network.output_size) == form
    assert (network.takes_ids, network.reads_backwards) == (vocabulary is not None, backwards)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_aligned_buffer_with_a_view_for_each_weight(dtype):
    network = make(dtype=dtype)
    named = network.named(network.flat)
    shapes = parameter_shapes(TALL, 9)
    assert list(shapes.items()) == [(name, view.shape) for name, view in named.items()]
    assert network.flat.ctypes.data % 64 == 0
    assert (network.flat.dtype, network.flat.size % 16) == (dtype, 0)
    assert network.count == sum(view.size for view in named.values()) == 36 + 192 + 35 + 54
    assert_array_equal(np.concatenate([view.ravel() for view in named.values()]), network.flat[: network.count])
    assert not network.flat[network.count :].any()
    network.weights[2]["backward.bias"][...] = 7.0
    assert_array_equal(named["bidirectional.backward.bias"], np.full(12, 7.0))
    assert_array_equal(named["bidirectional.forward.bias"], [0] * 3 + [1] * 3 + [0] * 6)


def test_initial_weights_depend_on_the_seed_alone():
    single, double, other = make(), make(dtype="float64"), make(seed=1)
    assert_array_equal(single.flat, double.flat.astype(np.float32))
    assert not np.array_equal(single.flat, other.flat)


def test_the_input_size_of_ids_is_the_vocabulary():
    with pytest.raises(
        ValueError, match="input_size is 4; expected 9, the vocabulary of layer 0: leave input_size out"
    ):
        make(size=4)


TABLE = """\
Layer (type)                   Output Shape     Param #
=======================================================
embedding (Embedding)          (None, None, 4)       36
dropout (Dropout)              (None, None, 4)        0
bidirectional (Bidirectional)  (None, None, 6)      192
dense (Dense)                  (None, None, 5)       35
gru (GRU)                      (None, 2)             54
dropout_1 (Dropout)            (None, 2)              0
=======================================================
Total params: 317 (1.24 KB)"""


def test_the_table_of_all_kinds():
    assert table(make()) == TABLE
    rows = table(make([fr.OneHot(9), fr.Bidirectional(fr.LSTM(3), "sum"), fr.Dense(1)])).splitlines()
    assert [row.split() for row in rows[2:5]] == [
        ["one_hot", "(OneHot)", "(None,", "None,", "9)", "0"],
        ["bidirectional", "(Bidirectional)", "(None,", "3)", "312"],
        ["dense", "(Dense)", "(None,", "1)", "4"],
    ]
