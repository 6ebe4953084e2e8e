"""Checks of numbers, switches and names."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from fastrnn.ground.unknown import choice

LONGEST = 100
_short = reprlib.Repr()
_short.maxstring = _short.maxother = LONGEST


def brief(value: Any) -> str:
    """Show a value within one line of an error, shortened where it is long."""
    text = " ".join(_short.repr(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def positive_int(name: str, value: Any) -> int:
    """Return ``value`` if it is a whole number from 1 up.

    Raises
    ------
    ValueError
        It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ValueError(f"{name} is {brief(value)}; expected a whole number from 1 up")
    return int(value)


def seed(value: Any) -> int:
    """Return ``value`` if it is a whole number from 0 up.

    Raises
    ------
    ValueError
        It is not.
    """
    return whole("seed", value)


def whole(name: str, value: Any) -> int:
    """Return ``value`` if it is a whole number from 0 up.

    Raises
    ------
    ValueError
        It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise ValueError(f"{name} is {brief(value)}; expected a whole number from 0 up")
    return int(value)


def not_negative(name: str, value: Any) -> float:
    """Return ``value`` if it is a finite number from 0 up.

    Raises
    ------
    ValueError
        It is not.
    """
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < np.inf:
        raise ValueError(f"{name} is {brief(value)}; expected a number from 0 up")
    return float(value)


def positive(name: str, value: Any) -> float | None:
    """Return ``value`` if it is a finite number above 0; None stays.

    Raises
    ------
    ValueError
        It is neither.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < np.inf:
        raise ValueError(f"{name} is {brief(value)}; expected a number above 0, or None")
    return float(value)


def true_or_false(name: str, value: Any) -> bool:
    """Return ``value`` if it is True or False.

    Raises
    ------
    ValueError
        It is neither.
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} is {brief(value)}; expected True or False")
    return bool(value)


def truncation(tbptt: Any) -> tuple[int, int] | None:
    """Return ``tbptt`` as (k1, k2); ``k`` means ``(k, k)``; None stays.

    Raises
    ------
    ValueError
        Neither a whole number from 1 up nor a pair of them.
    """
    if tbptt is None:
        return None
    pair = tbptt if isinstance(tbptt, tuple | list) else (tbptt, tbptt)
    if len(pair) != 2:
        raise ValueError(
            f"tbptt is {brief(tbptt)}; expected (k1, k2), a whole number k for (k, k), or None for full "
            f"back-propagation"
        )
    return positive_int("tbptt's k1", pair[0]), positive_int("tbptt's k2", pair[1])


def one_of(name: str, value: Any, known: Sequence[str]) -> str:
    """Return ``value`` if it is among ``known``.

    Raises
    ------
    ValueError
        It is not; the line lists what is.
    """
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} is {brief(value)}; expected {choice(value, known)}")
    return str(value)
