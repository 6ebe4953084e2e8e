"""Atomic numbers, and how a thread that waits for one lets others go on."""

from __future__ import annotations

import os

from llvmlite import ir
from numba import int64, types
from numba.extending import intrinsic

from fastrnn.code.target import TARGET
from fastrnn.kernels.machine.vector import I32, I64, call_function


@intrinsic
def atomic_add(typingctx, address, number):
    """Add to the int64 at ``address``, sequentially consistent; the value before."""

    def codegen(context, builder, sig, args):
        pointer = builder.inttoptr(args[0], I64.as_pointer())
        return builder.atomic_rmw("add", pointer, args[1], "seq_cst")

    return int64(int64, int64), codegen


@intrinsic
def atomic_load(typingctx, address):
    """The int64 at ``address``, sequentially consistent."""

    def codegen(context, builder, sig, args):
        return builder.load_atomic(builder.inttoptr(args[0], I64.as_pointer()), "seq_cst", 8)

    return int64(int64), codegen


@intrinsic
def atomic_store(typingctx, address, number):
    """Write the int64 at ``address``, sequentially consistent."""

    def codegen(context, builder, sig, args):
        builder.store_atomic(args[1], builder.inttoptr(args[0], I64.as_pointer()), "seq_cst", 8)
        return context.get_dummy_value()

    return types.void(int64, int64), codegen


@intrinsic
def load_acquire(typingctx, address):
    """The int64 at ``address``; what was written before it was is seen from now on."""

    def codegen(context, builder, sig, args):
        return builder.load_atomic(builder.inttoptr(args[0], I64.as_pointer()), "acquire", 8)

    return int64(int64), codegen


@intrinsic
def store_release(typingctx, address, number):
    """Write the int64 at ``address``; who sees it sees all that was written before."""

    def codegen(context, builder, sig, args):
        builder.store_atomic(args[1], builder.inttoptr(args[0], I64.as_pointer()), "release", 8)
        return context.get_dummy_value()

    return types.void(int64, int64), codegen


@intrinsic
def relax(typingctx):
    """Tell the processor that this thread spins."""

    def codegen(context, builder, sig, args):
        if TARGET.architecture == "x86":
            call_function(builder, "llvm.x86.sse2.pause", ir.VoidType(), [])
        elif TARGET.architecture == "arm":
            call_function(builder, "llvm.aarch64.hint", ir.VoidType(), [I32(1)])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def give_way(typingctx):
    """Let the operating system run another thread in this one's place (POSIX ``sched_yield``; elsewhere nothing)."""

    def codegen(context, builder, sig, args):
        if os.name == "posix":
            call_function(builder, "sched_yield", I32, [])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def atomic_swap_if(typingctx, address, expected, number):
    """Write the int64 at ``address`` if it is ``expected``, sequentially consistent; whether it was."""

    def codegen(context, builder, sig, args):
        pointer = builder.inttoptr(args[0], I64.as_pointer())
        return builder.extract_value(builder.cmpxchg(pointer, args[1], args[2], "seq_cst", "seq_cst"), 1)

    return types.boolean(int64, int64, int64), codegen
