"""Random problems for the property tests: a stack, its data and everything that may go with them."""

import contextlib
from typing import Any, NamedTuple

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

import fastrnn as fr
from fastrnn.engine.columns import Columns
from fastrnn.reference import model as reference
from tests.helpers.cells import CELLS, make_cell

Array = NDArray[Any]
ACTIVATIONS = ("tanh", "sigmoid", "relu", "linear")
DENSE_ACTIVATIONS = (*ACTIVATIONS, "linear", "sigmoid", "softmax", "softmax")
LOSSES = ("mse", "mae", "binary_crossentropy", "categorical_crossentropy", "sparse_categorical_crossentropy")
"""Those that are tried with all that there is."""
MODES = ("concat", "sum", "mul", "ave")


class Problem(NamedTuple):
    """A model, the reference's description of it, and a batch."""

    model: fr.Sequential
    layers: list[dict[str, Any]]
    x: Array
    y: Array
    loss: str
    sample_weight: Array | None
    lengths: Array | None
    initial_state: Any
    tbptt: tuple[int, int] | None

    @property
    def batch(self) -> tuple[Any, ...]:
        """What both sides' ``gradients`` take after model and weights; the reference wants a list of states."""
        return (self.x, self.y, self.loss, self.sample_weight, self.lengths, self.initial_state, self.tbptt)

    @property
    def something_counts(self) -> bool:
        """Whether a row has a weight and a length."""
        parts = [np.asarray(part) > 0 for part in (self.sample_weight, self.lengths) if part is not None]
        return bool(np.all(parts, axis=0).any()) if parts else True


SIZES = st.one_of(st.integers(1, 9), st.sampled_from([15, 16, 17, 31, 33, 48, 50]))
"""Every remainder of the lane counts."""


@st.composite
def cells(draw: st.DrawFn, sequences: bool, forwards: bool, drops: bool) -> Any:
    """Draw a recurrent layer."""
    options: dict[str, Any] = {"return_sequences": sequences, "use_bias": draw(st.booleans())}
    if drops:
        options |= {
            "dropout": draw(st.sampled_from([0.0, 0.3])),
            "recurrent_dropout": draw(st.sampled_from([0.0, 0.4])),
        }
    activation = draw(st.sampled_from(["tanh", "tanh", *ACTIVATIONS]))
    gate = draw(st.sampled_from(["sigmoid", "sigmoid", *ACTIVATIONS]))
    units = draw(SIZES)
    kind = draw(st.sampled_from(list(CELLS)))
    if gate not in ("sigmoid", "tanh") or activation in ("relu", "linear"):
        # An unbounded gate may square the state at every step, a negative one may double an unbounded state.
        gate = "sigmoid"
    bidirectional = not forwards and draw(st.booleans())
    if not forwards and not bidirectional:
        options["go_backwards"] = draw(st.booleans())
    layer = make_cell(kind, units, activation, gate, **options)
    return fr.Bidirectional(layer, draw(st.sampled_from(MODES))) if bidirectional else layer


@st.composite
def stacks(draw: st.DrawFn, forwards: bool, drops: bool) -> tuple[list[Any], int | None, bool]:
    """Draw layers, the vocabulary if they take ids, and whether they answer at every step."""
    every_step = draw(st.booleans())
    first = draw(st.sampled_from(["features", "features", "features", "embedding", "one_hot", "dense"]))
    vocabulary = draw(st.integers(1, 20)) if first in ("embedding", "one_hot") else None
    stack: list[Any] = []
    if first == "embedding":
        stack.append(fr.Embedding(vocabulary, draw(SIZES)))
    elif first == "one_hot":
        stack.append(fr.OneHot(vocabulary))
    elif first == "dense":
        stack.append(fr.Dense(draw(SIZES), draw(st.sampled_from(DENSE_ACTIVATIONS))))
    depth = draw(st.sampled_from([1, 1, 2, 3]))
    for i in range(depth):
        stack.append(draw(cells(every_step or i + 1 < depth, forwards, drops)))
        if drops and draw(st.booleans()):
            stack.append(fr.Dropout(0.25))
    stack.extend(
        fr.Dense(draw(SIZES), draw(st.sampled_from(DENSE_ACTIVATIONS)), use_bias=draw(st.booleans()))
        for _ in range(draw(st.sampled_from([1, 1, 0, 2])))
    )
    if drops and draw(st.booleans()):
        stack.append(fr.Dropout(0.25))
    return stack, vocabulary, every_step


@st.composite
def problems(draw: st.DrawFn, dtype: str, forwards: bool = False, drops: bool = False) -> Problem:
    """Draw a stack of one to three recurrent layers with data; truncation from 1 to beyond T.

    ``forwards``: no layer reads backwards; ``drops``: there may be dropout.
    """
    stack, vocabulary, every_step = draw(stacks(forwards, drops))
    batch, steps = draw(st.integers(1, 13)), draw(st.integers(1, 11))
    inputs = draw(SIZES) if vocabulary is None else vocabulary
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    model = fr.Sequential(stack, input_size=inputs, dtype=dtype)
    model.set_weights(
        [rng.uniform(-1, 1, w.shape) / np.sqrt(w.shape[0] if w.ndim > 1 else 4) for w in model.get_weights()]
    )
    if vocabulary is None:
        x: Array = rng.standard_normal((batch, steps, inputs)).astype(dtype)
    else:
        x = rng.integers(0, vocabulary, (batch, steps))
    loss = draw(st.sampled_from(losses_of(model)))
    y = make_targets(rng, loss, (batch, *([steps] if every_step else []), model.output_form[1]), dtype)
    states = [tuple(rng.standard_normal((batch, size)).astype(dtype) for size in sizes) for sizes in model.state_sizes]
    problem = Problem(
        model,
        [describe(layer) for layer in stack],
        x,
        y,
        loss,
        rng.integers(0, 4, batch).astype(np.float64) if draw(st.booleans()) else None,
        rng.integers(0, steps + 1, batch) if draw(st.booleans()) else None,
        [state if len(state) > 1 else state[0] for state in states] if draw(st.booleans()) else None,
        draw(st.none() | st.tuples(st.integers(1, steps + 2), st.integers(1, steps + 2))),
    )
    assume(is_tame(problem))
    assume(is_well_conditioned(problem))
    assume(is_away_from_kinks(problem))
    assume(is_away_from_certainty(problem))
    return problem


def losses_of(model: fr.Sequential) -> list[str]:
    """Return the losses that a model can have."""
    fit = []
    for loss in LOSSES:
        with contextlib.suppress(ValueError):
            Columns(model.layers, (loss,))
            fit.append(loss)
    return fit


def make_targets(rng: np.random.Generator, loss: str, shape: tuple[int, ...], dtype: str) -> Array:
    """Return random targets of the kind that a loss takes, for outputs of a shape; some of them are certain."""
    if loss == "sparse_categorical_crossentropy":
        return rng.integers(0, shape[-1], shape[:-1])
    if loss == "categorical_crossentropy":
        soft, sure = rng.dirichlet(np.ones(shape[-1]), shape[:-1]), np.eye(shape[-1])
        hard = sure[rng.integers(0, shape[-1], shape[:-1])]
        return np.where(rng.integers(0, 2, (*shape[:-1], 1)), soft, hard).astype(dtype)
    if loss == "binary_crossentropy":
        return np.clip(rng.uniform(-1.0, 2.0, shape), 0.0, 1.0).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def describe(layer: Any) -> dict[str, Any]:
    """Return the reference's description of a layer."""
    fields = {name: getattr(layer, name) for name in layer.__struct_fields__ if not name.endswith("initializer")}
    if isinstance(layer, fr.Bidirectional):
        fields["layer"] = describe(layer.layer)
    return {"kind": layer.kind, **fields}


def is_bounded(problem: Problem) -> bool:
    """Whether no state can grow far beyond 1 and no slope is infinite, whatever the weights.

    MinLSTM divides its gates by their sum: where they may be negative, the sum may be 0.
    """
    cells = [description.get("layer", description) for description in problem.layers]
    divides = any(cell["kind"] == "min_lstm" and cell["recurrent_activation"] == "tanh" for cell in cells)
    return not divides and "relu" not in str(problem.layers) and "linear" not in str(problem.layers[:-1])


def is_tame(problem: Problem) -> bool:
    """Whether no state grows far beyond 1, as gates without a bound let them."""
    if is_bounded(problem):
        return True
    with np.errstate(all="ignore"):
        y, states = reference.predict(
            problem.layers, problem.model.get_weights(), problem.x, problem.lengths, problem.initial_state
        )
        return all(bool(np.abs(a).max(initial=0.0) < 20.0) for a in (y, *states))


def is_well_conditioned(problem: Problem) -> bool:
    """Whether rounding stays rounding: moved by 1e-6 of themselves, weights move loss and gradients by 1e-4 at most."""
    rng = np.random.default_rng(1)
    weights = [w.astype(np.float64) for w in problem.model.get_weights()]
    with np.errstate(all="ignore"):
        here = reference.gradients(problem.layers, weights, *problem.batch)
        moved = [w * (1.0 + 1e-6 * rng.uniform(-1, 1, w.shape)) for w in weights]
        there = reference.gradients(problem.layers, moved, *problem.batch)
    scale = max((float(np.abs(g).max()) for g in here.weights), default=0.0)
    pairs = zip(here.weights, there.weights, strict=True)
    return not abs(there.loss - here.loss) > 1e-4 * abs(here.loss) and all(
        float(np.abs(a - b).max()) <= 1e-4 * max(scale, 1e-300) for a, b in pairs
    )


def is_away_from_kinks(problem: Problem) -> bool:
    """Whether the gradients hardly change where the weights do: no relu and no absolute error is close to its kink."""
    settings = str(problem.layers)
    if "relu" not in settings and problem.loss != "mae":
        return True
    rng = np.random.default_rng(0)
    size = 3e-5 if problem.model.dtype == "float32" else 1e-11
    weights = [w.astype(np.float64) for w in problem.model.get_weights()]
    here = reference.gradients(problem.layers, weights, *problem.batch)
    if not all(np.isfinite(g).all() for g in here.weights):
        return False
    moved = [w + size * rng.uniform(-1, 1, w.shape) for w in weights]
    there = reference.gradients(problem.layers, moved, *problem.batch)
    scale = max((float(np.abs(g).max()) for g in here.weights), default=0.0)
    return all(
        float(np.abs(a - b).max()) <= 1000 * size * max(scale, 1e-300)
        for a, b in zip(here.weights, there.weights, strict=True)
    )


def is_away_from_certainty(problem: Problem) -> bool:
    """Whether probabilities without logits keep away from 0 and 1, where a cross-entropy magnifies rounding."""
    top = problem.layers[-1]
    if problem.loss != "binary_crossentropy" or top["kind"] in ("dense", "dropout"):
        return True
    if top.get("layer", top)["activation"] == "linear":
        return True
    y, _ = reference.predict(
        problem.layers, problem.model.get_weights(), problem.x, problem.lengths, problem.initial_state
    )
    return bool(((y > 1e-3) & (y < 1.0 - 1e-3)).all())


def assert_close(fast: Array, slow: Array, bound: float, scale: float = 0.0) -> None:
    """Assert that ``fast`` is within ``bound`` of ``slow``, relative to the largest of its numbers and of ``scale``."""
    assert fast.shape == slow.shape
    allowed = bound * max(float(np.abs(slow).max(initial=0.0)), scale, 1e-300)
    assert np.isfinite(fast).all()
    assert float(np.abs(fast - slow).max(initial=0.0)) <= allowed


def as_list(states: Any, cells: int) -> list[Array]:
    """Return states as the reference gives them: one array a cell, an LSTM's h and c in one (2, N, H)."""
    return [np.asarray(state) for state in (states if cells > 1 else [states])]
