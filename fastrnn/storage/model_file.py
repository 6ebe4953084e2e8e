"""Model files: what a model is made of, its weights, and what else is needed to use it.

A loaded model has the bits of the saved one. A file whose header and arrays do not agree is refused before anything is
built from it.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from fastrnn._version import __version__
from fastrnn.ground.files import Array, FileFormatError, FilePath, check_tensors, read_tensors, write_tensors
from fastrnn.layers import AnyLayer, parameter_shapes
from fastrnn.model.sequential import Sequential


class ModelHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="model"):
    """What a model is made of, but for its weights.

    Parameters
    ----------
    layers, input_size, dtype, seed : as `Sequential` takes them
    fastrnn : version that wrote the file; not read, for whoever looks into the file
    extra : JSON of the caller's
    """

    layers: Annotated[list[AnyLayer], msgspec.Meta(min_length=1)]
    input_size: Annotated[int, msgspec.Meta(ge=1)]
    dtype: Annotated[str, msgspec.Meta(pattern="^float(32|64)$")]
    seed: Annotated[int, msgspec.Meta(ge=0)]
    fastrnn: str
    extra: dict[str, Any]


def model_header(model: Sequential, extra: Mapping[str, Any] | None = None) -> ModelHeader:
    """Describe a built model.

    Raises
    ------
    ValueError
        The model has no weights yet.
    TypeError
        ``extra`` holds something that JSON would change or cannot hold.
    """
    extra = dict(extra or {})
    _check_json(extra, "extra")
    return ModelHeader(model.layers, model.network.input_size, model.dtype, model.seed, __version__, extra)


def build_model(path: FilePath, header: ModelHeader, tensors: Mapping[str, Array]) -> Sequential:
    """Build the model that a file describes; ``path`` is for the errors.

    Raises
    ------
    FileFormatError
        Layers that make no model, or arrays that are not its weights.
    """
    try:
        check_tensors(path, tensors, parameter_shapes(header.layers, header.input_size), header.dtype)
        model = Sequential(header.layers, input_size=header.input_size, dtype=header.dtype, seed=header.seed)
    except FileFormatError:
        raise
    except (TypeError, ValueError) as error:
        raise FileFormatError(path, f"layers that make no model ({error})", "layers as fastrnn saves them") from error
    for name, parameter in model.network.named(model.network.flat).items():
        parameter[...] = tensors[name]
    return model


def save_model(path: FilePath, model: Sequential, extra: Mapping[str, Any] | None = None) -> None:
    """Save a model and, beside it, what else is needed to use it (scaling, column names, ...).

    Parameters
    ----------
    path : file to write or replace, atomically
    model : a built model
    extra : JSON values: None, bool, int, finite float, str, list or tuple (read back as a list), dict with str keys

    Raises
    ------
    ValueError
        The model has no weights yet.
    TypeError
        ``extra`` holds something else.
    OSError
        As `fastrnn.ground.files.atomic_write`; a file that was there is as it was.
    """
    write_tensors(path, model.network.named(model.network.flat), model_header(model, extra))


def load_model(path: FilePath) -> tuple[Sequential, dict[str, Any]]:
    """Load a model and what was saved beside it.

    Raises
    ------
    FileFormatError
        The file is damaged, cut off, of another program or kind, or does not describe its own arrays.
    OSError
        No such file, a folder, no permission.
    """
    tensors, header = read_tensors(path, ModelHeader)
    return build_model(path, header, tensors), header.extra


def _check_json(value: Any, where: str) -> None:
    kind = type(value)  # exactly: NumPy's float64 is a float, and no JSON
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise TypeError(f"{where} has the key {key!r}; expected keys of type str")
            _check_json(item, f"{where}[{key!r}]")
    elif kind in (list, tuple):
        for i, item in enumerate(value):
            _check_json(item, f"{where}[{i}]")
    elif kind is float and not math.isfinite(value):
        raise TypeError(f"{where} is {value}; expected a finite number, which JSON can hold")
    elif kind not in (float, int, str, bool, type(None)):
        raise TypeError(f"{where} is {value!r}; expected None, bool, int, float, str, list or dict: convert it first")
