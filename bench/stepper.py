"""What every contestant hands to the clock."""

import time
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

# A timed run lasts about this long: far above the clock's resolution, short enough for contestants to take turns.
RUN_SECONDS = 0.05

Kind = Literal["train", "predict"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Outcome(NamedTuple):
    """What one training step did: its loss, and gradients and new weights in Keras's order and layout."""

    loss: float
    gradients: list[NDArray[np.floating]]
    weights: list[NDArray[np.floating]]


class Stepper(Protocol):
    """A model and its data, ready to be trained, or asked for its output (B, 1)."""

    def first(self) -> Outcome | NDArray[np.floating]:
        """Take one step, on ``make_data(case)`` from ``make_weights(case)``."""

    def run(self) -> int:
        """Go on for about ``RUN_SECONDS`` and return the number of steps that were finished."""


class CallStepper:
    """A model's output for one minibatch, a call a step."""

    def __init__(self, call: Callable[[], NDArray[np.floating]]) -> None:
        self.first = call

    def run(self) -> int:
        return run_steps(lambda _: self.first(), lambda: None)


def run_steps(step: Callable[[int], object], wait: Callable[[], object]) -> int:
    """Call ``step(0)``, ``step(1)``, ... for about ``RUN_SECONDS``, waiting for results after 1, 2, 4, 8, ... steps."""
    start = time.perf_counter()
    done, burst = 0, 1
    while time.perf_counter() - start < RUN_SECONDS:
        for number in range(done, done + burst):
            step(number)
        wait()
        done += burst
        burst = done
    return done


def seconds_per_step(stepper: Stepper, budget: float) -> float:
    """Return the median over the runs that fit into ``budget`` seconds, at least one."""
    times = []
    end = time.perf_counter() + budget
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        steps = stepper.run()
        times.append((time.perf_counter() - start) / steps)
    return float(np.median(times))
