"""Philox: random masks that depend on nothing but a seed and a place."""

from __future__ import annotations

from llvmlite import ir
from numba import int64
from numba.extending import intrinsic

from fastrnn.kernels.machine.vector import I32, I64, splat_of, vector_of

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
    kind = vector_of(like.dtype)

    def codegen(context, builder, sig, args):
        narrow, wide = ir.VectorType(I32, kind.lanes), ir.VectorType(I64, kind.lanes)
        first, t, row, draw, seed, stream, threshold = (builder.trunc(a, I32) for a in args[1:8])
        lanes_on = ir.Constant(narrow, list(range(kind.lanes)))
        counter = [splat_of(builder, a, kind.lanes) for a in (first, t, row, draw)]
        counter[0] = builder.add(counter[0], lanes_on)
        key = [seed, stream]
        for turn in range(_PHILOX_ROUNDS):
            if turn:
                key = [builder.add(k, I32(step)) for k, step in zip(key, _PHILOX_STEPS, strict=True)]
            highs, lows = [], []
            for number, word in zip(_PHILOX_MULTIPLIERS, (counter[0], counter[2]), strict=True):
                full = builder.mul(builder.zext(word, wide), ir.Constant(wide, [number] * kind.lanes))
                highs.append(builder.trunc(builder.lshr(full, ir.Constant(wide, [32] * kind.lanes)), narrow))
                lows.append(builder.trunc(full, narrow))
            keys = [splat_of(builder, k, kind.lanes) for k in key]
            counter = [
                builder.xor(builder.xor(highs[1], counter[1]), keys[0]),
                lows[1],
                builder.xor(builder.xor(highs[0], counter[3]), keys[1]),
                lows[0],
            ]
        drops = builder.icmp_unsigned("<", counter[0], splat_of(builder, threshold, kind.lanes))
        factor = splat_of(builder, context.cast(builder, args[8], scale, kind.real), kind.lanes)
        return builder.select(drops, ir.Constant(factor.type, [0.0] * kind.lanes), factor)

    return kind(like, int64, int64, int64, int64, int64, int64, int64, scale), codegen
