"""Atomic numbers, and how a thread that waits for one lets others go on."""

from __future__ import annotations

import os

from llvmlite import ir
from numba import int64, types
from numba.extending import intrinsic

from fastrnn.code.target import TARGET
from fastrnn.kernels.machine.vector import I32, I64, call_function


def _loading(ordering):
    """An intrinsic ``load(address)`` for the int64 there."""

    def codegen(context, builder, sig, args):
        return builder.load_atomic(builder.inttoptr(args[0], I64.as_pointer()), ordering, 8)

    def load(typingctx, address):
        return int64(int64), codegen

    return intrinsic(load)


def _storing(ordering):
    """An intrinsic ``store(address, number)`` that writes an int64."""

    def codegen(context, builder, sig, args):
        builder.store_atomic(args[1], builder.inttoptr(args[0], I64.as_pointer()), ordering, 8)
        return context.get_dummy_value()

    def store(typingctx, address, number):
        return types.void(int64, int64), codegen

    return intrinsic(store)


atomic_load, atomic_store = _loading("seq_cst"), _storing("seq_cst")
"""Sequentially consistent: all threads see all of these in one order."""
load_acquire, store_release = _loading("acquire"), _storing("release")
"""Who sees what was stored sees all that was written before it."""


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
