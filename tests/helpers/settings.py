"""The space of all public settings: a case is a choice for each of them, its place among values, the plainest first."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastrnn as fr
from fastrnn.engine.columns import Columns
from tests.helpers.cells import CELLS, FIRST, make_cell
from tests.helpers.optimizers import OPTIMIZERS
from tests.helpers.problems import ACTIVATIONS, LOSSES, MODES, Problem, describe, losses_of, make_targets

Array = NDArray[Any]
DEPTH = 3
"""The most recurrent layers of a stack."""
SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33)
"""Every remainder of the lane counts, and whole vectors for threads that share out units."""
OF_A_CELL: dict[str, tuple[Any, ...]] = {
    "kind": tuple(CELLS),
    "units": SIZES,
    "way": ("forwards", "forwards", "backwards", "bidirectional"),
    "mode": MODES,
    "activation": ("tanh", *ACTIVATIONS),
    "gate": ("sigmoid", "tanh"),
    "use_bias": (True, False),
    "dropout": (0.0, 0.0, 0.3),
    "recurrent_dropout": (0.0, 0.0, 0.4),
    "zoneout": (0.0, 0.0, 0.0, 0.2),
    "above": ("nothing", "nothing", "dropout", "dense"),
}
CHOICES: dict[str, tuple[Any, ...]] = {
    "task": ("fit", "fit", "gradients", "predict"),
    "dtype": ("float32", "float64"),
    "first": ("features", "dense", "dropout", "embedding", "one_hot"),
    "inputs": SIZES,
    "depth": (1, 2, 3),
    **{f"{name}{place}": values for place in range(DEPTH) for name, values in OF_A_CELL.items()},
    "every_step": (False, True),
    "tops": (1, 0, 2),
    "outputs": SIZES[:11],
    "top_activation": ("linear", *ACTIVATIONS, "softmax", "softmax", "sigmoid"),
    "top_bias": (True, False),
    "top_dropout": (0.0, 0.0, 0.25),
    "loss": (0, 1, 2, 3, 4),
    "metrics": (0, 1, 2),
    "optimizer": tuple(range(len(OPTIMIZERS))),
    "clip_value": (None, 0.01, 1.0),
    "clip_norm": (None, 0.05, 5.0),
    "tbptt": (None, None, 1, 2, (2, 3), (3, 2), (1, 100), (5, 5), (100, 3)),
    "tbptt_update": ("sequence", "chunk"),
    "recompute": (None, None, "sqrt"),
    "seed": (0, 5, 2**32 - 1, 2**32, 2**70),
    "threads": (1, 2, 2, 3),
    "rows": (1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 33),
    "steps": (1, 2, 3, 4, 5, 7, 9, 11, 16, 17, 26),
    "batch_size": (100, 1, 2, 3, 4, 5, 7, 8, 16, 17),
    "shuffle": (False, True),
    "carry_state": (False, False, True),
    "again": (False, True),
    "validation": ("none", "split", "data"),
    "sample_weight": ("none", "none", "random", "some", "nothing"),
    "lengths": ("none", "none", "random", "full", "nothing"),
    "initial_state": (False, True),
    "predict_batch": (None, 1, 3, 4, 5, 8),
    "form": ("as read", "other dtype", "not contiguous", "list"),
    "window_rows": (256, 1, 20, 60),
    "split_bytes": (2**19, 0),
    "split_work": (10_000, 0),
    "shard_rows": (16, 4),
    "gradient_share": (4, 0.01),
    "joined_terms": (256, 0),
    "reference": (False, False, True),
    "data": tuple(range(1000)),
}  # fmt: skip
Case = dict[str, int]


def draw(rng: np.random.Generator) -> Case:
    """Draw a case; in nine of ten, settings that are refused together do not come together."""
    case = {name: int(rng.integers(len(values))) for name, values in CHOICES.items()}
    return _reconciled(case, rng) if rng.random() < 0.9 else case


def value(case: Case, name: str) -> Any:
    """Return what is chosen; a setting that a case does not name is plain."""
    return CHOICES[name][case.get(name, 0)]


def _reconciled(case: Case, rng: np.random.Generator) -> Case:
    """Leave out one of each two settings that do not go together."""
    case = dict(case)

    def part(one: str, other: str) -> None:
        if value(case, one) and value(case, other):
            case[(one, other)[rng.integers(2)]] = 0

    part("recompute", "tbptt")
    part("recompute", "carry_state")
    if value(case, "carry_state"):
        case["shuffle"] = 0
    if value(case, "carry_state") or value(case, "recompute") or value(case, "tbptt_update") == "chunk":
        if rng.random() < 0.7:
            case |= {f"way{place}": 0 for place in range(DEPTH)}
        else:
            case |= {"carry_state": 0, "recompute": 0, "tbptt_update": 0}
    if value(case, "tbptt_update") == "chunk":  # the reference draws zoneout for whole sequences
        case |= {f"zoneout{place}": 0 for place in range(DEPTH)}
    for name in ("sample_weight", "lengths"):
        if value(case, name) == "nothing" and rng.random() < 0.8:
            case[name] = 0
    return case


def make_layers(case: Case) -> list[Any]:
    """Return the layers of a case."""
    first, inputs = value(case, "first"), value(case, "inputs")
    layers: list[Any] = {
        "features": [], "dense": [fr.Dense(5, "tanh")], "dropout": [fr.Dropout(0.2)],
        "embedding": [fr.Embedding(inputs, 3)], "one_hot": [fr.OneHot(inputs)],
    }[first]  # fmt: skip
    depth = value(case, "depth")
    for place in range(depth):
        own = {name: value(case, f"{name}{place}") for name in OF_A_CELL}
        layers.append(_make_cell(own, sequences=place + 1 < depth or value(case, "every_step")))
        if own["above"] != "nothing":
            layers.append(fr.Dropout(0.25) if own["above"] == "dropout" else fr.Dense(4, "sigmoid"))
    for place in range(value(case, "tops")):
        activation = value(case, "top_activation") if place + 1 == value(case, "tops") else "tanh"
        layers.append(fr.Dense(value(case, "outputs"), activation, use_bias=value(case, "top_bias")))
    return [*layers, fr.Dropout(value(case, "top_dropout"))] if value(case, "top_dropout") else layers


def _make_cell(own: dict[str, Any], sequences: bool) -> Any:
    options = {name: own[name] for name in ("use_bias", "dropout", "recurrent_dropout")}
    options |= {"return_sequences": sequences, "go_backwards": own["way"] == "backwards"}
    if own["kind"] not in FIRST:  # the reference knows no zoneout of these
        options["zoneout"] = own["zoneout"]
    layer = make_cell(own["kind"], own["units"], own["activation"], own["gate"], **options)
    return fr.Bidirectional(layer, own["mode"]) if own["way"] == "bidirectional" else layer


class Made(NamedTuple):
    """What a case is made of, beside the model and the trainer: its data, and the figures that are computed."""

    weights: list[Array]
    x: Array
    y: Array
    sample_weight: Array | None
    lengths: Array | None
    initial_state: Any
    loss: str
    metrics: list[str]


def make_data(case: Case) -> Made:
    """Return the data and the initial weights of a case; the data as the kernels read them."""
    rng = np.random.default_rng(value(case, "data"))
    dtype, steps, inputs = value(case, "dtype"), value(case, "steps"), value(case, "inputs")
    rows, batch = value(case, "rows"), value(case, "batch_size")
    if value(case, "carry_state"):
        rows = max(1, rows // min(rows, batch)) * min(rows, batch)
    model = make_model(case)
    weights = [
        rng.uniform(-1, 1, w.shape).astype(dtype) / np.sqrt(w.shape[0] if w.ndim > 1 else 4)
        for w in model.get_weights()
    ]
    takes_ids = value(case, "first") in ("embedding", "one_hot")
    x = (
        rng.integers(0, inputs, (rows, steps))
        if takes_ids
        else rng.standard_normal((rows, steps, inputs)).astype(dtype)
    )
    possible = losses_of(model)
    loss = possible[value(case, "loss") % len(possible)]
    every_step, outputs = model.output_form
    metrics = _metrics(model, loss, value(case, "metrics"), rng)
    strictest = ("categorical_crossentropy", "binary_crossentropy", loss)
    targets = next(name for name in strictest if name in (loss, *metrics))
    y = make_targets(rng, targets, (rows, *([steps] if every_step else []), outputs), dtype)
    states = [tuple(rng.standard_normal((rows, size)).astype(dtype) for size in sizes) for sizes in model.state_sizes]
    weight = {
        "none": None, "random": rng.uniform(0.5, 1.5, rows), "some": rng.integers(0, 3, rows).astype(np.float64),
        "nothing": np.zeros(rows),
    }[value(case, "sample_weight")]  # fmt: skip
    lengths = {
        "none": None, "random": rng.integers(0, steps + 1, rows), "full": np.full(rows, steps),
        "nothing": np.zeros(rows, np.int64),
    }[value(case, "lengths")]  # fmt: skip
    entries = [state if len(state) > 1 else state[0] for state in states]
    start = (entries if len(entries) > 1 else entries[0]) if value(case, "initial_state") else None
    return Made(weights, x, y, weight, lengths, start, loss, metrics)


def _metrics(model: fr.Sequential, loss: str, count: int, rng: np.random.Generator) -> list[str]:
    """Return some of the metrics that go with a loss."""
    fit = []
    for name in rng.permutation((*LOSSES, "accuracy")):
        try:
            Columns(model.layers, (loss, *fit, str(name)))
        except ValueError:
            continue
        fit.append(str(name))
    return fit[:count]


def make_model(case: Case, weights: list[Array] | None = None) -> fr.Sequential:
    """Return the model of a case, with the given weights."""
    model = fr.Sequential(make_layers(case), value(case, "inputs"), value(case, "dtype"), value(case, "seed"))
    if weights is not None:
        model.set_weights(weights)
    return model


def make_trainer(case: Case, made: Made, threads: int) -> fr.Trainer:
    """Return the trainer of a case with a model of its own."""
    names = ("clip_value", "clip_norm", "tbptt", "tbptt_update", "recompute", "seed")
    return fr.Trainer(
        make_model(case, made.weights), made.loss, OPTIMIZERS[value(case, "optimizer")], made.metrics, threads=threads,
        **{name: value(case, name) for name in names},
    )  # fmt: skip


def make_problem(case: Case, made: Made) -> Problem:
    """Return a case as the property tests know it; the reference takes a list of states."""
    model, states = make_model(case, made.weights), made.initial_state
    layers = [describe(layer) for layer in model.layers]
    tbptt = value(case, "tbptt")
    return Problem(
        model, layers, made.x, made.y, made.loss, made.sample_weight, made.lengths,
        [states] if states is not None and len(model.state_sizes) == 1 else states,
        (tbptt, tbptt) if isinstance(tbptt, int) else tbptt,
    )  # fmt: skip
