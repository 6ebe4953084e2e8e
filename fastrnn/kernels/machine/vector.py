"""Explicit vectors for Numba, as LLVM IR.

A ``Vector`` is one or more registers of ``LANES[real]`` numbers. Numba sees it as a type of its own whose data model is
LLVM's vector type, so that a kernel written with the functions below stays in registers as wide as the processor has,
without the 256-bit preference of LLVM's own loop vectoriser. Pointers are Numba's ``CPointer``: ``p[i]`` reads or
writes one number without the negative-index handling that array indexing carries.

Floating-point rules: no fast-math flag anywhere, so NaN and infinity travel as IEEE 754 says, and the order of every
sum is the order that is written here.
"""

from __future__ import annotations

import operator

from llvmlite import ir
from numba import float32, float64, int64, types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

from fastrnn.code.target import TARGET

LANES = {float32: TARGET.vector_bytes // 4, float64: TARGET.vector_bytes // 8}
_BYTES = {float32: 4, float64: 8}
WIDE = 4 if TARGET.registers == 32 else 2
LANES_OF = {"float32": LANES[float32], "float64": LANES[float64]}
LLVM_REAL = {float32: ir.FloatType(), float64: ir.DoubleType()}
LLVM_BITS = {float32: ir.IntType(32), float64: ir.IntType(64)}
I32 = ir.IntType(32)
I64 = ir.IntType(64)


class Vector(types.Type):
    """``lanes`` numbers of type ``real`` (float32 or float64): a register, or for a wide vector several."""

    def __init__(self, real, lanes):
        self.real, self.lanes = real, lanes
        super().__init__(name=f"Vector({real}x{lanes})")


def vector_of(real, registers=1):
    """The type of a vector of so many registers."""
    return Vector(real, LANES[real] * registers)


def llvm_vector(kind):
    """LLVM's type for a Vector type."""
    return ir.VectorType(LLVM_REAL[kind.real], kind.lanes)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, llvm_vector(fe_type))


def splat_of(builder, scalar, lanes):
    """Emit a vector with the same number in every lane."""
    vector = ir.VectorType(scalar.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, I32(0))
    return builder.shuffle_vector(
        first, ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(I32, lanes), [0] * lanes)
    )


def address_of(builder, pointer, real, offset):
    """Element address ``pointer + offset`` whatever pointer type Numba hands over."""
    base = builder.bitcast(pointer, LLVM_REAL[real].as_pointer())
    return builder.gep(base, [offset])


def load_vector(builder, pointer, kind, offset):
    """Emit a load of a Vector type, at any alignment."""
    address = address_of(builder, pointer, kind.real, offset)
    value = builder.load(builder.bitcast(address, llvm_vector(kind).as_pointer()))
    value.align = _BYTES[kind.real]
    return value


def store_vector(builder, value, pointer, real, offset):
    """Emit a store, at any alignment."""
    address = address_of(builder, pointer, real, offset)
    store = builder.store(value, builder.bitcast(address, value.type.as_pointer()))
    store.align = _BYTES[real]


def call_function(builder, name, result, arguments):
    """Call an LLVM intrinsic or external function, declared on first use."""
    function_type = ir.FunctionType(result, [a.type for a in arguments])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    return builder.call(function, arguments)


def _suffix(vector):
    return f"v{vector.count}f{32 if isinstance(vector.element, ir.FloatType) else 64}"


def multiply_add(builder, a, b, c):
    """``a * b + c``, fused where that is one instruction (elsewhere LLVM would call a slow library function)."""
    if TARGET.fma:
        return call_function(builder, f"llvm.fma.{_suffix(a.type)}", a.type, [a, b, c])
    return builder.fadd(builder.fmul(a, b), c)


# ---------------------------------------------------------------------------------------------- memory


def _loader(registers, doc):
    def load(typingctx, pointer, offset):
        kind = vector_of(pointer.dtype, registers)

        def codegen(context, builder, sig, args):
            return load_vector(builder, args[0], kind, args[1])

        return kind(pointer, int64), codegen

    load.__doc__ = doc
    return intrinsic(load)


load = _loader(1, "The vector at ``pointer + offset`` (an offset in numbers, of any alignment).")
load_wide = _loader(
    WIDE, "As `load`, `WIDE` registers at once: their instructions alternate, which hides the latency of long chains."
)


@intrinsic
def store(typingctx, pointer, offset, value):
    """Write ``value`` at ``pointer + offset``."""
    real = pointer.dtype

    def codegen(context, builder, sig, args):
        store_vector(builder, args[2], args[0], real, args[1])
        return context.get_dummy_value()

    return types.void(pointer, int64, value), codegen


@intrinsic
def offset(typingctx, pointer, numbers):
    """The pointer ``numbers`` further on."""

    def codegen(context, builder, sig, args):
        return builder.bitcast(address_of(builder, args[0], pointer.dtype, args[1]), args[0].type)

    return pointer(pointer, int64), codegen


@intrinsic
def pointer_to(typingctx, address, like):
    """The integer ``address`` as a pointer of the type of ``like``."""

    def codegen(context, builder, sig, args):
        return builder.inttoptr(args[0], context.get_value_type(like))

    return like(int64, like), codegen


@intrinsic
def fields(typingctx, pointer):
    """The record that ``pointer`` points to, by reference."""

    def codegen(context, builder, sig, args):
        return builder.bitcast(args[0], context.get_value_type(sig.return_type))

    return pointer.dtype(pointer), codegen


@intrinsic
def fetch_to_read(typingctx, pointer, place):
    """Ask for the cache line of a number before it is needed."""

    def codegen(context, builder, sig, args):
        at = builder.bitcast(builder.gep(args[0], [args[1]]), ir.IntType(8).as_pointer())
        call_function(builder, "llvm.prefetch.p0i8", ir.VoidType(), [at, I32(0), I32(3), I32(1)])
        return context.get_dummy_value()

    return types.void(pointer, int64), codegen


@intrinsic
def integers_at(typingctx, address):
    """The integer ``address`` as a pointer to int64."""

    def codegen(context, builder, sig, args):
        return builder.inttoptr(args[0], context.get_value_type(sig.return_type))

    return types.CPointer(int64)(int64), codegen


@intrinsic
def doubles_at(typingctx, address):
    """The integer ``address`` as a pointer to float64."""

    def codegen(context, builder, sig, args):
        return builder.inttoptr(args[0], context.get_value_type(sig.return_type))

    return types.CPointer(float64)(int64), codegen


def _splatter(registers, doc):
    def splat(typingctx, pointer, number):
        kind = vector_of(pointer.dtype, registers)

        def codegen(context, builder, sig, args):
            return splat_of(builder, args[1], kind.lanes)

        return kind(pointer, pointer.dtype), codegen

    splat.__doc__ = doc
    return intrinsic(splat)


splat = _splatter(1, "A vector (of the type that ``pointer`` points to) with ``number`` in every lane.")
splat_wide = _splatter(WIDE, "As `splat`, `WIDE` registers.")


@intrinsic
def lanes(typingctx, like):
    """Number of lanes of the vectors that `load` gives for the pointer ``like``: a constant of the compiled code."""
    count = LANES[like.dtype]

    def codegen(context, builder, sig, args):
        return I64(count)

    return int64(like), codegen


@intrinsic
def real_of(typingctx, like, number):
    """``number`` in the precision of the pointer ``like``."""
    real = like.dtype

    def codegen(context, builder, sig, args):
        return context.cast(builder, args[1], number, real)

    return real(like, number), codegen


# ---------------------------------------------------------------------------------------------- arithmetic


def _as_vector(context, builder, value, given, kind):
    """``value`` as a vector of a kind: a number fills every lane."""
    if isinstance(given, Vector):
        return value
    return splat_of(builder, context.cast(builder, value, given, kind.real), kind.lanes)


def _kind_among(arguments):
    for argument in arguments:
        if isinstance(argument, Vector):
            return argument
    return None


def _operator(symbol, emit):
    """Teach Numba the Python operator ``symbol`` on vectors, and on a vector and a number."""

    @infer_global(symbol)
    class _Template(AbstractTemplate):
        def generic(self, args, kws):
            kind = _kind_among(args)
            if kind is not None and len(args) == 2 and all(a == kind or isinstance(a, types.Number) for a in args):
                return signature(kind, *args)
            return None

    def lower(context, builder, sig, args):
        kind = sig.return_type
        return emit(builder, *(_as_vector(context, builder, a, t, kind) for a, t in zip(args, sig.args, strict=True)))

    lower_builtin(symbol, Vector, Vector)(lower)
    lower_builtin(symbol, Vector, types.Number)(lower)
    lower_builtin(symbol, types.Number, Vector)(lower)


_operator(operator.add, ir.IRBuilder.fadd)
_operator(operator.sub, ir.IRBuilder.fsub)
_operator(operator.mul, ir.IRBuilder.fmul)
_operator(operator.truediv, ir.IRBuilder.fdiv)


def _lanewise(emit, *arguments):
    """Signature and code of an operation lane by lane: ``emit(builder, *vectors)``; a number fills every lane."""
    kind = _kind_among(arguments)

    def codegen(context, builder, sig, args):
        return emit(builder, *(_as_vector(context, builder, a, t, kind) for a, t in zip(args, sig.args, strict=True)))

    return kind(*arguments), codegen


@intrinsic
def fma(typingctx, a, b, c):
    """``a * b + c`` (one rounding where the processor has the instruction)."""
    return _lanewise(multiply_add, a, b, c)


def _larger(builder, a, b):
    return builder.select(builder.fcmp_ordered("<", a, b), b, a)


@intrinsic
def maximum(typingctx, a, b):
    """The larger of ``a`` and ``b``; where ``a`` is NaN, NaN."""
    return _lanewise(_larger, a, b)


@intrinsic
def minimum(typingctx, a, b):
    """The smaller of ``a`` and ``b``; where ``a`` is NaN, NaN."""
    return _lanewise(lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), b, a), a, b)


@intrinsic
def select_less(typingctx, a, b, then, otherwise):
    """``then`` where ``a < b``, ``otherwise`` elsewhere (also where one is NaN)."""

    def emit(builder, a, b, then, otherwise):
        return builder.select(builder.fcmp_ordered("<", a, b), then, otherwise)

    return _lanewise(emit, a, b, then, otherwise)


@intrinsic
def first_lanes(typingctx, then, otherwise, count):
    """``then`` in the first ``count`` lanes, ``otherwise`` in the others."""

    def codegen(context, builder, sig, args):
        then, otherwise, count = args
        places = ir.Constant(ir.VectorType(I64, then.type.count), list(range(then.type.count)))
        return builder.select(
            builder.icmp_signed("<", places, splat_of(builder, count, then.type.count)), then, otherwise
        )

    return then(then, otherwise, int64), codegen


@intrinsic
def absolute(typingctx, a):
    """``|a|``."""
    return _lanewise(lambda builder, a: call_function(builder, f"llvm.fabs.{_suffix(a.type)}", a.type, [a]), a)


@intrinsic
def copy_sign(typingctx, a, sign):
    """``|a|`` with the sign of ``sign``."""
    return _lanewise(
        lambda builder, a, s: call_function(builder, f"llvm.copysign.{_suffix(a.type)}", a.type, [a, s]), a, sign
    )


@intrinsic
def square_root(typingctx, a):
    """The square root of ``a``, at most 1 ULP; 0 for a float32 below the normal numbers.

    As for `quotient`, an estimate (AVX-512, float32) and one Newton step, of the reciprocal root here, cost a fraction
    of the instruction.
    """

    def emit(builder, a):
        if not _estimates(a):
            return call_function(builder, f"llvm.sqrt.{_suffix(a.type)}", a.type, [a])
        normal = splat_of(builder, a.type.element(2.0**-126), a.type.count)
        half = splat_of(builder, a.type.element(0.5), a.type.count)
        estimate = _estimate(builder, "llvm.x86.avx512.rsqrt14.ps.512", a)
        root = builder.fmul(a, estimate)
        rest = multiply_add(builder, builder.fneg(root), root, a)
        better = multiply_add(builder, rest, builder.fmul(estimate, half), root)
        infinity = splat_of(builder, a.type.element(float("inf")), a.type.count)
        better = builder.select(builder.fcmp_ordered("<", a, infinity), better, a)
        return builder.select(builder.fcmp_ordered("<", a, normal), ir.Constant(a.type, [0.0] * a.type.count), better)

    return _lanewise(emit, a)


def _estimate(builder, name, a):
    """Call one of AVX-512's estimates (16 lanes at a time) on all lanes."""
    nothing = ir.Constant(a.type, ir.Undefined)
    parts = []
    for start in range(0, a.type.count, 16):
        part = builder.shuffle_vector(a, nothing, mask_of(range(start, start + 16)))
        undefined = ir.Constant(part.type, ir.Undefined)
        parts.append(call_function(builder, name, part.type, [part, undefined, ir.Constant(ir.IntType(16), -1)]))
    while len(parts) > 1:
        joined = mask_of(range(2 * parts[0].type.count))
        parts = [builder.shuffle_vector(x, y, joined) for x, y in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def mask_of(places):
    """The constant that tells a shuffle which lanes to take."""
    return ir.Constant(ir.VectorType(I32, len(places)), list(places))


def _estimates(a):
    """Whether there is an estimate of reciprocals for the lanes of ``a``: AVX-512, float32."""
    return TARGET.vector_bytes == 64 and isinstance(a.type.element, ir.FloatType)


def _quotient(builder, a, b):
    if not _estimates(a):
        return builder.fdiv(a, b)
    estimate = _estimate(builder, "llvm.x86.avx512.rcp14.ps.512", b)
    first = builder.fmul(a, estimate)
    one = splat_of(builder, a.type.element(1.0), a.type.count)
    return multiply_add(builder, first, multiply_add(builder, builder.fneg(b), estimate, one), first)


@intrinsic
def quotient(typingctx, a, b):
    """``a / b`` for finite normal ``b`` of moderate size, at most 1.5 ULP.

    AVX-512 has an estimate of the reciprocal to 14 bits, which one Newton step (float32) makes good in a quarter of the
    time that a 512-bit division takes; elsewhere, and in float64, this is the division.
    """
    return _lanewise(_quotient, a, b)


@intrinsic
def positive_quotient(typingctx, a, b):
    """As `quotient`, for any ``b >= 0``: where there is an estimate, with ``b`` held between 2**-125 and 2**125."""

    def emit(builder, a, b):
        if _estimates(a):
            for limit, beyond in ((2.0**-125, "<"), (2.0**125, ">")):
                bound = splat_of(builder, a.type.element(limit), a.type.count)
                b = builder.select(builder.fcmp_ordered(beyond, b, bound), bound, b)
        return _quotient(builder, a, b)

    return _lanewise(emit, a, b)


@intrinsic
def exponent_bits(typingctx, shifted):
    """The number whose exponent field is the lowest bits of ``shifted``, its mantissa 0.

    ``shifted = 1.5 * 2**23 + bias + n`` (``2**52`` in float64) holds the whole number ``n + bias`` in its lowest bits:
    the result is ``2**n``.
    """

    def emit(builder, shifted):
        single = isinstance(shifted.type.element, ir.FloatType)
        bits = ir.VectorType(I32 if single else I64, shifted.type.count)
        places = ir.Constant(bits, [23 if single else 52] * bits.count)
        return builder.bitcast(builder.shl(builder.bitcast(shifted, bits), places), shifted.type)

    return _lanewise(emit, shifted)


@intrinsic
def lane(typingctx, a, index):
    """The number in lane ``index``."""

    def codegen(context, builder, sig, args):
        return builder.extract_element(args[0], args[1])

    return a.real(a, int64), codegen


def _across(combine, doc):
    """An intrinsic that combines all lanes, halves with halves."""

    def reduce(typingctx, a):
        real = a.real

        def codegen(context, builder, sig, args):
            (value,) = args
            while value.type.count > 1:
                half = value.type.count // 2
                nothing = ir.Constant(value.type, ir.Undefined)
                low, high = (
                    builder.shuffle_vector(value, nothing, mask_of(range(start, start + half))) for start in (0, half)
                )
                value = combine(builder, low, high)
            return builder.extract_element(value, I32(0))

        return real(a), codegen

    reduce.__doc__ = doc
    return intrinsic(reduce)


sum_lanes = _across(ir.IRBuilder.fadd, "The sum of all lanes, halves added to halves (a fixed order).")
largest_lane = _across(_larger, "The largest number of all lanes, none of them NaN.")
