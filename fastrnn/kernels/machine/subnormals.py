"""Numbers too small to be normal, taken as zero: on many processors each costs a hundred times what others cost.

Errors that vanish on their way back through a long series end there, and stay: half of the smallest number and more is
rounded to that number again. With 1000 steps nearly all of a backward pass were such (LSTM B32 T1000 H128: 2.7 s
instead of 0.15 s where the processor has them done by microcode).
"""

from __future__ import annotations

from llvmlite import ir
from numba import int64, types
from numba.extending import intrinsic

from fastrnn.code.target import TARGET
from fastrnn.kernels.machine.vector import I32, I64, call_function

_FLUSHED = {"x86": 0x8040, "arm": 1 << 24}
"""The bits of the control register (MXCSR, FPCR) that let results and operands be zero instead."""


def _set(builder: ir.IRBuilder, control: ir.Value) -> None:
    if TARGET.architecture == "x86":
        place = _place(builder)
        builder.store(builder.trunc(control, I32), place)
        call_function(builder, "llvm.x86.sse.ldmxcsr", ir.VoidType(), [place])
    elif TARGET.architecture == "arm":
        call_function(builder, "llvm.aarch64.set.fpcr", ir.VoidType(), [control])


def _get(builder: ir.IRBuilder) -> ir.Value:
    if TARGET.architecture == "x86":
        place = _place(builder)
        call_function(builder, "llvm.x86.sse.stmxcsr", ir.VoidType(), [place])
        return builder.zext(builder.load(place), I64)
    if TARGET.architecture == "arm":
        return call_function(builder, "llvm.aarch64.get.fpcr", I64, [])
    return I64(0)


def _place(builder: ir.IRBuilder) -> ir.Value:
    with builder.goto_entry_block():
        return builder.alloca(I32)


@intrinsic
def flush_subnormals(typingctx):
    """Let this thread take them as zero; returns what `restore_control` puts back."""

    def codegen(context, builder, sig, args):
        before = _get(builder)
        _set(builder, builder.or_(before, I64(_FLUSHED.get(TARGET.architecture, 0))))
        return before

    return int64(), codegen


@intrinsic
def restore_control(typingctx, control):
    """Let this thread compute as before."""

    def codegen(context, builder, sig, args):
        _set(builder, args[0])
        return context.get_dummy_value()

    return types.void(int64), codegen
