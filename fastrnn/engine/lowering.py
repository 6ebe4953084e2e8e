"""Lowering: for every layer its buffers and its operations, linked to those of the layers beneath and above.

Legend: ``B`` rows, ``T`` steps, or those of a segment where only a segment's states are kept.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastrnn.engine.cells import CELLS, CellBuffers, State
from fastrnn.ground.memory import Workspace
from fastrnn.kernels.layers import dense, dropout, embedding, merging, probabilities
from fastrnn.kernels.layers.signals import EVERY, WHOLE, WINDOW
from fastrnn.kernels.machine.activations import ACTIVATIONS
from fastrnn.kernels.machine.operation import Operation
from fastrnn.kernels.machine.vector import LANES_OF
from fastrnn.kernels.products.product import gram, joined_product, pack, padded, product
from fastrnn.kernels.products.row import row_product
from fastrnn.kernels.recurrent import recurrence
from fastrnn.kernels.recurrent import states as recurrent_states
from fastrnn.kernels.recurrent.buffers import RECURRENT
from fastrnn.layers import (
    Bidirectional,
    Cell,
    Dense,
    Dropout,
    Embedding,
    Layer,
    OneHot,
    Recurrent,
)

if TYPE_CHECKING:
    from fastrnn.engine.plan import Plan

Array = NDArray[Any]


class Signal(NamedTuple):
    """What one layer hands to the next; see :mod:`fastrnn.kernels.layers.signals`."""

    buffer: Array
    size: int
    stride: int
    first: int
    moves: bool
    sequences: bool
    padding_first: bool
    gradient: Array | None
    whole: int


class Back(NamedTuple):
    """How a layer goes back: before a pass, through each window, and its weight gradients."""

    spec: Array
    backward: Operation | None
    gradients: Operation | None
    begin: Operation | None = None
    pads_last: bool = True
    last_only: bool = False


def dropout_key(seed: int, stream: int) -> tuple[int, int]:
    """Return the two words that dropout's masks are drawn by: of a seed, all bits of it, and a use in the model."""
    if seed < 2**32:
        return seed, stream
    first, second = map(int, np.random.SeedSequence(seed).generate_state(2))
    return first, second ^ stream


class Lowering:
    """Adds the operations of one shard's layers to a plan; the packed weights are all shards' together.

    Attributes
    ----------
    output : the model's output
    states : the states of the recurrent cells, from the bottom up
    activation : the operation that makes the outputs of what waits for the losses, and its record, or None
    input_gradient : (T, B, padded inputs), or None
    initial_gradients : for each cell (B, padded units) arrays, one or two, if wanted
    merges : the records that are told whether rows have lengths, beside those of the states
    """

    def __init__(
        self, plan: Plan, rows: int, workspace: Workspace, inputs: Array, lengths: Array, gradients: Array
    ) -> None:
        self.plan: Plan = weakref.proxy(plan)
        self.rows, self.workspace, self.lengths = rows, workspace, lengths
        self.lanes = LANES_OF[plan.network.dtype]
        network, training = plan.network, plan.training
        self.trains = training is not None
        self.drops = training is not None and training.dropout_seed is not None
        self.joint = not network.reads_backwards
        self.first = not plan.packed
        self.states: list[State] = []
        self.activation: tuple[Operation, Array] | None = None
        self.initial_gradients: list[list[Array]] = []
        self.back: list[Back] = []
        self.merges: list[Array] = []
        self.ids: Array | None = inputs if network.takes_ids else None
        self.input_gradient: Array | None = None
        if training is not None and training.wants_inputs:
            self.input_gradient = plan.zeros(plan.steps * rows * self.padded(network.input_size))
        size = network.input_size
        self.signal = Signal(inputs, size, size, 0, False, True, False, self.input_gradient, EVERY)
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

    def _gradient(self, stride: int, sequences: bool, *, is_added_to: bool = True) -> tuple[Array | None, int]:
        """Return the buffer for the gradient of a layer's output, and what steps it holds."""
        if not self.trains:
            return None, WHOLE
        whole = WHOLE if not self.joint or self.is_last or not sequences else WINDOW
        steps = 1 if not sequences else self.plan.capacity if whole else self.plan.window
        buffer = self.empty(steps * self.rows * stride)
        if whole and sequences and is_added_to and not self.is_last:
            self.plan.add_clearing(buffer)
        return buffer, whole

    # ------------------------------------------------------------------------------------------ records

    def padded(self, columns: int) -> int:
        """Return ``columns`` rounded up to whole vectors."""
        return padded(columns, self.lanes)

    def empty(self, count: int) -> Array:
        """Return a buffer of ``count`` numbers that only this shard, or the thread that has it, uses."""
        return self.workspace.empty(count, self.plan.network.dtype)

    def pack(self, name: str, count: int) -> Array:
        """Return the buffer for a packed weight, all shards' together."""
        if name not in self.packed:
            self.packed[name] = self.plan.zeros(count) if name.endswith("bias") else self.plan.empty(count)
        return self.packed[name]

    def _signals(self) -> dict[str, Any]:
        """Fields that the records of all layers have: where they read."""
        plan, signal = self.plan, self.signal
        fields: dict[str, Any] = {
            "steps": plan.steps, "sequences": signal.sequences, "is_top": self.is_top, "trains": self.trains,
            "pack": pack, "product": product, "row_product": row_product, "joined_product": joined_product,
            "nothing": plan.nothing, "input_size": signal.size,
            "input": signal.buffer, "input_stride": signal.stride, "input_first": signal.first,
            "input_moves": signal.moves,
        }  # fmt: skip
        if self.trains:
            fields["gram"] = gram
        if signal.gradient is not None:
            fields |= {"wants_d_input": 1, "d_input": signal.gradient, "whole_d_input": signal.whole}
        return fields

    def _local(self, size: int, needed: bool = True) -> tuple[dict[str, Any], Signal]:
        """Return the fields of a layer that treats every step alike, and the signal that it hands on."""
        stride, sequences = self.padded(size), self.signal.sequences
        output = self.empty((self.plan.capacity if sequences else 1) * self.rows * stride)
        gradient, whole = self._gradient(stride, sequences) if needed else (None, WHOLE)
        fields = self._signals() | {"output": output, "whole_d_output": whole}
        if gradient is not None:
            fields["d_output"] = gradient
        return fields, Signal(output, size, stride, 0, False, sequences, self.signal.padding_first, gradient, whole)

    # ------------------------------------------------------------------------------------------ layers

    def _dense(self, layer: Dense) -> None:
        plan, units, inputs = self.plan, layer.units, self.signal.size
        fields, output = self._local(units)
        fields |= {"units": units, "use_bias": layer.use_bias}
        fields |= self.weights | {f"d_{name}": gradient for name, gradient in self.views.items()}
        sizes = {"packed_kernel": inputs * self.padded(units), "packed_bias": self.padded(units)}
        if self.signal.gradient is not None:
            sizes["packed_kernel_back"] = units * self.padded(inputs)
        fields |= {name: self.pack(name, size) for name, size in sizes.items()}
        linear = plan.spec(dense.DENSE, **fields, activation=ACTIVATIONS["linear"])
        is_softmax, waits = layer.activation == "softmax", self.is_last and plan.columns.waits
        spec = linear if is_softmax else plan.spec(dense.DENSE, **fields, activation=ACTIVATIONS[layer.activation])
        if self.first:
            plan.add("pack", dense.dense_pack, spec)
        plan.add("forward", dense.dense_forward, linear if waits else spec)
        if waits:
            self.activation = (probabilities.softmax_forward if is_softmax else probabilities.sigmoid_forward, spec)
        elif is_softmax:
            plan.add("forward", probabilities.softmax_forward, spec)
        is_fused = waits and plan.columns.is_fused
        self.back.append(Back(linear if is_fused else spec, dense.dense_backward, dense.dense_gradients))
        if is_softmax and not is_fused:
            self.back.append(Back(spec, probabilities.softmax_backward, None))
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
        seed, stream = dropout_key(training.dropout_seed, stream)
        return {"seed": seed, "stream": stream, "threshold": int(rate * 2**32), "scale": 1.0 / (1.0 - rate)}

    # ------------------------------------------------------------------------------------------ recurrent layers

    def _recurrent(self, layer: Recurrent, stream: int) -> None:
        below, is_last = self.signal, self.is_last
        mode = layer.merge_mode if isinstance(layer, Bidirectional) else None
        self.is_last = is_last and mode is None and not layer.turns
        outputs = []
        for place, cell in enumerate(layer.cells):
            self.signal = below
            outputs.append(self._cell(cell, stream + 2 * place, is_added_to=mode is None and not layer.turns))
        self.ids = None
        self.signal, self.is_last = outputs[0], is_last
        if mode is not None:
            self._merge(mode, outputs[1])
        elif layer.turns:
            self._turn()

    def _merge(self, mode: str, backward: Signal) -> None:
        units = self.signal.size
        fields, output = self._local(2 * units if mode == "concat" else units)
        fields |= {
            "units": units, "mode": merging.MODES[mode], "backward": backward.buffer, "backward_first": backward.first,
        }  # fmt: skip
        if backward.gradient is not None:
            fields["d_backward"] = backward.gradient
        spec = self.plan.spec(merging.MERGE, **fields, **self._padding())
        self.merges.append(spec)
        self.plan.add("forward", merging.merge_forward, spec)
        self.back.append(Back(spec, merging.merge_backward, None))
        self.signal = output

    def _turn(self) -> None:
        fields, output = self._local(self.signal.size)
        spec = self.plan.spec(merging.TURN, **fields, units=self.signal.size, **self._padding())
        self.merges.append(spec)
        self.plan.add("forward", merging.turn_forward, spec)
        self.back.append(Back(spec, merging.turn_backward, None))
        self.signal = output._replace(padding_first=not output.padding_first)

    def _padding(self) -> dict[str, Any]:
        """Fields that tell what is padding where the current signal is read."""
        return {"lengths": self.lengths, "padding_first": self.signal.padding_first}

    def _cell(self, cell: Cell, stream: int, is_added_to: bool) -> Signal:
        """Add a recurrent direction and return its output, whose gradient the layer above adds to or writes whole."""
        plan, layer, width, below = self.plan, cell.layer, self.padded(cell.layer.units), self.signal
        fields: dict[str, Any] = {}
        if self.ids is not None:
            fields["ids"] = self.ids
            if self.drops and layer.dropout:
                fields["id_scale"] = self.empty(plan.capacity * self.rows)
                self._mask("read", layer.dropout, stream, ids=self.ids, target=fields["id_scale"])
        else:
            self._drop_inputs(layer.dropout, stream)
        if self.drops and layer.recurrent_dropout:
            fields |= {"mask": self.empty(self.rows * width), "masked": self.empty(plan.capacity * self.rows * width)}
            self._mask("begin", layer.recurrent_dropout, stream + 1, units=layer.units, target=fields["mask"])
        gradient, whole = self._gradient(width, layer.return_sequences, is_added_to=is_added_to)
        buffers = CellBuffers(self, cell)
        fields |= buffers.weights() | buffers.tapes()
        if gradient is not None:
            fields |= {"d_output": gradient, "whole_d_output": whole} | buffers.errors()
        kernels, final = CELLS[layer.kind], buffers.final_place
        spec = plan.spec(RECURRENT, **(self._signals() | buffers.settings() | self._padding() | fields))
        tapes = [fields["h"], fields["cell"]] if layer.state_arrays == 2 else [fields["h"]]
        self.states.append(State(tapes, layer.units, spec, final))
        plan.add("begin", recurrent_states.recurrent_begin, spec)
        if plan.capacity < plan.steps:
            plan.add("keep", recurrent_states.recurrent_keep, spec)
            plan.add("recall", recurrent_states.recurrent_recall, spec)
        if self.first:
            plan.add("pack", kernels.pack, spec)
        plan.add("forward", kernels.forward, spec)
        ways = (kernels.backward, kernels.gradients, recurrence.recurrent_begin_pass)
        pads_last = cell.reads_backwards == below.padding_first
        self.back.append(Back(spec, *ways, pads_last, last_only=not layer.return_sequences))
        first = buffers.first_output if layer.return_sequences else final
        return Signal(
            fields["h"], layer.units, width, first, not cell.reads_backwards, layer.return_sequences,
            below.padding_first, gradient, whole,
        )  # fmt: skip

    def _drop_inputs(self, rate: float, stream: int) -> None:
        """Drop a cell's inputs, the same at every step."""
        is_top, is_last = self.is_top, self.is_last
        self.is_top, self.is_last = not self.joint, False
        self._dropout(rate, stream, one_mask=True)
        self.is_top, self.is_last = is_top, is_last

    def _mask(self, phase: str, rate: float, stream: int, **fields: Any) -> None:
        """Add the drawing of a mask."""
        spec = self.plan.spec(dropout.MASK, **fields, **self._odds(rate, stream))
        self.plan.add(phase, dropout.mask_begin, spec)
