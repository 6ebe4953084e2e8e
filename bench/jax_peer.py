"""JAX as a contestant: a whole training step or forward pass compiled, ``lax.scan`` over time.

What one call from Python trains is either a step or an epoch: a loop, also compiled, over minibatches that are laid out
beforehand, in their order, without a shuffle. The input projection is inside the time loop or one product before it.
A cell without a recurrent kernel is also run by ``lax.associative_scan``.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.stepper import RUN_SECONDS, CallStepper, Kind, Outcome, Stepper, run_steps
from tests.helpers.cases import LEARNING_RATE, Case, make_data, make_weights

_MINIBATCHES = 16
_PROJECTIONS = ("before", "inside")
_ASSOCIATIVE = "associative scan"
# Floating-point operations of a training step of 20 ms and more, where a call from Python costs nothing and an unrolled
# loop is slower.
_LARGE = 2e9


def use_threads(threads: int) -> None:
    """Do nothing: the worker has set NPROC, from which XLA takes the size of its pool."""


def versions() -> str:
    return f"jax {jax.__version__}"


def calls(case: Case, kind: Kind) -> list[str]:
    return ["epoch", "step"] if kind == "train" and case.training_flops < _LARGE else ["step"]


def settings(case: Case, kind: Kind) -> list[str]:
    associative = [_ASSOCIATIVE] if case.scans else []
    unrolls = (1,) if case.training_flops >= _LARGE else (1, 4) if case.B > 1 else (1, 4, 8, 16)
    return associative + [
        f"unroll {unroll}, projection {where}"
        for unroll, where in itertools.product(unrolls, _PROJECTIONS)
        if unroll <= case.T
    ]


def prepare(case: Case, kind: Kind, call: str, setting: str) -> Stepper:
    jax.config.update("jax_enable_x64", case.dtype == "float64")
    if setting == _ASSOCIATIVE:
        predict = _make_associative_model(case)
    else:
        unroll, where = setting.removeprefix("unroll ").split(", projection ")
        predict = _make_model(case, int(unroll), where)
    if kind == "train":
        return _TrainStepper(case, call, predict)
    compiled = jax.jit(predict)
    weights = [jnp.array(weight) for weight in make_weights(case)]
    x = jnp.array(make_data(case)[0])
    return CallStepper(lambda: np.asarray(compiled(weights, x)))


def _simple_rnn(a, h, recurrent_kernel, recurrent_bias):
    return jnp.tanh(a + h @ recurrent_kernel)


def _lstm(a, state, recurrent_kernel, recurrent_bias):
    h, c = state
    i, f, g, o = jnp.split(a + h @ recurrent_kernel, 4, axis=1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def _gru(a, h, recurrent_kernel, recurrent_bias):
    a_z, a_r, a_g = jnp.split(a, 3, axis=1)
    u_z, u_r, u_g = jnp.split(h @ recurrent_kernel + recurrent_bias, 3, axis=1)
    z, r = jax.nn.sigmoid(a_z + u_z), jax.nn.sigmoid(a_r + u_r)
    return (1 - z) * jnp.tanh(a_g + r * u_g) + z * h


def _min_gru_terms(a):
    """Return the factor of the old state and what is added to it."""
    a_z, n = jnp.split(a, 2, axis=-1)
    z = jax.nn.sigmoid(a_z)
    return 1 - z, z * n


def _min_lstm_terms(a):
    a_f, a_i, n = jnp.split(a, 3, axis=-1)
    f, i = jax.nn.sigmoid(a_f), jax.nn.sigmoid(a_i)
    return f / (f + i), i / (f + i) * n


_SCANS = {"MinGRU": _min_gru_terms, "MinLSTM": _min_lstm_terms}


def _scanned(terms):
    def cell(a, h, recurrent_kernel, recurrent_bias):
        factor, added = terms(a)
        return factor * h + added

    return cell


_CELLS = {"SimpleRNN": _simple_rnn, "LSTM": _lstm, "GRU": _gru} | {
    name: _scanned(terms) for name, terms in _SCANS.items()
}


def _make_model(case, unroll, where):
    """Return a function of the weights and x (B, T, I) with the output (B, 1)."""
    cell = _CELLS[case.cell]

    def predict(weights, x):
        kernel, *recurrent_kernels, bias, dense_kernel, dense_bias = weights
        recurrent_kernel = None if case.scans else recurrent_kernels[0]
        bias, recurrent_bias = bias if case.cell == "GRU" else (bias, None)
        x = jnp.swapaxes(x, 0, 1)
        zeros = jnp.zeros((case.B, case.H), x.dtype)
        state = (zeros, zeros) if case.cell == "LSTM" else zeros
        if where == "before":
            x = x @ kernel + bias

        def step(state, x_t):
            a = x_t if where == "before" else x_t @ kernel + bias
            return cell(a, state, recurrent_kernel, recurrent_bias), None

        state, _ = lax.scan(step, state, x, unroll=unroll)
        h = state[0] if case.cell == "LSTM" else state
        return h @ dense_kernel + dense_bias

    return predict


def _make_associative_model(case):
    """Return the same function of a cell without a recurrent kernel, all steps in a tree."""
    terms = _SCANS[case.cell]

    def join(earlier, later):
        return earlier[0] * later[0], later[0] * earlier[1] + later[1]

    def predict(weights, x):
        kernel, bias, dense_kernel, dense_bias = weights
        _, h = lax.associative_scan(join, terms(jnp.swapaxes(x, 0, 1) @ kernel + bias))
        return h[-1] @ dense_kernel + dense_bias

    return predict


def _make_step(predict):
    def loss(weights, x, y):
        return jnp.mean((predict(weights, x) - y) ** 2)

    def step(state, x, y):
        weights, m, v, count, _ = state
        value, gradients = jax.value_and_grad(loss)(weights, x, y)
        count = count + 1
        m = [0.9 * a + 0.1 * g for a, g in zip(m, gradients, strict=True)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(v, gradients, strict=True)]
        m_scale, v_scale = 1 / (1 - 0.9**count), 1 / (1 - 0.999**count)
        weights = [
            w - LEARNING_RATE * (a * m_scale) / (jnp.sqrt(b * v_scale) + 1e-8)
            for w, a, b in zip(weights, m, v, strict=True)
        ]
        return weights, m, v, count, value

    return step


def _make_epoch(step):
    """Return a function that trains on the first ``count`` of the minibatches x (S, B, T, I) and y (S, B, 1)."""

    def epoch(state, x, y, count):
        return lax.fori_loop(0, count, lambda number, state: step(state, x[number], y[number]), state)

    return epoch


class _TrainStepper:
    def __init__(self, case: Case, call: str, predict) -> None:
        self._case = case
        self._epochs = call == "epoch"
        step = _make_step(predict)
        self._train = jax.jit(_make_epoch(step) if self._epochs else step, donate_argnums=0)
        self._state = self._new_state()
        self._steps = _epoch_steps(case) if self._epochs else _MINIBATCHES
        data = [array.reshape(self._steps, case.B, *array.shape[1:]) for array in make_data(case, self._steps)]
        if self._epochs:
            self._data = [jnp.array(array) for array in data]
        else:
            self._data = [(jnp.array(x), jnp.array(y)) for x, y in zip(*data, strict=True)]

    def _new_state(self):
        weights = [jnp.array(weight) for weight in make_weights(self._case)]
        m, v = ([jnp.zeros_like(weight) for weight in weights] for _ in range(2))
        count, loss = (jnp.zeros((), self._case.dtype) for _ in range(2))
        return weights, m, v, count, loss

    def first(self) -> Outcome:
        x, y = (jnp.array(array) for array in make_data(self._case))
        if self._epochs:
            x, y = (epoch.at[0].set(first) for epoch, first in zip(self._data, (x, y), strict=True))
            weights, m, _, _, loss = self._train(self._new_state(), x, y, 1)
        else:
            weights, m, _, _, loss = self._train(self._new_state(), x, y)
        # The first moment after one step is 0.1 g: the gradient that the timed code itself used.
        gradients = [np.asarray(a, dtype=np.float64) / 0.1 for a in m]
        return Outcome(float(loss), gradients, [np.asarray(weight) for weight in weights])

    def _step(self, number: int) -> None:
        self._state = self._train(self._state, *self._data[number % _MINIBATCHES])

    def run(self) -> int:
        if not self._epochs:
            return run_steps(self._step, lambda: self._state[-1].block_until_ready())
        self._state = self._train(self._state, *self._data, self._steps)
        self._state[-1].block_until_ready()
        return self._steps


def _epoch_steps(case: Case) -> int:
    """Return about how many steps JAX trains in ``RUN_SECONDS``: 0.5 us a time step, 50 GFLOP/s."""
    return max(2, round(RUN_SECONDS / (0.5e-6 * case.T + case.training_flops / 50e9)))
