"""The update of the parameters: clearing and clipping gradients, the optimizer's rule, and which numbers they touch.

All parameters lie in one buffer and are updated in pieces. A matrix of which ids pick rows is a part of its own: only
the rows that a minibatch used have a gradient, and only they change if the rule leaves parameters without one alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastrnn.engine.network import Network
from fastrnn.engine.program import Program, Training
from fastrnn.ground.memory import address, empty, zeros
from fastrnn.layers import Embedding, OneHot
from fastrnn.operations import updates
from fastrnn.operations.used_rows import USED_ROWS, used_rows_begin
from fastrnn.optimizers import Optimizer

Array = NDArray[Any]


STATES = ("first_state", "second_state", "third_state")
"""The record's fields for what the optimizer keeps, in the order of its states."""


class Part(NamedTuple):
    """``size`` numbers of the flat buffer from ``start`` on, rows of ``columns`` if ids pick rows of it."""

    start: int
    size: int
    columns: int = 0


def parts_of(network: Network) -> list[Part]:
    """Cut a network's flat buffer at the matrices of which ids pick rows."""
    parts, start = [], 0
    for begin, array in _picked(network):
        if begin > start:
            parts.append(Part(start, begin - start))
        parts.append(Part(begin, array.size, array.shape[1]))
        start = begin + array.size
    if start < network.flat.size:
        parts.append(Part(start, network.flat.size - start))
    return parts


def _picked(network: Network) -> list[tuple[int, Array]]:
    """The matrices of which ids pick rows, and where they begin in the flat buffer."""
    first = network.layers[0]
    if isinstance(first, Embedding):
        arrays = list(network.weights[0].values())
    elif isinstance(first, OneHot):
        arrays = [network.weights[1][cell.prefix + "kernel"] for cell in network.layers[1].cells]
    else:
        return []
    origin = address(network.flat)
    return [((address(array) - origin) // array.itemsize, array) for array in arrays]


class Update:
    """Adds the operations that clear gradients and update parameters to a program.

    Attributes
    ----------
    state : a buffer like the network's for each of the optimizer's states
    """

    def __init__(self, program: Program, network: Network, training: Training) -> None:
        self._training, self._network = training, network
        self._whole = [Part(0, network.flat.size)]
        # The rows that ids pick are listed when a minibatch begins; nobody knows then what a stream will read.
        self._parts = parts_of(network) if program.shards == 1 and not training.live else self._whole
        self._rows: dict[str, Any] = {}
        self._used: Array | None = None
        self._most = 0
        self._specs: list[Array] = []
        self.state: list[Array] = []
        if len(self._parts) > 1 or self._parts[0].columns:
            self._most = min(network.input_size, program.rows * program.steps)
            self._rows = {"rows": empty(self._most, np.int64), "row_count": zeros(1, np.int64)}

    def clear(self, program: Program, gradients: Array) -> None:
        """Add the clearing of one shard's gradients, and the list of the rows that the minibatch uses."""
        specs = [program.spec(updates.UPDATE, **self._fields(part, {"gradients": gradients})) for part in self._parts]
        if self._rows:
            for part, spec in zip(self._parts, specs, strict=True):
                if part.columns:
                    program.add("begin", updates.zero_gradients, spec, meet=True)
            self._used = program.spec(
                USED_ROWS, steps=program.steps, rows=self._rows["rows"], count=self._rows["row_count"],
                stamps=zeros(self._network.input_size, np.int64),
            )  # fmt: skip
            program.add("begin", used_rows_begin, self._used, meet=True)
        for spec in specs:
            program.add("clear", updates.zero_gradients, spec, meet=True)

    def build(self, program: Program, optimizer: Optimizer) -> None:
        """Add the update by an optimizer."""
        training = self._training
        fields = self._settings(program, optimizer)
        parts = self._parts if optimizer.leaves_unused_alone else self._whole
        counts = [self._most if part.columns else -(-part.size // updates.BLOCK) for part in parts]
        norms = empty(sum(counts), np.float64)
        specs = []
        for part, first in zip(parts, np.cumsum([0, *counts]), strict=False):
            places = {"norms": address(norms) + 8 * int(first), "all_norms": norms, "norm_count": len(norms)}
            specs.append(program.spec(updates.UPDATE, **self._fields(part, fields), **places))
        if program.shards > 1:
            program.add("change", updates.sum_shards, specs[0])
        for spec in specs if training.clip_norm is not None else []:
            program.add("change", updates.gradient_norms, spec, meet=spec is specs[-1])
        for spec in specs:
            program.add("change", getattr(updates, f"{optimizer.kind}_update"), spec, meet=spec is specs[-1])
        self._specs = specs

    def tune(self, training: Training) -> None:
        """Give the operations other numbers."""
        for spec in self._specs:
            for name, value in self._numbers(training).items():
                spec[name] = value

    def read(self, x: int, order: int) -> None:
        """Point the list of used rows at the data."""
        if self._used is not None:
            self._used["x"], self._used["order"] = x, order

    def _fields(self, part: Part, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of a record for one part: those of all parameters, moved to where it begins."""
        moved = fields | {
            name: fields[name][part.start :] for name in ("parameters", "gradients", *STATES) if name in fields
        }
        if not part.columns:
            return moved | {"count": part.size}
        return moved | {"count": part.size, "columns": part.columns, "most_rows": self._most} | self._rows

    def _settings(self, program: Program, optimizer: Optimizer) -> dict[str, Any]:
        """Return the fields that the update of every part has in common, and make the optimizer's buffers."""
        flat = self._network.flat
        fields: dict[str, Any] = {
            "shards": program.shards, "parameters": flat, "gradients": program.gradients,
        }  # fmt: skip
        fields |= self._numbers(self._training)
        self.state = [program.zeros(flat.size) for _ in optimizer.states]
        return fields | dict(zip(STATES, self.state, strict=False))

    def _numbers(self, training: Training) -> dict[str, Any]:
        """Return the numbers of the rule and of clipping."""
        optimizer = training.optimizer
        assert optimizer is not None
        fields = {name: getattr(optimizer, name) for name in optimizer.__struct_fields__}
        if "epsilon" in fields:  # in the plan's dtype it may not become 0
            fields["epsilon"] = max(fields["epsilon"], float(np.finfo(self._network.dtype).tiny))
        for what in ("clip_value", "clip_norm"):
            limit = getattr(training, what)
            fields |= {what: limit or 0.0, what.replace("clip", "clips"): limit is not None}
        return fields
