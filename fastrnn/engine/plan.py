"""A plan: a model, a shape and a purpose turned into buffers and a table of compiled operations.

The plan allocates once everything that a minibatch of its shape needs. What it is made of refers back to it weakly, so
that its buffers go when its owner does. Legend: ``B`` rows at most, ``T`` steps, ``W`` steps of the window that a
backward pass works on at a time.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastrnn.engine.columns import Columns
from fastrnn.engine.compiling import prepare
from fastrnn.engine.lowering import Back, Lowering
from fastrnn.engine.network import Network
from fastrnn.engine.team import Team
from fastrnn.engine.threads import is_brief, shards_of, splits_units
from fastrnn.engine.update import Update
from fastrnn.ground.locks import new_lock
from fastrnn.ground.memory import Workspace, address, empty, guards, result, zeros
from fastrnn.kernels.jobs.driver import EACH, FIRST, JOB, NEVER, STAGE_FIELDS, Driver
from fastrnn.kernels.machine.operation import CALL, Compiled, Operation
from fastrnn.kernels.machine.vector import LANES_OF
from fastrnn.kernels.products.product import ROW_UNIT, padded, scratch_size
from fastrnn.kernels.training import batch, optimizers
from fastrnn.layers import OneHot, Unidirectional
from fastrnn.optimizers import Optimizer

Array = NDArray[Any]
SHARED = ("weigh", "pack", "change", "end")
OWN = ("begin", "clear", "keep", "recall", "read", "forward", "error", "back")
"""The phases of a minibatch as a whole and those of each shard; see :data:`fastrnn.kernels.jobs.driver.JOB`."""
WINDOW_ROWS = 256
"""Rows times steps of a backward window: enough terms for the weight gradients' products to run at full speed."""


@functools.cache
def _driver() -> Driver:
    return Driver()


class Data(NamedTuple):
    """What a job reads: checked, contiguous arrays of the plan's dtype; lengths and order int64, weights float64."""

    x: Array
    y: Array | None = None
    sample_weight: Array | None = None
    lengths: Array | None = None
    order: Array | None = None
    initial_state: list[list[Array]] | None = None


class Places(NamedTuple):
    """Addresses of what a job reads beside x; 0 for what is not there."""

    y: int
    sample_weight: int
    lengths: int
    order: int
    initial_state: tuple[tuple[int, ...], ...]


class Training(NamedTuple):
    """How a plan computes gradients, and how it updates if there is an ``optimizer``.

    Without a ``dropout_seed`` nothing is dropped; with ``recompute`` only a segment's states are kept.
    """

    tbptt: tuple[int, int] | None = None
    online: bool = False
    optimizer: Optimizer | None = None
    clip_value: float | None = None
    clip_norm: float | None = None
    wants_inputs: bool = False
    wants_initial: bool = False
    dropout_seed: int | None = None
    recompute: bool = False

    @property
    def form(self) -> tuple[Any, ...]:
        """What decides about a plan's operations and buffers; the rest are numbers that `Plan.tune` changes."""
        rule = self.optimizer and (type(self.optimizer), self.optimizer.states, self.optimizer.leaves_unused_alone)
        return (*self._replace(optimizer=None, clip_value=None, clip_norm=None), rule, self.clip_norm is None)


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
    """Buffers and operations for minibatches of up to ``rows`` sequences of ``steps`` steps.

    Parameters
    ----------
    network : layers and parameters
    rows, steps : the shape of a minibatch
    columns : names of the loss and the metrics; empty if there are no targets
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
        columns: tuple[str, ...] = (),
        training: Training | None = None,
        carry_state: bool = False,
        emits: bool = False,
        threads: int = 1,
    ) -> None:
        self.network, self.rows, self.steps, self.threads = network, rows, steps, threads
        self.training, self.carry_state = training, carry_state
        if training is None:
            self.shards = threads
        else:
            self.shards = shards_of(network, rows, steps) if training.optimizer else 1
        self.splits = self.shards == 1 < threads and any(
            splits_units(cell.layer, network.dtype, threads) for cell in network.cells
        )
        self.shard_rows = min(rows, -(-rows // (self.shards * ROW_UNIT)) * ROW_UNIT)
        self.capacity = math.isqrt(steps - 1) + 1 if training and training.recompute else steps
        self.segments = -(-steps // self.capacity)
        # An update a piece is one a minibatch where a sequence is a single piece.
        pieces = training.tbptt if training and training.online else None
        self.online = pieces is not None and pieces[0] < steps
        self.window = min(self.capacity, max(1, -(-WINDOW_ROWS // self.shard_rows)))
        self.draws = 0
        self.data: Data | None = None
        self._places: Places | None = None
        self._packed_version: int | None = None
        self.gradients = self.zeros(self.shards * network.flat.size if training else 0)
        known = guards()
        if known is not None:
            known.name(network.flat, "parameters")
            known.name(self.gradients, "gradients")
        self.totals = zeros(batch.EPOCH_SUMS + len(columns), np.float64)
        self.packed: list[dict[str, Array]] = []
        self._phases: dict[str, list[list[Any]]] = {name: [] for name in SHARED}
        self._stages: list[list[int]] = []
        self._keep: list[Any] = []
        self._routines: list[tuple[Array, str, Compiled]] = []
        self.lock = new_lock()
        self.columns = Columns(network.layers, columns)
        self._row_totals = empty(len(columns) * rows, np.float64)
        self._row_sizes = self._sizes_of_rows()
        self._build(emits)
        self._finish()

    # ------------------------------------------------------------------------------------------ building

    def zeros(self, count: int) -> Array:
        """Return a buffer of ``count`` numbers of the model's dtype."""
        return zeros(count, self.network.dtype)

    def empty(self, count: int) -> Array:
        """The same, of numbers that are written before they are read."""
        return empty(count, self.network.dtype)

    def spec(self, dtype: np.dtype[Any], **values: Any) -> Array:
        """Return a record with the given fields that lives as long as the plan.

        An array stands for its address, and so does a routine, for one that is known once it is compiled.
        """
        record, known = zeros(1, dtype), guards()
        for name, value in values.items():
            if isinstance(value, Compiled):
                self._routines.append((record, name, value))
                continue
            if isinstance(value, np.ndarray):
                if known is not None:
                    known.name(value, name)
                self._keep.append(value)
                value = address(value)
            record[name] = value
        self._keep.append(record)
        return record

    def add(self, phase: str, operation: Operation, spec: Array, *, meet: bool = False) -> None:
        """Append an operation to a phase; after it all threads ``meet``, if that is so.

        Where a layer's threads share out units, each reads all rows of what lies beneath and above it.
        """
        meet = meet or (self.splits and phase in ("read", "forward", "error"))
        self._phases[phase].append([operation, address(spec), int(meet)])

    def add_clearing(self, buffer: Array) -> None:
        """Zero a buffer at the beginning of every minibatch."""
        spec = self.spec(optimizers.UPDATE, count=len(buffer), gradients=buffer)
        self.add("clear", optimizers.zero_gradients, spec, meet=True)

    def add_stage(self, layers: Sequence[Back], *, truncates: bool, last_only: bool, window: int) -> None:
        """Append a stage of the way back: these layers from the top down, then their weight gradients."""
        operations = self._phases["back"]
        begin = len(operations)
        for layer in layers:
            if layer.begin is not None:
                self.add("back", layer.begin, layer.spec, meet=self.splits)
        back = len(operations)
        for layer in layers:
            if layer.backward is not None:
                self.add("back", layer.backward, layer.spec, meet=self.splits)
        if len(operations) > back:
            self.meet("back")
        for layer in layers:
            if layer.gradients is not None:
                self.add("back", layer.gradients, layer.spec)
        self.meet("back")
        pads_last = all(layer.pads_last for layer in layers)
        stage = [begin, back, len(operations), int(pads_last), int(truncates), int(last_only), window]
        if len(self._tables) == 1:
            self._stages.append(stage)

    def splits_units(self, layer: Unidirectional) -> bool:
        """Whether the threads share out a layer's units instead of the rows: `fastrnn.engine.threads.splits_units`."""
        return self.splits and splits_units(layer, self.network.dtype, self.threads)

    def meet(self, phase: str) -> None:
        """Make all threads meet after the last operation of a phase so far."""
        self._phases[phase][-1][2] = 1

    def _build(self, emits: bool) -> None:
        network, training, count = self.network, self.training, self.network.flat.size
        self._barrier = zeros(16, np.int64)
        beneath = 0 if not network.takes_ids else 2 if isinstance(network.layers[0], OneHot) else 1
        self._widest = max(*network.widths[beneath:], *(4 * cell.layer.units for cell in network.cells))
        self.nothing = self.zeros(padded(self._widest, LANES_OF[network.dtype]))
        self._workspaces: dict[int, Workspace] = {}
        self._reads: list[Array] = []
        self._losses: list[Array] = []
        self._emits: list[list[Array]] = []
        self._tables: list[dict[str, list[list[Any]]]] = []
        self.lowered = []
        if training is not None:
            self.update = Update(self, training)
        for shard in range(self.shards):
            self._tables.append({name: [] for name in OWN})
            self._phases |= self._tables[-1]
            self.lowered.append(self._build_shard(self.gradients[shard * count : (shard + 1) * count], emits))
        self.add("weigh", batch.batch_weigh, self._reads[0])
        self.meet("pack")
        if training is not None and training.optimizer is not None:
            self.update.build(training.optimizer)
        self.add("end", batch.batch_total, self._reads[0], meet=True)

    def _workspace(self, shard: int) -> Workspace:
        """Return the buffers for a shard: its thread's, as long as nothing must outlast the shard's turn."""
        owner = shard
        if not self.online and not self.carry_state:
            owner = next(t for t in range(self.threads) if shard < self.shards * (t + 1) // self.threads)
        workspace = self._workspaces.setdefault(owner, Workspace())
        workspace.rewind()
        return workspace

    def _build_shard(self, gradients: Array, emits: bool) -> Lowering:
        """Add a shard's operations and make its buffers."""
        network, training, rows = self.network, self.training, self.shard_rows
        workspace = self._workspace(len(self._tables) - 1)
        if network.takes_ids:
            inputs = workspace.empty(self.capacity * rows, np.int64)
        else:
            inputs = workspace.empty(self.capacity * rows * network.input_size, network.dtype)
        lengths, weights = workspace.empty(rows, np.int64), workspace.empty(rows, np.float64)
        fields: dict[str, Any] = {
            "steps": self.steps, "capacity": self.rows, "batch_lengths": lengths, "batch_weight": weights,
            "row_totals": self._row_totals, "totals": self.totals,
        }  # fmt: skip
        read = self.spec(
            batch.BATCH, inputs=network.input_size, ids=network.takes_ids, input=inputs,
            columns=len(self.columns.names), errors_every_step=network.every_step, **fields,
        )  # fmt: skip
        self._reads.append(read)
        self.add("begin", batch.batch_begin, read)
        self.add("read", batch.batch_read, read, meet=self.splits)
        if training is not None:
            self.update.clear(gradients)
        lowered = Lowering(self, rows, workspace, inputs, lengths, gradients)
        self._losses += self.columns.add(self, lowered, training is not None, **fields)
        if emits:
            self._emits.append(self._build_emits(lowered))
        return lowered

    def _build_emits(self, lowered: Lowering) -> list[Array]:
        """Add the operations that write the output, then the final state of each recurrent layer."""
        network, out = self.network, lowered.output
        emits = [
            self.spec(
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
                place = min(state.final, len(tape) // (self.shard_rows * width) - 1)
                fields = {"source": tape, "source_first": place, "units": state.units, "width": width, "steps": 1}
                emits.append(self.spec(batch.EMIT, **fields))
        for spec in emits:
            self.add("error", batch.emit, spec)
        return emits

    def _compile(self) -> None:
        """Put the addresses of code where the operations and routines stand."""
        network = self.network
        phases = [self._phases[name] for name in SHARED] + [table[name] for table in self._tables for name in OWN]
        rows = [row for phase in phases for row in phase]
        functions = [row[0] for row in rows] + [routine for _, _, routine in self._routines]
        prepare(functions, network.dtype, [cell.layer.kind for cell in network.cells], _driver)
        for row in rows:
            row[0] = row[0].address(network.dtype)
        for record, name, routine in self._routines:
            record[name] = routine.address(network.dtype)

    def _finish(self) -> None:
        self._compile()
        shared = [row for name in SHARED for row in self._phases[name]]
        tables = [[row for name in OWN for row in table[name]] for table in self._tables]
        ends = dict(
            zip(("pack", "change", "end", "stop"), np.cumsum([len(self._phases[name]) for name in SHARED]), strict=True)
        )
        own_ends = np.cumsum([len(self._tables[0][name]) for name in OWN])
        ends |= dict(zip((*OWN[1:-1], "begin_back"), own_ends, strict=False))
        stages = np.array(self._stages or [[0] * len(STAGE_FIELDS)], np.int64)
        stages[:, :3] += ends["begin_back"]
        training = self.training
        k1, k2 = training.tbptt if training and training.tbptt else (self.steps, self.steps)
        self._job = self.spec(
            JOB,
            steps=self.steps, k1=min(k1, self.steps), k2=min(k2, self.steps), segment=self.capacity,
            online=self.online,
            updates=bool(training and training.optimizer), stages=stages, stage_count=len(self._stages),
            barrier=self._barrier, totals=self.totals, batch_size=self.rows, shards=self.shards,
            operations=len(tables[0]), shared=np.array(shared, np.int64), table=np.array(tables, np.int64), **ends,
        )  # fmt: skip
        self._calls = []
        for thread in range(self.threads):
            scratch = self.empty(scratch_size(LANES_OF[self.network.dtype], self._widest, self.steps * self.shard_rows))
            self._calls.append(
                self.spec(CALL, member=thread, team=self.threads, scratch=scratch, barrier=self._barrier)
            )
        self._alone = None
        if self._emits and is_brief(self.network, self.rows, self.steps):
            self._alone = address(self.spec(CALL, member=0, team=1, scratch=self._calls[0]["scratch"][0]))
        self._job_address = address(self._job)
        self._call_addresses = np.array([address(call) for call in self._calls])

    # ------------------------------------------------------------------------------------------ running

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
        y, weight, lengths, order, initial = places
        for read in self._reads:
            read["order"], read["lengths"], read["sample_weight"] = order, lengths, weight
        for loss in self._losses:
            loss["y"], loss["order"] = y, order
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

    def repeat(self, team: Team) -> None:
        """Run what was run last once more; not for training."""
        version = self._begin_packing()
        self._run(team)
        self._packed_version = version

    def run(self, team: Team, first: int, last: int) -> None:
        """Run the minibatches ``first`` ... ``last - 1`` of the data."""
        job = self._job
        job["first_batch"], job["last_batch"] = first, last
        job["first_step"], job["first_draw"] = self.updates, self.draws
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
            self._barrier[:] = 0  # a fork while another thread ran may have left threads waiting that are not there
        known = guards()
        if known is not None and not self.carry_state:
            for workspace in self._workspaces.values():
                workspace.spoil()
        team.run(_driver(), self._job_address, self._call_addresses, self._alone)
        if known is not None:
            known.check()

    def _begin_packing(self) -> int | None:
        """Tell for which minibatches the weights must be laid out: not again for those that have not changed.

        Returns the version that is laid out once the run has ended; until then none is.
        """
        before, self._packed_version = self._packed_version, None
        version = self.network.version
        is_packed = version is not None and version == before
        self._job["packs"] = EACH if self.training is not None else NEVER if is_packed else FIRST
        return version
