"""Learner: a plan that trains on steps as they come, by truncated back-propagation through time.

Every k1 steps a piece closes: the errors of its steps go back through k2 steps, and the weights change (Williams and
Peng 1990, BPTT(h; h')). The steps that a pass may still reach lie on the tapes of a minibatch without an end; where the
tapes end, those steps are moved to their beginning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.engine.errand import Letter, errand_of
from fastrnn.engine.network import Network
from fastrnn.engine.plan import Data, Plan
from fastrnn.engine.program import WINDOW_ROWS, Training
from fastrnn.engine.team import Team
from fastrnn.ground.memory import address, guards, zeros
from fastrnn.operations import batch
from fastrnn.operations.job import NEVER

Array = NDArray[Any]
_NEVER = -2
"""No version of the weights, nor the one before."""


class Learner:
    """Learns ``rows`` sequences a step at a time.

    Parameters
    ----------
    network : layers and parameters
    columns : the loss alone
    training : with an optimizer and a truncation; live

    Attributes
    ----------
    plan : which has the optimizer's state
    """

    def __init__(self, network: Network, rows: int, columns: tuple[Any, ...], training: Training) -> None:
        assert training.tbptt is not None
        self._network, self._rows, self._team = network.at_every_step(), rows, Team(1)
        self._k1, k2 = training.tbptt
        self._kept = -(-max(0, k2 - self._k1) // self._k1) * self._k1
        steps = self._kept + self._k1 * max(2, -(-WINDOW_ROWS // self._k1))
        self.plan = Plan(self._network, rows, steps, columns=columns, training=training, carry_state=True)
        self._columns = self.plan.columns
        dtype, whole = network.dtype, "int64"
        x = zeros(
            rows * steps * (1 if network.takes_ids else network.input_size), whole if network.takes_ids else dtype
        )
        targets, are_classes = self._columns.row_size(steps)
        y = zeros(rows * targets, whole if are_classes else dtype)
        self._x = x.reshape(rows, steps, *([] if network.takes_ids else [-1]))
        self._y = y.reshape(rows, steps, *([] if are_classes else [-1]))
        self._steps, self._takes_any = steps, self._columns.takes_any
        totals = self.plan.totals
        totals[0], totals[batch.LONGEST], totals[batch.SHORTEST] = rows * self._k1, steps, steps
        self._losses, self._versions, self._packed = self.plan.row_losses, self._network.versions, _NEVER
        self.x = Letter((rows,), "", network.input_size) if network.takes_ids else Letter(self._x[:, 0].shape, dtype)
        self.y = Letter((rows,), "", network.output_size) if are_classes else Letter(self._y[:, 0].shape, dtype)
        self._are_fit = errand_of([self.x, self.y])
        self._go_on = errand_of([], *self.plan.call_of(0))
        self._is_guarded = guards() is not None
        self._moving: list[list[Array]] | None = None
        names = ("begins", "elapsed", "piece", "next", "count", "closes")
        self._begins, self._elapsed, self._piece, self._next, self._count, self._closes = map(self.plan.field, names)

    def begin(self, states: Sequence[Sequence[Array]]) -> None:
        """Begin new sequences with the given states (rows, H)."""
        plan = self.plan
        self._initial = [[np.ascontiguousarray(array) for array in state] for state in states]
        plan.read(Data(self._x, self._y))
        for state, given in zip(plan.lowered[0].states, self._initial, strict=True):
            state.start(False, [address(array) for array in given], 0, False)
        plan.aim(begins=1, elapsed=0, piece=0, next=0, closes=0, first_draw=plan.draws)
        self._moving = None
        plan.draws += 1

    def are_fit(self, x: Any, y: Any) -> bool:
        """Take a step and its targets as they come; False for what must be looked at closer, and may be right."""
        return (
            type(x) is type(y) is np.ndarray and self._takes_any and self.x.takes(x) and self.y.takes(y)
            and bool(self._are_fit())
        )  # fmt: skip

    def targets(self, y: Any, steps: int | None) -> Array:
        """Return checked targets (rows, O), or classes (rows,), of a step; of some steps (rows, T, O) or (rows, T)."""
        return self._columns.targets(y, self._rows, steps, self._network.dtype, None, None).y

    def learn(self) -> float:
        """Learn from the step that `x` and `y` hold and return its loss."""
        place = self._free_place()
        self._x[:, place], self._y[:, place] = self.x.array, self.y.array
        return self._take(1) / self._rows

    def learn_all(self, x: Array, y: Array) -> float:
        """Learn from checked steps (rows, T, ...) with their targets and return their mean loss."""
        total, first, steps = 0.0, 0, x.shape[1]
        while first < steps:
            place = self._free_place()
            last = min(steps, first + self._steps - place)
            now = slice(place, place + last - first)
            self._x[:, now], self._y[:, now] = x[:, first:last], y[:, first:last]
            total += self._take(last - first)
            first = last
        return total / float(self._rows * steps)

    def close(self) -> None:
        """Let the weights learn from a piece that is not full."""
        self._closes[0] = 1
        try:
            self._take(0)
        finally:
            self._closes[0] = 0

    @property
    def states(self) -> list[list[Array]]:
        """Copies of the states (rows, H) of each cell."""
        if self._moving is not None:
            return self._moving
        place = int(self._next[0])
        return [[a.copy() for a in state.at(place, self._rows)] for state in self.plan.lowered[0].states]

    def _take(self, steps: int) -> float:
        """Take steps that are in the buffers and return the sum of their losses."""
        self._losses[:] = 0.0
        self._count[0] = steps
        self._network.weights_changed()  # before, so that no interrupt comes between the weights and this
        if self._is_guarded or self._versions[0] is None or self._versions[0] != self._packed + 1:
            self._packed = _NEVER
            self.plan.repeat(self._team)
            self.plan.aim(packs=NEVER)
        else:
            self._packed = _NEVER
            self._go_on()
        self._network.weights_changed()
        if self._versions[0] is not None:
            self._packed = self._versions[0]
        return float(self._losses.item() if self._rows == 1 else self._losses.sum())

    def _free_place(self) -> int:
        """Return where the next step is to be; at the end of the tapes, what is still needed is moved to the beginning.

        Where an interrupt broke that off, a new sequence begins with the state that there was.
        """
        if self._moving is not None:
            self.begin(self._moving)
        elif self._next[0] == self._steps:
            steps = self._steps - self._kept
            self._moving = self.states
            self.plan.shift(steps)
            self._next -= steps
            self._piece -= steps
            self._elapsed += steps
            self._moving = None
        return int(self._next[0])
