"""Compile kernels in a process of their own, while another compiles the rest: ``python -m fastrnn.kernels.jobs.ahead``.

Both keep what they compile and find what the other has kept, so this one begins with what the other needs last.
"""

from __future__ import annotations

import sys
from importlib import import_module

from fastrnn.kernels.jobs.driver import Driver
from fastrnn.kernels.machine.operation import Compiled

_SHARED = [
    "products.product:gram",
    "training.optimizers:adam_update",
    "layers.dense:dense_gradients",
    "layers.dense:dense_backward",
]
LAST = {
    "simple_rnn": ["recurrent.elman:elman_backward", "recurrent.gradients:recurrent_gradients"],
    "lstm": ["recurrent.lstm:lstm_backward", "recurrent.gradients:recurrent_gradients"],
    "gru": ["recurrent.gru:gru_backward", "recurrent.gru:gru_gradients"],
}
"""What a layer of a kind needs on the way back."""


def main(dtype: str, kinds: list[str]) -> None:
    """Compile the driver, and what training layers of these kinds needs late."""
    Driver()
    for name in [*(name for kind in kinds for name in LAST[kind]), *_SHARED]:
        module, _, function = name.partition(":")
        code: Compiled = getattr(import_module(f"fastrnn.kernels.{module}"), function)
        code.code(dtype)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
