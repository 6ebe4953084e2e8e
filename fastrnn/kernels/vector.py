"""Explicit vectors for Numba: the one file that emits LLVM IR.

A ``Vector`` is a register of ``LANES[real]`` numbers. Numba sees it as a type of its own whose data model is LLVM's vector
type, so that a kernel written with the functions below stays in registers as wide as the processor has, without the
256-bit preference of LLVM's own loop vectoriser. Pointers are Numba's ``CPointer``: ``p[i]`` reads or writes
one number without the negative-index handling that array indexing carries.

Floating-point rules: no fast-math flag anywhere, so NaN and infinity travel as IEEE 754 says, and the order of every sum is
the order that is written here.
"""

from __future__ import annotations

import operator
import os

import numpy as np
from llvmlite import ir
from numba import float32, float64, int64, types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

from fastrnn.kernels.target import TARGET

LANES = {float32: TARGET.vector_bytes // 4, float64: TARGET.vector_bytes // 8}
_BYTES = {float32: 4, float64: 8}
LANES_OF = {"float32": LANES[float32], "float64": LANES[float64]}
LLVM_REAL = {float32: ir.FloatType(), float64: ir.DoubleType()}
LLVM_BITS = {float32: ir.IntType(32), float64: ir.IntType(64)}
_I32 = ir.IntType(32)
_I64 = ir.IntType(64)


class Vector(types.Type):
    """A register of ``LANES[real]`` numbers of type ``real`` (float32 or float64)."""

    def __init__(self, real):
        self.real = real
        super().__init__(name=f"Vector({real}x{LANES[real]})")


VECTORS = {float32: Vector(float32), float64: Vector(float64)}


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, ir.VectorType(LLVM_REAL[fe_type.real], LANES[fe_type.real]))


def _llvm_vector(real):
    return ir.VectorType(LLVM_REAL[real], LANES[real])


def _splat(builder, scalar, lanes):
    vector = ir.VectorType(scalar.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, _I32(0))
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes))


def _address(builder, pointer, real, offset):
    """Element address ``pointer + offset`` whatever pointer type Numba hands over."""
    base = builder.bitcast(pointer, LLVM_REAL[real].as_pointer())
    return builder.gep(base, [offset])


def _load_vector(builder, pointer, real, offset):
    address = _address(builder, pointer, real, offset)
    value = builder.load(builder.bitcast(address, _llvm_vector(real).as_pointer()))
    value.align = _BYTES[real]
    return value


def _store_vector(builder, value, pointer, real, offset):
    address = _address(builder, pointer, real, offset)
    store = builder.store(value, builder.bitcast(address, _llvm_vector(real).as_pointer()))
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


@intrinsic
def load(typingctx, pointer, offset):
    """The vector at ``pointer + offset`` (an offset in numbers, of any alignment)."""
    real = pointer.dtype

    def codegen(context, builder, sig, args):
        return _load_vector(builder, args[0], real, args[1])

    return VECTORS[real](pointer, int64), codegen


@intrinsic
def store(typingctx, pointer, offset, value):
    """Write ``value`` at ``pointer + offset``."""
    real = pointer.dtype

    def codegen(context, builder, sig, args):
        _store_vector(builder, args[2], args[0], real, args[1])
        return context.get_dummy_value()

    return types.void(pointer, int64, VECTORS[real]), codegen


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
    real = pointer.dtype if isinstance(pointer, types.CPointer) else pointer.real

    def codegen(context, builder, sig, args):
        return _splat(builder, args[1], LANES[real])

    return VECTORS[real](pointer, real), codegen


@intrinsic
def lanes(typingctx, like):
    """Number of lanes of the vectors of ``like`` (a pointer or a vector): a constant of the compiled code."""
    count = LANES[like.dtype if isinstance(like, types.CPointer) else like.real]

    def codegen(context, builder, sig, args):
        return _I64(count)

    return int64(like), codegen


@intrinsic
def real_of(typingctx, like, number):
    """``number`` in the precision of ``like`` (a pointer or a vector)."""
    real = like.dtype if isinstance(like, types.CPointer) else like.real

    def codegen(context, builder, sig, args):
        return context.cast(builder, args[1], number, real)

    return real(like, number), codegen


# ---------------------------------------------------------------------------------------------- arithmetic


def _as_vector(context, builder, value, given, real):
    """``value`` as a vector: a number fills every lane."""
    if isinstance(given, Vector):
        return value
    return _splat(builder, context.cast(builder, value, given, real), LANES[real])


def _real_among(arguments):
    for argument in arguments:
        if isinstance(argument, Vector):
            return argument.real
    return None


def _operator(symbol, emit):
    """Teach Numba the Python operator ``symbol`` on vectors, and on a vector and a number."""

    @infer_global(symbol)
    class _Template(AbstractTemplate):
        def generic(self, args, kws):
            real = _real_among(args)
            if real is not None and len(args) == 2 and all(isinstance(a, Vector | types.Number) for a in args):
                return signature(VECTORS[real], *args)
            return None

    def lower(context, builder, sig, args):
        real = sig.return_type.real
        return emit(builder, *(_as_vector(context, builder, a, t, real) for a, t in zip(args, sig.args, strict=True)))

    lower_builtin(symbol, Vector, Vector)(lower)
    lower_builtin(symbol, Vector, types.Number)(lower)
    lower_builtin(symbol, types.Number, Vector)(lower)


_operator(operator.add, ir.IRBuilder.fadd)
_operator(operator.sub, ir.IRBuilder.fsub)
_operator(operator.mul, ir.IRBuilder.fmul)
_operator(operator.truediv, ir.IRBuilder.fdiv)


def _lanewise(emit, *arguments):
    """Signature and code of an operation lane by lane: ``emit(builder, *vectors)``; a number fills every lane."""
    real = _real_among(arguments)

    def codegen(context, builder, sig, args):
        return emit(builder, *(_as_vector(context, builder, a, t, real) for a, t in zip(args, sig.args, strict=True)))

    return VECTORS[real](*arguments), codegen


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
def absolute(typingctx, a):
    """``|a|``."""
    return _lanewise(lambda builder, a: _call(builder, f"llvm.fabs.{_suffix(a.type)}", a.type, [a]), a)


@intrinsic
def copy_sign(typingctx, a, sign):
    """``|a|`` with the sign of ``sign``."""
    return _lanewise(
        lambda builder, a, s: _call(builder, f"llvm.copysign.{_suffix(a.type)}", a.type, [a, s]), a, sign
    )


@intrinsic
def square_root(typingctx, a):
    """The correctly rounded square root of ``a``."""
    return _lanewise(lambda builder, a: _call(builder, f"llvm.sqrt.{_suffix(a.type)}", a.type, [a]), a)


@intrinsic
def quotient(typingctx, a, b):
    """``a / b`` for finite normal ``b`` of moderate size, within 1 ULP.

    AVX-512 has an estimate of the reciprocal to 14 bits, which one Newton step (float32) makes good in a quarter of the time
    that a 512-bit division takes; elsewhere, and in float64, this is the division.
    """

    def emit(builder, a, b):
        if TARGET.vector_bytes != 64 or isinstance(a.type.element, ir.DoubleType):
            return builder.fdiv(a, b)
        everything = ir.Constant(ir.IntType(16), -1)
        estimate = _call(builder, "llvm.x86.avx512.rcp14.ps.512", a.type, [b, ir.Constant(a.type, ir.Undefined), everything])
        first = builder.fmul(a, estimate)
        rest = _multiply_add(builder, builder.fneg(b), first, a)
        return _multiply_add(builder, rest, estimate, first)

    return _lanewise(emit, a, b)


@intrinsic
def nearest(typingctx, a):
    """``a`` rounded to the nearest whole number, ties to even (``|a|`` below 2^22 in float32, 2^51 in float64)."""

    def emit(builder, a):
        magic = 1.5 * 2.0**23 if isinstance(a.type.element, ir.FloatType) else 1.5 * 2.0**52
        shift = _splat(builder, a.type.element(magic), a.type.count)
        return builder.fsub(builder.fadd(a, shift), shift)

    return _lanewise(emit, a)


@intrinsic
def power_of_two(typingctx, n):
    """``2**n`` for whole ``n`` in the range of normal numbers.

    Adding the exponent's bias and a large power of two leaves ``n + bias`` in the lowest bits, which are then moved to the exponent.
    """

    def emit(builder, n):
        single = isinstance(n.type.element, ir.FloatType)
        bits = ir.VectorType(_I32 if single else _I64, n.type.count)
        mantissa, magic = (23, 1.5 * 2.0**23 + 127) if single else (52, 1.5 * 2.0**52 + 1023)
        shifted = builder.fadd(n, _splat(builder, n.type.element(magic), n.type.count))
        return builder.bitcast(
            builder.shl(builder.bitcast(shifted, bits), ir.Constant(bits, [mantissa] * bits.count)), n.type
        )

    return _lanewise(emit, n)


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
            pick = [ir.Constant(ir.VectorType(_I32, half), list(range(start, start + half))) for start in (0, half)]
            low, high = (builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), mask) for mask in pick)
            value = builder.fadd(low, high)
        return builder.extract_element(value, _I32(0))

    return real(a), codegen


# ---------------------------------------------------------------------------------------------- products


def _emit_tile(builder, real, args, rows, vectors, split, transposed):
    """One register tile: ``c[r, j] (+)= sum over k of a[r, k] * b[k, j]``, all sums in registers."""
    a, a_stride, b, b_stride, c, c_stride, terms, accumulate = args
    vector = _llvm_vector(real)
    count = LANES[real]
    cells = [(r, v) for r in range(rows) for v in range(vectors)]
    c_at = [builder.add(builder.mul(c_stride, _I64(r)), _I64(v * count)) for r, v in cells]
    zero = ir.Constant(vector, [0.0] * count)

    before = builder.block
    with builder.if_then(builder.icmp_signed("!=", accumulate, _I64(0))):
        loaded = [_load_vector(builder, c, real, at) for at in c_at]
        inside = builder.block
    start = []
    for value in loaded:
        phi = builder.phi(vector)
        phi.add_incoming(zero, before)
        phi.add_incoming(value, inside)
        start.append(phi)
    row_offset = [_I64(r) if transposed else builder.mul(a_stride, _I64(r)) for r in range(rows)]

    def add_term(k, sums):
        a_at = builder.mul(k, a_stride) if transposed else k
        b_at = builder.mul(k, b_stride)
        columns = [_load_vector(builder, b, real, builder.add(b_at, _I64(v * count))) for v in range(vectors)]
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
            after += add_term(builder.add(k, _I64(part)), carried[part * len(cells) : (part + 1) * len(cells)])
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

    whole = builder.and_(terms, _I64(-split))
    sums = loop(_I64(0), whole, split, start + [zero] * (len(cells) * (split - 1)))
    if split > 1:
        sums = loop(whole, terms, 1, sums)
    while len(sums) > len(cells):
        half = len(sums) // 2
        sums = [builder.fadd(x, y) for x, y in zip(sums[:half], sums[half:], strict=True)]
    for at, value in zip(c_at, sums, strict=True):
        _store_vector(builder, value, c, real, at)


def matrix_tile(shapes, transposed):
    """An intrinsic that computes one register tile of a matrix product, of any of the given shapes.

    ``tile(rows, vectors, a, a_stride, b, b_stride, c, c_stride, terms, accumulate)`` forms ``c[r, j] = sum over k of a[r, k] * b[k, j]`` for
    ``rows`` rows and ``vectors`` vectors of columns, added to what ``c`` holds if ``accumulate`` is not 0. Strides are the distances
    between rows as stored; ``transposed`` means that ``a`` is stored (k, r). ``shapes`` lists (rows, vectors, split): ``split``
    partial sums over ``k`` modulo ``split`` hide the latency of the multiply-add where a tile has few cells of its own.
    """

    def codegen(context, builder, sig, args):
        rows, vectors, *operands = args
        done = builder.append_basic_block("tile.done")
        switch = builder.switch(builder.add(builder.mul(rows, _I64(16)), vectors), done)
        for shape_rows, shape_vectors, split in shapes:
            block = builder.append_basic_block(f"tile.{shape_rows}x{shape_vectors}")
            switch.add_case(_I64(shape_rows * 16 + shape_vectors), block)
            builder.position_at_end(block)
            _emit_tile(builder, sig.args[2].dtype, operands, shape_rows, shape_vectors, split, transposed)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    def tile(typingctx, rows, vectors, a, a_stride, b, b_stride, c, c_stride, terms, accumulate):
        return types.void(int64, int64, a, int64, b, int64, c, int64, int64, int64), codegen

    return intrinsic(tile)


# ---------------------------------------------------------------------------------------------- calls and threads


def routine_caller(parameters):
    """An intrinsic ``call(address, *arguments)`` for machine code at ``address`` that takes ``parameters``.

    ``parameters`` is a string of ``p`` (pointer) and ``i`` (int64), the code returns nothing. Code that is called by address is compiled
    and cached once, instead of once in every kernel that uses it.
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
    exec(f"def call(typingctx, address, {', '.join(names)}):\n    return typer(typingctx, address, {', '.join(names)})", scope)
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
