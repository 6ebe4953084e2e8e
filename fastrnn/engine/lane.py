"""Lane: the short way for a call of ``predict`` that is like the one before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.engine.errand import Letter, errand_of
from fastrnn.engine.plan import Data, Plan
from fastrnn.engine.team import Team
from fastrnn.ground import checks
from fastrnn.ground.memory import guards
from fastrnn.operations.job import NEVER

Array = NDArray[Any]
_NEVER = -1
"""No version of the weights."""
LANE_BYTES = 2**20
"""Size of the input up to which what Python spends on a call is worth a copy."""


class Lane:
    """Predicts for arrays of one shape: they are copied to where the plan reads, so that nothing need be told anew.

    Parameters
    ----------
    plan : a plan that emits, for as many rows as ``x`` has
    x : (N, T, F) of the plan's dtype
    batch_size, threads : the arguments of the calls that this stands for
    """

    def __init__(self, plan: Plan, x: Array, batch_size: int | None, threads: int | None) -> None:
        self._plan, self._batch_size, self._threads = plan, batch_size, threads
        self._shape, self._x = x.shape, Letter(x.shape, x.dtype.name)
        self._run = errand_of([self._x], *plan.call_of(0))
        self._data = Data(self._x.array)
        self._versions, self._packed = plan.network.versions, _NEVER
        self._is_alone = plan.threads == 1 and guards() is None

    def fits(self, x: Any, batch_size: int | None, threads: int | None) -> bool:
        """Whether a call is like the one that this was made for."""
        return (
            type(x) is np.ndarray and x.shape == self._shape and batch_size == self._batch_size
            and threads == self._threads
        )  # fmt: skip

    def predict(self, x: Array) -> Array | None:
        """Return the outputs, or None if ``x`` must be looked at closer."""
        plan = self._plan
        with plan.lock:
            if not self._x.takes(x):
                return None
            if self._versions[0] == self._packed and plan.data is self._data:
                if not self._run():
                    return None
            elif not checks.has_finite_square(self._x.array):
                return None
            else:
                self._tell()
            assert plan.output is not None
            return plan.output.copy()

    def _tell(self) -> None:
        """Run the plan, and tell it of the data if they are not what it has read."""
        plan, team, version = self._plan, Team(self._plan.threads), self._versions[0]
        self._packed = _NEVER
        if plan.data is self._data:
            plan.repeat(team)
        else:
            plan.read(self._data)
            plan.run(team, 0, 1)
        if self._is_alone and version is not None:
            plan.aim(packs=NEVER)
            self._packed = version
