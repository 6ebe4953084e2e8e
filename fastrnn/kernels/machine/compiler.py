"""The compiler: makes of a kernel an object, machine code with one function that C, and other kernels, may call."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from llvmlite import ir
from numba import float32, float64, from_dtype, int64, types
from numba.core import config
from numba.core.compiler import Flags, compile_extra
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target

from fastrnn.code.compiled import Compiled
from fastrnn.code.loader import machine, missing
from fastrnn.kernels.machine.pipeline import Part, Pipeline
from fastrnn.operations.records import FORMS, Form

REALS = {"float32": float32, "float64": float64}
_OPTIONS = {"nopython": True, "error_model": "numpy", "no_cpython_wrapper": True, "no_cfunc_wrapper": True}

LOCK = global_compiler_lock._lock
"""Numba's lock: that of C code within, as a handler of Python code would swallow a Ctrl-C that falls into it."""
if hasattr(os, "register_at_fork"):
    # A child would find it held by a thread that is not there.
    os.register_at_fork(before=LOCK.acquire, after_in_parent=LOCK.release, after_in_child=LOCK.release)


def check_compiles() -> None:
    """Refuse to go on where Numba is told not to compile.

    Raises
    ------
    ValueError
        It is.
    """
    if config.DISABLE_JIT:
        raise ValueError(
            "NUMBA_DISABLE_JIT is set; expected it not to be, as fastrnn computes in compiled code alone: unset it"
        )


def object_of(code: Compiled, dtype: str, symbol: str) -> tuple[bytes, list[str]]:
    """Compile a kernel; returns the object, whose function is called ``symbol``, and the symbols that it needs.

    Raises
    ------
    ValueError
        Numba is told not to compile.
    AttributeError
        It reads a field that its record does not have.
    """
    check_compiles()
    forms = [FORMS[each] for each in code.parameters if each in FORMS]
    parameters = tuple(_type_of(each, dtype) for each in code.parameters)
    try:
        return compiled(code.function().py_func, parameters, int64 if code.result else types.void, symbol)
    except KeyError as error:
        line = _unknown_field(code.name, error, forms[-1]) if forms else None
        if line is None:
            raise
    raise line


def _type_of(parameter: Any, dtype: str) -> Any:
    if parameter == "i":
        return int64
    return types.CPointer(REALS[dtype] if parameter == "p" else from_dtype(parameter))


def _unknown_field(name: str, error: KeyError, form: Form) -> AttributeError | None:
    """Return the line for a field that a kernel reads and its record does not have; None for another error.

    Numba raises a bare KeyError there; which line it was at work on stands in what it was computing with.
    """
    field, place, traceback = error.args[0], None, error.__traceback__
    while traceback is not None:
        place = getattr(traceback.tb_frame.f_locals.get("self"), "loc", place)
        traceback = traceback.tb_next
    if place is None or field in form.fields:
        return None
    near = get_close_matches(field, form.fields, n=1)
    return AttributeError(
        f"{name} ({Path(place.filename).name}, line {place.line}) reads the field {field!r}, which the record of the "
        f"{form.name} does not have; expected {near[0] if near else 'one that is declared'}"
    )


@global_compiler_lock
def compiled(function: Any, parameters: tuple[Any, ...], result: Any, symbol: str) -> tuple[bytes, list[str]]:
    """Compile a Python function of these types, Numba's; returns as `object_of`."""
    typing, target = cpu_target.typing_context, cpu_target.target_context
    typing.refresh()
    target.refresh()
    flags = Flags()
    cpu_target.options.parse_as_flags(flags, _OPTIONS)
    flags.no_compile = True
    inner = compile_extra(typing, target, function, parameters, result, flags, {}, pipeline_class=Pipeline)
    whole = Part(target.codegen(), symbol)
    whole.add_ir_module(_entry(whole, target, inner.fndesc, symbol))
    module = whole._final_module
    for part in inner.library.everything():
        module.link_in(part, preserve=True)
    for each in (*module.functions, *module.global_variables):
        if not each.is_declaration and each.name != symbol:
            each.linkage = "internal"
    whole._optimize_final_module()
    needs = [each.name for each in module.functions if each.is_declaration and not each.name.startswith("llvm.")]
    if missing(needs):
        raise NotImplementedError(f"{symbol} needs {', '.join(missing(needs))}; expected what C's library has")
    return machine().emit_object(module), needs


def _entry(whole: Part, target: Any, inner: Any, symbol: str) -> Any:
    """The function ``symbol``, by C's conventions: it calls the one by Numba's, which never fails."""
    module = whole.create_ir_module(symbol)
    kind = target.call_conv.get_function_type(inner.restype, inner.argtypes)
    called = ir.Function(module, kind, inner.llvm_func_name)
    is_void = inner.restype == types.void
    result = ir.VoidType() if is_void else target.get_value_type(inner.restype)
    entry = ir.Function(module, ir.FunctionType(result, [target.get_value_type(t) for t in inner.argtypes]), symbol)
    builder = ir.IRBuilder(entry.append_basic_block())
    # Inlined into this one, the tiles of a product were a hundredth slower.
    _, out = target.call_conv.call_function(
        builder, called, inner.restype, inner.argtypes, entry.args, attrs=("noinline",)
    )
    if is_void:
        builder.ret_void()
    else:
        builder.ret(out)
    return module
