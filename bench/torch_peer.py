"""PyTorch as a contestant: ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU`` and ``nn.Linear``, eager, one Python call a step.

``torch.compile`` was tried (2.13) and is not timed: it leaves ``nn.RNN`` eager. Let in through
``torch._dynamo.config.allow_rnn`` it compiled for 10 to 60 s and was slower; with the time loop written out in Python
it compiled for 4 to 8 s and was on par.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.gates import TORCH, reorder
from bench.stepper import CallStepper, Kind, Outcome, Stepper, run_steps
from tests.helpers.cases import LEARNING_RATE, Case, make_data, make_weights

_LAYERS = {"SimpleRNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
_MINIBATCHES = 16
_ADAM = {"Adam fused": {"fused": True}, "Adam foreach": {"foreach": True}}


def use_threads(threads: int) -> None:
    torch.set_flush_denormal(True)  # its threads inherit it
    torch.set_num_threads(threads)


def versions() -> str:
    return f"torch {torch.__version__}"


def calls(case: Case, kind: Kind) -> list[str]:
    return ["step"] if case.cell in _LAYERS else []


def settings(case: Case, kind: Kind) -> list[str]:
    return list(_ADAM) if kind == "train" else ["inference mode"]


def prepare(case: Case, kind: Kind, call: str, setting: str) -> Stepper:
    if kind == "train":
        return _TrainStepper(case, **_ADAM[setting])
    model = _Model(case)
    x, _ = make_data(case)
    x = torch.from_numpy(x)

    @torch.inference_mode()
    def predict():
        return model(x).numpy()

    return CallStepper(predict)


class _Model(nn.Module):
    def __init__(self, case: Case) -> None:
        super().__init__()
        self._case = case
        dtype = getattr(torch, case.dtype)
        self.rnn = _LAYERS[case.cell](case.I, case.H, batch_first=True, dtype=dtype)
        self.dense = nn.Linear(case.H, 1, dtype=dtype)
        if case.cell != "GRU":
            # One bias in Keras, two here: their sum is what matters, so one of them stays 0.
            self.rnn.bias_hh_l0.requires_grad_(requires_grad=False)
        self.restart()

    def restart(self) -> None:
        """Set the weights that every contestant starts from."""
        order = TORCH[self._case.cell]
        *layer, dense_kernel, dense_bias = make_weights(self._case)
        kernel, recurrent_kernel, bias = (reorder(weight, order) for weight in layer)
        biases = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
        values = (kernel.T, recurrent_kernel.T, *biases, dense_kernel.T, dense_bias)
        with torch.no_grad():
            for parameter, value in zip(self.parameters(), values, strict=True):
                parameter.copy_(torch.from_numpy(value))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # The final state is the last output, and cheaper to go back through than a slice of all outputs.
        _, state = self.rnn(x)
        h = state[0] if isinstance(state, tuple) else state
        return self.dense(h[0])

    def to_keras(self, read: Callable[[nn.Parameter], torch.Tensor]) -> list[NDArray[np.floating]]:
        """Return copies of what is read off the parameters, in Keras's order and layout."""
        order = TORCH[self._case.cell]
        rnn, dense = self.rnn, self.dense
        biases = [rnn.bias_ih_l0, rnn.bias_hh_l0] if self._case.cell == "GRU" else [rnn.bias_ih_l0]
        kernel, recurrent_kernel, dense_kernel, dense_bias, *biases = (
            read(parameter).detach().numpy().T.copy()
            for parameter in (rnn.weight_ih_l0, rnn.weight_hh_l0, dense.weight, dense.bias, *biases)
        )
        bias = np.stack(biases) if len(biases) == 2 else biases[0]
        return [*(reorder(weight, order) for weight in (kernel, recurrent_kernel, bias)), dense_kernel, dense_bias]


class _TrainStepper:
    def __init__(self, case: Case, **adam: bool) -> None:
        self._case = case
        self._adam = adam
        self._model = _Model(case)
        self._loss = nn.MSELoss()
        x, y = (torch.from_numpy(array) for array in make_data(case, _MINIBATCHES))
        self._data = list(zip(x.split(case.B), y.split(case.B), strict=True))
        self._start()

    def _start(self) -> None:
        self._model.restart()
        trained = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.Adam(trained, lr=LEARNING_RATE, **self._adam)

    def _train(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self._optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self._model(x), y)
        loss.backward()
        self._optimizer.step()
        return loss

    def first(self) -> Outcome:
        self._start()
        loss = self._train(*(torch.from_numpy(array) for array in make_data(self._case))).item()
        return Outcome(loss, self._model.to_keras(lambda p: p.grad), self._model.to_keras(lambda p: p))

    def run(self) -> int:
        return run_steps(lambda number: self._train(*self._data[number % _MINIBATCHES]), lambda: None)
