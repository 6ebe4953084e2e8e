"""Lowering: for every layer its buffers and its operations, linked to those of the layers beneath and above.

Legend: ``B`` rows, ``T`` steps, or those of a segment where only a segment's states are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from fastrnn.kernels import dense, dropout, elman, embedding, gru, lstm, merging, recurrence
from fastrnn.kernels.activations import ACTIVATIONS
from fastrnn.kernels.operation import Operation
from fastrnn.kernels.product import ROW_UNIT, gram, joined_product, pack, padded, product
from fastrnn.kernels.row import row_product
from fastrnn.kernels.signals import EVERY, WHOLE, WINDOW
from fastrnn.kernels.vector import LANES_OF
from fastrnn.layers import (
    Bidirectional,
    Cell,
    Dense,
    Dropout,
    Embedding,
    Layer,
    OneHot,
    Recurrent,
    Unidirectional,
)
from fastrnn.memory import Workspace, address
from fastrnn.threads import outgrows_cache

if TYPE_CHECKING:
    from fastrnn.plan import Plan

Array = NDArray[Any]


class Kernels(NamedTuple):
    """The operations of a recurrent cell."""

    pack: Operation
    forward: Operation
    backward: Operation
    gradients: Operation


CELLS = {
    "simple_rnn": Kernels(
        recurrence.recurrent_pack, elman.elman_forward, elman.elman_backward, recurrence.recurrent_gradients
    ),
    "lstm": Kernels(recurrence.recurrent_pack, lstm.lstm_forward, lstm.lstm_backward, recurrence.recurrent_gradients),
    "gru": Kernels(gru.gru_pack, gru.gru_forward, gru.gru_backward, gru.gru_gradients),
}


class Signal(NamedTuple):
    """What one layer hands to the next; see :mod:`fastrnn.kernels.signals`."""

    buffer: Array
    size: int
    stride: int
    first: int
    moves: bool
    sequences: bool
    gradient: Array | None
    whole: int


class State(NamedTuple):
    """The state of a recurrent cell: its tapes (h, or h and c), its record, and where the final state lies on them."""

    tapes: list[Array]
    units: int
    spec: Array
    final: int

    def start(self, carry: bool, initial: Sequence[int], order: int, has_lengths: bool) -> None:
        """Tell where minibatches start and whether rows have lengths."""
        spec = self.spec
        spec["start"] = recurrence.FROM_BEFORE if carry else recurrence.FROM_GIVEN if initial else recurrence.FROM_ZERO
        for field, place in zip(("initial", "initial_cell"), initial, strict=False):
            spec[field] = place
        spec["order"], spec["has_lengths"] = order, has_lengths


class Back(NamedTuple):
    """How a layer goes back: before a pass, through each window, and its weight gradients."""

    spec: Array
    backward: Operation | None
    gradients: Operation | None
    begin: Operation | None = None
    reads_backwards: bool = False
    last_only: bool = False


class Lowering:
    """Adds the operations of one shard's layers to a plan; the packed weights are all shards' together.

    Attributes
    ----------
    output : the model's output
    states : the states of the recurrent cells, from the bottom up
    input_gradient : (T, B, padded inputs), or None
    initial_gradients : for each cell (B, padded units) arrays, one or two, if wanted
    """

    def __init__(
        self, plan: Plan, rows: int, workspace: Workspace, inputs: Array, lengths: Array, gradients: Array
    ) -> None:
        self.plan, self.rows, self.workspace, self.lengths = plan, rows, workspace, lengths
        self.lanes = LANES_OF[plan.network.dtype]
        network, training = plan.network, plan.training
        self.trains = training is not None
        self.drops = training is not None and training.dropout_seed is not None
        self.joint = not network.reads_backwards
        self.first = not plan.packed
        self.states: list[State] = []
        self.initial_gradients: list[list[Array]] = []
        self.back: list[Back] = []
        self.turns: list[Array] = []
        self.ids: Array | None = inputs if network.takes_ids else None
        self.input_gradient: Array | None = None
        if training is not None and training.wants_inputs:
            self.input_gradient = self.zeros(plan.steps * rows * self.padded(network.input_size))
        size = network.input_size
        self.signal = Signal(inputs, size, size, 0, False, True, self.input_gradient, EVERY)
        views = network.views(gradients) if self.trains else [{} for _ in network.layers]
        recurrent_places = [i for i, layer in enumerate(network.layers) if isinstance(layer, Recurrent)]
        last = max(i for i, layer in enumerate(network.layers) if not self._is_skipped(layer))
        for i, layer in enumerate(network.layers):
            self.is_top = not self.joint or i >= recurrent_places[-1]
            self.is_last = i == last
            if self.first:
                plan.packed.append({})
            self.packed, self.weights, self.views = plan.packed[i], network.weights[i], views[i]
            if isinstance(layer, Recurrent):
                self._recurrent(layer, 4 * i)
            elif isinstance(layer, Dense):
                self._dense(layer)
            elif isinstance(layer, Embedding):
                self._embedding(layer)
            elif isinstance(layer, Dropout):
                self._dropout(layer.rate, 4 * i, one_mask=False)
            else:
                assert isinstance(layer, OneHot)
        self.output = self.signal
        if self.trains:
            self._add_stages()

    def _is_skipped(self, layer: Layer) -> bool:
        """Whether a layer does nothing here: dropout where nothing is dropped."""
        return isinstance(layer, Dropout) and not (self.drops and layer.rate)

    # ------------------------------------------------------------------------------------------ the way back

    def _add_stages(self) -> None:
        """Add the way back: all layers together, or one by one if one of them reads backwards."""
        plan, network = self.plan, self.plan.network
        if self.joint:
            plan.add_stage(self.back[::-1], truncates=True, last_only=not network.every_step, window=plan.window)
            return
        for back in reversed(self.back):
            window = plan.window if back.begin else plan.steps
            plan.add_stage([back], truncates=back.begin is not None, last_only=back.last_only, window=window)

    def _gradient(self, stride: int, sequences: bool, needed: bool = True) -> tuple[Array | None, int]:
        """Return the buffer for the gradient of a layer's output, and what steps it holds."""
        if not (self.trains and needed):
            return None, WHOLE
        whole = WHOLE if not self.joint or self.is_last or not sequences else WINDOW
        steps = 1 if not sequences else self.plan.capacity if whole else self.plan.window
        buffer = self.zeros(steps * self.rows * stride)
        if whole and sequences and not self.is_last:
            self.plan.add_clearing(buffer)
        return buffer, whole

    # ------------------------------------------------------------------------------------------ records

    def padded(self, columns: int) -> int:
        """Return ``columns`` rounded up to whole vectors."""
        return padded(columns, self.lanes)

    def zeros(self, count: int) -> Array:
        """Return a buffer of ``count`` numbers that only this shard, or the thread that has it, uses."""
        return self.workspace.zeros(count, self.plan.network.dtype)

    def _pack(self, name: str, count: int) -> dict[str, Array]:
        """Return the buffer for a packed weight, all shards' together."""
        if name not in self.packed:
            self.packed[name] = self.plan.zeros(count)
        return {name: self.packed[name]}

    def _signals(self) -> dict[str, Any]:
        """Fields that the records of all layers have: where they read."""
        plan, signal, dtype = self.plan, self.signal, self.plan.network.dtype
        fields: dict[str, Any] = {
            "steps": plan.steps, "sequences": signal.sequences, "is_top": self.is_top, "trains": self.trains,
            "pack": pack.address(dtype), "product": product.address(dtype),
            "row_product": row_product.address(dtype), "joined_product": joined_product.address(dtype),
            "nothing": plan.nothing, "input_size": signal.size,
            "input": signal.buffer, "input_stride": signal.stride, "input_first": signal.first,
            "input_moves": signal.moves,
        }  # fmt: skip
        if self.trains:
            fields["gram"] = gram.address(dtype)
        if signal.gradient is not None:
            fields |= {"wants_d_input": 1, "d_input": signal.gradient, "whole_d_input": signal.whole}
        return fields

    def _local(self, size: int, needed: bool = True) -> tuple[dict[str, Any], Signal]:
        """Return the fields of a layer that treats every step alike, and the signal that it hands on."""
        stride, sequences = self.padded(size), self.signal.sequences
        output = self.zeros((self.plan.capacity if sequences else 1) * self.rows * stride)
        gradient, whole = self._gradient(stride, sequences, needed)
        fields = self._signals() | {"output": output, "output_stride": stride, "whole_d_output": whole}
        if gradient is not None:
            fields["d_output"] = gradient
        return fields, Signal(output, size, stride, 0, False, sequences, gradient, whole)

    # ------------------------------------------------------------------------------------------ layers

    def _dense(self, layer: Dense) -> None:
        plan, units, inputs = self.plan, layer.units, self.signal.size
        fields, output = self._local(units)
        fields |= {"units": units, "activation": ACTIVATIONS[layer.activation], "use_bias": layer.use_bias}
        fields |= self.weights | {f"d_{name}": gradient for name, gradient in self.views.items()}
        fields |= self._pack("packed_kernel", inputs * self.padded(units))
        fields |= self._pack("packed_bias", self.padded(units))
        if self.signal.gradient is not None:
            fields |= self._pack("packed_kernel_back", units * self.padded(inputs))
        spec = plan.spec(dense.DENSE, **fields)
        if self.first:
            plan.add("pack", dense.dense_pack, spec)
        plan.add("forward", dense.dense_forward, spec)
        self.back.append(Back(spec, dense.dense_backward, dense.dense_gradients))
        self.signal = output

    def _embedding(self, layer: Embedding) -> None:
        fields, output = self._local(layer.size)
        fields |= {"units": layer.size, "ids": self.ids, **self.weights}
        fields |= {f"d_{name}": gradient for name, gradient in self.views.items()}
        spec = self.plan.spec(embedding.EMBEDDING, **fields)
        self.plan.add("forward", embedding.embedding_forward, spec)
        self.back.append(Back(spec, None, embedding.embedding_gradients))
        self.signal, self.ids = output, None

    def _dropout(self, rate: float, stream: int, *, one_mask: bool) -> None:
        if not (self.drops and rate):
            return
        fields, output = self._local(self.signal.size, self.signal.gradient is not None)
        spec = self.plan.spec(dropout.DROPOUT, **fields, one_mask=one_mask, **self._odds(rate, stream))
        self.plan.add("forward", dropout.dropout_forward, spec)
        self.back.append(Back(spec, dropout.dropout_backward, None))
        self.signal = output

    def _odds(self, rate: float, stream: int) -> dict[str, Any]:
        """Fields of a record that tell how to draw a mask."""
        training = self.plan.training
        assert training is not None
        assert training.dropout_seed is not None
        seed = training.dropout_seed % 2**32
        return {"seed": seed, "stream": stream, "threshold": int(rate * 2**32), "scale": 1.0 / (1.0 - rate)}

    # ------------------------------------------------------------------------------------------ recurrent layers

    def _recurrent(self, layer: Recurrent, stream: int) -> None:
        below, is_last = self.signal, self.is_last
        mode = layer.merge_mode if isinstance(layer, Bidirectional) else None
        turns = mode is None and layer.return_sequences and layer.cells[0].reads_backwards
        self.is_last = is_last and mode is None and not turns
        outputs = []
        for place, cell in enumerate(layer.cells):
            self.signal = below
            outputs.append(self._cell(cell, stream + 2 * place))
        self.ids = None
        self.signal, self.is_last = outputs[0], is_last
        if mode is not None:
            self._merge(mode, outputs[1])
        elif turns:
            self._turn()

    def _merge(self, mode: str, backward: Signal) -> None:
        units = self.signal.size
        fields, output = self._local(2 * units if mode == "concat" else units)
        fields |= {
            "units": units, "mode": merging.MODES[mode], "backward": backward.buffer, "backward_first": backward.first,
        }  # fmt: skip
        if backward.gradient is not None:
            fields["d_backward"] = backward.gradient
        spec = self.plan.spec(merging.MERGE, **fields)
        self.plan.add("forward", merging.merge_forward, spec)
        self.back.append(Back(spec, merging.merge_backward, None))
        self.signal = output

    def _turn(self) -> None:
        fields, output = self._local(self.signal.size)
        spec = self.plan.spec(merging.TURN, **fields, units=self.signal.size, lengths=self.lengths)
        self.turns.append(spec)
        self.plan.add("forward", merging.turn_forward, spec)
        self.back.append(Back(spec, merging.turn_backward, None))
        self.signal = output

    def _cell(self, cell: Cell, stream: int) -> Signal:
        """Add a recurrent direction and return its output."""
        plan, layer, kernels = self.plan, cell.layer, CELLS[cell.layer.kind]
        width = self.padded(layer.units)
        fields: dict[str, Any] = {
            "units": layer.units, "gates": layer.gates, "activation": ACTIVATIONS[layer.activation],
            "recurrent_activation": ACTIVATIONS[getattr(layer, "recurrent_activation", "sigmoid")],
            "reset_after": getattr(layer, "reset_after", False), "use_bias": layer.use_bias,
            "return_sequences": layer.return_sequences, "reads_backwards": cell.reads_backwards,
            "splits_units": plan.splits_units(layer), "keeps": self.trains or layer.kind == "simple_rnn",
            "lengths": self.lengths, "final_place": 0 if cell.reads_backwards else plan.steps, "segment": plan.capacity,
        }  # fmt: skip
        fields |= self._weights_of(cell)
        if self.ids is not None:
            fields["ids"] = self.ids
            if self.drops and layer.dropout:
                fields["id_scale"] = self.zeros(plan.capacity * self.rows)
                odds = self._odds(layer.dropout, stream)
                spec = plan.spec(dropout.MASK, ids=self.ids, target=fields["id_scale"], **odds)
                plan.add("read", dropout.mask_begin, spec)
        else:
            is_top, is_last = self.is_top, self.is_last
            self.is_top, self.is_last = not self.joint, False
            self._dropout(layer.dropout, stream, one_mask=True)
            self.is_top, self.is_last = is_top, is_last
        fields |= self._tapes(cell)
        if self.drops and layer.recurrent_dropout:
            fields |= {"mask": self.zeros(self.rows * width), "masked": self.zeros(plan.capacity * self.rows * width)}
            odds = self._odds(layer.recurrent_dropout, stream + 1)
            plan.add(
                "begin",
                dropout.mask_begin,
                plan.spec(dropout.MASK, units=layer.units, target=fields["mask"], **odds),
            )
        gradient, whole = self._gradient(width, layer.return_sequences)
        if gradient is not None:
            fields |= {"d_output": gradient, "whole_d_output": whole} | self._errors(cell)
        spec = plan.spec(recurrence.RECURRENT, **(self._signals() | {"sequences": True} | fields))
        final = 0 if cell.reads_backwards else plan.steps
        tapes = [fields["h"], fields["cell"]] if layer.state_arrays == 2 else [fields["h"]]
        self.states.append(State(tapes, layer.units, spec, final))
        plan.add("begin", recurrence.recurrent_begin, spec)
        if plan.capacity < plan.steps:
            plan.add("keep", recurrence.recurrent_keep, spec)
            plan.add("recall", recurrence.recurrent_recall, spec)
        if self.first:
            plan.add("pack", kernels.pack, spec)
        plan.add("forward", kernels.forward, spec)
        self.back.append(
            Back(
                spec, kernels.backward, kernels.gradients, recurrence.recurrent_begin_pass, cell.reads_backwards,
                not layer.return_sequences,
            )
        )  # fmt: skip
        last = 0 if cell.reads_backwards else plan.steps
        first = (0 if cell.reads_backwards else 1) if layer.return_sequences else last
        return Signal(
            fields["h"], layer.units, width, first, not cell.reads_backwards, layer.return_sequences, gradient, whole
        )

    def _weights_of(self, cell: Cell) -> dict[str, Any]:
        """Fields for a cell's weights, their gradients and their packed forms."""
        layer, prefix, inputs = cell.layer, cell.prefix, self.signal.size
        units, columns = layer.units, layer.gates * layer.units
        fields: dict[str, Any] = {}
        for name, weight in self.weights.items():
            if name.startswith(prefix):
                fields[name.removeprefix(prefix)] = weight
        for name, gradient in self.views.items():
            if name.startswith(prefix):
                fields[f"d_{name.removeprefix(prefix)}"] = gradient
        across = self.padded(columns) if layer.kind != "gru" else self.padded(2 * units) + self.padded(units)
        sizes = {
            "packed_recurrent": units * across,
            "packed_bias": self.padded(columns),
            "packed_recurrent_bias": self.padded(units),
        }
        if self._joins(layer, fields):
            sizes["packed_joined"] = (inputs + units) * self.padded(columns)
            del sizes["packed_recurrent"]
        elif self.ids is None:
            sizes["packed_kernel"] = inputs * self.padded(columns)
        if self.ids is None and self.signal.gradient is not None:
            sizes["packed_kernel_back"] = columns * self.padded(inputs)
        if self.trains:
            sizes["packed_recurrent_back"] = columns * self.padded(units)
        for name, size in sizes.items():
            fields[name] = self._pack(prefix + name, size)[prefix + name]
        return fields

    def _joins(self, layer: Unidirectional, weights: dict[str, Any]) -> bool:
        """Whether one product a step takes input and state together: where both are short and the rows several.

        This must not depend on the threads.
        """
        below = address(weights["kernel"]) + weights["kernel"].nbytes == address(weights["recurrent_kernel"])
        return (
            self.ids is None and layer.kind != "gru" and below and self.rows >= ROW_UNIT
            and self.signal.size + layer.units <= recurrence.JOINED_TERMS
            and not outgrows_cache(layer, self.plan.network.dtype)
        )  # fmt: skip

    def _tapes(self, cell: Cell) -> dict[str, Any]:
        """Buffers for a cell's states and gates."""
        plan, layer, rows = self.plan, cell.layer, self.rows
        width = self.padded(layer.units)
        h = self.zeros((plan.capacity + 1) * rows * width)
        stored = plan.segments * rows * width if plan.capacity < plan.steps else 0
        fields: dict[str, Any] = {"h": h, "stored": self.zeros(stored)}
        if layer.gates == 1:
            return fields | {"z": h, "z_stride": width, "z_first": 0 if cell.reads_backwards else 1}
        stride = self._gate_stride(layer.units)
        kept = plan.capacity * rows if self.trains else max(recurrence.STEP_ROWS, rows)
        fields |= {"z": self.zeros(kept * stride), "z_stride": stride}
        if layer.state_arrays == 2:
            fields["cell"] = self.zeros((plan.capacity + 1 if self.trains else 1) * rows * width)
            fields["stored_cell"] = self.zeros(stored)
        return fields

    def _gate_stride(self, units: int) -> int:
        """Return the distance between rows of gates: four blocks of ``units``, the last padded to whole vectors."""
        return self.padded(3 * units + self.padded(units))

    def _errors(self, cell: Cell) -> dict[str, Any]:
        """Buffers for what flows back through a cell."""
        plan, layer, rows = self.plan, cell.layer, self.rows
        width = self.padded(layer.units)
        stride = width if layer.gates == 1 else self._gate_stride(layer.units)
        fields: dict[str, Any] = {
            "carry": self.zeros(2 * rows * width), "d_z": self.zeros(plan.window * rows * stride), "d_stride": stride,
        }  # fmt: skip
        if layer.state_arrays == 2:
            fields["carry_cell"] = self.zeros(rows * width)
        if layer.kind == "gru":
            fields["pulled"] = self.zeros(rows * width)
        if plan.training is not None and plan.training.wants_initial:
            wanted = [self.zeros(rows * width) for _ in range(layer.state_arrays)]
            self.initial_gradients.append(wanted)
            fields |= {"wants_d_initial": 1} | dict(zip(("d_initial", "d_initial_cell"), wanted, strict=False))
        return fields
