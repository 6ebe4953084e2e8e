"""Losses and metrics by name: the outputs and targets that they take, and the operations that compute them.

The *columns* of a plan are its loss and its metrics. A cross-entropy takes logits wherever there are any: if the top
layer is a Dense whose activation makes probabilities of them, that activation waits until the cross-entropies are
computed, and is left out altogether where nothing else reads the outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn import losses
from fastrnn.engine.network import output_form, padding_first
from fastrnn.engine.program import Program
from fastrnn.engine.routines import loss_of
from fastrnn.engine.signal import Signal, Waiting
from fastrnn.ground import checks
from fastrnn.layers import Bidirectional, Dense, Dropout, Layer, Stateful
from fastrnn.operations import losses as kernels
from fastrnn.operations.call import Operation

Array = NDArray[Any]

SPARSE = "sparse_categorical_crossentropy"
_CODES = {
    "mse": kernels.MSE,
    "mae": kernels.MAE,
    "binary_crossentropy": kernels.BINARY,
    "categorical_crossentropy": kernels.CATEGORICAL,
    SPARSE: kernels.SPARSE,
}


class Targets(NamedTuple):
    """Checked targets as the kernels read them, and what their places weigh, (N, S) float64, or None."""

    y: Array
    place_weight: Array | None


class Columns:
    """The loss and the metrics of a model.

    Parameters
    ----------
    layers : of the model
    given : the loss and then the metrics, each a name or an object

    Attributes
    ----------
    names : what a history calls them
    waits : whether the activation of the top layer waits for the cross-entropies
    is_fused : whether the gradient of the loss is by what that activation is applied to

    Raises
    ------
    ValueError
        An unknown name, a cross-entropy of outputs that are neither logits nor its probabilities, or metrics that need
        other targets than the loss.
    """

    def __init__(self, layers: Sequence[Layer], given: Sequence[Any]) -> None:
        self._losses = [_column(place, each) for place, each in enumerate(given)]
        self.names = names = tuple(each if isinstance(each, str) else each.name for each in self._losses)
        self._every_step, self._outputs = output_form(layers)
        self._padding_first = padding_first(layers)
        self._activation, top = _output(layers)
        for place, (name, own) in enumerate(zip(names, self._losses, strict=True)):
            what = f"metrics[{place - 1}]" if place else "loss"
            if isinstance(own, losses.Loss):
                self._check_output(what, own)
            if any([other != own for k, other in enumerate(self._losses[1:place], 1) if names[k] == name]):
                raise ValueError(f"metrics has two that are called {name!r}; expected each name once: leave one out")
            if name != "accuracy" and (name == SPARSE) != (names[0] == SPARSE):
                given, wanted = ("numbers", "classes") if name == SPARSE else ("classes", "numbers")
                raise ValueError(
                    f"metrics has {name!r}, whose targets are {wanted}, but those of loss={names[0]!r} are {given}; "
                    f"expected metrics and loss to take the same: leave it out"
                )
        self._entropies = [isinstance(own, losses.Loss) and own.kind in _ENTROPIES for own in self._losses]
        self.waits = any(self._entropies) and isinstance(top, Dense) and self._activation in ("sigmoid", "softmax")
        self.is_fused = bool(names) and self.waits and self._entropies[0]
        self._each = max([1, *[own.outputs_per_target for own in self._losses if isinstance(own, losses.Loss)]])
        self._check_targets()

    def _check_targets(self) -> None:
        """Refuse losses and metrics that need other numbers of targets, or classes that do not go with the outputs."""
        first = self._losses[0] if self._losses else None
        for own in self._losses:
            each = own.outputs_per_target if isinstance(own, losses.Loss) else 1
            if each != self._each:
                raise ValueError(
                    f"{self.names} have different numbers of outputs for a target; expected the same: leave one out"
                )
        if self._outputs % self._each:
            raise ValueError(
                f"the model has {self._outputs} outputs, but {self.names[0]!r} has {self._each} for each target; "
                f"expected a multiple: end the model with Dense({self._each})"
            )
        weights = first.class_weight if isinstance(first, losses.SparseCategoricalCrossentropy) else None
        if weights is not None and len(weights) != self._outputs:
            raise ValueError(f"class_weight has {len(weights)} numbers; expected {self._outputs}, one for each class")

    def _check_output(self, what: str, loss: losses.Loss) -> None:
        wanted, outputs, name = loss.probabilities, self._outputs, loss.kind
        if not wanted:
            return
        if wanted == "softmax" and outputs == 1:
            raise ValueError(
                f"{what} is {name!r}, but the model has 1 output; expected one for each class, at least 2: "
                f"use binary_crossentropy with Dense(1, activation='sigmoid')"
            )
        if self._activation not in (("linear", wanted) if loss.takes_logits else (wanted,)):
            other = {"sigmoid": "binary_crossentropy", "softmax": "categorical_crossentropy"}.get(self._activation)
            cure = f" or use {other}" if other and outputs > 1 else ""
            allowed = f"{wanted} or linear" if loss.takes_logits else wanted
            raise ValueError(
                f"{what} is {name!r}, but the model's outputs are {self._activation}; expected {allowed}: "
                f"end the model with Dense({outputs}, activation={wanted!r}){cure}"
            )

    # ------------------------------------------------------------------------------------------ targets

    def targets(
        self,
        y: ArrayLike,
        samples: int,
        steps: int | None,
        dtype: str,
        sample_weight: NDArray[Any] | None,
        lengths: NDArray[Any] | None,
    ) -> Targets:
        """Return checked targets as the kernels read them; without ``steps``, those of one step.

        Numbers (N, O) or (N, T, O) of ``dtype``; classes (N,) or (N, T) int64 for the sparse cross-entropy. Classes and
        probabilities are held to their range where they count.

        Raises
        ------
        ValueError, TypeError
            Another shape or type, NaN, infinity, classes that there are not, numbers that are no dense.
        """
        places = (samples, steps) if self._every_step and steps else (samples,)
        counts = partial(checks.counting, places, sample_weight, lengths, self._padding_first)
        loss = self._losses[0]
        if isinstance(loss, losses.SparseCategoricalCrossentropy):
            return self._classes(y, places, counts(), loss, dtype)
        outputs = self._outputs // self._each
        array = checks.targets(y, samples, steps if self._every_step else None, outputs, dtype, counts=counts)
        for own in self._losses:
            if isinstance(own, str):
                continue
            if own.kind == "binary_crossentropy":
                checks.probabilities(array, counts())
            elif own.kind == "categorical_crossentropy" or own.targets == "distributions":
                checks.distributions(array, counts())
            elif own.targets == "counts":
                checks.counts_from_zero(array, counts())
        return Targets(_smoothed(array, loss), None)

    def _classes(
        self, y: ArrayLike, places: tuple[int, ...], counts: Any, loss: losses.SparseCategoricalCrossentropy, dtype: str
    ) -> Targets:
        """Return classes, or what is smoothed of them; what is ignored is class 0 that weighs nothing."""
        weight = None
        if loss.ignore_label is not None:
            given = np.asarray(y)
            ignored = given == loss.ignore_label
            y = np.where(ignored, 0, given) if given.shape == places else y
        classes = checks.classes(y, places, self._outputs, counts)
        per_class = np.ones(self._outputs) if loss.class_weight is None else np.array(loss.class_weight)
        held = np.clip(classes, 0, self._outputs - 1)
        if loss.weighs:
            weight = per_class[held]
            if loss.ignore_label is not None:
                weight = np.where(ignored, 0.0, weight)
            weight = np.ascontiguousarray(weight)
        if not loss.label_smoothing:
            return Targets(classes, weight)
        share = loss.label_smoothing
        spread = share / self._outputs * per_class / np.where(per_class[held] > 0, per_class[held], 1.0)[..., None]
        smooth = spread + (1.0 - share) * np.eye(self._outputs)[held]
        return Targets(np.ascontiguousarray(smooth, dtype), weight)

    @property
    def _reads_classes(self) -> bool:
        """Whether the kernels read classes."""
        loss = self._losses[0] if self._losses else None
        return isinstance(loss, losses.SparseCategoricalCrossentropy) and not loss.label_smoothing

    @property
    def takes_any(self) -> bool:
        """Whether any number is a target as it stands, or any class that there is."""
        for own in self._losses:
            if isinstance(own, str):
                continue
            held = own.kind in ("binary_crossentropy", "categorical_crossentropy")
            if held or own.targets != "numbers" or own.spread or own.weighs:
                return False
        return True

    def places(self, steps: int) -> int:
        """Return how many places a row of ``steps`` steps has."""
        return steps if self._every_step else 1

    def row_size(self, steps: int) -> tuple[int, bool]:
        """Return how many targets a row of ``steps`` steps has, and whether they are classes."""
        places = steps if self._every_step else 1
        return places * (1 if self._reads_classes else self._outputs // self._each), self._reads_classes

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
            records.append(program.spec(kernels.LOSS, **fields, **own, column=column, wants_gradient=gradient))
            program.add("error", operation, records[-1])

        for column, own in enumerate(self._losses):
            if isinstance(own, str):
                add(kernels.accuracy, column, **self._accuracy())
            elif own.kind == "binary_crossentropy":
                add(kernels.binary_crossentropy, column, of_logits=of_logits)
            elif own.kind in _ENTROPIES:
                sparse = self._reads_classes
                add(kernels.categorical_crossentropy, column, code=kernels.SPARSE if sparse else kernels.CATEGORICAL)
        for column, own in enumerate(self._losses):
            if isinstance(own, str) or own.kind in _ENTROPIES:
                continue
            if waiting is not None:
                program.add("error", *waiting)
                waiting = None
            if isinstance(own, losses.ElementLoss):
                levels = np.array(own.output_levels, np.float64)
                add(loss_of(own), column, levels=len(levels), level=levels, adds_up=own.adds_up)
            else:
                add(kernels.loss, column, code=_CODES[own.kind])
        return records

    def _accuracy(self) -> dict[str, Any]:
        """Fields of an accuracy's record: how targets are compared, and what an output is held against."""
        loss, entropies = self.names[0], self._entropies
        if not entropies[0]:
            code = kernels.BINARY if self._outputs == 1 else kernels.CATEGORICAL
        elif loss == SPARSE:
            code = kernels.SPARSE if self._reads_classes else kernels.CATEGORICAL
        else:
            code = _CODES[loss]
        holds_logits = self.waits or (entropies[0] and self._activation == "linear")
        return {"code": code, "threshold": 0.0 if holds_logits else 0.5}


_ENTROPIES = ("binary_crossentropy", "categorical_crossentropy", SPARSE)


def _column(place: int, given: Any) -> losses.Loss | str:
    """Return the loss, or a metric: one of the losses, or "accuracy"."""
    what = f"metrics[{place - 1}]" if place else "loss"
    if place and given == "accuracy":
        return "accuracy"
    if isinstance(given, losses.Loss):
        return given
    checks.one_of(what, given, losses.METRICS if place else tuple(losses.LOSSES))
    return losses.get(what, given)


def _smoothed(array: Array, loss: Any) -> Array:
    """Return targets of which a share is spread over all classes alike."""
    share = loss.spread
    if not share:
        return array
    classes = 2 if loss.kind == "binary_crossentropy" else array.shape[-1]
    return np.ascontiguousarray(array * (1.0 - share) + share / classes, array.dtype)


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
