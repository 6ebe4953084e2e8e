"""What a file names and does not hold - cells, activations and losses of a user's own - and who has it in hand."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any

_handed: ContextVar[Mapping[str, Any]] = ContextVar("handed", default={})  # noqa: B039 (never written to)


@contextlib.contextmanager
def handed_in(custom_objects: Mapping[str, Any] | None) -> Iterator[None]:
    """Let files that are read inside name some objects.

    Raises
    ------
    TypeError
        Not a mapping of names.
    """
    if custom_objects is not None and not isinstance(custom_objects, Mapping):
        raise TypeError(
            f"custom_objects is a {type(custom_objects).__name__}; expected a dict such as {{'my_cell': my_cell}}"
        )
    token = _handed.set(custom_objects or {})
    try:
        yield
    finally:
        _handed.reset(token)


def encoded(value: Any) -> Any:
    """Return what a file says of an object of a user's own: its name.

    Raises
    ------
    NotImplementedError
        It is no such object.
    """
    if not hasattr(type(value), "own_kind"):
        raise NotImplementedError(f"{type(value).__name__} cannot be written to a file")
    return value.name


def decoded(kind: type, name: Any) -> Any:
    """Return the object that a file names.

    Raises
    ------
    ValueError
        It has not been handed in, or is of another kind.
    """
    found = _handed.get().get(name) if isinstance(name, str) else None
    found = getattr(found, "in_files", found)
    if not isinstance(found, kind):
        what = getattr(kind, "own_kind", kind.__name__)
        fault = "which is not handed in" if found is None else f"but {type(found).__name__} is handed in"
        raise ValueError(
            f"the file names the {what} {name!r}, {fault}; expected custom_objects={{{name!r}: ...}} where it is loaded"
        )
    return found
