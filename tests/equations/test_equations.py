"""Functions written down as expressions: what they compute, how they are derived, and what cannot be."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastrnn as fr
from fastrnn.equations import EquationError, act, cell, exp, log, maximum, minimum, s, sigmoid, sqrt, tanh, where
from fastrnn.equations import cells as own_activations
from fastrnn.equations.activations import ACTIVATIONS, OF_INPUT
from fastrnn.equations.expressions import Expression, all_of, leaf, trace
from fastrnn.equations.lines import Lines
from fastrnn.equations.slopes import slopes

PYTHON = {
    "tanh": math.tanh, "sigmoid": lambda x: 1 / (1 + math.exp(-x)), "exp": math.exp, "log": math.log, "sine": math.sin,
    "cosine": math.cos, "erf": math.erf, "square_root": math.sqrt, "absolute": abs, "maximum": max, "minimum": min,
    "select_less": lambda a, b, this, that: this if a < b else that,
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "arithmetic": lambda x, y: (x + 2.0) * y / (3.0 - x * y) - y**2 + (-x),
    "powers": lambda x, y: x**2 + y**3 - (x * x + 1.0) ** 0.5,
    "functions": lambda x, y: exp(x * 0.3) * log(y * y + 1.0) + sqrt(x * x + 2.0),
    "NumPy's": lambda x, y: np.tanh(x) + np.exp(y) * np.maximum(x, y) + np.sin(x) * np.cos(y),
    "pieces": lambda x, y: where(x < y, maximum(x, 0.3) * y, minimum(y, 0.2) - abs(x)),
    "the same twice": lambda x, y: (lambda z: z * z + z)(tanh(x * y)),
    "activations": lambda x, y: sigmoid(x) * y,
    "a constant": lambda x, y: 3.0,
    **{name: (lambda x, y, f=name: Expression(f, x) * y) for name in ACTIVATIONS},
    **{name: (lambda x, y, f=f: f(x) + y) for name, f in OF_INPUT.items()},
}


def evaluate(results: list[Expression | None], **values: float) -> list[float]:
    """Compute expressions as their lines say."""
    nodes = all_of([result for result in results if result is not None])
    lines = Lines({node: node.arguments[0] for node in nodes if node.operation == "leaf"})
    names = ["0.0" if r is None else lines.name(r) for r in results]
    scope = {**PYTHON, **values}
    exec("\n".join(lines.lines), scope)
    return [float(eval(name, scope)) for name in names]


@pytest.mark.parametrize("name", FUNCTIONS)
@given(x=st.floats(-2.0, 2.0), y=st.floats(-2.0, 2.0))
def test_slopes_are_those_of_central_differences(name: str, x: float, y: float) -> None:
    x, y = round(x, 3) + 0.00037, round(y, 3) + 0.00051  # away from kinks
    symbols = [leaf("x"), leaf("y")]
    (value,) = trace(FUNCTIONS[name], symbols, 1, "a number")
    found = evaluate(slopes([value], {value: leaf("g")}, symbols), x=x, y=y, g=1.5)
    h = 1e-6
    for got, (dx, dy) in zip(found, [(h, 0.0), (0.0, h)], strict=True):
        (up,), (down,) = evaluate([value], x=x + dx, y=y + dy), evaluate([value], x=x - dx, y=y - dy)
        wanted = 1.5 * (up - down) / (2 * h)
        assert got == pytest.approx(wanted, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("name", [*ACTIVATIONS, *OF_INPUT])
def test_activations_are_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    theirs = {
        "linear": lambda x: x, "leaky_relu": lambda x: functional.leaky_relu(x, 0.2),
        "hard_sigmoid": functional.hardsigmoid, "hard_tanh": functional.hardtanh,
    }.get(name) or getattr(functional, name)  # fmt: skip
    x = np.linspace(-20.0, 20.0, 4001).reshape(-1, 1, 1)
    for dtype, bound in (("float64", 1e-14), ("float32", 2e-6)):
        model = fr.Sequential([fr.SimpleRNN(1, "linear"), fr.Dense(1, name)], input_size=1, dtype=dtype)
        model.set_weights([np.ones((1, 1)), np.zeros((1, 1)), np.zeros(1), np.ones((1, 1)), np.zeros(1)])
        wanted = theirs(torch.tensor(x.astype(dtype))).numpy().reshape(-1, 1)
        np.testing.assert_allclose(model.predict(x), wanted, rtol=bound, atol=bound)


REFUSED: dict[str, tuple[Callable[..., Any], str]] = {
    "branches": (lambda z, h: z if z > 0 else h, r"branches on a value.*expected where\(a < b, this, that\)"),
    "math": (lambda z, h: math.tanh(z), r"functions of math.*expected functions of fastrnn.equations"),
    "an unknown function": (lambda z, h: np.arctan(z), "numpy.arctan cannot be derived; expected arithmetic"),
    "a sum": (lambda z, h: np.sum(z), "cannot be derived; expected arithmetic"),
    "too many results": (lambda z, h: (z, h), "returns 2 values; expected 1, the new states"),
    "no result": (lambda z, h: None, "computes with a NoneType; expected its arguments"),
    "an array": (lambda z, h: z + np.ones(3), "expected"),
    "places": (lambda z, h: z[0], "picks places of a value; expected arithmetic on whole values"),
    "an odd power": (lambda z, h: z**1.5, r"a power of 1.5 cannot be derived; expected \*\* 2"),
    "equal": (lambda z, h: where(z == h, z, h), r"== of values; expected"),
    "a comparison": (lambda z, h: (z < h) * 1.0, r"a comparison is used as a number; expected where"),
    "another fault": (lambda z, h: z.missing, "cannot be traced: AttributeError.*expected arithmetic"),
    "other parameters": (lambda z, state: z, "has the parameters z, state; expected z, h"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_written_down_is_refused_in_one_line(case: str) -> None:
    function, message = REFUSED[case]
    with pytest.raises(EquationError, match=message) as refusal:
        cell("z")(function)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"gates": "z z"}, "'z' is no name, or is there twice"),
        ({"gates": "1"}, "'1' is no name"),
        ({"recurrents": "q"}, "no gate that reads the input"),
        ({"gates": "z", "states": ""}, "expected one to 4 names"),
        ({"late": "n m"}, "late is 'n m'; expected one name"),
        ({"gates": 3}, "gates is 3; expected names"),
    ],
)
def test_what_is_no_cell_is_refused(names: dict[str, Any], message: str) -> None:
    with pytest.raises(EquationError, match=message):
        cell(**names)(lambda z, h: z)


def test_a_late_gate_is_called_once() -> None:
    for function in (lambda n, h: h, lambda n, h: n(h) + n(h)):
        with pytest.raises(EquationError, match="expected"):
            cell(late="n")(function)


def test_an_activation_has_a_name_of_its_own() -> None:
    def bent(x: Any) -> Any:
        return x * sigmoid(x)

    assert fr.activation(bent) is bent
    try:
        assert fr.Dense(2, bent) == fr.Dense(2, "bent")
        bent_again = eval(compile("lambda x: x + 1.0", "there", "eval"), {})
        bent_again.__name__ = "bent"
        with pytest.raises(EquationError, match="another activation bent; expected a name of its own"):
            fr.activation(bent_again)
    finally:
        del own_activations.OWN["bent"]
    with pytest.raises(ValueError, match="activation='bent'; expected one of tanh"):
        fr.Dense(2, "bent")
    for name in ("tanh", "gelu"):
        bent.__name__ = name
        with pytest.raises(EquationError, match=f"another activation {name}"):
            fr.activation(bent)
    assert act(leaf("x")).operation == "act"
    assert s(leaf("x")).operation == "s"
