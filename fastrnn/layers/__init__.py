"""Layers: frozen descriptions, checked when they are made, and the schema of the model file.

A layer holds no weights. It tells their shapes and initial values for a number of inputs, and the model does the rest.
Legend: I inputs, H units, G gates, V ids in the vocabulary, E size of an embedding. Names, order and layout of the
weights are those of Keras.
"""

from typing import TYPE_CHECKING

from fastrnn.ground.attributes import fix
from fastrnn.ground.unknown import asked_of
from fastrnn.layers.base import ACTIVATIONS, Cell, Layer
from fastrnn.layers.bidirectional import MERGE_MODES, Bidirectional
from fastrnn.layers.cells import CELLS
from fastrnn.layers.cells.elman import SimpleRNN
from fastrnn.layers.cells.gru import GRU
from fastrnn.layers.cells.lstm import LSTM
from fastrnn.layers.ids import Embedding, IdLayer, OneHot
from fastrnn.layers.own import Recurrent
from fastrnn.layers.recurrent import Stateful, Unidirectional
from fastrnn.layers.stack import AnyLayer, layer_names, layer_widths, parameter_shapes
from fastrnn.layers.stateless import Dense, Dropout

if not TYPE_CHECKING:
    __getattr__ = asked_of(__name__)

fix(Layer, "another layer in another model: Sequential([{kind}({name}=...), ...])")

__all__ = [
    "ACTIVATIONS",
    "CELLS",
    "GRU",
    "LSTM",
    "MERGE_MODES",
    "AnyLayer",
    "Bidirectional",
    "Cell",
    "Dense",
    "Dropout",
    "Embedding",
    "IdLayer",
    "Layer",
    "OneHot",
    "Recurrent",
    "SimpleRNN",
    "Stateful",
    "Unidirectional",
    "layer_names",
    "layer_widths",
    "parameter_shapes",
]
