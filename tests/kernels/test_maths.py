"""exp, tanh, sigmoid, roots and quotients of the kernels against exact values, in units in the last place (ULP).

Exact values come from `decimal` with 50 digits, handed on as a sum of two float64 numbers; for float32, of which
many are tried, float64 is exact enough. `tests.searches.maths` goes on.
"""

import functools
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from fastrnn.kernels.machine import maths, vector
from tests.helpers.vectors import binary, unary

Array = NDArray[Any]
DIGITS = Context(prec=50)
DTYPES = ("float32", "float64")
BOUNDS = {"exp": 2.0, "tanh": 4.0, "sigmoid": 4.0}
"""The bounds that the docstrings of `fastrnn.kernels.machine.maths` state."""


@functools.cache
def fast(name: str, dtype: str) -> Callable[[Array], Array]:
    return unary(vector.square_root if name == "square_root" else getattr(maths, name), dtype)


@functools.cache
def fast_quotient(dtype: str) -> Callable[[Array, Array], Array]:
    return binary(vector.quotient, dtype)


def exact_exp(x: Decimal) -> Decimal:
    return DIGITS.exp(x)


def exact_tanh(x: Decimal) -> Decimal:
    if abs(x) < Decimal("1e-8"):
        return DIGITS.subtract(x, DIGITS.divide(DIGITS.power(x, 3), 3))
    e = DIGITS.exp(DIGITS.multiply(2, x))
    return DIGITS.divide(DIGITS.subtract(e, 1), DIGITS.add(e, 1))


def exact_sigmoid(x: Decimal) -> Decimal:
    return DIGITS.divide(1, DIGITS.add(1, DIGITS.exp(-x)))


EXACT = {"exp": exact_exp, "tanh": exact_tanh, "sigmoid": exact_sigmoid}
IN_DOUBLE = {"exp": np.exp, "tanh": np.tanh, "sigmoid": lambda x: 1.0 / (1.0 + np.exp(-x))}


def two_parts(values: list[Decimal]) -> tuple[Array, Array]:
    """Return decimals as sums of two float64 numbers."""
    high = np.array([float(v) for v in values])
    low = np.array([float(v - Decimal(h)) for v, h in zip(values, high.tolist(), strict=True)])
    return high, low


def in_ulp(got: Array, high: Array, low: Array) -> Array:
    """Return how many ULP of ``got``'s dtype it is away from ``high + low``; 0 where the exact value is not normal."""
    limits = np.finfo(got.dtype)
    normal = (np.abs(high) >= float(limits.smallest_normal)) & (np.abs(high) <= float(limits.max))
    one = np.spacing(np.abs(high[normal]).astype(got.dtype)).astype(np.float64)
    out = np.zeros(got.size)
    out[normal] = np.abs((got[normal].astype(np.float64) - high[normal]) - low[normal]) / one
    return out


def assert_within(name: str, x: Array, bound: float) -> None:
    """Assert that the fast function is within ``bound`` ULP at all ``x``."""
    dtype = str(x.dtype)
    if dtype == "float32":
        with np.errstate(over="ignore", under="ignore"):
            high = IN_DOUBLE[name](x.astype(np.float64))
        low = np.zeros(x.size)
    else:
        high, low = two_parts([EXACT[name](Decimal(value)) for value in x.tolist()])
    error = in_ulp(fast(name, dtype)(x), high, low)
    assert error.max() <= bound, f"{name}({x[error.argmax()]!r}) is {error.max():.2f} ULP off"


def every_magnitude(dtype: str) -> Array:
    """Return numbers of every exponent and both signs: half a million in float32, some thousands in float64."""
    if dtype == "float32":
        half = np.arange(1, 0x7F800000, 8009, np.uint32).view(np.float32)
    else:
        half = np.arange(0x3000_0000_0000_0000, 0x4090_0000_0000_0000, 0x0001_9C3F_1234_5678, np.uint64).view(
            np.float64
        )
    return np.concatenate([half, -half])


def usual_range(dtype: str) -> Array:
    """Return numbers from one end of exp's range to the other, densest where the functions bend."""
    count, reach = (100_001, 105.0) if dtype == "float32" else (1_001, 745.0)
    return np.concatenate(
        [np.linspace(-1, 1, count), np.linspace(-22, 22, count), np.linspace(-reach, reach, count)]
    ).astype(dtype)


def near_the_rounding_points(dtype: str) -> Array:
    """Return multiples of ln(2)/4 and their neighbours: there the argument reduction changes its integer."""
    middle = (np.arange(-200, 201) * np.log(2.0) / 4).astype(dtype)
    return np.concatenate([middle, np.nextafter(middle, dtype_max(dtype)), np.nextafter(middle, -dtype_max(dtype))])


def dtype_max(dtype: str) -> Any:
    return np.finfo(dtype).max


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("sample", [every_magnitude, usual_range, near_the_rounding_points])
def test_error_bound(name: str, dtype: str, sample: Callable[[str], Array]) -> None:
    assert_within(name, sample(dtype), BOUNDS[name])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BOUNDS)
@given(data=st.data())
def test_error_bound_anywhere(name: str, dtype: str, data: st.DataObject) -> None:
    reach = 1000.0
    numbers = st.floats(-reach, reach, width=32 if dtype == "float32" else 64)
    assert_within(name, np.array(data.draw(st.lists(numbers, min_size=1, max_size=40)), dtype), BOUNDS[name])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "low", "high"), [("exp", 0.0, np.inf), ("tanh", -1.0, 1.0), ("sigmoid", 0.0, 1.0)])
def test_limits_at_infinity_and_beyond_the_range(name: str, dtype: str, low: float, high: float) -> None:
    far = np.array([1e3, 1e30, dtype_max(dtype), np.inf], dtype)
    assert_array_equal(fast(name, dtype)(far), np.full(4, high))
    assert_array_equal(fast(name, dtype)(-far), np.full(4, low))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BOUNDS)
def test_nan_stays_in_its_lane(name: str, dtype: str) -> None:
    x = np.linspace(-3, 3, 64).astype(dtype)
    clean = fast(name, dtype)(x)
    x[[0, 5, 17, 63]] = np.nan
    got = fast(name, dtype)(x)
    assert_array_equal(np.isnan(got), np.isnan(x))
    assert_array_equal(got[~np.isnan(x)], clean[~np.isnan(x)])


@pytest.mark.parametrize("dtype", DTYPES)
def test_tanh_is_odd_to_the_bit_and_keeps_the_sign_of_zero(dtype: str) -> None:
    x = np.concatenate([[0.0], every_magnitude(dtype), usual_range(dtype)]).astype(dtype)
    bits = "u4" if dtype == "float32" else "u8"
    assert_array_equal((-fast("tanh", dtype)(x)).view(bits), fast("tanh", dtype)(-x).view(bits))
    assert_array_equal(np.signbit(fast("tanh", dtype)(np.array([0.0, -0.0], dtype))), [False, True])


@pytest.mark.parametrize("dtype", DTYPES)
def test_values_at_zero(dtype: str) -> None:
    for zero in (0.0, -0.0):
        x = np.array([zero], dtype)
        assert (fast("exp", dtype)(x)[0], fast("tanh", dtype)(x)[0], fast("sigmoid", dtype)(x)[0]) == (1.0, 0.0, 0.5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BOUNDS)
def test_saturation_is_monotone(name: str, dtype: str) -> None:
    """Far along a grid nothing falls by more than the error bound, and once a limit is reached it is kept."""
    reach = 120.0 if dtype == "float32" else 800.0
    y = fast(name, dtype)(np.linspace(-reach, reach, 4001).astype(dtype))
    finite = y[np.isfinite(y)]
    assert (finite[1:] >= finite[:-1] - BOUNDS[name] * np.spacing(np.abs(finite[:-1]))).all()
    assert y[0] == {"exp": 0.0, "tanh": -1.0, "sigmoid": 0.0}[name]
    assert y[-1] == {"exp": np.inf, "tanh": 1.0, "sigmoid": 1.0}[name]


@pytest.mark.parametrize("dtype", DTYPES)
def test_bounded_functions_stay_within_their_limits(dtype: str) -> None:
    x = np.concatenate([every_magnitude(dtype), usual_range(dtype)])
    assert (np.abs(fast("tanh", dtype)(x)) <= 1.0).all()
    y = fast("sigmoid", dtype)(x)
    assert ((y >= 0.0) & (y <= 1.0)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", BOUNDS)
def test_wide_and_single_vectors_give_the_same_bits(name: str, dtype: str) -> None:
    """Where the wide ones end depends on the number of rows, and the result must not."""
    x = np.random.default_rng(0).uniform(-9, 9, 1000).astype(dtype)
    whole = fast(name, dtype)(x)
    assert_array_equal(np.concatenate([fast(name, dtype)(x[i : i + 16]) for i in range(0, 1000, 16)]), whole)


@pytest.mark.parametrize("dtype", DTYPES)
def test_square_root(dtype: str) -> None:
    """Within 1 ULP wherever the argument is normal; 0 at 0."""
    x = every_magnitude(dtype)
    x = x[x >= np.finfo(dtype).smallest_normal]
    if dtype == "float32":
        high, low = np.sqrt(x.astype(np.float64)), np.zeros(x.size)
    else:
        high, low = two_parts([DIGITS.sqrt(Decimal(value)) for value in x.tolist()])
    assert in_ulp(fast("square_root", dtype)(x), high, low).max() <= 1.0
    assert fast("square_root", dtype)(np.zeros(1, dtype))[0] == 0.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_quotient(dtype: str) -> None:
    """Within 1 ULP over all mantissas and moderate exponents; zero divided stays zero."""
    rng = np.random.default_rng(0)
    count = 500_000 if dtype == "float32" else 5_000
    a, b = (
        rng.uniform(1, 2, count) * 2.0 ** rng.integers(-30, 31, count) * rng.choice([-1, 1], count) for _ in range(2)
    )
    a, b = a.astype(dtype), b.astype(dtype)
    a[:3] = 0.0
    got = fast_quotient(dtype)(a, b)
    if dtype == "float32":
        high, low = a.astype(np.float64) / b.astype(np.float64), np.zeros(count)
    else:
        high, low = two_parts(
            [DIGITS.divide(Decimal(p), Decimal(q)) for p, q in zip(a.tolist(), b.tolist(), strict=True)]
        )
    assert in_ulp(got, high, low).max() <= 1.5
    assert (got[:3] == 0.0).all()
