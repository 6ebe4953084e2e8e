"""The machine's own multiply-add peak: a loop of independent fused multiply-adds, as wide as the processor has them."""

import time
from concurrent.futures import ThreadPoolExecutor

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from fastrnn.kernels.target import TARGET

_LANES = TARGET.vector_bytes // 4
# Enough to cover latency times ports (10 on current processors), few enough to leave registers for the operands.
_SUMS = 24 if TARGET.registers == 32 else 12
_FLOPS_PER_TURN = 2 * _LANES * _SUMS


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
        before = builder.block
        loop = builder.append_basic_block("spin")
        done = builder.append_basic_block("spin.done")
        builder.branch(loop)
        builder.position_at_end(loop)
        left = builder.phi(turns.type)
        sums = [builder.phi(vector) for _ in range(_SUMS)]
        left.add_incoming(turns, before)
        after = [builder.call(multiply_add, [s, a, b]) for s in sums]
        for number, (s, following) in enumerate(zip(sums, after, strict=True)):
            # Different starts: equal sums would be merged into one.
            s.add_incoming(ir.Constant(vector, [float(number)] * _LANES), before)
            s.add_incoming(following, loop)
        fewer = builder.sub(left, turns.type(1))
        left.add_incoming(fewer, loop)
        builder.cbranch(builder.icmp_signed(">", fewer, turns.type(0)), loop, done)
        builder.position_at_end(done)
        total = after[0]
        for s in after[1:]:
            total = builder.fadd(total, s)
        return builder.extract_element(total, ir.IntType(32)(0))

    return types.float32(types.int64, types.float32, types.float32), codegen


@njit("float32(int64, float32, float32)", nogil=True)
def _multiply_adds(turns, a, b):
    return _spin(turns, a, b)


def peak_gflops(threads: int, turns: int = 2_000_000) -> float:
    """Return what ``threads`` cores reach together, in float32 GFLOP/s (float64: half of it), best of five."""
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(5):
            start = time.perf_counter()
            list(pool.map(lambda _: _multiply_adds(turns, 0.5, 1.0), range(threads)))
            best = max(best, threads * turns * _FLOPS_PER_TURN / (time.perf_counter() - start))
    return best * 1e-9
