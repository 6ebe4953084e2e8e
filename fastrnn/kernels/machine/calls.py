"""Calls by address: code that is compiled and cached once, instead of in every kernel that uses it."""

from __future__ import annotations

from llvmlite import ir
from numba import int64, types
from numba.extending import intrinsic


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
