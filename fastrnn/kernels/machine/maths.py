"""exp, tanh and sigmoid on vectors, each with its error bound, which tests/kernels/test_maths.py holds to exact values.

One ULP is the distance between neighbouring numbers at the exact result. The bounds hold wherever the exact result is a
normal number. NaN gives NaN, infinities give the limits.

All three rest on ``e**x = 2**n e**r`` with ``n = round(x / ln 2)``, so that ``|r| <= ln(2) / 2``; ``r`` is formed with
ln 2 in two parts (Cody and Waite 1980), and ``e**r - 1 = r + r**2 P(r)`` with the polynomial ``P`` of least relative
error, found by Remez's algorithm: 1.3e-8 with five coefficients (float32), 1.8e-17 with ten (float64).
"""

from __future__ import annotations

from llvmlite import ir
from numba import float32
from numba.extending import intrinsic, overload

from fastrnn.kernels.machine.vector import (
    Vector,
    absolute,
    call_function,
    copy_sign,
    exponent_bits,
    fma,
    maximum,
    minimum,
    quotient,
    select_less,
)


def exp(x):
    """``e**x``, at most 2 ULP; 0 far below the normal numbers, infinity above the largest."""


def tanh(x):
    """Hyperbolic tangent, at most 4 ULP.

    ``m / (m + 2)`` with ``m = e**2|x| - 1 = 2**n (e**r - 1) + (2**n - 1)``; nothing cancels.
    """


def sigmoid(x):
    """Logistic function ``1 / (1 + e**-x)``, at most 4 ULP.

    ``1 / (1 + e)`` or, left of 0, ``e / (1 + e)`` with ``e = e**-|x|``.
    """


_LOG2_E = 1.4426950408889634
_LN2 = 0.6931471805599453
_COEFFICIENTS = {
    True: (
        0.0013882521767132332,
        0.008366520575743604,
        0.0416671998550661,
        0.16666543621031182,
        0.4999999815405962,
    ),
    False: (
        2.5053773975691707e-08,
        2.762603787615894e-07,
        2.7557407545020758e-06,
        2.4801505273827253e-05,
        0.00019841269719005343,
        0.0013888888931564846,
        0.008333333333389552,
        0.04166666666657676,
        0.16666666666666588,
        0.5000000000000006,
    ),
}


class _Facts:
    """What the reduction needs to know of a precision: ln 2 in two parts, the shift that rounds, the coefficients."""

    def __init__(self, real):
        single = real == float32
        self.ln2_high, self.ln2_low = (
            (0.693359375, -2.12194440e-4) if single else (6.93145751953125e-1, 1.42860682030941723212e-6)
        )
        self.bias = 127.0 if single else 1023.0
        self.magic = 1.5 * 2.0**23 if single else 1.5 * 2.0**52
        self.coefficients = _COEFFICIENTS[single]
        self.lowest, self.highest = (-104.0, 89.0) if single else (-746.0, 710.0)
        self.flush = -88.0 if single else -709.0
        self.saturation = 10.0 if single else 20.0


def _polynomial(x, square, coefficients):
    """The polynomial with the highest power first, in pairs (Estrin's scheme): half the latency of Horner's rule."""


@overload(_polynomial, inline="always")
def _polynomial_of(x, square, coefficients):
    count = len(coefficients)
    odd = count % 2

    def estrin(x, square, coefficients):
        total = fma(x, coefficients[odd], coefficients[odd + 1])
        if odd:
            total = fma(square, coefficients[0], total)
        for i in range(odd + 2, count, 2):
            total = fma(total, square, fma(x, coefficients[i], coefficients[i + 1]))
        return total

    return estrin


def _grown(r, coefficients):
    """``e**r - 1`` for ``|r| <= ln(2) / 2``."""


@overload(_grown)
def _grown_of(r, coefficients):
    def grown(r, coefficients):
        square = r * r
        return fma(square, _polynomial(r, square, coefficients), r)

    return grown


@overload(exp)
def _exp(x):
    if not isinstance(x, Vector):
        return None
    facts = _Facts(x.real)
    lowest, highest, bias, magic = facts.lowest, facts.highest, facts.bias, facts.magic
    ln2_high, ln2_low, coefficients = facts.ln2_high, facts.ln2_low, facts.coefficients

    def exponential(x):
        x = maximum(minimum(x, highest), lowest)
        n = fma(x, _LOG2_E, magic) - magic
        half = fma(n, 0.5, magic) - magic
        r = fma(n, -ln2_low, fma(n, -ln2_high, x))
        grown = _grown(r, coefficients) + 1.0
        return grown * exponent_bits(half + (magic + bias)) * exponent_bits(n - half + (magic + bias))

    return exponential


@overload(tanh)
def _tanh(x):
    if not isinstance(x, Vector):
        return None
    facts = _Facts(x.real)
    saturation, coefficients, shift = facts.saturation, facts.coefficients, facts.magic + facts.bias

    def hyperbolic(x):
        size = minimum(absolute(x), saturation)
        shifted = fma(size, 2.0 * _LOG2_E, shift)
        # One part of ln 2 will do: its error, 30 times at most, meets a tanh that hardly changes there.
        r = fma(shifted - shift, -_LN2, size + size)
        power = exponent_bits(shifted)
        m = fma(power, _grown(r, coefficients), power - 1.0)
        return copy_sign(quotient(m, m + 2.0), x)

    return hyperbolic


@overload(sigmoid)
def _sigmoid(x):
    if not isinstance(x, Vector):
        return None
    facts = _Facts(x.real)
    flush, coefficients, shift = facts.flush, facts.coefficients, facts.magic + facts.bias
    ln2_high, ln2_low = facts.ln2_high, facts.ln2_low

    def logistic(x):
        below = maximum(0.0 - absolute(x), flush)
        shifted = fma(below, _LOG2_E, shift)
        n = shifted - shift
        power = exponent_bits(shifted)
        e = fma(power, _grown(fma(n, -ln2_low, fma(n, -ln2_high, below)), coefficients), power)
        return quotient(select_less(x, 0.0, e, 1.0), e + 1.0)

    return logistic


def _each_lane(name, doc):
    """A function of the C library, lane by lane: to its last digits, at the price of a call for each number."""

    def each(typingctx, x):
        def codegen(context, builder, sig, args):
            (vector,) = args
            element = vector.type.element
            function = name + "f" * isinstance(element, ir.FloatType)
            out = ir.Constant(vector.type, ir.Undefined)
            for i in range(vector.type.count):
                place = ir.Constant(ir.IntType(32), i)
                value = call_function(builder, function, element, [builder.extract_element(vector, place)])
                out = builder.insert_element(out, value, place)
            return out

        return x(x), codegen

    each.__doc__ = doc
    return intrinsic(each)


log = _each_lane("log", "The natural logarithm.")
sine = _each_lane("sin", "The sine.")
cosine = _each_lane("cos", "The cosine.")
erf = _each_lane("erf", "The error function.")
