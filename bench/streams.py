"""A stream beside the peers: a step at a time, many steps in a call, and learning from steps; one thread.

The model is ``LSTM(32)`` and ``Dense(1)`` on 4 features, a batch of one, float32. Each contestant has a process of its
own, and takes turns; nobody is timed whose first outputs, or weights after the first update, are not fastrnn's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr
from bench.project import versions
from bench.table import COMMAND, line, machine, number
from bench.worker import PEERS
from tests.helpers.cases import LEARNING_RATE, Case, make_weights

Array = NDArray[Any]
CASE = Case("LSTM", 1, 1, 4, 32)
RUN_STEPS, LESSON = 1000, 10
"""Steps in a call of a run; steps between updates, through which errors go back, when learning."""
CHECKED = 20
"""Steps whose outputs are compared."""
WHAT = {
    "step": "`stream.step(x)`: one step, NumPy array in, NumPy array out",
    "run": f"`stream.run(x)`: {RUN_STEPS} steps a call",
    "learn": f"`stream.learn(x, y)`, `tbptt={LESSON}`, Adam: one step",
    "learn many": f"the same: {LESSON} steps a call",
}
_HEAD = ("what", "fastrnn, µs a step", "best peer, µs a step (which)", "ratio", "others, µs")
_NOTES = """\
`LSTM(32)` and `Dense(1)` on 4 features, a batch of one, one thread, microseconds a step. PyTorch: `nn.LSTMCell` and
`nn.Linear` in inference mode for a step, `nn.LSTM` for a run, and {lesson} cells, back-propagation and fused Adam for a
lesson of {lesson} steps; JAX compiled, the state on the device, a run by `lax.scan`, a lesson as one call; ONNX Runtime
with its LSTM operator and the states as inputs and outputs."""


class Contestant(NamedTuple):
    """A task's first result, as all have it, and a call of so many steps."""

    first: Callable[[], Array]
    call: Callable[[], object]
    steps: int


def data() -> tuple[Array, Array]:
    """Return x (1, RUN_STEPS, I) and y (1, RUN_STEPS, 1), standard normal."""
    rng = np.random.default_rng(1)
    sizes = (1, RUN_STEPS, CASE.I), (1, RUN_STEPS, 1)
    return rng.standard_normal(sizes[0], dtype=np.float32), rng.standard_normal(sizes[1], dtype=np.float32)


# ---------------------------------------------------------------------------------------------- contestants


def of_fastrnn(task: str) -> Contestant:
    """The project, as a user calls it."""
    model = fr.Sequential([fr.LSTM(CASE.H), fr.Dense(1)], input_size=CASE.I)
    model.set_weights(make_weights(CASE))
    x, y = data()
    steps = [np.ascontiguousarray(x[:, t]) for t in range(RUN_STEPS)]
    if task in ("learn", "learn many"):
        trainer = fr.Trainer(model, optimizer=fr.Adam(LEARNING_RATE), tbptt=LESSON, tbptt_update="chunk")
        learn = trainer.stream().learn
        pieces = [(s, np.ascontiguousarray(y[:, t])) for t, s in enumerate(steps)]
        if task == "learn many":
            pieces = [(x[:, t : t + LESSON].copy(), y[:, t : t + LESSON].copy()) for t in range(0, RUN_STEPS, LESSON)]

        def lesson() -> Array:
            for piece in pieces[: LESSON if task == "learn" else 1]:
                learn(*piece)
            return np.concatenate([w.ravel() for w in model.get_weights()])

        return Contestant(lesson, lambda: [learn(*piece) for piece in pieces], RUN_STEPS)
    stream = model.stream()
    if task == "run":
        return Contestant(lambda: stream.run(x[:, :CHECKED]).ravel(), lambda: stream.run(x), RUN_STEPS)
    return Contestant(
        lambda: np.ravel([stream.step(steps[t]) for t in range(CHECKED)]),
        lambda: [stream.step(step) for step in steps],
        RUN_STEPS,
    )


def of_pytorch(task: str) -> Contestant:
    """``nn.LSTMCell`` or ``nn.LSTM``, and ``nn.Linear``."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    rnn: Any = (nn.LSTM if task == "run" else nn.LSTMCell)(CASE.I, CASE.H)
    dense = nn.Linear(CASE.H, 1)
    kernel, recurrent_kernel, bias, dense_kernel, dense_bias = make_weights(CASE)
    suffix = "_l0" if task == "run" else ""
    parameters = [getattr(rnn, name + suffix) for name in ("weight_ih", "weight_hh", "bias_ih")]
    parameters += [dense.weight, dense.bias]
    with torch.no_grad():
        values = (kernel.T, recurrent_kernel.T, bias, dense_kernel.T, dense_bias)
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))
        getattr(rnn, "bias_hh" + suffix).zero_().requires_grad_(requires_grad=False)
    x, y = data()
    steps = [np.ascontiguousarray(x[:, t]) for t in range(RUN_STEPS)]
    if task == "run":

        def run(x: Array) -> Array:
            with torch.inference_mode():
                return dense(rnn(torch.from_numpy(x.transpose(1, 0, 2)))[0]).numpy()

        return Contestant(lambda: run(x[:, :CHECKED]).ravel(), lambda: run(x), RUN_STEPS)
    state: Any = [None]

    @torch.inference_mode()
    def step(x: Array) -> Array:
        state[0] = rnn(torch.from_numpy(x), state[0])
        return dense(state[0][0]).numpy()

    if task == "step":
        return Contestant(
            lambda: np.ravel([step(steps[t]) for t in range(CHECKED)]), lambda: [step(x) for x in steps], RUN_STEPS
        )
    optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE, fused=True)
    inputs, targets = [torch.from_numpy(s) for s in steps], [torch.from_numpy(y[:, t]) for t in range(RUN_STEPS)]
    held: Any = [(torch.zeros(1, CASE.H), torch.zeros(1, CASE.H))]

    def lesson(first: int = 0) -> Array:
        h, c = held[0][0].detach(), held[0][1].detach()
        loss: Any = 0.0
        for t in range(first, first + LESSON):
            h, c = rnn(inputs[t], (h, c))
            loss = loss + nn.functional.mse_loss(dense(h), targets[t])
        optimizer.zero_grad(set_to_none=True)
        (loss / LESSON).backward()
        optimizer.step()
        held[0] = (h, c)
        return np.concatenate([p.detach().numpy().T.ravel() for p in parameters])

    return Contestant(lesson, lambda: [lesson(first) for first in range(0, RUN_STEPS, LESSON)], RUN_STEPS)


def of_jax(task: str) -> Contestant | None:
    """Compiled functions, the state and the weights on the device."""
    import os

    os.environ["NPROC"] = "1"
    import jax
    import jax.numpy as jnp

    def cell(weights: Any, state: Any, x: Any) -> tuple[Any, Any]:
        kernel, recurrent_kernel, bias, dense_kernel, dense_bias = weights
        h, c = state
        i, f, g, o = jnp.split(x @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h @ dense_kernel + dense_bias

    if task == "learn":
        return None
    weights = [jnp.array(w) for w in make_weights(CASE)]
    x, y = data()
    zero = (jnp.zeros((1, CASE.H)), jnp.zeros((1, CASE.H)))
    held = {"state": zero, "weights": weights}
    if task == "step":
        compiled = jax.jit(cell)

        def step(x: Array) -> Array:
            held["state"], out = compiled(held["weights"], held["state"], x)
            return np.asarray(out)

        steps = [np.ascontiguousarray(x[:, t]) for t in range(RUN_STEPS)]
        return Contestant(
            lambda: np.ravel([step(steps[t]) for t in range(CHECKED)]), lambda: [step(x) for x in steps], RUN_STEPS
        )
    if task == "run":
        scan = jax.jit(
            lambda weights, state, x: jax.lax.scan(lambda s, x: cell(weights, s, x), state, x, unroll=8),
            donate_argnums=1,
        )

        def run(x: Array) -> Array:
            held["state"], out = scan(held["weights"], held["state"], x.transpose(1, 0, 2))
            return np.asarray(out)

        return Contestant(lambda: run(x[:, :CHECKED]).ravel(), lambda: run(x), RUN_STEPS)

    def mean_loss(weights: Any, state: Any, x: Any, y: Any) -> tuple[Any, Any]:
        state, out = jax.lax.scan(lambda s, x: cell(weights, s, x), state, x, unroll=LESSON)
        return jnp.mean((out - y) ** 2), state

    @jax.jit
    def update(weights: Any, moments: Any, count: Any, state: Any, x: Any, y: Any) -> Any:
        slopes, state = jax.grad(mean_loss, has_aux=True)(weights, state, x, y)
        first = [0.9 * m + 0.1 * g for m, g in zip(moments[0], slopes, strict=True)]
        second = [0.999 * v + 0.001 * g * g for v, g in zip(moments[1], slopes, strict=True)]
        rate = LEARNING_RATE * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        floor = 1e-8 * jnp.sqrt(1 - 0.999**count)
        weights = [w - rate * m / (jnp.sqrt(v) + floor) for w, m, v in zip(weights, first, second, strict=True)]
        return weights, (first, second), count + 1, state

    held |= {"moments": ([0 * w for w in weights], [0 * w for w in weights]), "count": jnp.array(1.0)}
    pieces = [
        (np.ascontiguousarray(x[0, t : t + LESSON, None]), np.ascontiguousarray(y[0, t : t + LESSON, None]))
        for t in range(0, RUN_STEPS, LESSON)
    ]

    def lesson(place: int = 0) -> Array:
        held["weights"], held["moments"], held["count"], held["state"] = update(
            held["weights"], held["moments"], held["count"], held["state"], *pieces[place]
        )
        return held["weights"]

    def lessons() -> None:
        for place in range(len(pieces)):
            lesson(place)
        jax.block_until_ready(held["weights"])

    return Contestant(lambda: np.concatenate([np.ravel(w) for w in lesson()]), lessons, RUN_STEPS)


def of_onnx(task: str) -> Contestant | None:
    """ONNX Runtime, which does not learn here."""
    if task.startswith("learn"):
        return None
    import onnx
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    from bench.gates import ONNX, reorder

    *layer, dense_kernel, dense_bias = make_weights(CASE)
    kernel, recurrent_kernel, bias = (reorder(weight, ONNX["LSTM"]) for weight in layer)
    values = {
        "W": kernel.T[None], "R": recurrent_kernel.T[None], "B": np.concatenate([bias, 0 * bias])[None],
        "V": dense_kernel, "d": dense_bias, "direction": np.array([1]),
    }  # fmt: skip
    nodes = [
        helper.make_node("LSTM", ["x", "W", "R", "B", "", "h0", "c0"], ["all", "h", "c"], hidden_size=CASE.H),
        helper.make_node("Squeeze", ["all", "direction"], ["hs"]),
        helper.make_node("MatMul", ["hs", "V"], ["m"]),
        helper.make_node("Add", ["m", "d"], ["y"]),
    ]

    def of(name: str, *shape: Any) -> Any:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    graph = helper.make_graph(
        nodes, "step", [of("x", "T", 1, CASE.I), of("h0", 1, 1, CASE.H), of("c0", 1, 1, CASE.H)],
        [of("y", "T", 1, 1), of("h", 1, 1, CASE.H), of("c", 1, 1, CASE.H)],
        [numpy_helper.from_array(np.ascontiguousarray(v), k) for k, v in values.items()],
    )  # fmt: skip
    made = helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])
    onnx.checker.check_model(made)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    held = [np.zeros((1, 1, CASE.H), np.float32), np.zeros((1, 1, CASE.H), np.float32)]

    def run(x: Array) -> Array:
        out, held[0], held[1] = session.run(["y", "h", "c"], {"x": x, "h0": held[0], "c0": held[1]})
        return out

    x, _ = data()
    series = np.ascontiguousarray(x.transpose(1, 0, 2))
    if task == "run":
        return Contestant(lambda: run(series[:CHECKED]).ravel(), lambda: run(series), RUN_STEPS)
    steps = [series[t : t + 1] for t in range(RUN_STEPS)]
    return Contestant(
        lambda: np.ravel([run(steps[t]) for t in range(CHECKED)]), lambda: [run(x) for x in steps], RUN_STEPS
    )


CONTESTANTS = {"fastrnn": of_fastrnn, "PyTorch": of_pytorch, "JAX": of_jax, "ONNXRuntime": of_onnx}
_NEEDS = {"fastrnn": "fastrnn", "PyTorch": "torch", "JAX": "jax", "ONNXRuntime": "onnxruntime"}


# ---------------------------------------------------------------------------------------------- race


_ready: dict[str, Contestant | None] = {}


def _open(name: str, task: str) -> Array | None:
    """Make a contestant and return its first result, or None if it does not compete."""
    import_module(_NEEDS[name])
    contestant = _ready[task] = CONTESTANTS[name](task)
    return None if contestant is None else np.array(contestant.first(), np.float64)


def _turn(task: str, seconds: float) -> float:
    """Return the least seconds that a step took within a turn."""
    contestant, least = _ready[task], np.inf
    assert contestant is not None
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        contestant.call()
        least = min(least, (time.perf_counter() - start) / contestant.steps)
    return float(least)


def race(rounds: int, seconds: float, peers: Sequence[str] = PEERS) -> dict[str, dict[str, float]]:
    """Return the median over the turns of each contestant's seconds a step, by task and name.

    Raises
    ------
    RuntimeError
        A contestant's first result is not fastrnn's.
    """
    pools = {name: ProcessPoolExecutor(1, mp_context=get_context("spawn")) for name in ("fastrnn", *peers)}
    found: dict[str, dict[str, float]] = {}
    try:
        for task in WHAT:
            print(f"{task} ...", file=sys.stderr, flush=True)
            competing: dict[str, list[float]] = {}
            expected = pools["fastrnn"].submit(_open, "fastrnn", task).result()
            for name, pool in pools.items():
                try:
                    first = expected if name == "fastrnn" else pool.submit(_open, name, task).result()
                except ModuleNotFoundError:
                    continue
                if first is None:
                    continue
                error = float(np.abs(first - expected).max())
                if not error < 1e-5:
                    raise RuntimeError(f"{name}, {task}: {error:.2e} away from fastrnn; expected 1e-5: not timed")
                competing[name] = []
            for _ in range(rounds):
                for name, turns in competing.items():
                    turns.append(pools[name].submit(_turn, task, seconds).result())
            found[task] = {name: float(np.median(turns)) for name, turns in competing.items()}
    finally:
        for pool in pools.values():
            pool.shutdown()
    return found


def table(found: dict[str, dict[str, float]]) -> str:
    """Return the README's table."""
    lines = [line(_HEAD), line("---" for _ in _HEAD)]
    for task, times in found.items():
        ours = times["fastrnn"]
        others = sorted((seconds, name) for name, seconds in times.items() if name != "fastrnn")
        cells = [WHAT[task], number(1e6 * ours)]
        if others:
            seconds, name = others[0]
            rest = ", ".join(f"{number(1e6 * s)} ({n})" for s, n in others[1:])
            cells += [f"{number(1e6 * seconds)} ({name})", f"**{number(seconds / ours)}**", rest]
        else:
            cells += ["not installed", "", ""]
        lines.append(line(cells))
    lines += ["", _NOTES.format(lesson=LESSON), ""]
    return "\n".join([*lines, f"{machine()}; {versions()}. Reproduce with `{COMMAND} --streams`."])
