"""Checks of ids, lengths and states: what they return, and what they refuse in one line."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import fastrnn as fr
from fastrnn.data import Scaling, windows
from fastrnn.forecast import Forecaster
from fastrnn.ground import checks
from tests.helpers.refusals import changed, check

V, T = ValueError, TypeError

# ---------------------------------------------------------------------------------------------- ids

WHOLE = np.array([[0, 1, 2], [3, 4, 4]])


@pytest.mark.parametrize(
    "x",
    [WHOLE, WHOLE.tolist(), WHOLE.astype(np.int8), WHOLE.astype(np.uint64), np.asfortranarray(WHOLE), WHOLE[:, ::-1]],
)
def test_ids_become_contiguous_int64(x):
    ids, _ = checks.ids(x, 5)
    assert (ids.dtype, ids.flags.c_contiguous) == (np.int64, True)
    assert_array_equal(ids, x)


def test_a_vocabulary_beyond_the_dtype_of_the_ids():
    assert_array_equal(checks.ids(WHOLE.astype(np.int8), 10**6)[0], WHOLE)


RANGE = "this model takes ids from 0 to 4"
IDS = {
    "rank 1": ([0, 1], V, ["x has shape (2,)", "expected (N, T)", RANGE, "x[None, :]"]),
    "a number": (3, V, ["x has shape ()", "expected (N, T)", "reshape x"]),
    "a feature axis": (np.ones((2, 3, 1)), V, ["x has shape (2, 3, 1)", "x[:, :, 0]"]),
    "one-hot": (np.eye(5)[WHOLE], V, ["x has shape (2, 3, 5)", "x.argmax(axis=2)"]),
    "features": (np.ones((2, 3, 4)), V, ["x has shape (2, 3, 4)", "reshape x"]),
    "no sequences": (np.ones((0, 3), int), V, ["x has shape (0, 3)", "at least one sequence"]),
    "no steps": (np.ones((2, 0), int), V, ["x has shape (2, 0)", "one step"]),
    "whole floats": (WHOLE.astype(float), T, ["x has dtype float64", "x.astype(int)", RANGE]),
    "booleans": (WHOLE > 2, T, ["x has dtype bool", "x.astype(int)"]),
    "text": ([["a", "b"]], T, ["x has dtype <U1", "whole numbers"]),
    "objects": (WHOLE.astype(object), T, ["x has dtype object", "x.astype(int)"]),
    "ragged": ([[0, 1], [2]], V, ["x is ragged", "(N, T)", "pad the shorter rows"]),
    "at the vocabulary": (changed(WHOLE, (1, 1), 5), V, ["x has 5 in row 1 at step 1, 1 such", "ids from 0 to 4"]),
    "negative": (changed(changed(WHOLE, (0, 2), -1), (1, 0), 9), V, ["x has -1 in row 0 at step 2, 2 such", "0 to 4"]),
    "huge": (np.array([[0, 2**64 - 1]], np.uint64), V, ["x has 18446744073709551615 in row 0 at step 1"]),
}


@pytest.mark.parametrize("case", IDS)
def test_ids_refused(case):
    x, error, parts = IDS[case]
    check(error, parts, lambda: checks.ids(x, 5))


def test_ids_are_named():
    check(V, ["validation_data has 5"], lambda: checks.ids([[5]], 5, "validation_data"))


# ---------------------------------------------------------------------------------------------- lengths

LENGTHS = {
    "whole floats": ([1.0, 2.0], T, ["lengths has dtype float64", "lengths.astype('int64')"]),
    "booleans": ([True, False], T, ["lengths has dtype bool", "whole numbers"]),
    "negative": ([1, -1], V, ["lengths has -1 in row 1", "0 to 3"]),
    "beyond": ([4, 3], V, ["lengths has 4 in row 0", "0 to 3"]),
    "rank 2": ([[1, 2]], V, ["lengths has shape (1, 2)", "expected (2,)"]),
    "ragged": ([[1], [1, 2]], V, ["lengths is ragged", "expected (2,)"]),
}


@pytest.mark.parametrize("case", LENGTHS)
def test_lengths_refused(case):
    lengths, error, parts = LENGTHS[case]
    check(error, parts, lambda: checks.row_lengths(lengths, 2, 3))


# ---------------------------------------------------------------------------------------------- states

ELMAN, LSTM = (3,), (4, 4)
H3, H4, C4 = np.full((2, 3), 3.0), np.full((2, 4), 4.0), np.full((2, 4), 5.0)


@pytest.mark.parametrize(
    ("value", "sizes", "expected"),
    [
        (H3, [ELMAN], [[H3]]),
        (H3.tolist(), [ELMAN], [[H3]]),
        ([H3], [ELMAN], [[H3]]),
        ((H4, C4), [LSTM], [[H4, C4]]),
        ([H4, C4], [LSTM], [[H4, C4]]),
        ([(H4, C4)], [LSTM], [[H4, C4]]),
        ([H3, (H4, C4)], [ELMAN, LSTM], [[H3], [H4, C4]]),
        ((H3, H3.tolist()), [ELMAN, ELMAN], [[H3], [H3]]),
        ([(H4, C4), [C4.tolist(), H4]], [LSTM, LSTM], [[H4, C4], [C4, H4]]),
    ],
)
def test_one_list_of_arrays_a_cell(value, sizes, expected):
    states = checks.cell_states(value, sizes, 2, "float32")
    assert [len(state) for state in states] == [len(size) for size in sizes]
    for state, wanted in zip(states, expected, strict=True):
        for array, other in zip(state, wanted, strict=True):
            assert_array_equal(array, other)
            assert (array.dtype, array.flags.c_contiguous) == (np.float32, True)


def test_no_state_stays_none():
    assert checks.cell_states(None, [ELMAN, LSTM], 2, "float64") is None


STATES = {
    "rows": (np.ones((1, 3)), [ELMAN], V, ["initial_state has shape (1, 3)", "expected (2, 3)", "one row a sequence"]),
    "a vector": (np.ones(3), [ELMAN], V, ["initial_state has shape (3,)", "expected (2, 3)"]),
    "two for one": ([H3, H4], [ELMAN], V, ["initial_state has 2 states", "expected 1"]),
    "nothing": ([], [ELMAN], V, ["initial_state has shape (0,)", "expected (2, 3)"]),
    "no pair": (H4, [LSTM], V, ["initial_state is ndarray", "pair (h, c)", "(2, 4)"]),
    "three of a pair": ((H4, C4, C4), [LSTM], V, ["initial_state is 3 arrays", "pair (h, c)"]),
    "h of a pair": ((H3, C4), [LSTM], V, ["initial_state[0] has shape (2, 3)", "expected (2, 4): h, one row"]),
    "c of a pair": ((H4, H3), [LSTM], V, ["initial_state[1] has shape (2, 3)", "expected (2, 4): c, one row"]),
    "an array for all": (np.ones((2, 2, 3)), [ELMAN, ELMAN], V, ["initial_state is ndarray", "list of 2 states"]),
    "a number for all": (0.0, [ELMAN, ELMAN], V, ["initial_state is float", "list of 2 states"]),
    "fewer": ([H3], [ELMAN, LSTM], V, ["initial_state has 1 states", "expected 2: one for each cell"]),
    "more": ([H3] * 3, [ELMAN, ELMAN], V, ["initial_state has 3 states", "expected 2"]),
    "units": ([H3, H4], [ELMAN, ELMAN], V, ["initial_state[1] has shape (2, 4)", "expected (2, 3): one row"]),
    "no pair in a stack": ([H3, H4], [ELMAN, LSTM], V, ["initial_state[1] is ndarray", "pair (h, c)"]),
    "a pair in a stack": ([(H3, H3), H3], [ELMAN, ELMAN], V, ["initial_state[0] has shape (2, 2, 3)", "(2, 3)"]),
    "c in a stack": ([H3, (H4, H3)], [ELMAN, LSTM], V, ["initial_state[1][1] has shape (2, 3)", "expected (2, 4): c"]),
    "NaN": ([H3, (H4, changed(C4, (1, 2), np.nan))], [ELMAN, LSTM], V, ["initial_state[1][1] has nan in row 1"]),
    "beyond float32": (changed(H3, (0, 1), 1e39), [ELMAN], V, ["initial_state has", "finite"]),
    "text": ([H3, (H4, np.full((2, 4), "a"))], [ELMAN, LSTM], T, ["initial_state[1][1] has dtype <U1", "numbers"]),
    "ragged": ([H3, [[1.0], [1.0, 2.0]]], [ELMAN, ELMAN], V, ["initial_state[1] is ragged"]),
    "None": ([H3, None], [ELMAN, ELMAN], T, ["initial_state[1] has dtype object"]),
}


@pytest.mark.parametrize("case", STATES)
def test_states_refused(case):
    value, sizes, error, parts = STATES[case]
    check(error, parts, lambda: checks.cell_states(value, sizes, 2, "float32"))


# ---------------------------------------------------------------------------------------------- masks

X, Y, ZEROS = np.ones((2, 3, 4)), np.ones((2, 1)), np.zeros((2, 3), int)


def masked(array, place=(-1,)):
    """A copy with one element masked."""
    copy = np.ma.array(array)
    copy[place] = np.ma.masked
    return copy


def of_numbers(layer=fr.SimpleRNN):
    return fr.Sequential([layer(3), fr.Dense(1)], input_size=4)


def of_ids():
    return fr.Sequential([fr.Embedding(5, 2), fr.SimpleRNN(3), fr.Dense(2)])


def weights_with_a_mask():
    model = of_numbers()
    model.set_weights([*model.get_weights()[:-1], masked([1.0])])


CLASSES = {"loss": "sparse_categorical_crossentropy"}
MASKED = {
    "x": lambda: of_numbers().predict(masked(X)),
    "x again": lambda: [(model := of_numbers()).predict(X), model.predict(masked(X))],
    "x of rows": lambda: of_numbers().predict([X[0], masked(X[1])]),
    "x in lists": lambda: of_numbers().predict([[*X[0]], [*X[1][:2], masked(X[1, 2])]]),
    "x of fit": lambda: fr.Trainer(of_numbers()).fit(masked(X), Y, verbose=0),
    "x of evaluate": lambda: fr.Trainer(of_numbers()).evaluate(masked(X), Y),
    "x of gradients": lambda: of_numbers().gradients(masked(X), Y),
    "x of validation": lambda: fr.Trainer(of_numbers()).fit(X, Y, validation_data=(masked(X), Y), verbose=0),
    "x of a step": lambda: of_numbers().stream(2).step(masked(X[:, 0])),
    "ids": lambda: of_ids().predict(masked(ZEROS)),
    "y": lambda: fr.Trainer(of_numbers()).fit(X, masked(Y), verbose=0),
    "y of classes": lambda: fr.Trainer(of_ids(), **CLASSES).fit(ZEROS, masked(ZEROS[:, 0]), verbose=0),
    "sample_weight": lambda: fr.Trainer(of_numbers()).fit(X, Y, sample_weight=masked([1.0, 1.0]), verbose=0),
    "lengths": lambda: of_numbers().predict(X, lengths=masked([3, 3])),
    "initial_state": lambda: of_numbers().predict(X, initial_state=masked(np.ones((2, 3)))),
    "initial_state of an LSTM": lambda: of_numbers(fr.LSTM).predict(X, initial_state=(H3, masked(H3))),
    "set_weights": weights_with_a_mask,
    "a series": lambda: Forecaster().fit(masked(np.ones(90))),
    "windows": lambda: windows(masked(np.ones(90)), 3),
    "scaling": lambda: Scaling.fit(masked(np.ones((90, 2)))),
}


@pytest.mark.parametrize("case", MASKED)
def test_a_mask_is_never_dropped_without_a_word(case):
    check(V, ["masked value(s); expected none, as no mask is read: ", "fill"], MASKED[case])


def test_an_array_that_could_have_a_mask_is_an_array():
    model = of_numbers()
    assert_array_equal(model.predict(np.ma.array(X)), model.predict(X))
    with pytest.raises(
        ValueError, match=r"^x has 3 masked value\(s\); .* x\.filled\(0\) puts numbers there, and lengths or"
    ):
        model.predict(masked(X, (1, 0, slice(3))))


# ---------------------------------------------------------------------------------------------- labels of others


@pytest.mark.parametrize(
    ("y", "count", "counts", "cure"),
    [
        ([1, 9, 3], 9, [1, 1, 1], "y - 1, where yours go from 1 to 9"),
        ([0, 9, 3], 9, [0, 1, 1], "y - 1, where yours go from 1 to 9"),
        ([0, 9, 3], 9, [1, 1, 1], "change those, or give the model more outputs"),
        ([1, 10, 3], 9, [1, 1, 1], "change those, or give the model more outputs"),
        ([-1, 1, 1], 2, [1, 1, 1], "change those, or give the model more outputs"),
    ],
)
def test_classes_from_one_up_are_told_how_to_begin_at_zero(y, count, counts, cure):
    check(V, [cure], lambda: checks.classes(y, (3,), count, np.array(counts, bool)))


@pytest.mark.parametrize(
    ("y", "cure"), [([1.0, 2.0], "y - 1"), ([-1.0, 1.0], "(y + 1) / 2"), ([0.0, 2.0], "scale them, or use mse")]
)
def test_labels_of_two_kinds_are_told_how_to_become_probabilities(y, cure):
    check(V, [f"from 0 to 1: {cure}"], lambda: checks.probabilities(np.array(y)[:, None], np.ones(2, bool)))
