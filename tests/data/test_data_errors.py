"""Bad data is refused before any work, in one line: what was given, what was expected, the cure."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fastrnn as fr
from tests.helpers.refusals import Given, Refusal, changed, check, make_given

V, T = ValueError, TypeError


@pytest.fixture
def given() -> Given:
    return make_given()


X: dict[str, tuple[Any, Refusal, list[str]]] = {
    "rank 2": (np.ones((11, 8)), V, ["x has shape (11, 8)", "expected (N, T, 3)", "x[:, :, None]"]),
    "rank 1": (np.ones(8), V, ["x has shape (8,)", "expected (N, T, 3)", "reshape x"]),
    "a number": (3.0, V, ["x has shape ()", "expected (N, T, 3)"]),
    "rank 4": (np.ones((11, 8, 3, 1)), V, ["x has shape (11, 8, 3, 1)", "expected (N, T, 3)"]),
    "features": (np.ones((11, 8, 4)), V, ["x has shape (11, 8, 4)", "expected (N, T, 3)", "input_size=3"]),
    "no sequences": (np.ones((0, 8, 3)), V, ["x has shape (0, 8, 3)", "at least one sequence"]),
    "no steps": (np.ones((11, 0, 3)), V, ["x has shape (11, 0, 3)", "one step"]),
    "objects": (np.ones((11, 8, 3), object), T, ["x has dtype object", "numbers", "astype('float32')"]),
    "text": (np.full((11, 8, 3), "1.0"), T, ["x has dtype <U3", "numbers", "astype('float32')"]),
    "complex": (np.ones((11, 8, 3), complex), T, ["x has dtype complex128", "numbers"]),
    "dates": (np.zeros((11, 8, 3), "datetime64[s]"), T, ["x has dtype datetime64[s]", "numbers"]),
    "None": (None, T, ["x has dtype object", "numbers"]),
    "ragged": ([[[1.0, 2.0, 3.0]], [[1.0, 2.0, 3.0]] * 2], V, ["x ", "expected", "(N, T, 3)"]),
    "NaN": (
        changed(np.ones((11, 8, 3)), (4, 5, 1), np.nan),
        V,
        ["x has nan in row 4", "(4, 5, 1)", "1 in all", "drop or fill"],
    ),
    "infinity": (changed(np.ones((11, 8, 3)), (10, 0, 2), -np.inf), V, ["x has -inf in row 10", "finite"]),
    "beyond float32": (changed(np.ones((11, 8, 3)), (6, 1, 0), 1e39), V, ["x has", "row 6", "finite"]),
    "integers beyond float32": (changed(np.ones((11, 8, 3), object), (6, 1, 0), 10**400), T, ["x has dtype object"]),
}

USES: dict[str, Callable[[Given], Any]] = {
    "predict": lambda given: given.model.predict(given.x),
    "gradients": lambda given: given.model.gradients(given.x, given.y),
    "fit": lambda given: given.fit(),
    "evaluate": lambda given: fr.Trainer(given.model).evaluate(given.x, given.y),
    "validation": lambda given: given.fit(
        x=np.ones((1, 1, 3)), y=np.ones((1, 1, 2)), validation_data=(given.x, given.y)
    ),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("case", X)
def test_x(given: Given, use: str, case: str) -> None:
    x, error, parts = X[case]
    check(error, parts, lambda: USES[use](given._replace(x=x)), given.model)


Y: dict[str, tuple[Any, Refusal, list[str]]] = {
    "other rows": (np.ones((10, 8, 2)), V, ["y has shape (10, 8, 2)", "expected (11, 8, 2)"]),
    "other steps": (np.ones((11, 7, 2)), V, ["y has shape (11, 7, 2)", "expected (11, 8, 2)"]),
    "other outputs": (np.ones((11, 8, 1)), V, ["y has shape (11, 8, 1)", "expected (11, 8, 2)", "2 output(s) a step"]),
    "one a sequence": (np.ones((11, 2)), V, ["y has shape (11, 2)", "expected (11, 8, 2)"]),
    "axis left out": (np.ones((11, 8)), V, ["y has shape (11, 8)", "expected (11, 8, 2)"]),
    "objects": (np.ones((11, 8, 2), object), T, ["y has dtype object", "numbers"]),
    "text": (np.full((11, 8, 2), "a"), T, ["y has dtype <U1", "numbers"]),
    "complex": (np.ones((11, 8, 2), complex), T, ["y has dtype complex128", "numbers"]),
    "NaN": (changed(np.ones((11, 8, 2)), (3, 7, 1), np.nan), V, ["y has nan in row 3", "(3, 7, 1)"]),
    "infinity": (changed(np.ones((11, 8, 2)), (0, 0, 0), np.inf), V, ["y has inf in row 0"]),
    "beyond float32": (changed(np.ones((11, 8, 2)), (9, 1, 0), -1e300), V, ["y has", "row 9", "finite"]),
}


@pytest.mark.parametrize("use", [use for use in USES if use != "predict"])
@pytest.mark.parametrize("case", Y)
def test_y(given: Given, use: str, case: str) -> None:
    y, error, parts = Y[case]
    check(error, parts, lambda: USES[use](given._replace(y=y)), given.model)


LENGTHS: dict[str, tuple[Any, Refusal, list[str]]] = {
    "negative": ([8] * 5 + [-1] + [8] * 5, V, ["lengths has -1 in row 5", "0 to 8"]),
    "beyond T": ([8] * 10 + [9], V, ["lengths has 9 in row 10", "0 to 8"]),
    "fractions": (np.full(11, 8.0), T, ["lengths has dtype float64", "whole numbers", "astype('int64')"]),
    "text": (["8"] * 11, T, ["lengths has dtype <U1", "whole numbers"]),
    "a mask": (np.ones(11, bool), T, ["lengths has dtype bool", "whole numbers"]),
    "fewer": (np.full(10, 8), V, ["lengths has shape (10,)", "expected (11,)"]),
    "one a step": (np.full((11, 8), 8), V, ["lengths has shape (11, 8)", "expected (11,)"]),
    "one for all": (8, V, ["lengths has shape ()", "expected (11,)"]),
}


@pytest.mark.parametrize("case", LENGTHS)
def test_lengths(given: Given, case: str) -> None:
    lengths, error, parts = LENGTHS[case]
    check(error, parts, lambda: given.model.predict(given.x, lengths), given.model)
    check(error, parts, lambda: given.model.gradients(given.x, given.y, lengths=lengths), given.model)
    check(error, parts, lambda: given.fit(lengths=lengths), given.model)
    check(error, parts, lambda: fr.Trainer(given.model).evaluate(given.x, given.y, lengths=lengths), given.model)


WEIGHTS: dict[str, tuple[Any, Refusal, list[str]]] = {
    "negative": ([1.0] * 6 + [-0.5] + [1.0] * 4, V, ["sample_weight has -0.5 in row 6", "at least 0"]),
    "NaN": ([1.0] * 6 + [np.nan] + [1.0] * 4, V, ["sample_weight has nan in row 6"]),
    "infinity": ([np.inf] + [1.0] * 10, V, ["sample_weight has inf in row 0"]),
    "fewer": (np.ones(10), V, ["sample_weight has shape (10,)", "expected (11,)"]),
    "one a step": (np.ones((11, 8)), V, ["sample_weight has shape (11, 8)", "expected (11,)"]),
    "text": (["a"] * 11, T, ["sample_weight has dtype <U1", "numbers"]),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_sample_weight(given: Given, case: str) -> None:
    weight, error, parts = WEIGHTS[case]
    check(error, parts, lambda: given.model.gradients(given.x, given.y, sample_weight=weight), given.model)
    check(error, parts, lambda: given.fit(sample_weight=weight), given.model)
    check(error, parts, lambda: fr.Trainer(given.model).evaluate(given.x, given.y, weight), given.model)


STATES: dict[str, tuple[Any, Refusal, list[str]]] = {
    "one for a stack": ([np.ones((11, 6))], V, ["initial_state has 1 states", "expected 2"]),
    "units": ([np.ones((11, 6)), np.ones((11, 6))], V, ["initial_state[1] has shape (11, 6)", "expected (11, 9)"]),
    "rows": ([np.ones((1, 6)), np.ones((1, 9))], V, ["initial_state[0] has shape (1, 6)", "expected (11, 6)"]),
    "NaN": ([np.ones((11, 6)), changed(np.ones((11, 9)), (7, 0), np.nan)], V, ["initial_state[1] has nan in row 7"]),
    "text": ([np.ones((11, 6)), np.full((11, 9), "a")], T, ["initial_state[1] has dtype <U1", "numbers"]),
    "a number": (0.0, (V, T), ["initial_state"]),
}


@pytest.mark.parametrize("case", STATES)
def test_initial_state(given: Given, case: str) -> None:
    state, error, parts = STATES[case]
    check(error, parts, lambda: given.model.predict(given.x, initial_state=state), given.model)
    check(error, parts, lambda: given.model.gradients(given.x, given.y, initial_state=state), given.model)


def test_initial_state_of_one_layer_is_named_without_an_index() -> None:
    model = fr.Sequential([fr.SimpleRNN(3)], input_size=1)
    parts = ["initial_state has shape (3,)", "expected (2, 3)"]
    check(V, parts, lambda: model.predict(np.ones((2, 4, 1)), initial_state=np.ones(3)))


def unbuilt() -> fr.Sequential:
    return fr.Sequential([fr.SimpleRNN(2), fr.Dense(1)])


def test_one_features_axis_is_taken_from_the_first_data_and_then_expected() -> None:
    model = unbuilt()
    check(V, ["x has shape (3, 4)", "expected (N, T, F)", "x[:, :, None]"], lambda: model.predict(np.ones((3, 4))))
    check(V, ["x has shape (3, 4, 0)", "one feature"], lambda: model.predict(np.ones((3, 4, 0))))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_finite_numbers_whose_sum_is_not_are_taken(dtype: str) -> None:
    large = float(np.finfo(dtype).max)
    model = fr.Sequential([fr.SimpleRNN(2)], dtype=dtype)
    x = np.full((5, 4, 3), large, dtype)
    x[1] = -large
    assert np.isfinite(model.predict(x)).all()
    assert np.isfinite(fr.Sequential([fr.SimpleRNN(2)], dtype="float64").predict(np.full((2, 3, 1), 1e300))).all()


def test_numbers_that_only_just_fit_are_taken() -> None:
    model = fr.Sequential([fr.SimpleRNN(2)])
    assert np.isfinite(model.predict(np.full((1, 1, 1), 3.4028235e38))).all()
    assert np.isfinite(model.predict(np.full((1, 1, 1), 2**63 - 1, np.int64))).all()
