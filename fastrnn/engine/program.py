"""A program: the records, buffers and operations that one minibatch of a shape takes, and their order.

It knows no layers: those who do add to it, phase by phase (`fastrnn.engine.lowering`, `fastrnn.engine.columns`,
`fastrnn.engine.update`), and `Program.finished` makes tables of it for `fastrnn.kernels.jobs.driver`. Legend: ``B``
rows at most, ``T`` steps, ``W`` steps of the window that a backward pass works on at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastrnn.code.compiled import Compiled
from fastrnn.code.target import LANES_OF
from fastrnn.engine.compiling import prepare
from fastrnn.ground.memory import Workspace, address, empty, guards, zeros
from fastrnn.operations import crew, updates
from fastrnn.operations.call import CALL, Operation
from fastrnn.operations.job import JOB, STAGE_FIELDS, drive, drive_on
from fastrnn.operations.products import ROW_UNIT, padded, scratch_size
from fastrnn.operations.records import check_fields
from fastrnn.optimizers import Optimizer

Array = NDArray[Any]
SHARED = ("weigh", "pack", "change", "end")
OWN = ("begin", "clear", "keep", "recall", "read", "forward", "error", "back")
"""The phases of a minibatch as a whole and those of each shard; see :data:`fastrnn.operations.job.JOB`."""
WINDOW_ROWS = 256
"""Rows times steps of a backward window: enough terms for the weight gradients' products to run at full speed."""


class Training(NamedTuple):
    """How a plan computes gradients, and how it updates if there is an ``optimizer``.

    Without a ``dropout_seed`` nothing is dropped; with ``recompute`` only a segment's states are kept; ``live`` is a
    minibatch without an end, of which some steps are done at a time.
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
    live: bool = False

    @property
    def form(self) -> tuple[Any, ...]:
        """What decides about a plan's operations and buffers; the rest are numbers that `Plan.tune` changes."""
        rule = self.optimizer and (type(self.optimizer), self.optimizer.states, self.optimizer.leaves_unused_alone)
        return (*self._replace(optimizer=None, clip_value=None, clip_norm=None), rule, self.clip_norm is None)


class Shape(NamedTuple):
    """What a program is for: minibatches of up to ``rows`` sequences of ``steps`` steps, by ``threads`` threads.

    They are cut into ``shards``; where ``splits``, threads share out a layer's units rather than its rows.
    ``parameters`` is the size of the flat buffer, ``widest`` the widest row of numbers that any layer has.
    """

    rows: int
    steps: int
    threads: int
    shards: int
    splits: bool
    dtype: str
    parameters: int
    widest: int
    carry_state: bool


class Back(NamedTuple):
    """How a layer goes back: before a pass, through each window, and its weight gradients."""

    spec: Array
    backward: Operation | None
    gradients: Operation | None
    begin: Operation | None = None
    pads_last: bool = True
    last_only: bool = False


class Program:
    """Phases, records and buffers.

    Parameters
    ----------
    shape : of minibatches, and who works on them
    training : None computes outputs (and losses) only

    Attributes
    ----------
    shard_rows : rows of a shard
    capacity : steps whose states are kept at a time, ``segments`` times
    online : whether the weights change within a minibatch
    window : W
    gradients : of all shards, one after another
    driver : what runs the job
    tapes : the buffers that hold something for each step, and how many numbers a step has
    packed : for each layer the packed weights, all shards' together
    """

    def __init__(self, shape: Shape, training: Training | None) -> None:
        self.shape, self.training, self.dtype = shape, training, shape.dtype
        self.rows, self.steps, self.threads, self.shards = shape.rows, shape.steps, shape.threads, shape.shards
        self.shard_rows = min(self.rows, -(-self.rows // (self.shards * ROW_UNIT)) * ROW_UNIT)
        recomputes = training is not None and training.recompute
        self.capacity = math.isqrt(self.steps - 1) + 1 if recomputes else self.steps
        self.segments = -(-self.steps // self.capacity)
        # An update a piece is one a minibatch where a sequence is a single piece.
        pieces = training.tbptt if training and training.online else None
        self.online = pieces is not None and pieces[0] < self.steps
        self.window = min(self.capacity, max(1, -(-WINDOW_ROWS // self.shard_rows)))
        self.gradients = self.zeros(self.shards * shape.parameters if training else 0)
        self.packed: list[dict[str, Array]] = []
        self.nothing = self.zeros(padded(shape.widest, LANES_OF[self.dtype]))
        self.workspaces: dict[int, Workspace] = {}
        self.barrier = zeros(8 * shape.threads, np.int64)
        self.tapes: list[tuple[Array, int]] = []
        self.driver = drive_on if training is not None and training.live else drive
        self._phases: dict[str, list[list[Any]]] = {name: [] for name in SHARED}
        self._tables: list[dict[str, list[list[Any]]]] = []
        self._stages: list[list[int]] = []
        self._keep: list[Any] = []
        self._routines: list[tuple[Array, str, Compiled]] = []

    def zeros(self, count: int) -> Array:
        """Return a buffer of ``count`` numbers of the model's dtype."""
        return zeros(count, self.dtype)

    def empty(self, count: int) -> Array:
        """The same, of numbers that are written before they are read."""
        return empty(count, self.dtype)

    def spec(self, dtype: np.dtype[Any], **values: Any) -> Array:
        """Return a record with the given fields that lives as long as the plan.

        An array stands for its address, and so does a routine, for one that is known once it is compiled.

        Raises
        ------
        ValueError
            A field that the record does not have, or none for one that it needs.
        """
        check_fields(dtype, values)
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
        meet = meet or (self.shape.splits and phase in ("read", "forward", "error"))
        self._phases[phase].append([operation, address(spec), int(meet)])

    def add_clearing(self, buffer: Array) -> None:
        """Zero a buffer at the beginning of every minibatch."""
        spec = self.spec(updates.UPDATE, count=len(buffer), gradients=buffer)
        self.add("clear", updates.zero_gradients, spec, meet=True)

    def add_stage(self, layers: Sequence[Back], *, truncates: bool, last_only: bool, window: int) -> None:
        """Append a stage of the way back: these layers from the top down, then their weight gradients."""
        operations = self._phases["back"]
        begin = len(operations)
        for layer in layers:
            if layer.begin is not None:
                self.add("back", layer.begin, layer.spec, meet=self.shape.splits)
        back = len(operations)
        for layer in layers:
            if layer.backward is not None:
                self.add("back", layer.backward, layer.spec, meet=self.shape.splits)
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

    def meet(self, phase: str) -> None:
        """Make all threads meet after the last operation of a phase so far."""
        self._phases[phase][-1][2] = 1

    def begin_shard(self) -> Workspace:
        """Turn to the next shard: its phases, and the buffers that it shares with others of its thread.

        They are its thread's, as long as nothing must outlast the shard's turn.
        """
        self._tables.append({name: [] for name in OWN})
        self._phases |= self._tables[-1]
        owner = shard = len(self._tables) - 1
        if not self.online and not self.shape.carry_state:
            owner = next(t for t in range(self.threads) if shard < self.shards * (t + 1) // self.threads)
        workspace = self.workspaces.setdefault(owner, Workspace())
        workspace.rewind()
        return workspace

    # ------------------------------------------------------------------------------------------ finished

    def compile(self) -> None:
        """Put the addresses of code where the operations and routines stand."""
        phases = [self._phases[name] for name in SHARED] + [table[name] for table in self._tables for name in OWN]
        rows = [row for phase in phases for row in phase]
        functions = [row[0] for row in rows] + [routine for _, _, routine in self._routines]
        own = [(crew.lead, ""), (crew.attend, "")] if self.threads > 1 else []
        prepare([(self.driver, ""), *own, *((function, self.dtype) for function in functions)])
        for row in rows:
            row[0] = row[0].address(self.dtype)
        for record, name, routine in self._routines:
            record[name] = routine.address(self.dtype)

    def job(self, totals: Array) -> Array:
        """Return the record of the job that runs the program."""
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
        return self.spec(
            JOB,
            steps=self.steps, k1=min(k1, self.steps), k2=min(k2, self.steps), segment=self.capacity,
            online=self.online,
            updates=bool(training and training.optimizer), stages=stages, stage_count=len(self._stages),
            barrier=self.barrier, totals=totals, batch_size=self.rows, shards=self.shards,
            operations=len(tables[0]), shared=np.array(shared, np.int64), table=np.array(tables, np.int64), **ends,
        )  # fmt: skip

    def calls(self) -> list[Array]:
        """Return a record for each thread."""
        size = scratch_size(LANES_OF[self.dtype], self.shape.widest, self.steps * self.shard_rows)
        return [
            self.spec(CALL, member=thread, team=self.threads, scratch=self.empty(size), barrier=self.barrier)
            for thread in range(self.threads)
        ]

    def call_alone(self, calls: Sequence[Array]) -> Array:
        """Return a record for a thread that does it all, with the first one's memory."""
        return self.spec(CALL, member=0, team=1, scratch=calls[0]["scratch"][0])
