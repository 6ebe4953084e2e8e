"""Cross-entropies: of logits, or of the probabilities that sigmoid and softmax make of them."""

from __future__ import annotations

import math
import operator
from typing import Any, ClassVar

import msgspec

from fastrnn.losses.base import Loss


class _Smoothed(Loss, frozen=True):
    """What all of them can do.

    Parameters
    ----------
    label_smoothing : share of every target that is spread over all classes alike, from 0 up, below 1
    """

    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        self._check_number("label_smoothing", least=0.0, below=1.0)

    @property
    def spread(self) -> float:
        return self.label_smoothing


class BinaryCrossentropy(_Smoothed, frozen=True):
    """``-y log(p) - (1 - y) log(1 - p)``, the mean over the outputs.

    Parameters
    ----------
    label_smoothing : share of every target that becomes 1/2, from 0 up, below 1

    Raises
    ------
    ValueError
        A value outside its range.
    """

    kind: ClassVar[str] = "binary_crossentropy"
    probabilities: ClassVar[str] = "sigmoid"


class CategoricalCrossentropy(_Smoothed, frozen=True):
    """``-sum of y log(p)`` over the classes.

    Parameters
    ----------
    label_smoothing : share of every target that is spread over all classes alike, from 0 up, below 1

    Raises
    ------
    ValueError
        A value outside its range.
    """

    kind: ClassVar[str] = "categorical_crossentropy"
    probabilities: ClassVar[str] = "softmax"


class SparseCategoricalCrossentropy(_Smoothed, frozen=True, kw_only=True):
    """``-log(p of the class)``; PyTorch's cross_entropy with ``weight``, ``ignore_index`` and ``label_smoothing``.

    Parameters
    ----------
    class_weight : of each class, at least 0: a place counts as much as its class, in the sum and in what divides it
    ignore_label : a class that counts for nothing; it need be none of those that there are
    label_smoothing : share of every target that is spread over all classes alike, from 0 up, below 1

    Raises
    ------
    ValueError
        A value outside its range.
    """

    kind: ClassVar[str] = "sparse_categorical_crossentropy"
    probabilities: ClassVar[str] = "softmax"

    class_weight: tuple[float, ...] | None = None
    ignore_label: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.class_weight is not None:
            msgspec.structs.force_setattr(self, "class_weight", self._checked_weights())
        if self.ignore_label is not None:
            given: Any = self.ignore_label
            if isinstance(given, bool) or not hasattr(given, "__index__"):
                raise self._error("ignore_label", "a whole number, such as -1")
            msgspec.structs.force_setattr(self, "ignore_label", operator.index(given))

    def _checked_weights(self) -> tuple[float, ...]:
        given: Any = self.class_weight
        if isinstance(given, dict):
            raise self._error("class_weight", "a number for each class in their order, such as [1.0, 2.0]")
        try:
            weights = tuple([float(weight) for weight in given])
        except (TypeError, ValueError):
            weights = ()
        if not weights or not all([math.isfinite(weight) and weight >= 0 for weight in weights]) or not any(weights):
            raise self._error("class_weight", "a number from 0 up for each class, not all 0")
        return weights

    @property
    def weighs(self) -> bool:
        return self.class_weight is not None or self.ignore_label is not None
