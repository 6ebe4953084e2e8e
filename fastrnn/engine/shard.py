"""A shard of a minibatch while it is lowered: its buffers, the records' common fields, and what its layers leave.

Legend: ``B`` rows, ``T`` steps, or those of a segment where only a segment's states are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastrnn.code.target import LANES_OF
from fastrnn.engine.program import Back, Program
from fastrnn.engine.signal import Signal, Waiting
from fastrnn.ground.memory import Workspace, address
from fastrnn.operations import recurrent
from fastrnn.operations.products import gram, joined_product, pack, padded, product, row_product
from fastrnn.operations.signals import WHOLE, WINDOW

Array = NDArray[Any]


class Where(NamedTuple):
    """Where a layer stands, and what is its own.

    Attributes
    ----------
    stream : the first of the numbers that its masks are drawn by
    is_top : only errors of the steps from ``errors_from`` on enter a pass through it
    is_last : nothing above it changes the outputs
    weights, gradients : by name
    packed : its packed weights by name, all shards' together; filled as they are made
    """

    stream: int
    is_top: bool
    is_last: bool
    weights: dict[str, Array]
    gradients: dict[str, Array]
    packed: dict[str, Array]


class State(NamedTuple):
    """The state of a recurrent cell: its tapes (h first), its record, and where the final state lies on them.

    ``given`` (states) int64 has the addresses of the initial states.
    """

    tapes: list[Array]
    units: int
    spec: Array
    final: int
    given: Array

    def at(self, place: int, rows: int) -> list[Array]:
        """Return the states (rows, H) at a place of the tapes; what is kept once is there at all."""
        width = padded(self.units, LANES_OF[self.tapes[0].dtype.name])
        blocks = [tape.reshape(-1, rows, width) for tape in self.tapes]
        return [block[min(place, len(block) - 1), :, : self.units] for block in blocks]

    def start(self, carry: bool, initial: Sequence[int], order: int, has_lengths: bool) -> None:
        """Tell where minibatches start and whether rows have lengths."""
        spec = self.spec
        spec["start"] = recurrent.FROM_BEFORE if carry else recurrent.FROM_GIVEN if initial else recurrent.FROM_ZERO
        self.given[:] = initial or 0
        spec["order"], spec["has_lengths"] = order, has_lengths

    def go_on(self) -> None:
        """Start the next minibatch with what is on the tapes."""
        self.spec["start"] = recurrent.FROM_LAST


class Shard:
    """What lowering a shard's layers needs and leaves behind.

    Attributes
    ----------
    joint : whether all layers go back together; else one by one
    is_first : whether it is the first of the shards, which packs for all
    waits, is_fused : see `fastrnn.engine.columns.Columns`
    states : of the recurrent cells, from the bottom up
    back : how the layers go back, from the bottom up
    merges : records that are told whether rows have lengths, beside those of the states
    initial_gradients : for each cell (B, padded units) arrays, one a state, if wanted
    waiting : what makes the outputs of what waits for the losses
    """

    def __init__(self, program: Program, workspace: Workspace, lengths: Array, joint: bool) -> None:
        self.program, self.workspace, self.lengths, self.joint = program, workspace, lengths, joint
        self.rows, self.lanes = program.shard_rows, LANES_OF[program.dtype]
        self.trains = program.training is not None
        self.drops = program.training is not None and program.training.dropout_seed is not None
        self.is_first = not program.packed
        self.states: list[State] = []
        self.back: list[Back] = []
        self.merges: list[Array] = []
        self.initial_gradients: list[list[Array]] = []
        self.waiting: Waiting | None = None

    def padded(self, columns: int) -> int:
        """Return ``columns`` rounded up to whole vectors."""
        return padded(columns, self.lanes)

    def empty(self, count: int) -> Array:
        """Return a buffer of ``count`` numbers that only this shard, or the thread that has it, uses."""
        return self.workspace.empty(count, self.program.dtype)

    def tape(self, stride: int, further: int = 0) -> Array:
        """Return a buffer of ``stride`` numbers for each row of the steps that are kept, and of some further ones.

        A stream that has come to the end of its tapes moves what is on them.
        """
        tape = self.empty((self.program.capacity + further) * self.rows * stride)
        self.program.tapes.append((tape, self.rows * stride))
        return tape

    def pack(self, where: Where, name: str, count: int) -> Array:
        """Return the buffer for a packed weight."""
        if name not in where.packed:
            fills = name.endswith(("bias", "vector"))
            where.packed[name] = self.program.zeros(count) if fills else self.program.empty(count)
        return where.packed[name]

    def signals(self, below: Signal, where: Where) -> dict[str, Any]:
        """Return the fields that the records of all layers have: where they read."""
        program = self.program
        fields: dict[str, Any] = {
            "steps": program.steps, "sequences": below.sequences, "is_top": where.is_top, "trains": self.trains,
            "pack": pack, "product": product, "row_product": row_product, "joined_product": joined_product,
            "nothing": program.nothing, "input_size": below.size,
            "input": below.buffer, "input_stride": below.stride, "input_first": below.first,
            "input_moves": below.moves,
        }  # fmt: skip
        if self.trains:
            fields["gram"] = gram
        if below.gradient is not None:
            fields |= {"wants_d_input": 1, "d_input": below.gradient, "whole_d_input": below.whole}
        return fields

    def local(
        self, below: Signal, where: Where, size: int, *, needs_gradient: bool = True
    ) -> tuple[dict[str, Any], Signal]:
        """Return the fields of a layer that treats every step alike, and the signal that it hands on."""
        stride, sequences = self.padded(size), below.sequences
        output = self.tape(stride) if sequences else self.empty(self.rows * stride)
        gradient, whole = self.gradient(where, stride, sequences) if needs_gradient else (None, WHOLE)
        fields = self.signals(below, where) | {"output": output, "whole_d_output": whole}
        if gradient is not None:
            fields["d_output"] = gradient
        return fields, Signal(output, size, stride, 0, False, sequences, below.padding_first, gradient, whole)

    def gradient(
        self, where: Where, stride: int, sequences: bool, *, is_added_to: bool = True
    ) -> tuple[Array | None, int]:
        """Return the buffer for the gradient of a layer's output, and what steps it holds."""
        if not self.trains:
            return None, WHOLE
        whole = WHOLE if not self.joint or where.is_last or not sequences else WINDOW
        steps = 1 if not sequences else self.program.capacity if whole else self.program.window
        buffer = self.empty(steps * self.rows * stride)
        if whole and sequences and is_added_to and not where.is_last:
            self.program.add_clearing(buffer)
        return buffer, whole

    def padding(self, below: Signal) -> dict[str, Any]:
        """Return the fields that tell what is padding where a signal is read."""
        return {"lengths": self.lengths, "padding_first": below.padding_first}

    def odds(self, rate: float, stream: int, *, scales: bool = True) -> dict[str, Any]:
        """Return the fields of a record that tell how to draw a mask; what is left is scaled up, or is 1."""
        training = self.program.training
        assert training is not None
        assert training.dropout_seed is not None
        seed, stream = dropout_key(training.dropout_seed, stream)
        return {
            "seed": seed,
            "stream": stream,
            "threshold": int(rate * 2**32),
            "scale": 1.0 / (1.0 - rate) if scales else 1.0,
        }

    def addresses(self, arrays: Sequence[Array]) -> Array:
        """Return the addresses of some arrays, at least one number."""
        return np.array([address(array) for array in arrays] or [0], np.int64)


def dropout_key(seed: int, stream: int) -> tuple[int, int]:
    """Return the two words that dropout's masks are drawn by: of a seed, all bits of it, and a use in the model."""
    if seed < 2**32:
        return seed, stream
    first, second = map(int, np.random.SeedSequence(seed).generate_state(2))
    return first, second ^ stream
