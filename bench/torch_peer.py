"""PyTorch as a contestant: ``nn.RNN`` and ``nn.Linear``, eager, one Python call a step, fixed minibatches.

``torch.compile`` was tried (2.13) and is not timed: it leaves ``nn.RNN`` eager. Let in through
``torch._dynamo.config.allow_rnn`` it compiled for 10 to 60 s and was slower; with the time loop written out in Python
it compiled for 4 to 8 s and was on par.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.stepper import Outcome, run_steps
from tests.cases import LEARNING_RATE, Case, make_data, make_weights

_LAYERS = {"SimpleRNN": nn.RNN}
_MINIBATCHES = 16
_ADAM = {"Adam fused": {"fused": True}, "Adam foreach": {"foreach": True}}


def use_threads(threads: int) -> None:
    torch.set_num_threads(threads)


def versions() -> str:
    return f"torch {torch.__version__}"


def settings(case: Case) -> list[str]:
    """Return the settings to try; the word before the colon says what one call from Python trains."""
    return [f"step: {adam}" for adam in _ADAM]


def prepare(case: Case, setting: str) -> "_TorchStepper":
    return _TorchStepper(case, **_ADAM[setting.removeprefix("step: ")])


class _TorchStepper:
    def __init__(self, case: Case, **adam: bool) -> None:
        self._case = case
        self._adam = adam
        dtype = getattr(torch, case.dtype)
        self._rnn = _LAYERS[case.cell](case.I, case.H, batch_first=True, dtype=dtype)
        self._dense = nn.Linear(case.H, 1, dtype=dtype)
        rnn, dense = self._rnn, self._dense
        self._ours = [rnn.weight_ih_l0, rnn.weight_hh_l0, rnn.bias_ih_l0, dense.weight, dense.bias]
        self._loss = nn.MSELoss()
        x, y = (torch.from_numpy(array) for array in make_data(case, _MINIBATCHES))
        self._data = list(zip(x.split(case.B), y.split(case.B), strict=True))
        self._start()

    def _start(self) -> None:
        with torch.no_grad():
            for parameter, value in zip(self._ours, make_weights(self._case), strict=True):
                parameter.copy_(torch.from_numpy(value).T if value.ndim == 2 else torch.from_numpy(value))
            self._rnn.bias_hh_l0.zero_()
        parameters = [*self._rnn.parameters(), *self._dense.parameters()]
        self._optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE, **self._adam)

    def _train(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self._optimizer.zero_grad(set_to_none=True)
        # The final state is the last output, and cheaper to go back through than a slice of all outputs.
        _, state = self._rnn(x)
        loss = self._loss(self._dense(state[0]), y)
        loss.backward()
        self._optimizer.step()
        return loss

    def first_step(self) -> Outcome:
        self._start()
        loss = self._train(*(torch.from_numpy(array) for array in make_data(self._case))).item()
        return Outcome(loss, [_keras(p.grad) for p in self._ours], [_keras(p) for p in self._ours])

    def run(self) -> int:
        return run_steps(lambda number: self._train(*self._data[number % _MINIBATCHES]), lambda: None)


def _keras(parameter: torch.Tensor) -> NDArray[np.floating]:
    """Return a copy in Keras's layout: matrices are transposed."""
    return parameter.detach().numpy().T.copy()
