"""A plan: a model, a shape and a purpose turned into a program, and its running.

The plan allocates once everything that a minibatch of its shape needs, and reads, runs and tells how far it is. What it
is made of knows nothing of it, so that its buffers go when its owner does.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastrnn.code.compiled import Compiled
from fastrnn.code.target import LANES_OF
from fastrnn.engine.columns import Columns
from fastrnn.engine.driver import Driver
from fastrnn.engine.lowering import Lowered, Memory, lower_network
from fastrnn.engine.network import Network, padding_first
from fastrnn.engine.program import Program, Shape, Training
from fastrnn.engine.team import Team
from fastrnn.engine.threads import is_brief, shards_of, splits, widest_row
from fastrnn.engine.update import Update
from fastrnn.ground.locks import new_lock
from fastrnn.ground.memory import address, empty, guards, result, zeros
from fastrnn.operations import batch
from fastrnn.operations.job import EACH, FIRST, NEVER
from fastrnn.operations.products import ROW_UNIT, padded
from fastrnn.optimizers import Optimizer

Array = NDArray[Any]


@functools.cache
def _driver(code: Compiled) -> Driver:
    return Driver(code)


class Data(NamedTuple):
    """What a job reads: checked, contiguous arrays of the plan's dtype; lengths and order int64, weights float64."""

    x: Array
    y: Array | None = None
    sample_weight: Array | None = None
    lengths: Array | None = None
    order: Array | None = None
    initial_state: list[list[Array]] | None = None
    place_weight: Array | None = None


class Places(NamedTuple):
    """Addresses of what a job reads beside x; 0 for what is not there."""

    y: int
    sample_weight: int
    lengths: int
    order: int
    initial_state: tuple[tuple[int, ...], ...]
    place_weight: int


class Progress(NamedTuple):
    """How far training has come.

    Attributes
    ----------
    kind : of the optimizer whose the updates and the states are
    updates, draws : updates of the weights by it, and draws of dropout's masks so far
    states : a flat buffer for each of the optimizer's states, by name
    """

    kind: str
    updates: int
    draws: int
    states: dict[str, Array]

    def under(self, optimizer: Optimizer, size: int, dtype: str) -> Progress:
        """Return where another optimizer goes on: one of the same kind from the states that it shares, else anew.

        ``size`` and ``dtype`` are those of the states.
        """
        is_same = self.kind == optimizer.kind
        kept = self.states if is_same else {}
        states = {name: kept[name] if name in kept else zeros(size, dtype) for name in optimizer.states}
        return Progress(optimizer.kind, self.updates if is_same else 0, self.draws, states)


class Plan:
    """A program for minibatches of up to ``rows`` sequences of ``steps`` steps, and its running.

    Parameters
    ----------
    network : layers and parameters
    rows, steps : the shape of a minibatch
    columns : the loss and the metrics; empty if there are no targets
    training : None computes outputs (and losses) only
    carry_state : a minibatch starts with the state that the one before ended with
    emits : outputs and final states are written to `output` and `final_states`
    threads : number of threads that share the rows
    """

    def __init__(
        self,
        network: Network,
        rows: int,
        steps: int,
        *,
        columns: tuple[Any, ...] = (),
        training: Training | None = None,
        carry_state: bool = False,
        emits: bool = False,
        threads: int = 1,
    ) -> None:
        self.network, self.rows, self.steps, self.threads = network, rows, steps, threads
        self.training, self.carry_state = training, carry_state
        if training is None:
            self.shards = 1 if rows < ROW_UNIT * threads and splits(network, threads, rows) else threads
        else:
            self.shards = shards_of(network, rows, steps) if training.optimizer and not training.live else 1
        self.splits = self.shards == 1 and splits(network, threads, rows)
        shape = Shape(
            rows, steps, threads, self.shards, self.splits, network.dtype, network.flat.size, widest_row(network),
            carry_state,
        )  # fmt: skip
        self._program = program = Program(shape, training)
        self.draws = 0
        self.data: Data | None = None
        self._places: Places | None = None
        self._packed_version: int | None = None
        known = guards()
        if known is not None:
            known.name(network.flat, "parameters")
            known.name(program.gradients, "gradients")
        self.totals = zeros(batch.EPOCH_SUMS + len(columns), np.float64)
        self.lock = new_lock()
        self.columns = Columns(network.layers, columns)
        self._row_totals = empty(len(columns) * rows, np.float64)
        self._row_sizes = self._sizes_of_rows()
        self._reads: list[Array] = []
        self._losses: list[Array] = []
        self._emits: list[list[Array]] = []
        self.lowered: list[Lowered] = []
        if training is not None:
            self.update = Update(program, network, training)
        for _ in range(self.shards):
            self._add_shard(emits)
        program.add("weigh", batch.batch_weigh, self._reads[0])
        program.meet("pack")
        if training is not None and training.optimizer is not None:
            self.update.build(program, training.optimizer)
        program.add("end", batch.batch_total, self._reads[0], meet=True)
        program.compile()
        self._job = program.job(self.totals)
        self._calls = program.calls()
        self._alone = None
        if self._emits and is_brief(network, rows, steps):
            self._alone = address(program.call_alone(self._calls))
        self._job_address = address(self._job)
        self._call_addresses = np.array([address(call) for call in self._calls])

    # ------------------------------------------------------------------------------------------ building

    def _add_shard(self, emits: bool) -> None:
        """Add the operations of one shard and make its buffers."""
        program, network, training = self._program, self.network, self.training
        workspace, rows = program.begin_shard(), program.shard_rows
        first = len(self._reads) * network.flat.size
        gradients = program.gradients[first : first + network.flat.size]
        if network.takes_ids:
            inputs = workspace.empty(program.capacity * rows, np.int64)
        else:
            inputs = workspace.empty(program.capacity * rows * network.input_size, network.dtype)
        program.tapes.append((inputs, len(inputs) // program.capacity))
        lengths, weights = workspace.empty(rows, np.int64), workspace.empty(rows, np.float64)
        fields: dict[str, Any] = {
            "steps": self.steps, "capacity": self.rows, "batch_lengths": lengths, "batch_weight": weights,
            "row_totals": self._row_totals, "totals": self.totals,
        }  # fmt: skip
        read = program.spec(
            batch.BATCH, inputs=network.input_size, ids=network.takes_ids, input=inputs,
            columns=len(self.columns.names), errors_every_step=network.every_step,
            padding_first=padding_first(network.layers), **fields,
        )  # fmt: skip
        self._reads.append(read)
        program.add("begin", batch.batch_begin, read)
        program.add("read", batch.batch_read, read, meet=self.splits)
        if training is not None:
            self.update.clear(program, gradients)
        lowered = lower_network(network, program, Memory(workspace, inputs, lengths, gradients), self.columns)
        self._losses += self.columns.add(program, lowered.output, lowered.waiting, training is not None, **fields)
        if emits:
            self._emits.append(self._add_emits(lowered))
        self.lowered.append(lowered)

    def _add_emits(self, lowered: Lowered) -> list[Array]:
        """Add the operations that write the output, then the final state of each recurrent layer."""
        network, program, out = self.network, self._program, lowered.output
        emits = [
            program.spec(
                batch.EMIT,
                source=out.buffer,
                source_first=out.first,
                units=network.output_size,
                width=out.stride,
                steps=self.steps if network.every_step else 1,
            )
        ]
        for state in lowered.states:
            width = padded(state.units, LANES_OF[network.dtype])
            for tape in state.tapes:
                place = min(state.final, len(tape) // (program.shard_rows * width) - 1)
                fields = {"source": tape, "source_first": place, "units": state.units, "width": width, "steps": 1}
                emits.append(program.spec(batch.EMIT, **fields))
        for spec in emits:
            program.add("error", batch.emit, spec)
        return emits

    # ------------------------------------------------------------------------------------------ running

    @property
    def gradients(self) -> Array:
        """The gradients of all shards, one after another, each laid out like the network's parameters."""
        return self._program.gradients

    def read(self, data: Data, *, wants_states: bool = False) -> None:
        """Point the operations at the data; the arrays are kept until the next call.

        Raises
        ------
        ValueError
            An array of another dtype or size than the operations read.
        """
        self._admit(data)
        self.data = data
        x = address(data.x)
        for read in self._reads:
            read["x"] = x
        places = Places(
            address(data.y), address(data.sample_weight), address(data.lengths), address(data.order),
            tuple(tuple(address(array) for array in state) for state in data.initial_state or ()),
            address(data.place_weight),
        )  # fmt: skip
        if places != self._places:
            self._point(places)
        if self.training is not None:
            self.update.read(x, places.order)
        if self._emits:
            self._point_emits(len(data.x), wants_states)
        self._job["samples"] = len(data.x)

    def _sizes_of_rows(self) -> list[tuple[str, np.dtype[Any], int]]:
        """Return the name, the dtype and the numbers in a row of each array of `Data`, in their order."""
        network, steps = self.network, self.steps
        real, whole = np.dtype(network.dtype), np.dtype(np.int64)
        targets, classes = self.columns.row_size(steps) if self.columns.names else (0, False)
        return [
            ("x", whole if network.takes_ids else real, steps * (1 if network.takes_ids else network.input_size)),
            ("y", whole if classes else real, targets),
            ("sample_weight", np.dtype(np.float64), 1),
            ("lengths", whole, 1),
            ("order", whole, 1),
            *(("initial_state", real, cell.layer.units) for cell in network.cells for _ in cell.state_sizes),
        ]

    def _admit(self, data: Data) -> None:
        """Refuse what would be read beyond its end; it passed the checks of a model that is not this one any more."""
        samples, rows = len(data.x), self._row_sizes
        arrays = [*data[:5], *(array for state in data.initial_state or () for array in state)]
        if data.place_weight is not None and data.place_weight.size != samples * self.columns.places(self.steps):
            raise ValueError(f"place_weight is {data.place_weight.size} numbers; expected one for each place")
        if len(arrays) not in (5, len(rows)):
            raise ValueError(f"initial_state has {len(arrays) - 5} arrays; expected {len(rows) - 5}: make a new model")
        for (name, dtype, size), array in zip(rows, arrays, strict=False):
            if array is not None and (array.dtype != dtype or array.size != samples * size):
                raise ValueError(
                    f"{name} is {array.size} numbers of {array.dtype}; expected {samples * size} of {dtype}: "
                    f"attributes of a model or a trainer were changed: make a new one"
                )

    def _point(self, places: Places) -> None:
        """Point the operations at everything but x and the results."""
        self._places = None
        y, weight, lengths, order, initial, place_weight = places
        for read in self._reads:
            read["order"], read["lengths"], read["sample_weight"] = order, lengths, weight
            read["place_weight"] = place_weight
        for loss in self._losses:
            loss["y"], loss["order"], loss["place_weight"] = y, order, place_weight
        for emits in self._emits:
            for spec in emits:
                spec["order"] = order
        for lowered in self.lowered:
            for i, state in enumerate(lowered.states):
                state.start(self.carry_state, initial[i] if initial else (), order, lengths != 0)
            for merge in lowered.merges:
                merge["has_lengths"] = lengths != 0
        self._places = places

    def _point_emits(self, samples: int, wants_states: bool) -> None:
        """Make new arrays for the results and point the operations at them."""
        network = self.network
        steps = (self.steps,) if network.every_step else ()
        self.output: Array | None = result((samples, *steps, network.output_size), network.dtype, "output")
        self.final_states = [
            [result((samples, state.units), network.dtype, "final state") for _ in state.tapes]
            for state in (self.lowered[0].states if wants_states else ())
        ]
        targets = [address(array) for state in self.final_states for array in state]
        for output, *states in self._emits:
            output["target"] = address(self.output)
            for spec, target in zip(states, targets or [0] * len(states), strict=True):
                spec["target"] = target

    @property
    def batches(self) -> int:
        """Number of minibatches in the data."""
        return -(-int(self._job["samples"][0]) // self.rows)

    @property
    def updates(self) -> int:
        """Number of updates done so far."""
        return int(self._calls[0]["step"][0])

    def release(self) -> None:
        """Let go of the data and the results."""
        self.data = None
        self.output, self.final_states = None, []

    @property
    def progress(self) -> Progress:
        """What another plan for the same network needs to go on."""
        assert self.training is not None
        assert self.training.optimizer is not None
        optimizer = self.training.optimizer
        states = dict(zip(optimizer.states, self.update.state, strict=True))
        return Progress(optimizer.kind, self.updates, self.draws, states)

    def go_on_from(self, progress: Progress) -> None:
        """Take over the progress of a plan for the same network and optimizer."""
        self._calls[0]["step"], self.draws = progress.updates, progress.draws
        for mine, theirs in zip(self.update.state, progress.states.values(), strict=True):
            mine[:] = theirs

    def tune(self, training: Training) -> None:
        """Train on with other numbers: training of the same `Training.form`."""
        if training != self.training:
            self.update.tune(training)
            self.training = training  # last: an interrupt before it leaves the numbers to be given again

    def zero_totals(self) -> None:
        """Begin the sums of an epoch."""
        self.totals[:] = 0.0

    def means(self) -> list[float]:
        """Return loss and metrics since `zero_totals`: means by the weights that count, NaN if nothing counts."""
        weight = self.totals[batch.EPOCH_WEIGHT]
        return [float(total / weight) if weight else math.nan for total in self.totals[batch.EPOCH_SUMS :]]

    @property
    def row_losses(self) -> Array:
        """Of each row, its losses added up since its minibatch began."""
        return self._row_totals[: self.rows]

    def call_of(self, thread: int) -> tuple[int, int, int]:
        """Return the addresses of the driver, of the job and of a thread's record."""
        return _driver(self._program.driver).address, self._job_address, int(self._call_addresses[thread])

    def repeat(self, team: Team) -> None:
        """Run the job as it stands: what was run last, once more, or what it was aimed at; not for a fit."""
        version = self._begin_packing()
        self._run(team)
        self._packed_version = version

    def aim(self, **places: int) -> None:
        """Say what the next run does, in fields of the job."""
        for name, place in places.items():
            self._job[name] = place

    def field(self, name: str) -> Array:
        """Return a field of the job, to be read and written."""
        return self._job[name]

    def shift(self, steps: int) -> None:
        """Let go of the first steps on all tapes and move the others there."""
        for tape, step in self._program.tapes:
            tape[: len(tape) - steps * step] = tape[steps * step :].copy()

    def run(self, team: Team, first: int, last: int) -> None:
        """Run the minibatches ``first`` ... ``last - 1`` of the data."""
        self.aim(first_batch=first, last_batch=last, first_step=self.updates, first_draw=self.draws)
        version = self._begin_packing()
        trains = self.training is not None and self.training.optimizer is not None
        if trains:
            self.network.weights_changed()  # before, so that no interrupt comes between the weights and this
        try:
            self._run(team)
        finally:
            self.draws += last - first
            if trains:
                self.network.weights_changed()
        self._packed_version = version

    def _run(self, team: Team) -> None:
        if self.data is None:
            raise RuntimeError("what was to be read has been let go: another fit of this trainer has come in between")
        if self.threads > 1:
            self._program.barrier[:] = (
                0  # a fork while another thread ran may have left threads waiting that are not there
            )
        known = guards()
        if known is not None and not self.carry_state:
            for workspace in self._program.workspaces.values():
                workspace.spoil()
        team.run(_driver(self._program.driver), self._job_address, self._call_addresses, self._alone)
        if known is not None:
            known.check()

    def _begin_packing(self) -> int | None:
        """Tell for which minibatches the weights must be laid out: not again for those that have not changed.

        Returns the version that is laid out once the run has ended; until then none is.
        """
        before, self._packed_version = self._packed_version, None
        version = self.network.version
        is_packed = version is not None and version == before
        self._job["packs"] = EACH if self.training and not self.training.live else NEVER if is_packed else FIRST
        return version
