"""Checkpoints: a trainer with its model in one file, so that training goes on as if it had never stopped.

The arrays of the model, of the optimizer and of the history have names of their own: ``model.simple_rnn.kernel``,
``optimizer.velocity.simple_rnn.kernel``, ``history.loss``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
import numpy as np

from fastrnn.engine.plan import Progress
from fastrnn.ground.files import Array, FileFormatError, FilePath, check_tensors, read_tensors, write_tensors
from fastrnn.ground.handed import handed_in
from fastrnn.ground.memory import zeros
from fastrnn.ground.unknown import explained
from fastrnn.layers import parameter_shapes
from fastrnn.model.sequential import Sequential
from fastrnn.storage.model_file import ModelHeader, build_model, model_header
from fastrnn.training.settings import TrainerSettings

if TYPE_CHECKING:
    from fastrnn.training.trainer import Trainer

Count = Annotated[int, msgspec.Meta(ge=0, le=2**62)]
Hexadecimal = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{1,32}$")]
_CURE = "Trainer.save_checkpoint writes them, fastrnn.load reads models"


class Shuffling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """State of the PCG64 generator that shuffles; its 128-bit numbers in hexadecimal."""

    state: Hexadecimal
    inc: Hexadecimal
    has_uint32: bool
    uinteger: Annotated[int, msgspec.Meta(ge=0, lt=2**32)]


class CheckpointHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="checkpoint"):
    """What a trainer is made of, but for the arrays.

    Parameters
    ----------
    model : of the trainer's model
    trainer : what the trainer was made with
    updates, draws : updates of the weights and draws of dropout's masks so far
    shuffling : of the generator that gives the next epoch's order
    figures : names of the history's lists, in their order
    """

    model: ModelHeader
    trainer: TrainerSettings
    updates: Count
    draws: Count
    shuffling: Shuffling
    figures: list[str]


class Checkpoint(NamedTuple):
    """What a checkpoint holds; ``generator`` is the state of NumPy's bit generator."""

    model: Sequential
    settings: dict[str, Any]
    progress: Progress
    generator: dict[str, Any]
    history: dict[str, list[float]]


def checkpoint_of(trainer: Trainer) -> tuple[dict[str, Array], CheckpointHeader]:
    """Return the arrays and the header of a trainer's checkpoint.

    Raises
    ------
    ValueError
        The model has no weights yet.
    """
    described = model_header(trainer.model)
    network, history = trainer.model.network, trainer.history
    progress = trainer.progress
    tensors = {f"model.{name}": array for name, array in network.named(network.flat).items()}
    for state, flat in progress.states.items():
        tensors |= {f"optimizer.{state}.{name}": array for name, array in network.named(flat).items()}
    tensors |= {f"history.{name}": np.array(values, np.float64) for name, values in history.history.items()}
    generator = trainer.generator.state
    return tensors, CheckpointHeader(
        model=described,
        trainer=trainer.settings,
        updates=progress.updates,
        draws=progress.draws,
        shuffling=Shuffling(
            state=f"{generator['state']['state']:x}",
            inc=f"{generator['state']['inc']:x}",
            has_uint32=bool(generator["has_uint32"]),
            uinteger=generator["uinteger"],
        ),
        figures=list(history.history),
    )


def write_checkpoint(path: FilePath, trainer: Trainer) -> None:
    """Write a trainer's checkpoint, atomically.

    Raises
    ------
    ValueError
        The model has no weights yet.
    OSError
        As `fastrnn.ground.files.atomic_write`; a file that was there is as it was.
    """
    tensors, header = checkpoint_of(trainer)
    write_tensors(path, tensors, header)


def read_checkpoint(path: FilePath) -> Checkpoint:
    """Read what `write_checkpoint` wrote.

    Raises
    ------
    FileFormatError
        The file is damaged, cut off, of another program or kind, or does not describe its own arrays.
    OSError
        No such file, a folder, no permission.
    """
    tensors, header = read_tensors(path, CheckpointHeader, cure=_CURE)
    states = header.trainer.optimizer.states
    parts = {part: _part(tensors, part) for part in ("model", *(f"optimizer.{state}" for state in states), "history")}
    if len(tensors) > sum(map(len, parts.values())):
        foreign = next(name for name in tensors if not any(name.startswith(f"{part}.") for part in parts))
        raise FileFormatError(path, f"an array {foreign!r}", f"only arrays of {', '.join(parts)}")
    model = build_model(path, header.model, parts["model"])
    history = _history(path, header, parts["history"])
    network, shapes = model.network, parameter_shapes(header.model.layers, header.model.input_size)
    flats = {}
    for state in states:
        part = parts[f"optimizer.{state}"]
        check_tensors(path, part, shapes, model.dtype)
        flats[state] = zeros(network.flat.size, model.dtype)
        for name, view in network.named(flats[state]).items():
            view[...] = part[name]
    shuffling = header.shuffling
    return Checkpoint(
        model=model,
        settings=msgspec.structs.asdict(header.trainer),
        progress=Progress(header.trainer.optimizer.kind, header.updates, header.draws, flats),
        generator={
            "bit_generator": "PCG64",
            "state": {"state": int(shuffling.state, 16), "inc": int(shuffling.inc, 16)},
            "has_uint32": int(shuffling.has_uint32),
            "uinteger": shuffling.uinteger,
        },
        history=history,
    )


def read_history(path: FilePath) -> dict[str, list[float]]:
    """Return the history in a checkpoint; empty where there is no checkpoint that can be read."""
    try:
        tensors, header = read_tensors(path, CheckpointHeader)
        return _history(path, header, _part(tensors, "history"))
    except (FileFormatError, OSError):
        return {}


@explained
def load(path: FilePath, custom_objects: Mapping[str, Any] | None = None) -> Sequential:
    """Load a model, or the model of a checkpoint.

    Parameters
    ----------
    path : file that `Sequential.save` or `Trainer.save_checkpoint` wrote
    custom_objects : cells, activations and losses of one's own by their names, which is all that a file says of them

    Raises
    ------
    FileFormatError
        The file is damaged, cut off, of another program or kind, or does not describe its own arrays.
    TypeError
        ``path`` is no path, or ``custom_objects`` no dict.
    OSError
        No such file, a folder, no permission.
    """
    with handed_in(custom_objects):
        tensors, header = read_tensors(path, ModelHeader, CheckpointHeader)
    if isinstance(header, CheckpointHeader):
        return build_model(path, header.model, _part(tensors, "model"))
    assert isinstance(header, ModelHeader)
    return build_model(path, header, tensors)


def _part(tensors: dict[str, Array], part: str) -> dict[str, Array]:
    """Return the arrays of one part, by their names within it."""
    return {name.removeprefix(f"{part}."): array for name, array in tensors.items() if name.startswith(f"{part}.")}


def _history(path: FilePath, header: CheckpointHeader, tensors: dict[str, Array]) -> dict[str, list[float]]:
    epochs = max((array.size for array in tensors.values()), default=0)
    check_tensors(path, tensors, dict.fromkeys(header.figures, (epochs,)), "float64")
    return {name: tensors[name].tolist() for name in header.figures}
