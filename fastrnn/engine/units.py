"""What a cell does in each unit, as source: the loops over rows and vectors around its equations.

The tape of a gate keeps what the backward pass needs of it. A gate that enters through one activation is kept
activated, for derivatives are taken from outputs; any other is kept as it is, and what is made of it is made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fastrnn.equations.activations import ACTIVATIONS
from fastrnn.equations.cells import READ, Cell, Step
from fastrnn.equations.expressions import Expression, all_of, leaf
from fastrnn.equations.lines import Lines, Unknown
from fastrnn.equations.slopes import slopes
from fastrnn.operations.products import ACTIVATIONS as FUSED

_IMPORTS = '''"""{about}"""

from numba import njit

from fastrnn.kernels.layers.signals import is_held
from fastrnn.kernels.machine.maths import cosine, erf, exp, log, sigmoid, sine, tanh
from fastrnn.kernels.machine.work import at
from fastrnn.kernels.machine.rows import copy, padded_width, put
from fastrnn.kernels.machine.vector import (
    absolute, fields, lanes, load, maximum, minimum, offset, select_less, splat, square_root, store,
)
from fastrnn.kernels.recurrent.buffers import (
    carry_rows, earlier_rows, gate_rows, half_d_stride, half_rows, half_stride, other_carry_rows, other_rows,
    place_after, place_before, read_rows, state_rows, takes_part, zone_rows,
)
from fastrnn.kernels.recurrent.errors import has_errors, hold_errors, take_error
'''
_FORWARD = '''

@njit
def {name}(z, call, spec, t, steps):
    """{doc}"""
    s, c = fields(spec), fields(call)
    units, width, stride, trains = s.units, padded_width(s.units, z), s.z_stride, s.trains != 0
    low, count, first, last, has_lengths = c.row, c.row_count, c.unit, c.unit + c.unit_count, s.has_lengths != 0
    span, shift = units, 0
    if s.halves != 0:
        stride, span, shift = half_stride(s, c), c.unit_count, -c.unit
{rows}
    h_before, h_after = state_rows(z, s, c, place_before(s, c, t)), state_rows(z, s, c, place_after(s, c, t))
    gate_step, state_step = c.rows * stride, c.rows * width
    for step in range({steps}):
        ahead = step if s.reads_backwards == 0 else -step
        now, rows = t + ahead, offset(z, ahead * gate_step)
        before_0, after_0 = offset(h_before, ahead * state_step), offset(h_after, ahead * state_step)
{places}
        for row in range(count):
            gates, begin = offset(rows, row * stride + shift), row * width
{held}
            for j in range(first, last, lanes(z)):
{lines}
'''
_BACKWARD = '''

@njit
def {name}(d_z, call, spec, t, steps):
    """{doc}"""
    s, c = fields(spec), fields(call)
    units, width, stride, d_stride = s.units, padded_width(s.units, d_z), s.z_stride, s.d_stride
    low, count, first, last, has_lengths = c.row, c.row_count, c.unit, c.unit + c.unit_count, s.has_lengths != 0
    span, shift, tape = units, 0, gate_rows(d_z, s, c, t)
    if s.halves != 0:
        stride, d_stride, span, shift = half_stride(s, c), half_d_stride(s, c.unit_count), c.unit_count, -c.unit
        tape = half_rows(d_z, s, c, t)
{rows}
    h_before, h_after = state_rows(d_z, s, c, place_before(s, c, t)), state_rows(d_z, s, c, place_after(s, c, t))
    carry, earlier = carry_rows(d_z, s, c, t), earlier_rows(d_z, s, c, t)
    gate_step, d_step, state_step = c.rows * stride, c.rows * d_stride, c.rows * width
    errors_come = has_errors(s, c)
    for step in range({steps}):
        ahead = -step if s.reads_backwards == 0 else step
        now, rows, d_rows = t + ahead, offset(tape, ahead * gate_step), offset(d_z, ahead * d_step)
        before_0, after_0 = offset(h_before, ahead * state_step), offset(h_after, ahead * state_step)
{take}
{places}
        for row in range(count):
            gates, own = offset(rows, row * stride + shift), offset(d_rows, row * d_stride + shift)
            begin = row * width
            if has_lengths and not takes_part(s, c, now, low + row):
                nothing = splat(d_z, 0.0)
                for j in range(first, last, lanes(d_z)):
{nothing}
                continue
            for j in range(first, last, lanes(d_z)):
{lines}
{leave}
        carry, earlier = earlier, carry
'''


class Sources(NamedTuple):
    """The sources of a cell's code by name, and what the record says of them.

    Attributes
    ----------
    functions : by the name of the record's field
    direct : whether the old h enters the new states not by products alone
    aliases : whether the gates may lie where the state does
    fused : the code of the activation that is all that a step is, or -1
    """

    functions: dict[str, str]
    direct: bool
    aliases: bool
    fused: int


def sources_of(cell: Cell, activation: str, recurrent_activation: str, zones: Sequence[bool] = ()) -> Sources:
    """Return the sources of a cell with these activations; ``zones``: which of its states have zoneout."""
    return _Units(cell, cell.with_activations(activation, recurrent_activation), zones).sources()


class _Units:
    """A cell's code.

    Attributes of note: ``outputs`` are the new states, ``raw`` the same without zoneout; ``blocks`` the gates in the
    order of the tape; ``kept`` what the tape keeps of each.
    """

    def __init__(self, cell: Cell, step: Step, zones: Sequence[bool]) -> None:
        self.cell, self.argument, self.zones = cell, step.argument, tuple(zones) or (False,) * len(cell.states)
        self.states = [cell.leaves[name] for name in cell.states]
        self.blocks = [cell.leaves[name] for name in (*cell.input_gates, *cell.recurrents)]
        self.vectors = [cell.leaves[name] for name in cell.vectors]
        self.zone_leaves = [leaf(f"zone {k}") for k in range(len(self.states))]
        self.outputs = [
            raw + self.zone_leaves[k] * (self.states[k] - raw) if self.zones[k] else raw
            for k, raw in enumerate(step.states)
        ]
        self.errors = [leaf(f"error {k}") for k in range(len(self.states))]
        self.pulled = leaf("pulled")
        self.scans = not cell.recurrent_gates
        self.steps = "steps" if self.scans else "1"  # no loop where each step waits for a product
        self.direct, self.aliases = True, False
        self.kept = self._kept()
        self._settle()

    # ------------------------------------------------------------------------------------------ what is kept

    def _kept(self) -> list[Expression]:
        """Choose what the tape keeps of each gate: the activation that it enters through, if it is one."""
        results = {*self.outputs, *([self.argument] if self.argument is not None else [])}
        users: dict[Expression, list[Expression]] = {}
        for node in all_of(results):
            for each in node.below:
                users.setdefault(each, []).append(node)
        kept: list[Expression] = []
        for block in self.blocks:
            node = block
            while len(users.get(node, ())) == 1 and users[node][0].operation == "add" and node not in results:
                node = users[node][0]
            above = users.get(node, [])
            is_activated = len(above) == 1 and above[0].operation in ACTIVATIONS and node not in results
            kept.append(above[0] if is_activated and above[0] not in set(kept) else block)
        return kept

    def _settle(self) -> None:
        """Keep a gate as it is where the backward pass turns out to need it so; find what is direct."""
        while True:
            try:
                self.direct = self._gradients().states[0] is not None
                self._backward_source()
                break
            except Unknown as unknown:
                self.kept = [block if block is unknown.leaf else kept for block, kept in self._pairs()]
        is_plain = len(self.blocks) == len(self.states) == 1 and self.argument is None
        self.aliases = is_plain and self.kept[0] is self.outputs[0]
        self.direct = self.direct or self.argument is not None or self.scans

    def _pairs(self) -> list[tuple[Expression, Expression]]:
        return list(zip(self.blocks, self.kept, strict=True))

    # ------------------------------------------------------------------------------------------ sources

    def sources(self) -> Sources:
        """Return the whole."""
        name = self.cell.name
        functions = {
            "units_forward": self._forward_source(),
            "units_backward": self._backward_source(),
        }
        if self.argument is not None:
            functions["late_forward"] = self._late_forward_source()
            functions["late_backward"] = self._late_backward_source()
        about = f"Generated from the equations of {name}."
        return Sources(
            {field: _IMPORTS.format(about=about) + source for field, source in functions.items()},
            self.direct,
            self.aliases,
            self._fused(),
        )

    def _fused(self) -> int:
        """Return the code of the activation that is the whole step of a gate, if the product can take it along."""
        if not self.aliases or self.cell.gates == ():
            return -1
        out, gate = self.outputs[0], self.blocks[0]
        operation = "linear" if out is gate else out.operation if out.below and out.below[0] is gate else ""
        return FUSED.get(operation, -1)

    def _gates(self) -> dict[Expression, str]:
        """The gates as sums."""
        return {block: f"load(gates, {_place(k)})" for k, block in enumerate(self.blocks)}

    def _tape(self) -> dict[Expression, str]:
        """What the tapes keep: gates, old states, the argument of the late product."""
        known = {kept: f"load(gates, {_place(k)})" for k, kept in enumerate(self.kept)}
        if self.aliases:
            known[self.kept[0]] = "load(after_0, begin + j)"
        for k, output in enumerate(self.outputs):
            if output.below:
                known.setdefault(output, f"load(after_{k}, begin + j)")
        if self.argument is not None:
            known.setdefault(self.argument, f"load(gates, {_place(len(self.blocks))})")
        return known

    def _others(self) -> dict[Expression, str]:
        """What neither gates nor products give."""
        known = {state: f"load(before_{k}, begin + j)" for k, state in enumerate(self.states)}
        known |= {vector: f"load(vectors, {k} * width + j)" for k, vector in enumerate(self.vectors)}
        known |= {
            zone: f"load(zone_{k}, row * s.zone_row + j)" for k, zone in enumerate(self.zone_leaves) if self.zones[k]
        }
        return known | {READ: "load(read, begin + j)"}

    def _places(self, real: str, t: str) -> list[str]:
        lines = []
        for k in range(1, len(self.states)):
            lines.append(f"before_{k} = other_rows({real}, s, c, {k - 1}, place_before(s, c, {t}))")
            lines.append(f"after_{k} = other_rows({real}, s, c, {k - 1}, place_after(s, c, {t}))")
        if self.vectors:
            lines.append(f"vectors = at(s.packed_vector, {real})")
        lines += [f"zone_{k} = zone_rows({real}, s, c, {k}, {t})" for k, has in enumerate(self.zones) if has]
        if self.argument is not None:
            lines.append(f"read = read_rows({real}, s, c, {t})")
        return lines

    def _rows(self) -> list[str]:
        """Rows of a single block lie one behind the other: a loop over all of them is one over their numbers."""
        if not self.aliases or self.vectors or any(self.zones):
            return []
        return ["if not has_lengths and s.splits_units == 0 and s.halves == 0:", "    count, last = 1, count * width"]

    def _filled(self, template: str, **parts: str) -> str:
        return template.format(steps=self.steps, rows=_indented(self._rows(), 1), **parts)

    def _forward_source(self) -> str:
        lines = Lines(self._gates() | self._others())
        new = [lines.name(output) for output in reversed(self.outputs)][::-1]  # h last, as it enters no other
        kept = []
        for k, (block, value) in enumerate(self._pairs()):
            if value is not block and not self.aliases:
                kept.append(f"    put(gates, {_place(k)}, {lines.name(value)}, units - j)")
        body = lines.lines + (["if trains:", *kept] if kept else [])
        order = reversed(range(len(new)))
        body += [f"store(after_{k}, begin + j, {_vector(new[k], 'z')})" for k in order]
        held = ["if has_lengths and is_held(s, now, low + row):"]
        held += [
            f"    copy(offset(before_{k}, begin + first), offset(after_{k}, begin + first), last - first)"
            for k in range(len(new))
        ]
        held.append("    continue")
        return self._filled(
            _FORWARD, name="units_forward", doc="Gates and states of some steps.",
            places=_indented(self._places("z", "now"), 2), held=_indented(held, 3), lines=_indented(body, 4),
        )  # fmt: skip

    def _late_forward_source(self) -> str:
        """Write it for rows that are held, too: it meets their gradients, which are 0, in the weights' gradient."""
        assert self.argument is not None
        lines = Lines(self._gates() | self._others())
        value = lines.name(self.argument)
        body = [*lines.lines, f"put(gates, {_place(len(self.blocks))}, {_vector(value, 'z')}, units - j)"]
        return self._filled(
            _FORWARD, name="late_forward", doc="What the late product multiplies.",
            places=_indented(self._places("z", "now"), 2), held="", lines=_indented(body, 4),
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------ backward

    def _gradients(self, pulled: Expression | None = None) -> _Gradients:
        """Derive the gradients by everything that a step is computed from."""
        seeds: dict[Expression, Expression] = {}
        results = list(self.outputs)
        for output, error in zip(self.outputs, self.errors, strict=True):
            seeds[output] = seeds[output] + error if output in seeds else error
        if self.argument is not None and pulled is not None:
            results.append(self.argument)
            seeds[self.argument] = seeds[self.argument] + pulled if self.argument in seeds else pulled
        by = [*self.blocks, *self.states, *self.vectors, READ]
        found = slopes(results, seeds, by)
        n, m = len(self.blocks), len(self.states)
        return _Gradients(found[:n], found[n : n + m], found[n + m : -1], found[-1])

    def _known_back(self) -> dict[Expression, str]:
        known = self._tape() | self._others()
        known[self.errors[0]] = "load(carry, begin + j)"
        for k in range(1, len(self.states)):
            known[self.errors[k]] = f"load(errors_{k}, begin + j)"
        known[self.pulled] = "load(pulled, begin + j)"
        return known

    def _back_places(self) -> list[str]:
        lines = self._places("d_z", "now")
        lines += [f"errors_{k} = other_carry_rows(d_z, s, c, {k - 1})" for k in range(1, len(self.states))]
        if self.argument is not None:
            lines.append("pulled = at(s.pulled, d_z, c.row * width)")
        return lines

    def _backward_source(self) -> str:
        lines = Lines(self._known_back())
        gradients = self._gradients(self.pulled)
        rows = [*gradients.blocks, *gradients.vectors]
        stores, nothing = [], []
        for k, gradient in enumerate(rows):
            value = _vector("0.0" if gradient is None else lines.name(gradient), "d_z")
            target, last = f"own, {_place(k)}", k == len(rows) - 1
            stores.append(f"store({target}, {value})" if last else f"put({target}, {value}, units - j)")
            nothing.append(f"store({target}, nothing)" if last else f"put({target}, nothing, units - j)")
        for k, gradient in enumerate(gradients.states[1:], 1):
            value = _vector("0.0" if gradient is None else lines.name(gradient), "d_z")
            stores.append(f"store(errors_{k}, begin + j, {value})")
            nothing.append(f"if not is_held(s, now, low + row):\n    store(errors_{k}, begin + j, nothing)")
        if self.direct:
            first = gradients.states[0]
            value = _vector("0.0" if first is None else lines.name(first), "d_z")
            stores.append(f"store(earlier, begin + j, {value})")
            nothing.append("store(earlier, begin + j, nothing)")
        if self.argument is not None:
            value = _vector("0.0" if gradients.read is None else lines.name(gradients.read), "d_z")
            stores.append(f"store(pulled, begin + j, {value})")
            nothing.append("store(pulled, begin + j, nothing)")
        return self._filled(
            _BACKWARD, name="units_backward", doc="Gradients of some steps, from the last to the first.",
            take=_indented(["if errors_come:", "    take_error(d_z, s, c, now)"] if self.scans else [], 2),
            leave=_indented(["if has_lengths:", "    hold_errors(d_z, s, c, now)"] if self.scans else [], 2),
            places=_indented(self._back_places(), 2),
            nothing=_indented(nothing, 5), lines=_indented([*lines.lines, *stores], 4),
        )  # fmt: skip

    def _late_backward_source(self) -> str:
        k = len(self.cell.gates) + len(self.cell.inputs)
        lines = Lines(self._known_back())
        gradient = self._gradients().blocks[k]
        value = _vector("0.0" if gradient is None else lines.name(gradient), "d_z")
        return self._filled(
            _BACKWARD, name="late_backward", doc="The gradient of the late gate.", take="", leave="",
            places=_indented(self._back_places(), 2),
            nothing=_indented([f"put(own, {_place(k)}, nothing, units - j)"], 5),
            lines=_indented([*lines.lines, f"put(own, {_place(k)}, {value}, units - j)"], 4),
        )  # fmt: skip


class _Gradients(NamedTuple):
    """By the sums of the gates, the old states, the vectors, and the state as the late product's argument reads it."""

    blocks: list[Expression | None]
    states: list[Expression | None]
    vectors: list[Expression | None]
    read: Expression | None


def _place(block: int) -> str:
    return "j" if block == 0 else "span + j" if block == 1 else f"{block} * span + j"


def _vector(value: str, pointer: str) -> str:
    """A vector of a number, if it is one."""
    return value if value.isidentifier() else f"splat({pointer}, {value})"


def _indented(lines: list[str], depth: int) -> str:
    indent = "    " * depth
    return "\n".join(indent + line.replace("\n", "\n" + indent) for line in lines) or f"{indent}pass"
