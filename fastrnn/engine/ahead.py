"""Compile kernels in a process of their own, while another compiles the rest: ``python -m fastrnn.engine.ahead``.

Both keep what they compile and find what the other has kept, so this one begins with what the other needs last.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from fastrnn.engine.routines import cell_routines
from fastrnn.kernels.jobs.driver import Driver
from fastrnn.kernels.layers.dense import dense_backward, dense_gradients
from fastrnn.kernels.machine.operation import Compiled
from fastrnn.kernels.products.product import gram
from fastrnn.kernels.recurrent.gradients import recurrent_gradients
from fastrnn.kernels.recurrent.recurrence import recurrent_backward
from fastrnn.kernels.training.optimizers import adam_update
from fastrnn.layers import CELLS


def late(kinds: list[str]) -> Iterator[Compiled]:
    """List what training layers of these kinds, with the activations that they have unless told, needs late."""
    yield recurrent_backward
    for kind in kinds:
        layer = CELLS[kind](1)
        recurrent = getattr(layer, "recurrent_activation", "sigmoid")
        yield cell_routines(layer.equation, layer.activation, recurrent, ())["units_backward"]
    yield from (recurrent_gradients, gram, adam_update, dense_gradients, dense_backward)


def main(dtype: str, kinds: list[str]) -> None:
    """Compile the driver, and what training layers of these kinds needs late."""
    Driver()
    for code in late(kinds):
        code.code(dtype)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
