"""Lane: the short way for a call of ``predict`` that is like the one before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastrnn.engine.plan import Data, Plan
from fastrnn.engine.team import Team
from fastrnn.ground import checks
from fastrnn.ground.memory import empty

Array = NDArray[Any]
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
        self._x = empty(x.size, x.dtype).reshape(x.shape)
        self._numbers = self._x.reshape(-1)
        self._data = Data(self._x)
        self._is_ready = False

    def fits(self, x: Any, batch_size: int | None, threads: int | None) -> bool:
        """Whether a call is like the one that this was made for."""
        mine = self._x
        return (
            type(x) is np.ndarray and x.shape == mine.shape and x.dtype == mine.dtype
            and batch_size == self._batch_size and threads == self._threads
        )  # fmt: skip

    def predict(self, x: Array) -> Array | None:
        """Return the outputs, or None if ``x`` may not be finite."""
        plan = self._plan
        with plan.lock:
            np.copyto(self._x, x)
            if not checks.has_finite_square(self._numbers):
                return None
            team = Team(plan.threads)
            if self._is_ready and plan.data is self._data:
                plan.repeat(team)
            else:
                self._is_ready = False
                plan.read(self._data)
                plan.run(team, 0, 1)
                self._is_ready = True
            assert plan.output is not None
            return plan.output.copy()
