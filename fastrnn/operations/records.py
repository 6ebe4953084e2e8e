"""Records: what a kernel is told, declared a line a field.

A line gives a field's name, its kind and what it is. An integer is a ``size``, a ``place``, a ``flag`` or a ``code``;
an ``array`` and a ``routine`` are addresses, of numbers and of machine code; a ``number`` is a float64. ``?`` behind
the kind: it may be left out, and is 0 then; ``~``: it is filled in later, when it is known what to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np

KINDS = ("size", "place", "flag", "code", "array", "routine", "number")


class Field(NamedTuple):
    """A field of a record."""

    kind: str
    is_needed: bool
    about: str


class Form(NamedTuple):
    """What a record is made of."""

    name: str
    fields: Mapping[str, Field]


_CONTINUED = " " * 12
"""What the further lines of a description begin with."""
FORMS: dict[np.dtype[Any], Form] = {}
"""The form of each record type."""


def record(name: str, *declarations: str) -> np.dtype[Any]:
    """Return the record type that some declarations make, one after the other.

    Raises
    ------
    ValueError
        A line without a kind, a name that is there twice, or a record that is the beginning of another.
    """
    fields: dict[str, Field] = {}
    for line in "\n".join(declarations).splitlines():
        if not line.strip() or line.startswith(_CONTINUED):
            continue
        own, kind, about = (*line.split(maxsplit=2), "", "")[:3]
        plain = kind.rstrip("?~")
        if plain not in KINDS or own in fields:
            raise ValueError(f"{name}: the line {line.strip()!r}; expected a new name, then one of {', '.join(KINDS)}")
        fields[own] = Field(plain, plain == kind, about)
    types = [(own, np.float64 if field.kind == "number" else np.int64) for own, field in fields.items()]
    for other in FORMS.values():
        if all([one == two for one, two in zip(fields, other.fields, strict=False)]):
            raise ValueError(f"{name} begins as {other.name}, which Numba would take it for; expected another order")
    made = np.dtype(types, align=True)
    FORMS[made] = Form(name, fields)
    return made


def check_fields(of: np.dtype[Any], given: Iterable[str]) -> None:
    """Refuse fields that a record does not have, and a record without those that it needs.

    Raises
    ------
    ValueError
        It is so.
    """
    if of not in FORMS:
        return
    name, fields = FORMS[of]
    given = set(given)
    for unknown in sorted(given - fields.keys()):
        near = get_close_matches(unknown, fields, n=1)
        cure = f"expected {near[0]}" if near else f"expected one of {', '.join(fields)}"
        raise ValueError(f"{name} is given the field {unknown!r}, which it does not have; {cure}")
    missing = [own for own, field in fields.items() if field.is_needed and own not in given]
    if missing:
        raise ValueError(f"{name} is not given {', '.join(missing)}; expected every field that is declared without '?'")
