"""Stepper: a plan for one step at a time, whose state stays where the kernels keep it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.engine.errand import Letter, errand_of
from fastrnn.engine.network import Network
from fastrnn.engine.plan import Data, Plan
from fastrnn.engine.team import Team
from fastrnn.engine.threads import choose_threads
from fastrnn.ground.memory import guards
from fastrnn.operations.job import NEVER

Array = NDArray[Any]
RUN_STEPS = 1024
"""Steps that a run takes at a time."""
_NEVER = -1
"""No version of the weights."""
PLANS = 4
"""Numbers of steps whose buffers are kept."""


class Stepper:
    """Takes a step of ``rows`` sequences at a time, each the next of its sequence.

    Attributes
    ----------
    x : (rows, F) of the network's dtype, or (rows,) int64 ids: what the next step reads
    """

    def __init__(self, network: Network, rows: int) -> None:
        self._network, self._rows = network.at_every_step(), rows
        self._plan = plan = Plan(self._network, rows, 1, emits=True, carry_state=True)
        size = network.input_size
        self.x = Letter((rows,), "", size) if network.takes_ids else Letter((rows, size), network.dtype)
        plan.read(Data(self.x.array.reshape(rows, 1, *self.x.array.shape[1:])))
        plan.aim(first_batch=0, last_batch=1)
        self._takes, self._versions = self.x.takes, self._network.versions
        self._run = errand_of([self.x], *plan.call_of(0))
        self._states = plan.lowered[0].states
        for state in self._states:
            state.go_on()
        self._places = [state.at(state.final, rows) for state in self._states]
        assert plan.output is not None
        self._result = plan.output.reshape(rows, -1).copy
        self._plans: dict[int, Plan] = {}
        self._packed = _NEVER
        self._is_guarded = guards() is not None
        self.reset(slice(None))

    def quick(self, x: Array) -> Array | None:
        """Take the step x (rows, F), or ids, and return the outputs (rows, O); None: nothing is done, look closer."""
        if self._takes(x) and self._versions[0] == self._packed and self._run():
            return self._result()
        return None

    def step(self, x: Array) -> Array:
        """Take a checked step and return the outputs (rows, O)."""
        self.x.array[:] = x
        version = self._network.version
        self._packed = _NEVER
        self._plan.repeat(Team(1))
        if version is not None and not self._is_guarded:
            self._plan.aim(packs=NEVER)
            self._packed = version
        return self._result()

    def run(self, x: Array) -> Array:
        """Take the steps of checked x (rows, T, F) or (rows, T) and return the outputs (rows, T, O)."""
        blocks = []
        for first in range(0, x.shape[1], RUN_STEPS):
            block = np.ascontiguousarray(x[:, first : first + RUN_STEPS])
            plan = self._plan_of(block.shape[1])
            try:
                plan.read(Data(block, initial_state=self.states), wants_states=True)
                plan.run(Team(plan.threads), 0, 1)
                self.states = plan.final_states
                assert plan.output is not None
                blocks.append(plan.output)
            finally:
                plan.release()
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)

    def _plan_of(self, steps: int) -> Plan:
        """Return the plan for so many steps; the oldest of too many is dropped."""
        if steps not in self._plans:
            threads = choose_threads(None, self._network, self._rows, steps, minibatches=1)
            self._plans[steps] = Plan(self._network, self._rows, steps, emits=True, threads=threads)
            if len(self._plans) > PLANS:
                del self._plans[next(iter(self._plans))]
        return self._plans[steps]

    def reset(self, rows: Any) -> None:
        """Set the states of some rows to zero."""
        for places in self._places:
            for place in places:
                place[rows] = 0.0

    @property
    def states(self) -> list[list[Array]]:
        """Copies of the states (rows, H) of each cell."""
        return [[place.copy() for place in places] for places in self._places]

    @states.setter
    def states(self, states: Sequence[Sequence[Array]]) -> None:
        for places, arrays in zip(self._places, states, strict=True):
            for place, array in zip(places, arrays, strict=True):
                place[...] = array
