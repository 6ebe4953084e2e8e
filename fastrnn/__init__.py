"""fastrnn: recurrent networks trained on the CPU by kernels compiled with Numba."""

from importlib import import_module
from typing import TYPE_CHECKING

from fastrnn._version import __version__

if TYPE_CHECKING:
    from fastrnn import callbacks as callbacks
    from fastrnn import data as data
    from fastrnn import datasets as datasets
    from fastrnn import forecast as forecast
    from fastrnn import initializers as initializers
    from fastrnn import layers as layers
    from fastrnn import optimizers as optimizers
    from fastrnn import text as text
    from fastrnn.callbacks import Callback, ProgressBar
    from fastrnn.history import History
    from fastrnn.layers import GRU, LSTM, Bidirectional, Dense, Dropout, Embedding, OneHot, SimpleRNN
    from fastrnn.model import Sequential
    from fastrnn.monitors import EarlyStopping, ModelCheckpoint
    from fastrnn.notices import TrainingWarning
    from fastrnn.optimizers import SGD, Adagrad, Adam, RMSProp
    from fastrnn.trainer import Trainer
    from fastrnn.trainer_file import load
    from fastrnn.warm import warmup

_HOMES = {
    "Callback": "callbacks",
    "ProgressBar": "callbacks",
    "History": "history",
    "Bidirectional": "layers",
    "Dense": "layers",
    "Dropout": "layers",
    "Embedding": "layers",
    "GRU": "layers",
    "LSTM": "layers",
    "OneHot": "layers",
    "SimpleRNN": "layers",
    "Sequential": "model",
    "EarlyStopping": "monitors",
    "ModelCheckpoint": "monitors",
    "TrainingWarning": "notices",
    "SGD": "optimizers",
    "Adagrad": "optimizers",
    "Adam": "optimizers",
    "RMSProp": "optimizers",
    "Trainer": "trainer",
    "load": "trainer_file",
    "warmup": "warm",
}

__all__ = [
    "GRU",
    "LSTM",
    "SGD",
    "Adagrad",
    "Adam",
    "Bidirectional",
    "Callback",
    "Dense",
    "Dropout",
    "EarlyStopping",
    "Embedding",
    "History",
    "ModelCheckpoint",
    "OneHot",
    "ProgressBar",
    "RMSProp",
    "Sequential",
    "SimpleRNN",
    "Trainer",
    "TrainingWarning",
    "__version__",
    "load",
    "warmup",
]


_MODULES = ("callbacks", "data", "datasets", "forecast", "initializers", "layers", "optimizers", "text")


if not TYPE_CHECKING:  # a type checker would take every name for one that there is

    def __getattr__(name):
        """Import a public name, or a module, on first use: ``import fastrnn`` alone stays quick."""
        if name in _MODULES:
            return import_module(f"fastrnn.{name}")
        if name in _HOMES:
            value = getattr(import_module(f"fastrnn.{_HOMES[name]}"), name)
            globals()[name] = value
            return value
        if name.startswith("_"):
            raise AttributeError(f"module 'fastrnn' has no attribute {name!r}")
        from fastrnn.unknown import attribute_of

        return attribute_of("fastrnn", name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
