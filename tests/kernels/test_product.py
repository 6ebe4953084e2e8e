"""The packed products against NumPy, over shapes on every side of the tile, lane and block sizes."""

import itertools
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from fastrnn.code.target import LANES_OF
from fastrnn.ground.memory import zeros
from fastrnn.operations import products as kernels
from tests.helpers.vectors import padded_copy, pointer, routine

Array = NDArray[Any]
DTYPES = ("float32", "float64")
UNTOUCHED = -12345.0

columns_or_terms = st.one_of(
    st.integers(1, 70), st.integers(kernels.BLOCK - 2, kernels.BLOCK + 2), st.just(2 * kernels.BLOCK + 3)
)


def pack(matrix: Array, *, transposed: bool = False, threads: int = 1) -> Array:
    """Return the panels of a matrix (terms, columns), which lies in memory as it is or ``transposed``."""
    terms, columns = matrix.shape
    packed = zeros(terms * kernels.padded(columns, LANES_OF[str(matrix.dtype)]), matrix.dtype)
    packed[:] = np.nan
    stored = np.ascontiguousarray(matrix.T if transposed else matrix)
    strides = (1, terms) if transposed else (columns, 1)
    for thread in range(threads):
        routine(kernels.pack, str(matrix.dtype))(
            pointer(stored), *strides, terms, columns, pointer(packed), thread, threads
        )
    return packed


def spread(blocks: Array, stride: int, step: int, filling: float) -> Array:
    """Return the (steps, rows, columns) numbers in a buffer with the given strides, ``filling`` everywhere else."""
    steps, rows, columns = blocks.shape
    buffer = zeros(steps * step + rows * stride, blocks.dtype)
    buffer[:] = filling
    for s in range(steps):
        for r in range(rows):
            start = s * step + r * stride
            buffer[start : start + columns] = blocks[s, r]
    return buffer


def gathered(buffer: Array, shape: tuple[int, int, int], stride: int, step: int) -> Array:
    """Return the (steps, rows, columns) numbers of a buffer with the given strides."""
    size = buffer.itemsize
    return np.lib.stride_tricks.as_strided(buffer, shape, (step * size, stride * size, size)).copy()


class Sizes(NamedTuple):
    """A product's sizes; gaps are numbers between rows, and between blocks of rows, that do not belong to it."""

    rows: int
    terms: int
    columns: int
    steps: int = 1
    row_gap: int = 0
    step_gap: int = 0
    accumulate: int = 0


@st.composite
def sizes(draw: st.DrawFn) -> Sizes:
    rows, steps = draw(st.integers(1, 20)), draw(st.sampled_from([1, 1, 2, 5]))
    gaps = draw(st.integers(0, 9)), draw(st.integers(0, 40))
    return Sizes(rows, draw(columns_or_terms), draw(columns_or_terms), steps, *gaps, draw(st.integers(0, 1)))


def multiply(size: Sizes, dtype: str, cuts: tuple[int, ...] = ()) -> tuple[Array, Array, Array, Array, Array]:
    """Run the product, its rows cut at ``cuts``; return a, matrix, what it is added to, c and its buffer."""
    rng = np.random.default_rng(size.rows + 31 * size.terms + 977 * size.columns)
    width = kernels.padded(size.columns, LANES_OF[dtype])
    a = rng.standard_normal((size.steps, size.rows, size.terms)).astype(dtype)
    matrix = rng.standard_normal((size.terms, size.columns)).astype(dtype)
    before = np.zeros((size.steps, size.rows, width), dtype)
    before[:, :, : size.columns] = rng.standard_normal((size.steps, size.rows, size.columns))
    start = np.zeros(width, dtype)
    start[: size.columns] = rng.standard_normal(size.columns)
    a_stride, c_stride = size.terms + size.row_gap, width + size.row_gap
    a_step, c_step = (size.rows * stride + size.step_gap for stride in (a_stride, c_stride))
    # A number read from where it should not be would spread as NaN, one written to a gap is seen in the buffer.
    a_buffer = spread(a, a_stride, a_step, np.nan)
    c_buffer = spread(before if size.accumulate else np.full_like(before, np.nan), c_stride, c_step, UNTOUCHED)
    start_buffer = padded_copy(np.full_like(start, np.nan) if size.accumulate else start)
    packed = pack(matrix)
    places = [0, *cuts, size.rows]
    for first, last in itertools.pairwise(places):
        routine(kernels.product, dtype)(
            pointer(a_buffer[first * a_stride :]), a_stride, a_step, pointer(packed), pointer(start_buffer),
            pointer(c_buffer[first * c_stride :]), c_stride, c_step,
            last - first, size.steps, size.columns, size.terms, size.accumulate,
        )  # fmt: skip
    added_to = before if size.accumulate else np.broadcast_to(start, before.shape)
    return a, matrix, added_to, gathered(c_buffer, before.shape, c_stride, c_step), c_buffer


def rounding(dtype: str, terms: int, magnitude: Array) -> Array:
    """Return how far a sum of ``terms`` products may be off, ``magnitude`` being the sum of their sizes."""
    return (terms + 2) * float(np.finfo(dtype).eps) * magnitude


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=30)
@given(size=sizes())
def test_product(dtype: str, size: Sizes) -> None:
    a, matrix, before, got, buffer = multiply(size, dtype)
    exact = before.astype(np.float64)
    magnitude = np.abs(exact)
    exact[:, :, : size.columns] += a.astype(np.float64) @ matrix.astype(np.float64)
    magnitude[:, :, : size.columns] += np.abs(a.astype(np.float64)) @ np.abs(matrix.astype(np.float64))
    assert (np.abs(got - exact) <= rounding(dtype, size.terms, magnitude)).all()
    assert (buffer == UNTOUCHED).sum() == buffer.size - got.size


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=30)
@given(size=sizes(), data=st.data())
def test_cutting_the_rows_at_whole_units_changes_no_bit(dtype: str, size: Sizes, data: st.DataObject) -> None:
    units = range(kernels.ROW_UNIT, size.rows, kernels.ROW_UNIT)
    cuts = data.draw(st.lists(st.sampled_from(units), unique=True) if units else st.just([]))
    assert_array_equal(multiply(size, dtype)[3], multiply(size, dtype, tuple(sorted(cuts)))[3])


@pytest.mark.parametrize("dtype", DTYPES)
@given(terms=st.integers(1, 20), columns=st.integers(1, 130), transposed=st.booleans(), threads=st.integers(1, 4))
def test_pack_is_the_same_however_the_matrix_lies_and_whoever_packs(
    dtype: str, terms: int, columns: int, transposed: bool, threads: int
) -> None:
    matrix = np.random.default_rng(terms * columns).standard_normal((terms, columns)).astype(dtype)
    packed = pack(matrix, transposed=transposed, threads=threads)
    assert_array_equal(packed, pack(matrix))
    assert_array_equal(np.sort(packed[packed != 0.0]), np.sort(matrix.ravel()))


def transposed_product(dtype: str, inputs: int, columns: int, terms: int, cuts: tuple[int, ...]) -> tuple[Array, ...]:
    """Run gram on the pieces of rows between ``cuts``; return a, d, out before and after."""
    rng = np.random.default_rng(inputs + 31 * terms + 977 * columns)
    lanes = LANES_OF[dtype]
    stride, width = inputs + 3, kernels.padded(columns, lanes)
    a, d, before = (
        rng.standard_normal(shape).astype(dtype) for shape in [(terms, inputs), (terms, columns), (inputs, columns)]
    )
    a_buffer = spread(a[None], stride, 0, np.nan)
    d_buffer = spread(d[None], width, 0, np.nan)
    out = zeros(before.size, dtype)
    out[:] = before.ravel()
    scratch = zeros(kernels.scratch_size(lanes, columns, terms), dtype)
    for first, last in itertools.pairwise(cuts):
        routine(kernels.gram, dtype)(
            pointer(a_buffer),
            stride,
            first,
            last,
            pointer(a_buffer),
            0,
            0,
            0,
            0,
            pointer(d_buffer),
            width,
            pointer(out),
            columns,
            columns,
            terms,
            pointer(scratch),
        )
    return a, d, before, out.reshape(before.shape)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=30)
@given(inputs=st.integers(1, 40), columns=st.integers(1, 70), terms=columns_or_terms, data=st.data())
def test_gram(dtype: str, inputs: int, columns: int, terms: int, data: st.DataObject) -> None:
    first, last = sorted(data.draw(st.tuples(st.integers(0, inputs), st.integers(0, inputs))))
    a, d, before, got = transposed_product(dtype, inputs, columns, terms, (first, last))
    a, d, exact = (array.astype(np.float64) for array in (a, d, before))
    magnitude = np.abs(exact)
    exact[first:last] += (a.T @ d)[first:last]
    magnitude[first:last] += (np.abs(a).T @ np.abs(d))[first:last]
    assert (np.abs(got - exact) <= rounding(dtype, terms, magnitude)).all()
    assert_array_equal(got[:first], before[:first])
    assert_array_equal(got[last:], before[last:])


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=30)
@given(inputs=st.integers(1, 40), columns=st.integers(1, 70), terms=columns_or_terms, data=st.data())
def test_cutting_gram_at_whole_tiles_changes_no_bit(
    dtype: str, inputs: int, columns: int, terms: int, data: st.DataObject
) -> None:
    tiles = range(kernels.ROWS, inputs, kernels.ROWS)
    cuts = data.draw(st.lists(st.sampled_from(tiles), unique=True) if tiles else st.just([]))
    whole = transposed_product(dtype, inputs, columns, terms, (0, inputs))[3]
    assert_array_equal(transposed_product(dtype, inputs, columns, terms, (0, *sorted(cuts), inputs))[3], whole)
