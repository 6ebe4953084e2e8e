"""Lowering of the recurrent layers: a cell's record with its buffers, and what joins or turns the outputs of cells.

Legend: ``B`` rows, ``T`` steps, or those of a segment where only a segment's states are kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.engine.dropping import add_mask, drop
from fastrnn.engine.program import Back
from fastrnn.engine.routines import cell_routines, cell_sources
from fastrnn.engine.shard import Shard, State, Where
from fastrnn.engine.signal import Signal
from fastrnn.engine.threads import has_halves, outgrows_cache, splits_units
from fastrnn.ground.memory import address
from fastrnn.layers import Bidirectional, Cell, Unidirectional
from fastrnn.operations import dropout, merging
from fastrnn.operations.products import ROW_UNIT, few_product, pack_few
from fastrnn.operations.recurrent import (
    JOINED_TERMS,
    RECURRENT,
    STEP_ROWS,
    halves_backward,
    halves_forward,
    halves_pack,
    recurrent_backward,
    recurrent_begin,
    recurrent_begin_pass,
    recurrent_forward,
    recurrent_gradients,
    recurrent_keep,
    recurrent_pack,
    recurrent_recall,
)

Array = NDArray[Any]
PASSED_APART = 1024
"""Numbers between buffers that two processors write, at least: a page, beyond which neither fetches ahead."""
ZONE_STREAMS = 2**24
"""What the numbers of zoneout's masks are apart from those of dropout's: more than four to a layer."""


def lower_unidirectional(layer: Unidirectional, below: Signal, where: Where, shard: Shard) -> Signal:
    """Add a layer of one direction; if it reads backwards, its outputs are put in the order it computed them."""
    (cell,) = layer.cells
    inside = where._replace(is_last=where.is_last and not layer.turns)
    output = lower_cell(cell, below, inside, shard, is_added_to=not layer.turns)
    if not layer.turns:
        return output
    fields, turned = shard.local(output, where, layer.units)
    spec = shard.program.spec(merging.TURN, **fields, units=layer.units, **shard.padding(output))
    shard.merges.append(spec)
    shard.program.add("forward", merging.turn_forward, spec)
    shard.back.append(Back(spec, merging.turn_backward, None))
    return turned._replace(padding_first=not turned.padding_first)


def lower_bidirectional(layer: Bidirectional, below: Signal, where: Where, shard: Shard) -> Signal:
    """Add both directions and what merges their outputs."""
    one, other = (
        lower_cell(
            cell, below, where._replace(is_last=False, stream=where.stream + 2 * place), shard, is_added_to=False
        )
        for place, cell in enumerate(layer.cells)
    )
    units = one.size
    fields, output = shard.local(one, where, layer.output_size)
    fields |= {
        "units": units, "mode": merging.MODES[layer.merge_mode], "backward": other.buffer,
        "backward_first": other.first,
    }  # fmt: skip
    if other.gradient is not None:
        fields["d_backward"] = other.gradient
    spec = shard.program.spec(merging.MERGE, **fields, **shard.padding(one))
    shard.merges.append(spec)
    shard.program.add("forward", merging.merge_forward, spec)
    shard.back.append(Back(spec, merging.merge_backward, None))
    return output


def lower_cell(cell: Cell, below: Signal, where: Where, shard: Shard, *, is_added_to: bool) -> Signal:
    """Add a recurrent direction and return its output, whose gradient the layer above adds to or writes whole."""
    program, layer, width = shard.program, cell.layer, shard.padded(cell.layer.units)
    source = below
    fields: dict[str, Any] = {}
    if below.ids:
        fields["ids"] = below.buffer
        if shard.drops and layer.dropout:
            fields["id_scale"] = shard.tape(1)
            add_mask(shard, "read", layer.dropout, where.stream, ids=below.buffer, target=fields["id_scale"])
    else:
        inside = where._replace(is_top=not shard.joint, is_last=False)
        source = drop(below, inside, shard, layer.dropout, where.stream, one_mask=True)
    if shard.drops and layer.recurrent_dropout:
        fields |= {
            "mask": shard.empty(shard.rows * width),
            "masked": shard.tape(width),
        }
        add_mask(
            shard, "begin", layer.recurrent_dropout, where.stream + 1, units=layer.units, target=fields["mask"]
        )  # fmt: skip
    gradient, whole = shard.gradient(where, width, layer.return_sequences, is_added_to=is_added_to)
    record = _Record(cell, source, where, shard)
    fields |= record.shape() | record.weights() | record.tapes() | record.zones()
    if gradient is not None:
        fields |= {"d_output": gradient, "whole_d_output": whole} | record.errors()
    spec = program.spec(RECURRENT, **shard.signals(source, where), **shard.padding(below), **fields)
    final = record.final_place
    shard.states.append(State(record.state_tapes(fields), layer.units, spec, final, fields["initial"]))
    program.add("begin", recurrent_begin, spec)
    if program.capacity < program.steps:
        program.add("keep", recurrent_keep, spec)
        program.add("recall", recurrent_recall, spec)
    if shard.is_first:
        program.add("pack", halves_pack if record.has_halves else recurrent_pack, spec)
    program.add("forward", halves_forward if record.has_halves else recurrent_forward, spec)
    backward = halves_backward if record.has_halves else recurrent_backward
    ways = (backward, recurrent_gradients, recurrent_begin_pass)
    pads_last = cell.reads_backwards == below.padding_first
    shard.back.append(Back(spec, *ways, pads_last, last_only=not layer.return_sequences))
    first = record.first_output if layer.return_sequences else final
    return Signal(
        fields["h"], layer.units, width, first, not cell.reads_backwards, layer.return_sequences,
        below.padding_first, gradient, whole,
    )  # fmt: skip


class _Record:
    """The fields of a cell's record, in parts.

    Attributes
    ----------
    final_place, first_output : places on the tapes of the final state, and of the output of step 0
    has_halves : whether the units go half by half
    """

    def __init__(self, cell: Cell, below: Signal, where: Where, shard: Shard) -> None:
        self._cell, self._layer, self._below, self._where, self._shard = cell, cell.layer, below, where, shard
        self._equation = self._layer.equation
        self._width = shard.padded(self._layer.units)
        self._code = (
            self._equation,
            self._layer.activation,
            getattr(self._layer, "recurrent_activation", "sigmoid"),
            (bool(self._layer.zoneout),) * len(self._equation.states),
        )
        self._sources = cell_sources(*self._code)
        self._keeps = shard.trains or self._sources.aliases
        self.has_halves = has_halves(self._layer, shard.program.dtype, shard.program.rows)
        self.final_place = 0 if cell.reads_backwards else shard.program.steps
        self.first_output = 0 if cell.reads_backwards else 1

    def shape(self) -> dict[str, Any]:
        """Fields that say what the layer is, and its code."""
        layer, program, cell, found = self._layer, self._shard.program, self._equation, self._sources
        routines = cell_routines(*self._code)
        needed = [name for name in found.functions if self._shard.trains or name.endswith("forward")]
        return {
            "units": layer.units, "gates": len(cell.gates), "inputs": len(cell.inputs), "late": len(cell.late),
            "recurrents": len(cell.recurrents), "vectors": len(cell.vectors), "others": len(cell.states) - 1,
            "use_bias": layer.use_bias, "return_sequences": layer.return_sequences,
            "reads_backwards": self._cell.reads_backwards,
            "splits_units": program.shape.splits
            and (self.has_halves or splits_units(layer, program.dtype, program.threads, program.rows)),
            "single": program.rows == 1, "halves": self.has_halves, "keeps": self._keeps,
            "fused": found.fused, "direct": found.direct,
            "final_place": self.final_place, "segment": program.capacity,
        } | {name: routines[name] for name in needed} | self._halving()  # fmt: skip

    def _halving(self) -> dict[str, Any]:
        """Code that units need that go half by half."""
        return {"pack_few": pack_few, "few_product": few_product} if self.has_halves else {}

    def weights(self) -> dict[str, Any]:
        """Fields for the weights, their gradients and their packed forms."""
        shard, where, layer, cell, inputs = self._shard, self._where, self._layer, self._equation, self._below.size
        prefix, padded, units = self._cell.prefix, shard.padded, layer.units
        columns, gates = layer.gates * units, len(cell.gates) * units
        fields: dict[str, Any] = {}
        for sign, arrays in (("", where.weights), ("d_", where.gradients)):
            own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            if cell.vectors and own:
                fields[sign + "vector"] = shard.addresses([own[name] for name in cell.vectors])
            fields |= {sign + name: array for name, array in own.items() if name not in cell.vectors}
        sizes = {"packed_bias": padded(columns)}
        if cell.recurrents:
            sizes["packed_recurrent_bias"] = padded(len(cell.recurrents) * units)
        if cell.vectors:
            sizes["packed_vector"] = len(cell.vectors) * self._width
        across = padded(gates) + padded(len(cell.recurrents) * units) + padded(len(cell.late) * units)
        if self._joins(fields):
            sizes["packed_joined"] = (inputs + units) * padded(columns)
        else:
            if cell.recurrent_gates:
                sizes["packed_recurrent"] = units * across
            if not self._below.ids:
                sizes["packed_kernel"] = inputs * padded(columns)
        if not self._below.ids and self._below.gradient is not None:
            sizes["packed_kernel_back"] = columns * padded(inputs)
        if shard.trains and cell.recurrent_gates:
            sizes["packed_recurrent_back"] = layer.recurrent_gates * units * padded(units)
        return fields | {name: shard.pack(where, prefix + name, size) for name, size in sizes.items()}

    def _joins(self, fields: dict[str, Any]) -> bool:
        """Whether one product a step takes input and state together: where both are short and the rows several.

        This must not depend on the threads.
        """
        shard, layer, cell = self._shard, self._layer, self._equation
        if self._below.ids or cell.input_gates != cell.gates or cell.recurrents or shard.rows < ROW_UNIT:
            return False
        if self.has_halves:
            return False
        kernel, recurrent = fields["kernel"], fields["recurrent_kernel"]
        return (
            address(kernel) + kernel.nbytes == address(recurrent)
            and self._below.size + layer.units <= JOINED_TERMS
            and not outgrows_cache(layer, shard.program.dtype)
        )

    def tapes(self) -> dict[str, Any]:
        """Buffers for states and gates."""
        shard, program, cell, width = self._shard, self._shard.program, self._equation, self._width
        rows, others, units = shard.rows, len(cell.states) - 1, self._layer.units
        h = shard.tape(width, further=1)
        stored = program.segments * rows * width if program.capacity < program.steps else 0
        fields: dict[str, Any] = {
            "h": h, "stored": shard.empty(stored), "initial": np.zeros(1 + others, np.int64)
        }  # fmt: skip
        if self._sources.aliases:
            fields |= {"z": h, "z_stride": width, "z_first": self.first_output, "z_apart": 1}
        else:
            blocks = len(cell.input_gates) + len(cell.recurrents) + len(cell.late)
            stride = shard.padded((blocks - 1) * units + width)
            z_rows = program.capacity * rows if shard.trains else max(STEP_ROWS, rows)
            z = shard.empty(z_rows * stride)
            if self.has_halves:
                first = shard.lanes * (units // shard.lanes // 2)
                parts = np.split(z, [z_rows * blocks * first])
                program.tapes += zip(parts, (rows * blocks * first, rows * blocks * (units - first)), strict=True)
            else:
                program.tapes.append((z, rows * stride))
            fields |= {"z": z, "z_stride": stride, "z_apart": z_rows * blocks}
        if others:
            size = (program.capacity + 1 if self._keeps else 1) * rows * width
            copies = 2 if self.has_halves else 1
            other = shard.empty(copies * others * size)
            if self._keeps:
                program.tapes += [(tape, rows * width) for tape in np.split(other, copies * others)]
            fields |= {"other": other, "other_size": size}
            fields |= {"stored_other": shard.empty(others * stored), "stored_size": stored}
        return fields

    def zones(self) -> dict[str, Any]:
        """Buffers for what zoneout keeps of the old states: in training drawn for every step, else the same share."""
        shard, program, layer, width = self._shard, self._shard.program, self._layer, self._width
        count = len(self._equation.states)
        if not layer.zoneout:
            return {}
        if not shard.drops:
            zone = program.zeros(count * width)
            zone[:] = layer.zoneout
            return {"zone": zone, "zone_size": width, "zone_row": 0}
        size = program.capacity * shard.rows * width
        zone = shard.empty(count * size)
        program.tapes += [(tape, shard.rows * width) for tape in np.split(zone, count)]
        for k in range(count):
            odds = shard.odds(layer.zoneout, self._where.stream + (k + 1) * ZONE_STREAMS, scales=False)
            target = zone[k * size : (k + 1) * size]
            program.add("read", dropout.zone_read, program.spec(dropout.MASK, **odds, units=layer.units, target=target))
        return {"zone": zone, "zone_size": size, "zone_row": width}

    def state_tapes(self, fields: dict[str, Any]) -> list[Array]:
        """Return the tape of each state."""
        others = len(self._equation.states) - 1
        return [fields["h"], *(np.split(fields["other"][: others * fields["other_size"]], others) if others else [])]

    def errors(self) -> dict[str, Any]:
        """Buffers for what flows back."""
        shard, program, cell, units = self._shard, self._shard.program, self._equation, self._layer.units
        size, others = shard.rows * self._width, len(cell.states) - 1
        blocks = len(cell.input_gates) + len(cell.recurrents) + len(cell.vectors)
        stride, copies = shard.padded((blocks - 1) * units + self._width), 2 if self.has_halves else 1
        fields: dict[str, Any] = {
            "d_z": shard.empty(program.window * shard.rows * stride), "d_stride": stride,
            "carry": shard.empty(copies * 2 * size),
        }  # fmt: skip
        if self.has_halves:
            apart = program.window * shard.rows * blocks
            passed = max(size, PASSED_APART)
            fields |= {
                "half_d_z": shard.empty(apart * units), "half_d_apart": apart, "passed": shard.empty(4 * passed),
                "passed_size": passed,
            }  # fmt: skip
        if others:
            fields["carry_other"] = shard.empty(copies * others * size)
        if cell.late or (self._sources.direct and cell.recurrent_gates):
            fields["pulled"] = shard.empty(size)
        if program.training is not None and program.training.wants_initial:
            fields |= {"wants_d_initial": 1, "d_initial": program.zeros((1 + others) * size)}
            shard.initial_gradients.append(np.split(fields["d_initial"], 1 + others))
        return fields
