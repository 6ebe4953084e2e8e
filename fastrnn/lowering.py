"""Lowering: for every layer its buffers and its operations, linked to those of the layers beneath and above."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import NDArray

from fastrnn.kernels import dense, elman
from fastrnn.kernels.activations import ACTIVATIONS
from fastrnn.kernels.product import gram, padded, product
from fastrnn.kernels.vector import LANES_OF
from fastrnn.layers import Dense, SimpleRNN

if TYPE_CHECKING:
    from fastrnn.plan import Plan

Array = NDArray[Any]


class Output(NamedTuple):
    """Where a layer's output lies: ``buffer`` (steps, B, stride), from step ``first`` on."""

    buffer: Array
    stride: int
    first: int


class State(NamedTuple):
    """The state of a recurrent layer: its tape (T + 1, B, padded units) and its record."""

    tape: Array
    units: int
    spec: Array

    def start(self, carry: bool, initial: int, order: int, has_lengths: bool) -> None:
        """Tell where minibatches start and whether rows have lengths."""
        self.spec["start"] = elman.FROM_BEFORE if carry else elman.FROM_GIVEN if initial else elman.FROM_ZERO
        self.spec["initial"], self.spec["order"], self.spec["has_lengths"] = initial, order, has_lengths


class Lowering:
    """Adds the operations of one shard's layers to a plan; the packed weights are all shards' together.

    Attributes
    ----------
    output : where the model's output lies
    d_output : buffer for its gradient, or None
    states : the states of the recurrent layers, from the bottom up
    input_gradient : (T, B, padded inputs), or None
    initial_gradients : (B, padded units) for each recurrent layer, if wanted
    """

    def __init__(self, plan: Plan, rows: int, inputs: Array, lengths: Array, gradients: Array) -> None:
        self.plan, self.rows, self.lengths = plan, rows, lengths
        self.lanes = LANES_OF[plan.network.dtype]
        self.states: list[State] = []
        self.initial_gradients: list[Array] = []
        network, training = plan.network, plan.training
        self.trains = training is not None
        self.first = not plan.packed
        views = network.views(gradients) if self.trains else [{} for _ in network.layers]
        self.input_gradient = None
        if training is not None and training.wants_inputs:
            self.input_gradient = plan.zeros(plan.steps * rows * self.padded(network.input_size))
        self.output = Output(inputs, network.input_size, 0)
        self.d_output: Array | None = self.input_gradient
        back = []
        for i, layer in enumerate(network.layers):
            if self.first:
                plan.packed.append(self._packed(layer, network.input_sizes[i]))
            size, weights = network.input_sizes[i], network.weights[i] | plan.packed[i]
            if isinstance(layer, SimpleRNN):
                back.append(self._simple_rnn(layer, size, weights, views[i]))
            else:
                back.append(self._dense(layer, size, weights, views[i]))
        if self.trains:
            for backward, spec, _ in reversed(back):
                plan.add("back", backward, spec)
            plan.meet("back")
            for _, spec, gradient in back:
                plan.add("back", gradient, spec)
            plan.meet("back")

    def _packed(self, layer: Any, inputs: int) -> dict[str, Array]:
        """Make the buffers for a layer's weights as the products read them."""
        plan, units = self.plan, layer.units
        packed = {
            "packed_kernel": plan.zeros(inputs * self.padded(units)),
            "packed_bias": plan.zeros(self.padded(units)),
        }
        if self.d_output is not None:
            packed["packed_kernel_back"] = plan.zeros(units * self.padded(inputs))
        if isinstance(layer, SimpleRNN):
            packed["packed_recurrent"] = plan.zeros(units * self.padded(units))
            if self.trains:
                packed["packed_recurrent_back"] = plan.zeros(units * self.padded(units))
        return packed

    def padded(self, columns: int) -> int:
        """Return ``columns`` rounded up to whole vectors."""
        return padded(columns, self.lanes)

    def _common(
        self, layer: Any, inputs: int, weights: dict[str, Array], gradients: dict[str, Array]
    ) -> dict[str, Any]:
        """Fields that the records of all layers have."""
        plan, units = self.plan, layer.units
        common: dict[str, Any] = {
            "inputs": inputs, "units": units, "steps": plan.steps, "activation": ACTIVATIONS[layer.activation],
            "use_bias": layer.use_bias, "trains": self.trains, "wants_d_input": self.d_output is not None,
            "product": product.address(plan.network.dtype), "nothing": plan.nothing,
            "input": self.output.buffer, "input_stride": self.output.stride, "input_first": self.output.first,
        }  # fmt: skip
        common |= weights | {f"d_{name}": gradient for name, gradient in gradients.items()}
        if self.trains:
            common["gram"] = gram.address(plan.network.dtype)
        if self.d_output is not None:
            common["d_input"] = self.d_output
        return common

    def _simple_rnn(self, layer: SimpleRNN, inputs: int, weights: dict[str, Array], gradients: dict[str, Array]) -> Any:
        plan, units = self.plan, layer.units
        width = self.padded(units)
        tape = plan.zeros((plan.steps + 1) * self.rows * width)
        fields = self._common(layer, inputs, weights, gradients) | {
            "return_sequences": layer.return_sequences, "h": tape, "lengths": self.lengths,
            "whole_d_input": not self.states,
            "is_top": len(self.states) + 1 == plan.network.recurrent_layers,
        }  # fmt: skip
        d_output = None
        if plan.training is not None:
            is_last = layer is plan.network.layers[-1]
            kept = 1 if not layer.return_sequences else plan.steps if is_last else plan.window
            d_output = plan.zeros(kept * self.rows * width)
            fields |= {
                "d_output": d_output, "whole_d_output": is_last, "carry": plan.zeros(2 * self.rows * width),
                "d_pre": plan.zeros(plan.window * self.rows * width),
            }  # fmt: skip
            if plan.training.wants_initial:
                self.initial_gradients.append(plan.zeros(self.rows * width))
                fields |= {"wants_d_initial": 1, "d_initial": self.initial_gradients[-1]}
        spec = plan.spec(elman.ELMAN, **fields)
        self.states.append(State(tape, units, spec))
        plan.add("gather", elman.elman_begin, spec)
        if self.first:
            plan.add("pack", elman.elman_pack, spec)
        plan.add("forward", elman.elman_forward, spec)
        if self.trains:
            plan.add("begin_pass", elman.elman_begin_pass, spec)
        self.output = Output(tape, width, 1 if layer.return_sequences else plan.steps)
        self.d_output = d_output
        return elman.elman_backward, spec, elman.elman_gradients

    def _dense(self, layer: Dense, inputs: int, weights: dict[str, Array], gradients: dict[str, Array]) -> Any:
        plan, width = self.plan, self.padded(layer.units)
        every_step = plan.network.every_step
        count = (plan.steps if every_step else 1) * self.rows * width
        output = plan.zeros(count)
        d_output = plan.zeros(count) if self.trains else None
        above_recurrent = self.output.buffer is self.states[-1].tape
        fields = self._common(layer, inputs, weights, gradients) | {
            "every_step": every_step, "windowed_d_input": above_recurrent, "output": output,
        }  # fmt: skip
        if d_output is not None:
            fields["d_output"] = d_output
        spec = plan.spec(dense.DENSE, **fields)
        if self.first:
            plan.add("pack", dense.dense_pack, spec)
        plan.add("forward", dense.dense_forward, spec)
        self.output = Output(output, width, 0)
        self.d_output = d_output
        return dense.dense_backward, spec, dense.dense_gradients
