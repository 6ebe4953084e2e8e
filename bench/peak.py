"""What the machine itself reaches: multiply-adds a second, and bytes a second out of a buffer that a cache holds."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from fastrnn.code.target import TARGET

_I64 = ir.IntType(64)
_LANES = TARGET.vector_bytes // 4
# Enough to cover latency times ports (10 on current processors), few enough to leave registers for the operands.
_SUMS = 24 if TARGET.registers == 32 else 12
_FLOPS_PER_TURN = 2 * _LANES * _SUMS
_LOADS = 8
_BYTES_PER_TURN = TARGET.vector_bytes * _LOADS
_REPEATS = 5


def _repeat(builder, turns, values, body):
    """Emit ``turns`` rounds of ``values = body(values)``; return what the last one left."""
    before = builder.block
    loop = builder.append_basic_block("repeat")
    done = builder.append_basic_block("repeat.done")
    builder.branch(loop)
    builder.position_at_end(loop)
    left = builder.phi(_I64)
    left.add_incoming(turns, before)
    inside = [builder.phi(value.type) for value in values]
    after = body(inside)
    for phi, value, following in zip(inside, values, after, strict=True):
        phi.add_incoming(value, before)
        phi.add_incoming(following, loop)
    fewer = builder.sub(left, _I64(1))
    left.add_incoming(fewer, loop)
    builder.cbranch(builder.icmp_signed(">", fewer, _I64(0)), loop, done)
    builder.position_at_end(done)
    return after


@intrinsic
def _spin(typingctx, turns, a, b):
    """Run ``turns`` rounds of s = s * a + b over all sums at once; return one lane of their total."""

    def codegen(context, builder, signature, arguments):
        turns, a, b = arguments
        vector = ir.VectorType(ir.FloatType(), _LANES)
        undefined = ir.Constant(vector, ir.Undefined)
        mask = ir.Constant(ir.VectorType(ir.IntType(32), _LANES), [0] * _LANES)

        def splat(scalar):
            return builder.shuffle_vector(builder.insert_element(undefined, scalar, ir.IntType(32)(0)), undefined, mask)

        name = f"llvm.fmuladd.v{_LANES}f32"
        multiply_add = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
        a, b = splat(a), splat(b)
        # Different starts: equal sums would be merged into one.
        starts = [ir.Constant(vector, [float(number)] * _LANES) for number in range(_SUMS)]
        total, *sums = _repeat(
            builder, turns, starts, lambda sums: [builder.call(multiply_add, [s, a, b]) for s in sums]
        )
        for s in sums:
            total = builder.fadd(total, s)
        return builder.extract_element(total, ir.IntType(32)(0))

    return types.float32(types.int64, types.float32, types.float32), codegen


@intrinsic
def _sweep(typingctx, turns, address, size):
    """Load the ``size`` bytes at ``address`` over and over, ``_LOADS`` vectors a turn; return one lane of their XOR."""

    def codegen(context, builder, signature, arguments):
        turns, address, size = arguments
        vector = ir.VectorType(_I64, TARGET.vector_bytes // 8)

        def body(values):
            offset, *sums = values
            start = builder.add(address, offset)
            places = [builder.add(start, _I64(k * TARGET.vector_bytes)) for k in range(_LOADS)]
            loaded = [builder.load(builder.inttoptr(place, vector.as_pointer())) for place in places]
            following = builder.add(offset, _I64(_BYTES_PER_TURN))
            at_end = builder.icmp_signed(">=", following, size)
            return [
                builder.select(at_end, _I64(0), following),
                *(builder.xor(s, x) for s, x in zip(sums, loaded, strict=True)),
            ]

        zero = ir.Constant(vector, [0] * vector.count)
        _, total, *sums = _repeat(builder, turns, [_I64(0)] + [zero] * _LOADS, body)
        for s in sums:
            total = builder.xor(total, s)
        return builder.extract_element(total, ir.IntType(32)(0))

    return types.int64(types.int64, types.int64, types.int64), codegen


@njit("float32(int64, float32, float32)", nogil=True)
def _multiply_adds(turns, a, b):
    return _spin(turns, a, b)


@njit("int64(int64, int64, int64)", nogil=True)
def _loads(turns, address, size):
    return _sweep(turns, address, size)


def peak_gflops(threads: int, turns: int = 2_000_000) -> float:
    """Return what ``threads`` cores reach together, in float32 GFLOP/s (float64: half of it), best of five."""
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(_REPEATS):
            start = time.perf_counter()
            list(pool.map(lambda _: _multiply_adds(turns, 0.5, 1.0), range(threads)))
            best = max(best, threads * turns * _FLOPS_PER_TURN / (time.perf_counter() - start))
    return best * 1e-9


def load_bandwidth(size: int, total: int = 2**30) -> float:
    """Return the GB/s at which one core loads a buffer of ``size`` bytes again and again, best of five.

    The size is rounded up to whole turns of the loop; ``total`` bytes are loaded in each of the five.
    """
    turns = -(-size // _BYTES_PER_TURN)
    size = turns * _BYTES_PER_TURN
    buffer = np.ones(size + TARGET.vector_bytes, dtype=np.uint8)
    # A vector across two cache lines would be two loads.
    address = -(-buffer.ctypes.data // TARGET.vector_bytes) * TARGET.vector_bytes
    turns *= max(1, total // size)
    best = 0.0
    for _ in range(_REPEATS):
        start = time.perf_counter()
        _loads(turns, address, size)
        best = max(best, turns * _BYTES_PER_TURN / (time.perf_counter() - start))
    return best * 1e-9
