"""A recurrent cell's operations, and the buffers that its record points to.

Legend: ``B`` rows, ``T`` steps, or those of a segment where only a segment's states are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from fastrnn.engine.threads import outgrows_cache
from fastrnn.ground.memory import address
from fastrnn.kernels.machine.activations import ACTIVATIONS
from fastrnn.kernels.machine.operation import Operation
from fastrnn.kernels.products.product import ROW_UNIT
from fastrnn.kernels.recurrent import elman, gru, lstm, recurrence
from fastrnn.kernels.recurrent import products as recurrent_products
from fastrnn.kernels.recurrent import states as recurrent_states
from fastrnn.kernels.recurrent.gradients import recurrent_gradients
from fastrnn.layers import Cell

if TYPE_CHECKING:
    from fastrnn.engine.lowering import Lowering

Array = NDArray[Any]


class Kernels(NamedTuple):
    """The operations of a recurrent cell."""

    pack: Operation
    forward: Operation
    backward: Operation
    gradients: Operation


_pack = recurrent_products.recurrent_pack
CELLS = {
    "simple_rnn": Kernels(_pack, elman.elman_forward, elman.elman_backward, recurrent_gradients),
    "lstm": Kernels(_pack, lstm.lstm_forward, lstm.lstm_backward, recurrent_gradients),
    "gru": Kernels(gru.gru_pack, gru.gru_forward, gru.gru_backward, gru.gru_gradients),
}


class State(NamedTuple):
    """The state of a recurrent cell: its tapes (h, or h and c), its record, and where the final state lies on them."""

    tapes: list[Array]
    units: int
    spec: Array
    final: int

    def start(self, carry: bool, initial: Sequence[int], order: int, has_lengths: bool) -> None:
        """Tell where minibatches start and whether rows have lengths."""
        spec = self.spec
        before, given, zero = recurrent_states.FROM_BEFORE, recurrent_states.FROM_GIVEN, recurrent_states.FROM_ZERO
        spec["start"] = before if carry else given if initial else zero
        for field, place in zip(("initial", "initial_cell"), initial, strict=False):
            spec[field] = place
        spec["order"], spec["has_lengths"] = order, has_lengths


class CellBuffers:
    """The fields of a cell's record, in parts; the cell reads the signal that the lowering has reached.

    Attributes
    ----------
    final_place, first_output : places on the tapes of the final state, and of the output of step 0
    """

    def __init__(self, lowering: Lowering, cell: Cell) -> None:
        self._lowering, self._plan, self._cell, self._layer = lowering, lowering.plan, cell, cell.layer
        self._width = lowering.padded(cell.layer.units)
        self._is_simple = cell.layer.gates == 1
        self.final_place = 0 if cell.reads_backwards else self._plan.steps
        self.first_output = 0 if cell.reads_backwards else 1

    def settings(self) -> dict[str, Any]:
        """Fields that say what the layer is."""
        layer, plan, backwards = self._layer, self._plan, self._cell.reads_backwards
        return {
            "units": layer.units, "gates": layer.gates, "activation": ACTIVATIONS[layer.activation],
            "recurrent_activation": ACTIVATIONS[getattr(layer, "recurrent_activation", "sigmoid")],
            "reset_after": getattr(layer, "reset_after", False), "use_bias": layer.use_bias, "sequences": True,
            "return_sequences": layer.return_sequences, "reads_backwards": backwards,
            "splits_units": plan.splits_units(layer), "keeps": self._lowering.trains or self._is_simple,
            "final_place": self.final_place, "segment": plan.capacity,
        }  # fmt: skip

    def weights(self) -> dict[str, Any]:
        """Fields for the weights, their gradients and their packed forms."""
        lowering, layer, prefix, inputs = self._lowering, self._layer, self._cell.prefix, self._lowering.signal.size
        padded, units, columns = lowering.padded, layer.units, layer.gates * layer.units
        fields: dict[str, Any] = {}
        for sign, arrays in (("", lowering.weights), ("d_", lowering.views)):
            own = {name: array for name, array in arrays.items() if name.startswith(prefix)}
            fields |= {sign + name.removeprefix(prefix): array for name, array in own.items()}
        across = padded(columns) if layer.kind != "gru" else padded(2 * units) + padded(units)
        sizes = {"packed_bias": padded(columns), "packed_recurrent_bias": padded(units)}
        if self._joins(fields["kernel"], fields["recurrent_kernel"]):
            sizes["packed_joined"] = (inputs + units) * padded(columns)
        else:
            sizes["packed_recurrent"] = units * across
            if lowering.ids is None:
                sizes["packed_kernel"] = inputs * padded(columns)
        if lowering.ids is None and lowering.signal.gradient is not None:
            sizes["packed_kernel_back"] = columns * padded(inputs)
        if lowering.trains:
            sizes["packed_recurrent_back"] = columns * padded(units)
        return fields | {name: lowering.pack(prefix + name, size) for name, size in sizes.items()}

    def _joins(self, kernel: Array, recurrent: Array) -> bool:
        """Whether one product a step takes input and state together: where both are short and the rows several.

        This must not depend on the threads.
        """
        lowering, layer = self._lowering, self._layer
        return (
            lowering.ids is None and layer.kind != "gru" and lowering.rows >= ROW_UNIT
            and address(kernel) + kernel.nbytes == address(recurrent)
            and lowering.signal.size + layer.units <= recurrent_products.JOINED_TERMS
            and not outgrows_cache(layer, self._plan.network.dtype)
        )  # fmt: skip

    def tapes(self) -> dict[str, Any]:
        """Buffers for states and gates."""
        lowering, plan, rows, width = self._lowering, self._plan, self._lowering.rows, self._width
        h = lowering.empty((plan.capacity + 1) * rows * width)
        stored = plan.segments * rows * width if plan.capacity < plan.steps else 0
        fields: dict[str, Any] = {"h": h, "stored": lowering.empty(stored)}
        if self._is_simple:
            return fields | {"z": h, "z_stride": width, "z_first": self.first_output}
        stride = self._gate_stride()
        kept = plan.capacity * rows if lowering.trains else max(recurrence.STEP_ROWS, rows)
        fields |= {"z": lowering.empty(kept * stride), "z_stride": stride}
        if self._layer.state_arrays == 2:
            fields["cell"] = lowering.empty((plan.capacity + 1 if lowering.trains else 1) * rows * width)
            fields["stored_cell"] = lowering.empty(stored)
        return fields

    def _gate_stride(self) -> int:
        """Return the distance between rows of gates: four blocks of units, the last padded to whole vectors."""
        return self._lowering.padded(3 * self._layer.units + self._width)

    def errors(self) -> dict[str, Any]:
        """Buffers for what flows back."""
        lowering, plan, layer, size = self._lowering, self._plan, self._layer, self._lowering.rows * self._width
        stride = self._width if self._is_simple else self._gate_stride()
        d_z = lowering.empty(plan.window * lowering.rows * stride)
        fields: dict[str, Any] = {"carry": lowering.empty(2 * size), "d_z": d_z, "d_stride": stride}
        if layer.state_arrays == 2:
            fields["carry_cell"] = lowering.empty(size)
        if layer.kind == "gru":
            fields["pulled"] = lowering.empty(size)
        if plan.training is not None and plan.training.wants_initial:
            wanted = [plan.zeros(size) for _ in range(layer.state_arrays)]
            lowering.initial_gradients.append(wanted)
            fields |= {"wants_d_initial": 1} | dict(zip(("d_initial", "d_initial_cell"), wanted, strict=False))
        return fields
