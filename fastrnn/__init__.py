"""fastrnn: recurrent networks trained on the CPU by kernels compiled with Numba."""

from importlib import import_module
from typing import TYPE_CHECKING

from fastrnn._version import __version__

if TYPE_CHECKING:
    from fastrnn import callbacks as callbacks
    from fastrnn import data as data
    from fastrnn import datasets as datasets
    from fastrnn import equations as equations
    from fastrnn import forecast as forecast
    from fastrnn import initializers as initializers
    from fastrnn import layers as layers
    from fastrnn import losses as losses
    from fastrnn import optimizers as optimizers
    from fastrnn import text as text
    from fastrnn.callbacks.lines import Callback, ProgressBar
    from fastrnn.callbacks.monitors import EarlyStopping, ModelCheckpoint
    from fastrnn.equations import activation, cell
    from fastrnn.ground.notices import TrainingWarning
    from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Dropout, Embedding, OneHot, SimpleRNN
    from fastrnn.layers.cells.ind_rnn import IndRNN
    from fastrnn.layers.cells.mgu import MGU
    from fastrnn.layers.cells.min_gru import MinGRU
    from fastrnn.layers.cells.min_lstm import MinLSTM
    from fastrnn.layers.cells.peephole_lstm import PeepholeLSTM
    from fastrnn.layers.own import Recurrent
    from fastrnn.losses import (
        MAE,
        MAPE,
        MSE,
        BinaryCrossentropy,
        CategoricalCrossentropy,
        Huber,
        KLDivergence,
        LogCosh,
        Poisson,
        Quantile,
        SparseCategoricalCrossentropy,
    )
    from fastrnn.losses.own import loss
    from fastrnn.model.gradient_check import check_gradients
    from fastrnn.model.sequential import Sequential
    from fastrnn.optimizers import SGD, Adagrad, Adam, RMSProp
    from fastrnn.optimizers.adadelta import Adadelta
    from fastrnn.optimizers.adamax import Adamax
    from fastrnn.optimizers.adamw import AdamW
    from fastrnn.optimizers.nadam import NAdam
    from fastrnn.storage.trainer_file import load
    from fastrnn.training.history import History
    from fastrnn.training.trainer import Trainer
    from fastrnn.training.warm import warmup

_HOMES = {
    "losses": (
        "BinaryCrossentropy",
        "CategoricalCrossentropy",
        "Huber",
        "KLDivergence",
        "LogCosh",
        "MAE",
        "MAPE",
        "MSE",
        "Poisson",
        "Quantile",
        "SparseCategoricalCrossentropy",
    ),
    "losses.own": ("loss",),
    "optimizers.adamax": ("Adamax",),
    "optimizers.adadelta": ("Adadelta",),
    "optimizers.nadam": ("NAdam",),
    "optimizers.adamw": ("AdamW",),
    "equations": ("activation", "cell"),
    "layers.own": ("Recurrent",),
    "model.gradient_check": ("check_gradients",),
    "layers.cells.peephole_lstm": ("PeepholeLSTM",),
    "layers.cells.mgu": ("MGU",),
    "layers.cells.ind_rnn": ("IndRNN",),
    "layers.cells.min_lstm": ("MinLSTM",),
    "layers.cells.min_gru": ("MinGRU",),
    "callbacks": ("Callback", "EarlyStopping", "ModelCheckpoint", "ProgressBar"),
    "ground.notices": ("TrainingWarning",),
    "layers": ("GRU", "LSTM", "Bidirectional", "Dense", "Dropout", "Embedding", "OneHot", "SimpleRNN"),
    "model.sequential": ("Sequential",),
    "optimizers": ("SGD", "Adagrad", "Adam", "RMSProp"),
    "storage.trainer_file": ("load",),
    "training.history": ("History",),
    "training.trainer": ("Trainer",),
    "training.warm": ("warmup",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "GRU",
    "LSTM",
    "MAE",
    "MAPE",
    "MGU",
    "MSE",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Bidirectional",
    "BinaryCrossentropy",
    "Callback",
    "CategoricalCrossentropy",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "Embedding",
    "History",
    "Huber",
    "IndRNN",
    "KLDivergence",
    "LogCosh",
    "MinGRU",
    "MinLSTM",
    "ModelCheckpoint",
    "NAdam",
    "OneHot",
    "PeepholeLSTM",
    "Poisson",
    "ProgressBar",
    "Quantile",
    "RMSProp",
    "Recurrent",
    "Sequential",
    "SimpleRNN",
    "SparseCategoricalCrossentropy",
    "Trainer",
    "TrainingWarning",
    "__version__",
    "activation",
    "cell",
    "check_gradients",
    "load",
    "loss",
    "warmup",
]


_MODULES = (
    "callbacks",
    "data",
    "datasets",
    "equations",
    "forecast",
    "initializers",
    "layers",
    "losses",
    "optimizers",
    "text",
)


if not TYPE_CHECKING:  # a type checker would take every name for one that there is

    def __getattr__(name):
        """Import a public name, or a module, on first use: ``import fastrnn`` alone stays quick."""
        if name in _MODULES:
            return import_module(f"fastrnn.{name}")
        if name in _HOME_OF:
            value = getattr(import_module(f"fastrnn.{_HOME_OF[name]}"), name)
            globals()[name] = value
            return value
        if name.startswith("_"):
            raise AttributeError(f"module 'fastrnn' has no attribute {name!r}")
        from fastrnn.ground.unknown import attribute_of

        return attribute_of("fastrnn", name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
