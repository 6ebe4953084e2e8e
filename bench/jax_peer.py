"""JAX as a contestant: the whole training step compiled, buffers donated, ``lax.scan`` over time.

What one call from Python trains is either a step or an epoch: a second ``lax.scan``, over minibatches that are laid out
beforehand, in their order, without a shuffle. The input projection is inside the time loop or one product before it.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from bench.stepper import RUN_SECONDS, Outcome, run_steps
from tests.cases import LEARNING_RATE, Case, make_data, make_weights

_MINIBATCHES = 16
_CALLS = ("step", "epoch")
_UNROLLS = (1, 4, 8, 16)
_PROJECTIONS = ("inside", "before")


def use_threads(threads: int) -> None:
    """Do nothing: the worker has set NPROC, from which XLA takes the size of its pool."""


def versions() -> str:
    return f"jax {jax.__version__}"


def settings(case: Case) -> list[str]:
    """Return the settings to try; the word before the colon says what one call from Python trains."""
    unrolls = [unroll for unroll in _UNROLLS if unroll <= case.T]
    return [
        f"{call}: unroll {unroll}, projection {where}"
        for call, unroll, where in itertools.product(_CALLS, unrolls, _PROJECTIONS)
    ]


def prepare(case: Case, setting: str) -> "_JaxStepper":
    call, rest = setting.split(": unroll ")
    unroll, where = rest.split(", projection ")
    jax.config.update("jax_enable_x64", case.dtype == "float64")
    return _JaxStepper(case, call, int(unroll), where)


def _simple_rnn(kernel, recurrent_kernel, bias, x, unroll, where):
    """Return the last output, (B, H)."""
    x = jnp.swapaxes(x, 0, 1)
    h = jnp.zeros((x.shape[1], recurrent_kernel.shape[0]), x.dtype)
    if where == "before":
        projected = x @ kernel + bias
        last, _ = lax.scan(lambda h, a: (jnp.tanh(a + h @ recurrent_kernel), None), h, projected, unroll=unroll)
    else:
        last, _ = lax.scan(
            lambda h, x_t: (jnp.tanh(x_t @ kernel + h @ recurrent_kernel + bias), None), h, x, unroll=unroll
        )
    return last


_LAYERS = {"SimpleRNN": _simple_rnn}


def _make_step(case, unroll, where):
    def loss(weights, x, y):
        *layer, dense_kernel, dense_bias = weights
        last = _LAYERS[case.cell](*layer, x, unroll, where)
        return jnp.mean((last @ dense_kernel + dense_bias - y) ** 2)

    def step(state, batch):
        weights, m, v, count = state
        value, gradients = jax.value_and_grad(loss)(weights, *batch)
        count = count + 1
        m = [0.9 * a + 0.1 * g for a, g in zip(m, gradients, strict=True)]
        v = [0.999 * a + 0.001 * g * g for a, g in zip(v, gradients, strict=True)]
        m_scale, v_scale = 1 / (1 - 0.9**count), 1 / (1 - 0.999**count)
        weights = [
            w - LEARNING_RATE * (a * m_scale) / (jnp.sqrt(b * v_scale) + 1e-8)
            for w, a, b in zip(weights, m, v, strict=True)
        ]
        return (weights, m, v, count), value

    return step


class _JaxStepper:
    def __init__(self, case: Case, call: str, unroll: int, where: str) -> None:
        self._case = case
        self._epochs = call == "epoch"
        step = _make_step(case, unroll, where)
        train = (lambda state, batches: lax.scan(step, state, batches)) if self._epochs else step
        self._train = jax.jit(train, donate_argnums=0)
        self._state = self._new_state()
        self._loss = jnp.zeros(())
        self._steps = _epoch_steps(case) if self._epochs else _MINIBATCHES
        x, y = (array.reshape(self._steps, case.B, *array.shape[1:]) for array in make_data(case, self._steps))
        if self._epochs:
            self._data = (jnp.array(x), jnp.array(y))
        else:
            self._data = [(jnp.array(x_b), jnp.array(y_b)) for x_b, y_b in zip(x, y, strict=True)]

    def _new_state(self):
        weights = [jnp.array(weight) for weight in make_weights(self._case)]
        m, v = ([jnp.zeros_like(weight) for weight in weights] for _ in range(2))
        return weights, m, v, jnp.zeros((), self._case.dtype)

    def first_step(self) -> Outcome:
        batch = [jnp.array(array) for array in make_data(self._case)]
        if self._epochs:
            batch = [array[None] for array in batch]
        (weights, m, _, _), loss = self._train(self._new_state(), tuple(batch))
        # The first moment after one step is 0.1 g: the gradient that the timed code itself used.
        gradients = [np.asarray(a, dtype=np.float64) / 0.1 for a in m]
        return Outcome(float(loss.sum()), gradients, [np.asarray(weight) for weight in weights])

    def _step(self, number: int) -> None:
        self._state, self._loss = self._train(self._state, self._data[number % _MINIBATCHES])

    def run(self) -> int:
        if not self._epochs:
            return run_steps(self._step, lambda: self._loss.block_until_ready())
        self._state, loss = self._train(self._state, self._data)
        loss.block_until_ready()
        return self._steps


def _epoch_steps(case: Case) -> int:
    """Return about how many steps JAX trains in ``RUN_SECONDS``: 0.5 us a time step, 50 GFLOP/s."""
    return max(2, round(RUN_SECONDS / (0.5e-6 * case.T + case.flops / 50e9)))
