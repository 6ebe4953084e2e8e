"""Explicit vectors for Numba: the one file that emits LLVM IR.

A ``Vector`` is one or more registers of ``LANES[real]`` numbers. Numba sees it as a type of its own whose data model is
LLVM's vector type, so that a kernel written with the functions below stays in registers as wide as the processor has,
without the 256-bit preference of LLVM's own loop vectoriser. Pointers are Numba's ``CPointer``: ``p[i]`` reads or
writes one number without the negative-index handling that array indexing carries.

Floating-point rules: no fast-math flag anywhere, so NaN and infinity travel as IEEE 754 says, and the order of every
sum is the order that is written here.
"""

from __future__ import annotations

import operator
import os

from llvmlite import ir
from numba import float32, float64, int64, types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

from fastrnn.kernels.target import TARGET

LANES = {float32: TARGET.vector_bytes // 4, float64: TARGET.vector_bytes // 8}
_BYTES = {float32: 4, float64: 8}
WIDE = 4 if TARGET.registers == 32 else 2
LANES_OF = {"float32": LANES[float32], "float64": LANES[float64]}
LLVM_REAL = {float32: ir.FloatType(), float64: ir.DoubleType()}
LLVM_BITS = {float32: ir.IntType(32), float64: ir.IntType(64)}
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)


class Vector(types.Type):
    """``lanes`` numbers of type ``real`` (float32 or float64): a register, or for a wide vector several."""

    def __init__(self, real, lanes):
        self.real, self.lanes = real, lanes
        super().__init__(name=f"Vector({real}x{lanes})")


def _vector(real, registers=1):
    return Vector(real, LANES[real] * registers)


def _llvm_vector(kind):
    return ir.VectorType(LLVM_REAL[kind.real], kind.lanes)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, _llvm_vector(fe_type))


def _splat(builder, scalar, lanes):
    vector = ir.VectorType(scalar.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, _I32(0))
    return builder.shuffle_vector(
        first, ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes)
    )


def _address(builder, pointer, real, offset):
    """Element address ``pointer + offset`` whatever pointer type Numba hands over."""
    base = builder.bitcast(pointer, LLVM_REAL[real].as_pointer())
    return builder.gep(base, [offset])


def _load_vector(builder, pointer, kind, offset):
    address = _address(builder, pointer, kind.real, offset)
    value = builder.load(builder.bitcast(address, _llvm_vector(kind).as_pointer()))
    value.align = _BYTES[kind.real]
    return value


def _store_vector(builder, value, pointer, real, offset):
    address = _address(builder, pointer, real, offset)
    store = builder.store(value, builder.bitcast(address, value.type.as_pointer()))
    store.align = _BYTES[real]


def _call(builder, name, result, arguments):
    """Call an LLVM intrinsic or external function, declared on first use."""
    function_type = ir.FunctionType(result, [a.type for a in arguments])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    return builder.call(function, arguments)


def _suffix(vector):
    return f"v{vector.count}f{32 if isinstance(vector.element, ir.FloatType) else 64}"


def _multiply_add(builder, a, b, c):
    """``a * b + c``, fused where that is one instruction (elsewhere LLVM would call a slow library function)."""
    if TARGET.fma:
        return _call(builder, f"llvm.fma.{_suffix(a.type)}", a.type, [a, b, c])
    return builder.fadd(builder.fmul(a, b), c)


# ---------------------------------------------------------------------------------------------- memory


def _loader(registers, doc):
    def load(typingctx, pointer, offset):
        kind = _vector(pointer.dtype, registers)

        def codegen(context, builder, sig, args):
            return _load_vector(builder, args[0], kind, args[1])

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
        _store_vector(builder, args[2], args[0], real, args[1])
        return context.get_dummy_value()

    return types.void(pointer, int64, value), codegen


@intrinsic
def offset(typingctx, pointer, numbers):
    """The pointer ``numbers`` further on."""

    def codegen(context, builder, sig, args):
        return builder.bitcast(_address(builder, args[0], pointer.dtype, args[1]), args[0].type)

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


@intrinsic
def splat(typingctx, pointer, number):
    """A vector (of the type that ``pointer`` points to) with ``number`` in every lane."""
    real = pointer.dtype

    def codegen(context, builder, sig, args):
        return _splat(builder, args[1], LANES[real])

    return _vector(real)(pointer, real), codegen


@intrinsic
def lanes(typingctx, like):
    """Number of lanes of the vectors that `load` gives for the pointer ``like``: a constant of the compiled code."""
    count = LANES[like.dtype]

    def codegen(context, builder, sig, args):
        return _I64(count)

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
    return _splat(builder, context.cast(builder, value, given, kind.real), kind.lanes)


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
    return _lanewise(_multiply_add, a, b, c)


@intrinsic
def maximum(typingctx, a, b):
    """The larger of ``a`` and ``b``; where ``a`` is NaN, NaN."""
    return _lanewise(lambda builder, a, b: builder.select(builder.fcmp_ordered("<", a, b), b, a), a, b)


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
        places = ir.Constant(ir.VectorType(_I64, then.type.count), list(range(then.type.count)))
        return builder.select(
            builder.icmp_signed("<", places, _splat(builder, count, then.type.count)), then, otherwise
        )

    return then(then, otherwise, int64), codegen


@intrinsic
def absolute(typingctx, a):
    """``|a|``."""
    return _lanewise(lambda builder, a: _call(builder, f"llvm.fabs.{_suffix(a.type)}", a.type, [a]), a)


@intrinsic
def copy_sign(typingctx, a, sign):
    """``|a|`` with the sign of ``sign``."""
    return _lanewise(lambda builder, a, s: _call(builder, f"llvm.copysign.{_suffix(a.type)}", a.type, [a, s]), a, sign)


@intrinsic
def square_root(typingctx, a):
    """The square root of ``a``, at most 1 ULP; 0 for a float32 below the normal numbers.

    As for `quotient`, an estimate (AVX-512, float32) and one Newton step, of the reciprocal root here, cost a fraction
    of the instruction.
    """

    def emit(builder, a):
        if not _estimates(a):
            return _call(builder, f"llvm.sqrt.{_suffix(a.type)}", a.type, [a])
        normal = _splat(builder, a.type.element(2.0**-126), a.type.count)
        half = _splat(builder, a.type.element(0.5), a.type.count)
        estimate = _estimate(builder, "llvm.x86.avx512.rsqrt14.ps.512", a)
        root = builder.fmul(a, estimate)
        rest = _multiply_add(builder, builder.fneg(root), root, a)
        better = _multiply_add(builder, rest, builder.fmul(estimate, half), root)
        infinity = _splat(builder, a.type.element(float("inf")), a.type.count)
        better = builder.select(builder.fcmp_ordered("<", a, infinity), better, a)
        return builder.select(builder.fcmp_ordered("<", a, normal), ir.Constant(a.type, [0.0] * a.type.count), better)

    return _lanewise(emit, a)


def _estimate(builder, name, a):
    """Call one of AVX-512's estimates (16 lanes at a time) on all lanes."""
    nothing = ir.Constant(a.type, ir.Undefined)
    parts = []
    for start in range(0, a.type.count, 16):
        part = builder.shuffle_vector(a, nothing, _mask(range(start, start + 16)))
        undefined = ir.Constant(part.type, ir.Undefined)
        parts.append(_call(builder, name, part.type, [part, undefined, ir.Constant(ir.IntType(16), -1)]))
    while len(parts) > 1:
        joined = _mask(range(2 * parts[0].type.count))
        parts = [builder.shuffle_vector(x, y, joined) for x, y in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def _mask(places):
    return ir.Constant(ir.VectorType(_I32, len(places)), list(places))


def _estimates(a):
    """Whether there is an estimate of reciprocals for the lanes of ``a``: AVX-512, float32."""
    return TARGET.vector_bytes == 64 and isinstance(a.type.element, ir.FloatType)


def _quotient(builder, a, b):
    if not _estimates(a):
        return builder.fdiv(a, b)
    estimate = _estimate(builder, "llvm.x86.avx512.rcp14.ps.512", b)
    first = builder.fmul(a, estimate)
    one = _splat(builder, a.type.element(1.0), a.type.count)
    return _multiply_add(builder, first, _multiply_add(builder, builder.fneg(b), estimate, one), first)


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
                bound = _splat(builder, a.type.element(limit), a.type.count)
                b = builder.select(builder.fcmp_ordered(beyond, b, bound), bound, b)
        return _quotient(builder, a, b)

    return _lanewise(emit, a, b)


_PHILOX_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_PHILOX_STEPS = (0x9E3779B9, 0xBB67AE85)
_PHILOX_ROUNDS = 10


@intrinsic
def philox_kept(typingctx, like, first, t, row, draw, seed, stream, threshold, scale):
    """0 in the lanes whose random word is below ``threshold``, ``scale`` in the others.

    The word of lane i is the first of Philox4x32-10 with counter (first + i, t, row, draw) and key (seed, stream), each
    taken modulo 2**32.

    References
    ----------
    Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3.
    """
    kind = _vector(like.dtype)

    def codegen(context, builder, sig, args):
        narrow, wide = ir.VectorType(_I32, kind.lanes), ir.VectorType(_I64, kind.lanes)
        first, t, row, draw, seed, stream, threshold = (builder.trunc(a, _I32) for a in args[1:8])
        lanes_on = ir.Constant(narrow, list(range(kind.lanes)))
        counter = [_splat(builder, a, kind.lanes) for a in (first, t, row, draw)]
        counter[0] = builder.add(counter[0], lanes_on)
        key = [seed, stream]
        for turn in range(_PHILOX_ROUNDS):
            if turn:
                key = [builder.add(k, _I32(step)) for k, step in zip(key, _PHILOX_STEPS, strict=True)]
            highs, lows = [], []
            for number, word in zip(_PHILOX_MULTIPLIERS, (counter[0], counter[2]), strict=True):
                full = builder.mul(builder.zext(word, wide), ir.Constant(wide, [number] * kind.lanes))
                highs.append(builder.trunc(builder.lshr(full, ir.Constant(wide, [32] * kind.lanes)), narrow))
                lows.append(builder.trunc(full, narrow))
            keys = [_splat(builder, k, kind.lanes) for k in key]
            counter = [
                builder.xor(builder.xor(highs[1], counter[1]), keys[0]),
                lows[1],
                builder.xor(builder.xor(highs[0], counter[3]), keys[1]),
                lows[0],
            ]
        drops = builder.icmp_unsigned("<", counter[0], _splat(builder, threshold, kind.lanes))
        factor = _splat(builder, context.cast(builder, args[8], scale, kind.real), kind.lanes)
        return builder.select(drops, ir.Constant(factor.type, [0.0] * kind.lanes), factor)

    return kind(like, int64, int64, int64, int64, int64, int64, int64, scale), codegen


@intrinsic
def exponent_bits(typingctx, shifted):
    """The number whose exponent field is the lowest bits of ``shifted``, its mantissa 0.

    ``shifted = 1.5 * 2**23 + bias + n`` (``2**52`` in float64) holds the whole number ``n + bias`` in its lowest bits:
    the result is ``2**n``.
    """

    def emit(builder, shifted):
        single = isinstance(shifted.type.element, ir.FloatType)
        bits = ir.VectorType(_I32 if single else _I64, shifted.type.count)
        places = ir.Constant(bits, [23 if single else 52] * bits.count)
        return builder.bitcast(builder.shl(builder.bitcast(shifted, bits), places), shifted.type)

    return _lanewise(emit, shifted)


@intrinsic
def lane(typingctx, a, index):
    """The number in lane ``index``."""

    def codegen(context, builder, sig, args):
        return builder.extract_element(args[0], args[1])

    return a.real(a, int64), codegen


@intrinsic
def sum_lanes(typingctx, a):
    """The sum of all lanes, halves added to halves (a fixed order)."""
    real = a.real

    def codegen(context, builder, sig, args):
        (value,) = args
        while value.type.count > 1:
            half = value.type.count // 2
            nothing = ir.Constant(value.type, ir.Undefined)
            low, high = (
                builder.shuffle_vector(value, nothing, _mask(range(start, start + half))) for start in (0, half)
            )
            value = builder.fadd(low, high)
        return builder.extract_element(value, _I32(0))

    return real(a), codegen


# ---------------------------------------------------------------------------------------------- products


def _sum_tile(builder, real, shape, transposed, a, a_stride, b, b_stride, terms, start):
    """Emit ``start[r, j] + sum over k of a[r, k] * b[k, j]`` for one register tile; returns the vectors, row by row."""
    rows, vectors, split = shape
    kind = _vector(real)
    vector, count = _llvm_vector(kind), kind.lanes
    row_offset = [_I64(r) if transposed else builder.mul(a_stride, _I64(r)) for r in range(rows)]

    def add_term(k, sums):
        a_at = builder.mul(k, a_stride) if transposed else k
        b_at = builder.mul(k, b_stride)
        columns = [_load_vector(builder, b, kind, builder.add(b_at, _I64(v * count))) for v in range(vectors)]
        out = []
        for r in range(rows):
            number = builder.load(_address(builder, a, real, builder.add(a_at, row_offset[r])))
            wide = _splat(builder, number, count)
            out += [_multiply_add(builder, wide, columns[v], sums[r * vectors + v]) for v in range(vectors)]
        return out

    def loop(first, stop, width, sums):
        """``for k in range(first, stop, width)`` with the sums as phi nodes; returns the sums after it."""
        head, done = builder.append_basic_block("terms"), builder.append_basic_block("terms.done")
        entry = builder.block
        builder.cbranch(builder.icmp_signed("<", first, stop), head, done)
        builder.position_at_end(head)
        k = builder.phi(_I64)
        k.add_incoming(first, entry)
        carried = [builder.phi(vector) for _ in sums]
        after = []
        for part in range(width):
            after += add_term(builder.add(k, _I64(part)), carried[part * len(start) : (part + 1) * len(start)])
        after += carried[len(after) :]
        following = builder.add(k, _I64(width))
        k.add_incoming(following, head)
        for phi, value, final in zip(carried, sums, after, strict=True):
            phi.add_incoming(value, entry)
            phi.add_incoming(final, head)
        builder.cbranch(builder.icmp_signed("<", following, stop), head, done)
        builder.position_at_end(done)
        out = []
        for value, final in zip(sums, after, strict=True):
            phi = builder.phi(vector)
            phi.add_incoming(value, entry)
            phi.add_incoming(final, head)
            out.append(phi)
        return out

    zero = ir.Constant(vector, [0.0] * count)
    whole = builder.and_(terms, _I64(-split))
    sums = loop(_I64(0), whole, split, start + [zero] * (len(start) * (split - 1)))
    if split > 1:
        sums = loop(whole, terms, 1, sums)
    while len(sums) > len(start):
        half = len(sums) // 2
        sums = [builder.fadd(x, y) for x, y in zip(sums[:half], sums[half:], strict=True)]
    return sums


def matrix_tile(shapes, transposed, joined=False):
    """An intrinsic that computes one register tile of a matrix product, of any of the given shapes.

    ``tile(rows, vectors, a, a_stride, b, b_stride, start, start_stride, c, c_stride, terms)`` forms ``c[r, j] =
    start[r, j] + sum over k of a[r, k] * b[k, j]`` for ``rows`` rows and ``vectors`` vectors of columns, all sums in
    registers. Strides are the distances between rows as stored; ``transposed`` means that ``a`` is stored (k, r).
    ``shapes`` lists (rows, vectors, split): ``split`` partial sums over ``k`` modulo ``split`` hide the latency of the
    multiply-add where a tile has few cells of its own. A ``joined`` tile has three more parameters, ``more``,
    ``more_stride`` and ``more_terms``: it goes on with rows of ``more``, whose terms follow those of ``a`` in ``b``.
    """

    def emit(builder, real, shape, args):
        a, a_stride, b, b_stride, start, start_stride, c, c_stride, terms, *rest = args
        kind = _vector(real)
        cells = [(r, v * kind.lanes) for r in range(shape[0]) for v in range(shape[1])]
        places = [builder.add(builder.mul(start_stride, _I64(r)), _I64(v)) for r, v in cells]
        first = [_load_vector(builder, start, kind, place) for place in places]
        sums = _sum_tile(builder, real, shape, transposed, a, a_stride, b, b_stride, terms, first)
        if joined:
            more, more_stride, more_terms = rest
            below = _address(builder, b, real, builder.mul(terms, b_stride))
            sums = _sum_tile(builder, real, shape, transposed, more, more_stride, below, b_stride, more_terms, sums)
        for (r, v), value in zip(cells, sums, strict=True):
            _store_vector(builder, value, c, real, builder.add(builder.mul(c_stride, _I64(r)), _I64(v)))

    def codegen(context, builder, sig, args):
        rows, vectors, *operands = args
        done = builder.append_basic_block("tile.done")
        switch = builder.switch(builder.add(builder.mul(rows, _I64(16)), vectors), done)
        for shape in shapes:
            block = builder.append_basic_block(f"tile.{shape[0]}x{shape[1]}")
            switch.add_case(_I64(shape[0] * 16 + shape[1]), block)
            builder.position_at_end(block)
            emit(builder, sig.args[2].dtype, shape, operands)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    def tile(typingctx, rows, vectors, a, a_stride, b, b_stride, start, start_stride, c, c_stride, terms):
        return types.void(int64, int64, a, int64, b, int64, start, int64, c, int64, int64), codegen

    def joined_tile(
        typingctx, rows, vectors, a, a_stride, b, b_stride, start, start_stride, c, c_stride, terms,
        more, more_stride, more_terms,
    ):  # fmt: skip
        parameters = [int64, int64, a, int64, b, int64, start, int64, c, int64, int64, more, int64, int64]
        return types.void(*parameters), codegen

    return intrinsic(joined_tile if joined else tile)


@intrinsic
def transpose(typingctx, source, source_stride, target, target_stride):
    """Write a square of as many rows as lanes, the distance between rows given, transposed."""

    def codegen(context, builder, sig, args):
        source, source_stride, target, target_stride = args
        real = sig.args[0].dtype
        kind = _vector(real)
        rows = [_load_vector(builder, source, kind, builder.mul(source_stride, _I64(i))) for i in range(kind.lanes)]
        width = 1
        while width < kind.lanes:
            places = [
                (i // (2 * width)) * 2 * width + i % width + kind.lanes * (i // width % 2) for i in range(kind.lanes)
            ]
            for i in range(kind.lanes):
                if i & width == 0:
                    pair = rows[i], rows[i + width]
                    rows[i] = builder.shuffle_vector(*pair, _mask(places))
                    rows[i + width] = builder.shuffle_vector(*pair, _mask([place + width for place in places]))
            width *= 2
        for i, row in enumerate(rows):
            _store_vector(builder, row, target, real, builder.mul(target_stride, _I64(i)))
        return context.get_dummy_value()

    return types.void(source, int64, target, int64), codegen


def row_tile(vectors, split):
    """An intrinsic for a row times a panel whose result stays in registers.

    ``tile(a, b, terms, start)`` returns the tuple of ``vectors`` vectors ``start[j] + sum over k of a[k] * b[k, j]``;
    ``b`` is stored ``vectors`` vectors a term, ``start`` is a tuple like the result.
    """

    def codegen(context, builder, sig, args):
        a, b, terms, start = args
        real = sig.args[0].dtype
        stride = _I64(vectors * LANES[real])
        sums = _sum_tile(
            builder,
            real,
            (1, vectors, split),
            False,
            a,
            _I64(0),
            b,
            stride,
            terms,
            cgutils.unpack_tuple(builder, start, vectors),
        )
        return context.make_tuple(builder, sig.return_type, sums)

    def tile(typingctx, a, b, terms, start):
        return start(a, b, int64, start), codegen

    return intrinsic(tile)


# ---------------------------------------------------------------------------------------------- calls and threads


def routine_caller(parameters):
    """An intrinsic ``call(address, *arguments)`` for machine code at ``address`` that takes ``parameters``.

    ``parameters`` is a string of ``p`` (pointer) and ``i`` (int64), the code returns nothing. Code that is called by
    address is compiled and cached once, instead of once in every kernel that uses it.
    """
    names = [f"a{i}" for i in range(len(parameters))]

    def typer(typingctx, address, *arguments):
        wanted = [a if p == "p" else int64 for p, a in zip(parameters, arguments, strict=True)]

        def codegen(context, builder, sig, args):
            function_type = ir.FunctionType(ir.VoidType(), [a.type for a in args[1:]])
            builder.call(builder.inttoptr(args[0], function_type.as_pointer()), args[1:])
            return context.get_dummy_value()

        return types.void(int64, *wanted), codegen

    scope = {"typer": typer}
    exec(
        f"def call(typingctx, address, {', '.join(names)}):\n    return typer(typingctx, address, {', '.join(names)})",
        scope,
    )
    return intrinsic(scope["call"])


@intrinsic
def atomic_add(typingctx, address, number):
    """Add to the int64 at ``address``, sequentially consistent; the value before."""

    def codegen(context, builder, sig, args):
        pointer = builder.inttoptr(args[0], _I64.as_pointer())
        return builder.atomic_rmw("add", pointer, args[1], "seq_cst")

    return int64(int64, int64), codegen


@intrinsic
def atomic_load(typingctx, address):
    """The int64 at ``address``, sequentially consistent."""

    def codegen(context, builder, sig, args):
        return builder.load_atomic(builder.inttoptr(args[0], _I64.as_pointer()), "seq_cst", 8)

    return int64(int64), codegen


@intrinsic
def atomic_store(typingctx, address, number):
    """Write the int64 at ``address``, sequentially consistent."""

    def codegen(context, builder, sig, args):
        builder.store_atomic(args[1], builder.inttoptr(args[0], _I64.as_pointer()), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(int64, int64), codegen


@intrinsic
def relax(typingctx):
    """Tell the processor that this thread spins."""

    def codegen(context, builder, sig, args):
        if TARGET.architecture == "x86":
            _call(builder, "llvm.x86.sse2.pause", ir.VoidType(), [])
        elif TARGET.architecture == "arm":
            _call(builder, "llvm.aarch64.hint", ir.VoidType(), [_I32(1)])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def give_way(typingctx):
    """Let the operating system run another thread in this one's place (POSIX ``sched_yield``; elsewhere nothing)."""

    def codegen(context, builder, sig, args):
        if os.name == "posix":
            _call(builder, "sched_yield", _I32, [])
        return context.get_dummy_value()

    return types.void(), codegen
