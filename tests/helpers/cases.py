"""The one table of cases, for tests and benchmarks alike: the grid of layer sizes that the project is measured on.

Legend: B sequences in a batch, T steps, I inputs, H units. A case is a recurrent layer whose last output goes through
``Dense(1)``, trained on the mean squared error with Adam: ``Sequential([cell(H), Dense(1)], input_size=I)``.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4, "MinGRU": 2, "MinLSTM": 3}
_SCANS = ("MinGRU", "MinLSTM")
LEARNING_RATE = 1e-3


class Case(NamedTuple):
    """A recurrent layer, its sizes and its precision."""

    cell: str
    B: int
    T: int
    I: int  # noqa: E741
    H: int
    dtype: str = "float32"

    @property
    def name(self) -> str:
        """What selects the case on a command line and names it in a test report."""
        return f"{self.cell}-B{self.B}-T{self.T}-I{self.I}-H{self.H}-{self.dtype}"

    @property
    def scans(self) -> bool:
        """Whether the cell has no recurrent kernel."""
        return self.cell in _SCANS

    @property
    def forward_flops(self) -> int:
        """Floating-point operations of the products of one forward pass, 2BT·G(IH + H²): a multiply-add counts as two.

        Activations and the dense layer are left out; H² is for cells with a recurrent kernel.
        """
        return 2 * self.B * self.T * (GATES[self.cell] * self.I * self.H + self._recurrent_size)

    @property
    def training_flops(self) -> int:
        """Floating-point operations of the products of one training step, forward and backward.

        Backward 2BT·G(IH + 2H²): the gradients of both kernels and of the state are needed, but none of x.
        """
        return 2 * self.forward_flops + 2 * self.B * self.T * self._recurrent_size

    @property
    def recurrent_bytes(self) -> int:
        """Size of the recurrent kernel, which every time step reads once, forward and again backward."""
        return self._recurrent_size * np.dtype(self.dtype).itemsize

    @property
    def _recurrent_size(self) -> int:
        return 0 if self.scans else GATES[self.cell] * self.H**2


GRID = (
    Case("SimpleRNN", 1, 8, 2, 16),
    Case("SimpleRNN", 1, 50, 1, 100),
    Case("SimpleRNN", 1, 100, 1, 16),
    Case("SimpleRNN", 32, 50, 1, 32),
    Case("LSTM", 1, 100, 8, 32),
    Case("GRU", 1, 128, 64, 128),
    Case("LSTM", 32, 24, 19, 32),
    Case("LSTM", 32, 48, 24, 40),
    Case("GRU", 32, 168, 8, 64),
    Case("LSTM", 256, 120, 7, 32),
    Case("LSTM", 64, 168, 16, 128),
    Case("LSTM", 50, 50, 128, 128),
    Case("GRU", 64, 100, 128, 256),
    Case("LSTM", 64, 50, 256, 256),
    Case("LSTM", 16, 25, 512, 512),
    Case("SimpleRNN", 64, 50, 512, 512),
    Case("LSTM", 8, 1000, 16, 64),
    Case("LSTM", 64, 25, 512, 512),
)
LONG = tuple(
    Case(cell, *sizes)
    for sizes in ((1, 10_000, 16, 64), (32, 1000, 32, 128))
    for cell in ("MinGRU", "MinLSTM", "GRU", "LSTM")
)
"""Long series, where a cell without a recurrent kernel shows what it is good for, beside those with one."""


def make_weights(case: Case, seed: int = 0) -> list[NDArray[np.floating]]:
    """Return the weights of the case's model in Keras's order and layout, uniform in ±1/sqrt(H), biases too.

    Returns
    -------
    kernel : (I, G·H)
    recurrent_kernel : (H, G·H), if the cell has one
    bias : (G·H,), for a GRU (2, G·H)
    dense_kernel : (H, 1)
    dense_bias : (1,)
        All of ``case.dtype``.
    """
    rng = np.random.default_rng(seed)
    width = GATES[case.cell] * case.H
    bias = (2, width) if case.cell == "GRU" else (width,)
    bound = 1.0 / np.sqrt(case.H)
    recurrent = [] if case.scans else [(case.H, width)]
    shapes = [(case.I, width), *recurrent, bias, (case.H, 1), (1,)]
    return [rng.uniform(-bound, bound, shape).astype(case.dtype) for shape in shapes]


def make_data(case: Case, minibatches: int = 1, seed: int = 1) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return x (minibatches·B, T, I) and y (minibatches·B, 1), standard normal, of ``case.dtype``."""
    rng = np.random.default_rng(seed)
    rows = minibatches * case.B
    x = rng.standard_normal((rows, case.T, case.I), dtype=np.float32)
    y = rng.standard_normal((rows, 1), dtype=np.float32)
    return x.astype(case.dtype), y.astype(case.dtype)
