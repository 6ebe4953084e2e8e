"""Lowering: for every layer its buffers and its operations, linked to those of the layers beneath and above.

One function a kind of layer, in a table: it takes the layer, what it reads, where it stands and the shard that it
belongs to, and returns what it hands on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from numpy.typing import NDArray

from fastrnn.engine.columns import Columns
from fastrnn.engine.dropping import drop
from fastrnn.engine.network import Network
from fastrnn.engine.program import Back, Program
from fastrnn.engine.recurrent import lower_bidirectional, lower_unidirectional
from fastrnn.engine.routines import activate_of, needs_input, slope_of
from fastrnn.engine.shard import Shard, State, Where
from fastrnn.engine.signal import Signal, Waiting
from fastrnn.ground.memory import Workspace
from fastrnn.layers import Bidirectional, Dense, Dropout, Embedding, Layer, OneHot, Stateful, Unidirectional
from fastrnn.operations import dense, embedding
from fastrnn.operations.signals import EVERY

Array = NDArray[Any]


class Memory(NamedTuple):
    """A shard's memory: its workspace, and in it the inputs (T, B, I) or ids (T, B) and lengths (B); its gradients."""

    workspace: Workspace
    inputs: Array
    lengths: Array
    gradients: Array


class Lowered(NamedTuple):
    """What a shard's layers come to; as the attributes of `fastrnn.engine.shard.Shard`.

    ``output`` is the model's, ``input_gradient`` (T, B, padded inputs) or None.
    """

    output: Signal
    states: list[State]
    merges: list[Array]
    waiting: Waiting | None
    input_gradient: Array | None
    initial_gradients: list[list[Array]]


def lower_network(network: Network, program: Program, memory: Memory, columns: Columns) -> Lowered:
    """Add the operations of all layers of a shard to a program."""
    training = program.training
    shard = Shard(program, memory.workspace, memory.lengths, joint=not network.reads_backwards)
    input_gradient = None
    size = network.input_size
    if training is not None and training.wants_inputs:
        input_gradient = program.zeros(program.steps * shard.rows * shard.padded(size))
    signal = Signal(memory.inputs, size, size, 0, False, True, False, input_gradient, EVERY, network.takes_ids)
    gradients = network.views(memory.gradients) if shard.trains else [{} for _ in network.layers]
    top = max(i for i, layer in enumerate(network.layers) if isinstance(layer, Stateful))
    last = max(i for i, layer in enumerate(network.layers) if not _is_skipped(layer, shard))
    if shard.is_first:
        program.packed.extend({} for _ in network.layers)
    for i, layer in enumerate(network.layers):
        where = Where(
            4 * i, not shard.joint or i >= top, i == last, network.weights[i], gradients[i], program.packed[i]
        )
        if isinstance(layer, Dense):
            signal = lower_dense(layer, signal, where, shard, columns)
        else:
            signal = next(lower for kind, lower in LOWER.items() if isinstance(layer, kind))(
                layer, signal, where, shard
            )
    if shard.trains:
        _add_stages(network, shard)
    return Lowered(signal, shard.states, shard.merges, shard.waiting, input_gradient, shard.initial_gradients)


def _is_skipped(layer: Layer, shard: Shard) -> bool:
    """Whether a layer does nothing here: dropout where nothing is dropped."""
    return isinstance(layer, Dropout) and not (shard.drops and layer.rate)


def _add_stages(network: Network, shard: Shard) -> None:
    """Add the way back: all layers together, or one by one if one of them reads backwards."""
    program = shard.program
    if shard.joint:
        last_only = not network.every_step
        program.add_stage(shard.back[::-1], truncates=True, last_only=last_only, window=program.window)
        return
    for back in reversed(shard.back):
        window = program.window if back.begin else program.steps
        program.add_stage([back], truncates=back.begin is not None, last_only=back.last_only, window=window)


# ---------------------------------------------------------------------------------------------- layers


def lower_dense(layer: Dense, below: Signal, where: Where, shard: Shard, columns: Columns) -> Signal:
    """Add a dense layer; where it is the last, its activation may wait for the losses."""
    program, units, inputs = shard.program, layer.units, below.size
    fields, output = shard.local(below, where, units)
    fields |= {"units": units, "use_bias": layer.use_bias}
    fields |= where.weights | {f"d_{name}": gradient for name, gradient in where.gradients.items()}
    sizes = {"packed_kernel": inputs * shard.padded(units), "packed_bias": shard.padded(units)}
    if below.gradient is not None:
        sizes["packed_kernel_back"] = units * shard.padded(inputs)
    fields |= {name: shard.pack(where, name, size) for name, size in sizes.items()}
    is_softmax, waits = layer.activation == "softmax", where.is_last and columns.waits
    linear = program.spec(dense.DENSE, **fields)
    spec = linear
    if not is_softmax and layer.activation != "linear":
        fields |= {"activate": activate_of(layer.activation), "slope": slope_of(layer.activation)}
        if needs_input(layer.activation) and shard.trains:
            fields["pre"] = shard.tape(output.stride) if output.sequences else shard.empty(len(output.buffer))
        spec = program.spec(dense.DENSE, **fields)
    if shard.is_first:
        program.add("pack", dense.dense_pack, spec)
    program.add("forward", dense.dense_forward, linear if waits else spec)
    if waits:
        shard.waiting = (dense.softmax_forward if is_softmax else dense.sigmoid_forward, spec)
    elif is_softmax:
        program.add("forward", dense.softmax_forward, spec)
    is_fused = waits and columns.is_fused
    shard.back.append(Back(linear if is_fused else spec, dense.dense_backward, dense.dense_gradients))
    if is_softmax and not is_fused:
        shard.back.append(Back(spec, dense.softmax_backward, None))
    return output


def lower_embedding(layer: Embedding, below: Signal, where: Where, shard: Shard) -> Signal:
    """Add an embedding."""
    fields, output = shard.local(below, where, layer.size)
    fields |= {"units": layer.size, "ids": below.buffer, **where.weights}
    fields |= {f"d_{name}": gradient for name, gradient in where.gradients.items()}
    spec = shard.program.spec(embedding.EMBEDDING, **fields)
    shard.program.add("forward", embedding.embedding_forward, spec)
    shard.back.append(Back(spec, None, embedding.embedding_gradients))
    return output


def lower_one_hot(layer: OneHot, below: Signal, where: Where, shard: Shard) -> Signal:
    """Hand the ids on: the layer above picks rows of its kernel."""
    return below


def lower_dropout(layer: Dropout, below: Signal, where: Where, shard: Shard) -> Signal:
    """Add dropout, other elements at every step."""
    return drop(below, where, shard, layer.rate, where.stream, one_mask=False)


LOWER: dict[type[Layer], Callable[..., Signal]] = {
    Unidirectional: lower_unidirectional,
    Bidirectional: lower_bidirectional,
    Embedding: lower_embedding,
    OneHot: lower_one_hot,
    Dropout: lower_dropout,
}
"""How a layer of each kind but Dense is lowered."""
