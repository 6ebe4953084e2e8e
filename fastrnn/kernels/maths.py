"""exp, tanh and sigmoid on vectors, each with its error bound (tests/test_maths.py holds them against exact values).

One ULP is the distance between neighbouring numbers at the exact result. The bounds hold wherever the exact result is a normal
number. NaN gives NaN, infinities give the limits.
"""

from __future__ import annotations

from numba import float32
from numba.extending import overload

from fastrnn.kernels.vector import (
    Vector,
    absolute,
    copy_sign,
    fma,
    maximum,
    minimum,
    nearest,
    power_of_two,
    quotient,
)

_LOG2_E = 1.4426950408889634
_LN2_32 = (0.693359375, -2.12194440e-4)
_LN2_64 = (6.93145751953125e-1, 1.42860682030941723212e-6)


def exp(x):
    """``e**x``, at most 2 ULP; 0 far below the normal numbers and infinity above the largest.

    ``e**x = 2**n * e**r`` with ``n = round(x / ln 2)``, so that ``|r| <= ln(2) / 2``; ``r`` is formed with ln 2 in two parts (Cody
    and Waite 1980) and ``e**r`` is its Taylor series. The power is applied in two halves, so that ``n`` may pass the
    exponents' range.
    """


def tanh(x):
    """Hyperbolic tangent, at most 4 ULP.

    ``tanh |x| = m / (m + 2)`` with ``m = e**2|x| - 1 = 2**n (e**r - 1) + (2**n - 1)``: the same reduction as in ``exp``, and nothing
    cancels.
    """


def sigmoid(x):
    """Logistic function ``1 / (1 + e**-x)``, at most 4 ULP (of the small values far left, too)."""


def _polynomial(x, coefficients):
    """Horner's rule, the highest power first; ``coefficients`` is a tuple."""


@overload(_polynomial, inline="always")
def _polynomial_of(x, coefficients):
    count = len(coefficients)

    def horner(x, coefficients):
        total = fma(x, coefficients[0], coefficients[1])
        for i in range(2, count):
            total = fma(total, x, coefficients[i])
        return total

    return horner


_EXP_32 = (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1.0, 1.0)
_EXP_64 = (
    1 / 6227020800,
    1 / 479001600,
    1 / 39916800,
    1 / 3628800,
    1 / 362880,
    1 / 40320,
    *_EXP_32,
)


@overload(exp)
def _exp(x):
    if not isinstance(x, Vector):
        return None
    single = x.real == float32
    low, high = (-104.0, 89.0) if single else (-746.0, 710.0)
    ln2_high, ln2_low = _LN2_32 if single else _LN2_64
    coefficients = _EXP_32 if single else _EXP_64

    def exponential(x):
        x = maximum(minimum(x, high), low)
        n = nearest(x * _LOG2_E)
        r = fma(n, -ln2_low, fma(n, -ln2_high, x))
        half = nearest(n * 0.5)
        return _polynomial(r, coefficients) * power_of_two(half) * power_of_two(n - half)

    return exponential


@overload(tanh)
def _tanh(x):
    if not isinstance(x, Vector):
        return None
    single = x.real == float32
    limit = 10.0 if single else 20.0
    ln2_high, ln2_low = _LN2_32 if single else _LN2_64
    coefficients = _EXP_32[:-2] if single else _EXP_64[:-2]

    def hyperbolic(x):
        size = minimum(absolute(x), limit) * 2.0
        n = nearest(size * _LOG2_E)
        r = fma(n, -ln2_low, fma(n, -ln2_high, size))
        power = power_of_two(n)
        minus_one = fma(power, fma(r * r, _polynomial(r, coefficients), r), power - 1.0)
        return copy_sign(quotient(minus_one, minus_one + 2.0), x)

    return hyperbolic


@overload(sigmoid)
def _sigmoid(x):
    if not isinstance(x, Vector):
        return None

    def logistic(x):
        return 1.0 / (exp(0.0 - x) + 1.0)

    return logistic
