"""What is wrong with a record, or with what is declared of kernels, is said in one line where it is made."""

import inspect
import pkgutil
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from fastrnn import operations
from fastrnn.code.compiled import Compiled
from fastrnn.engine.program import Program, Shape
from fastrnn.operations.call import Operation, operation
from fastrnn.operations.dense import DENSE
from fastrnn.operations.records import FORMS, check_fields, record

GOOD = {name: 0 for name, field in FORMS[DENSE].fields.items() if field.is_needed}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernel": None}, "dense layer is not given kernel; expected every field that is declared without '?'"),
        ({"kernl": 0}, "dense layer is given the field 'kernl', which it does not have; expected kernel"),
        ({"zzz": 0}, "'zzz', which it does not have; expected one of steps, sequences"),
    ],
)
def test_a_field_that_is_missing_or_misspelt_is_refused(change: dict[str, Any], message: str) -> None:
    values = {name: value for name, value in (GOOD | change).items() if value is not None}
    with pytest.raises(ValueError, match=r"^dense layer") as refusal:
        check_fields(DENSE, values)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    program = Program(Shape(1, 1, 1, 1, False, "float32", 1, 1, False), None)
    with pytest.raises(ValueError, match=r"^dense layer"):
        program.spec(DENSE, **values)


def test_a_record_takes_what_it_needs() -> None:
    check_fields(DENSE, GOOD)
    program = Program(Shape(1, 1, 1, 1, False, "float32", 1, 1, False), None)
    assert program.spec(DENSE, **GOOD | {"units": 7})["units"] == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "one: the line 'a'; expected a new name, then one of size, place"),
        ("a length  how long", "one: the line 'a length  how long'"),
        ("a size\nb size\na flag", "one: the line 'a flag'"),
    ],
)
def test_a_line_that_declares_nothing_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^one: ") as refusal:
        record("one", text)
    assert message in str(refusal.value)


def test_a_record_is_not_the_beginning_of_another() -> None:
    """Numba takes a record for another that begins as it does."""
    first = "\n".join(f"{name} {field.kind}" for name, field in list(FORMS[DENSE].fields.items())[:-2])
    with pytest.raises(ValueError, match="begins as dense layer"):
        record("short", first)


def test_kinds_and_lines() -> None:
    made = record("unlike any other", "\n    only_here  size?  how many\n" + " " * 20 + "of them\n    too  number~")
    assert made == np.dtype([("only_here", np.int64), ("too", np.float64)], align=True)
    assert not any(field.is_needed for field in FORMS.pop(made).fields.values())


def test_an_operation_is_declared_once() -> None:
    with pytest.raises(ValueError, match=r"dense_forward is declared in layers\.dense and in elsewhere") as refusal:
        operation("dense_forward", "elsewhere", DENSE)
    assert "\n" not in str(refusal.value)


OPERATIONS = [import_module(f"fastrnn.operations.{found.name}") for found in pkgutil.iter_modules(operations.__path__)]
DECLARED = [each for module in OPERATIONS for each in vars(module).values() if isinstance(each, Compiled)]


def test_every_function_that_is_declared_is_there_and_takes_what_is_declared() -> None:
    assert len(DECLARED) > 40
    for each in DECLARED:
        signature = inspect.signature(each.function().py_func)
        assert len(signature.parameters) == len(each.parameters), each
        if isinstance(each, Operation):
            assert list(signature.parameters) == ["real", "call", "spec"], each


def test_a_field_misspelt_in_a_kernel_is_one_line_that_names_it(tmp_path: Any) -> None:
    source = """
from numba import njit
from fastrnn.kernels.machine.helper import helper
from fastrnn.kernels.machine.vector import fields

@helper
def _inner(s):
    return s.unitz

@njit
def misspelt(real, call, spec):
    s = fields(spec)
    _inner(s)
"""
    kernel = Operation("misspelt", "misspelt", DENSE, source)
    with pytest.raises(AttributeError, match="unitz") as refusal:
        kernel.address("float32")
    message = str(refusal.value)
    assert "\n" not in message
    for part in ("misspelt", "'unitz'", "dense layer", "line 8", "expected units"):
        assert part in message, message
