"""Losses and metrics by name: the outputs and targets that they take, and the operations that compute them.

The *columns* of a plan are its loss and its metrics. A cross-entropy takes logits wherever there are any: if the top
layer is a Dense whose activation makes probabilities of them, that activation waits until the cross-entropies are
computed, and is left out altogether where nothing else reads the outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from numpy.typing import ArrayLike, NDArray

from fastrnn.engine.network import output_form, padding_first
from fastrnn.engine.program import Program
from fastrnn.engine.signal import Signal, Waiting
from fastrnn.ground import checks
from fastrnn.kernels.machine.operation import Operation
from fastrnn.kernels.training import losses
from fastrnn.layers import Bidirectional, Dense, Dropout, Layer, Stateful

Array = NDArray[Any]

PROBABILITIES = {
    "binary_crossentropy": "sigmoid",
    "categorical_crossentropy": "softmax",
    "sparse_categorical_crossentropy": "softmax",
}
"""The activation whose outputs a cross-entropy takes, beside linear ones."""
LOSSES = ("mse", "mae", *PROBABILITIES)
METRICS = (*LOSSES, "accuracy")
SPARSE = "sparse_categorical_crossentropy"
_CODES = {
    "mse": losses.MSE,
    "mae": losses.MAE,
    "binary_crossentropy": losses.BINARY,
    "categorical_crossentropy": losses.CATEGORICAL,
    SPARSE: losses.SPARSE,
}


class Columns:
    """The loss and the metrics of a model.

    Parameters
    ----------
    layers : of the model
    names : of the loss and then of the metrics

    Attributes
    ----------
    waits : whether the activation of the top layer waits for the cross-entropies
    is_fused : whether the gradient of the loss is by what that activation is applied to

    Raises
    ------
    ValueError
        An unknown name, a cross-entropy of outputs that are neither logits nor its probabilities, or metrics that need
        other targets than the loss.
    """

    def __init__(self, layers: Sequence[Layer], names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._every_step, self._outputs = output_form(layers)
        self._padding_first = padding_first(layers)
        self._activation, top = _output(layers)
        for place, name in enumerate(names):
            what = f"metrics[{place - 1}]" if place else "loss"
            checks.one_of(what, name, METRICS if place else LOSSES)
            if name in PROBABILITIES:
                self._check_output(what, name)
            if name != "accuracy" and (name == SPARSE) != (names[0] == SPARSE):
                given, wanted = ("numbers", "classes") if name == SPARSE else ("classes", "numbers")
                raise ValueError(
                    f"metrics has {name!r}, whose targets are {wanted}, but those of loss={names[0]!r} are {given}; "
                    f"expected metrics and loss to take the same: leave it out"
                )
        crossed = any([name in PROBABILITIES for name in names])
        self.waits = crossed and isinstance(top, Dense) and self._activation in PROBABILITIES.values()
        self.is_fused = self.waits and names[0] in PROBABILITIES

    def _check_output(self, what: str, name: str) -> None:
        wanted, outputs = PROBABILITIES[name], self._outputs
        if wanted == "softmax" and outputs == 1:
            raise ValueError(
                f"{what} is {name!r}, but the model has 1 output; expected one for each class, at least 2: "
                f"use binary_crossentropy with Dense(1, activation='sigmoid')"
            )
        if self._activation not in ("linear", wanted):
            other = {"sigmoid": "binary_crossentropy", "softmax": "categorical_crossentropy"}.get(self._activation)
            cure = f" or use {other}" if other and outputs > 1 else ""
            raise ValueError(
                f"{what} is {name!r}, but the model's outputs are {self._activation}; expected {wanted} or linear: "
                f"end the model with Dense({outputs}, activation={wanted!r}){cure}"
            )

    # ------------------------------------------------------------------------------------------ targets

    def targets(
        self,
        y: ArrayLike,
        samples: int,
        steps: int,
        dtype: str,
        sample_weight: NDArray[Any] | None,
        lengths: NDArray[Any] | None,
    ) -> Array:
        """Return checked targets as the kernels read them.

        Numbers (N, O) or (N, T, O) of ``dtype``; classes (N,) or (N, T) int64 for the sparse cross-entropy. Classes and
        probabilities are held to their range where they count.

        Raises
        ------
        ValueError, TypeError
            Another shape or type, NaN, infinity, classes that there are not, numbers that are no probabilities.
        """
        places = (samples, steps) if self._every_step else (samples,)
        counts = partial(checks.counting, places, sample_weight, lengths, self._padding_first)
        if self.names[0] == SPARSE:
            return checks.classes(y, places, self._outputs, counts())
        array = checks.targets(y, samples, steps if self._every_step else None, self._outputs, dtype, counts=counts)
        for name, check in (
            ("binary_crossentropy", checks.probabilities),
            ("categorical_crossentropy", checks.distributions),
        ):
            if name in self.names:
                check(array, counts())
        return array

    def row_size(self, steps: int) -> tuple[int, bool]:
        """Return how many targets a row of ``steps`` steps has, and whether they are classes."""
        places, classes = steps if self._every_step else 1, self.names[0] == SPARSE
        return places * (1 if classes else self._outputs), classes

    # ------------------------------------------------------------------------------------------ operations

    def add(
        self, program: Program, output: Signal, waiting: Waiting | None, wants_gradient: bool, **fields: Any
    ) -> list[Array]:
        """Add the operations of all columns to a program and return their records; ``waiting`` as in `waits`."""
        fields |= {
            "outputs": self._outputs, "sequences": output.sequences,
            "padding_first": output.sequences and output.padding_first,
            "input": output.buffer, "input_first": output.first, "input_moves": output.moves,
        }  # fmt: skip
        if wants_gradient:
            fields["d_output"] = output.gradient
        of_logits = self.waits or self._activation == "linear"
        records: list[Array] = []

        def add(operation: Operation, column: int, **own: Any) -> None:
            gradient = wants_gradient and column == 0
            records.append(program.spec(losses.LOSS, **fields, **own, column=column, wants_gradient=gradient))
            program.add("error", operation, records[-1])

        for column, name in enumerate(self.names):
            if name == "binary_crossentropy":
                add(losses.binary_crossentropy, column, of_logits=of_logits)
            elif name in PROBABILITIES:
                add(losses.categorical_crossentropy, column, code=_CODES[name])
            elif name == "accuracy":
                add(losses.accuracy, column, **self._accuracy())
        for column, name in enumerate(self.names):
            if name in ("mse", "mae"):
                if waiting is not None:
                    program.add("error", *waiting)
                    waiting = None
                add(losses.loss, column, code=_CODES[name])
        return records

    def _accuracy(self) -> dict[str, Any]:
        """Fields of an accuracy's record: how targets are compared, and what an output is held against."""
        loss = self.names[0]
        if loss not in PROBABILITIES:
            code = losses.BINARY if self._outputs == 1 else losses.CATEGORICAL
        else:
            code = _CODES[loss]
        holds_logits = self.waits or (loss in PROBABILITIES and self._activation == "linear")
        return {"code": code, "threshold": 0.0 if holds_logits else 0.5}


def _output(layers: Sequence[Layer]) -> tuple[str, Layer]:
    """Name what the outputs are, by the last activation, and return the layer that they come from."""
    top = [layer for layer in layers if not (isinstance(layer, Dropout) and layer.rate == 0.0)][-1]
    for layer in reversed(layers):
        if isinstance(layer, Dense):
            activation = layer.activation
            break
        if isinstance(layer, Stateful):
            activation = layer.cells[0].layer.activation
            break
    if activation == "linear":
        return activation, top
    changed = "dropped " if isinstance(top, Dropout) else ""
    if isinstance(layer, Bidirectional) and layer.merge_mode == "sum":
        changed += "summed "
    return changed + activation, top
