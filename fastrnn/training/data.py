"""What a trainer is given to learn from and to evaluate: by name, checked, and something of it counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn.engine.columns import Columns
from fastrnn.engine.plan import Data
from fastrnn.ground import checks
from fastrnn.model.sequential import Sequential

Array = NDArray[Any]
_NEEDED, _OPTIONAL = ("x", "y"), ("sample_weight", "lengths")
_FORMS = '(x, y), (x, y, sample_weight) or a dict {"x": x, "y": y, "sample_weight": ..., "lengths": ...}'


def checked_data(
    model: Sequential,
    columns: Sequence[Any],
    x: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    lengths: ArrayLike | None,
) -> Data:
    """Return data as the kernels read them; ``columns`` are the names of the loss and the metrics.

    Raises
    ------
    ValueError, TypeError
        Another shape or type, NaN, infinity, targets that the loss does not take.
    """
    x, lengths = model.check_input(x, lengths)
    samples, steps = x.shape[:2]
    weights = checks.row_weights(sample_weight, samples)
    targets = Columns(model.layers, columns).targets(y, samples, steps, model.dtype, weights, lengths)
    return Data(x, targets.y, weights, lengths, place_weight=targets.place_weight)


def fitting_data(
    model: Sequential,
    columns: Sequence[Any],
    x: ArrayLike,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    lengths: ArrayLike | None,
    validation_data: Any,
    split: float,
) -> tuple[Data, Data | None]:
    """Return data to learn from, and those that are held out for validation.

    Raises
    ------
    ValueError, TypeError
        As `checked_data` and `by_name`; two kinds of validation, or a split that leaves a part empty; nothing that
        counts to learn from.
    """
    if isinstance(split, bool) or not isinstance(split, Real) or not 0 <= split < 1:
        raise ValueError(f"validation_split is {checks.brief(split)}; expected a number from 0 up to 1, such as 0.2")
    if validation_data is not None and split:
        raise ValueError("validation_data and validation_split are both given; expected one of them")
    data, held_out = checked_data(model, columns, x, y, sample_weight, lengths), None
    if validation_data is not None:
        given = by_name(validation_data)
        try:
            held_out = checked_data(model, columns, **given)
        except (TypeError, ValueError) as error:
            raise type(error)(f"validation_data: {error}") from None
        if held_out.x.shape[2:] != data.x.shape[2:]:
            raise ValueError(
                f"x of validation_data has shape {held_out.x.shape}; expected (N, T, {data.x.shape[2]}): "
                f"as many features as x"
            )
    elif split:
        keep = len(data.x) - int(len(data.x) * split)
        if keep == len(data.x) or keep == 0:
            raise ValueError(
                f"validation_split={split} of {len(data.x)} sequences leaves a part empty; expected more sequences"
            )
        data, held_out = (
            Data(*[None if a is None else a[part] for a in data[:4]], place_weight=_part(data.place_weight, part))
            for part in (slice(keep), slice(keep, None))
        )
    if why := why_nothing_counts(data):
        where = " in the rows that validation_split leaves" if split else ""
        raise ValueError(f"{why}{where}, so that nothing counts; expected at least one row to learn from")
    return data, held_out


def _part(array: Array | None, rows: slice) -> Array | None:
    return None if array is None else array[rows]


def by_name(validation_data: Any) -> dict[str, Any]:
    """Return what ``validation_data`` gives by name: x, y, sample_weight and lengths, None for what it leaves out.

    Raises
    ------
    ValueError
        Neither a dict of these nor a tuple of two or three of them (four, if lengths come last), or one that puts
        whole numbers where the weights are.
    """
    if isinstance(validation_data, Mapping):
        unknown = [name for name in validation_data if name not in (*_NEEDED, *_OPTIONAL)]
        missing = [name for name in _NEEDED if name not in validation_data]
        if unknown or missing:
            fault = f"has {unknown[0]!r}" if unknown else f"lacks {missing[0]!r}"
            raise ValueError(f"validation_data {fault}; expected x and y, and perhaps {' and '.join(_OPTIONAL)}")
        return {name: validation_data.get(name) for name in (*_NEEDED, *_OPTIONAL)}
    if not isinstance(validation_data, tuple | list) or not 2 <= len(validation_data) <= 4:
        given = type(validation_data).__name__
        given += f" of {len(validation_data)}" if isinstance(validation_data, tuple | list) else ""
        raise ValueError(f"validation_data is a {given}; expected {_FORMS}")
    x, y, *more = validation_data
    cure = 'a dict {"x": x, "y": y, "lengths": lengths}; weights as floats'
    return {"x": x, "y": y} | by_place("validation_data", more, cure)


def by_place(what: str, more: Sequence[Any], cure: str) -> dict[str, Any]:
    """Return sample_weight and lengths, given in this order, by name.

    Raises
    ------
    ValueError
        Whole numbers and nothing after them: they are where the weights are, and likely to be lengths.
    """
    if len(more) == 1 and _are_whole(more[0]):
        raise ValueError(
            f"{what} has whole numbers in the third place, which is sample_weight's; expected lengths by name: {cure}"
        )
    return dict(zip(_OPTIONAL, [*more, None, None], strict=False))


def _are_whole(value: Any) -> bool:
    try:
        return np.asarray(value).dtype.kind in "iu"
    except ValueError:  # ragged, which the checks refuse by name
        return False


def why_nothing_counts(data: Data) -> str:
    """Say by what no row counts in loss and metrics; empty if one does."""
    weight, lengths = data.sample_weight, data.lengths
    counts = np.ones(len(data.x)) if weight is None else weight
    if (counts if lengths is None else counts * (lengths > 0)).any():
        return ""
    if lengths is not None and not lengths.any():
        return "lengths are all 0"
    if weight is not None and not weight.any():
        return "sample_weight is all 0"
    return "no row has both a length and a sample_weight above 0"
