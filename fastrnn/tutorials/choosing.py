"""What a tutorial is told to compare: names out of a table, or "all" of them."""

from collections.abc import Mapping, Sequence
from typing import Any


def choose(what: str, names: Sequence[str], known: Mapping[str, Any]) -> list[str]:
    """Return the names, each once and in the order of `known`; "all" is all of it.

    Raises
    ------
    ValueError
        A name that is neither.
    """
    for name in names:
        if name not in known and name != "all":
            raise ValueError(f"{what}={name!r}; expected one of: {', '.join(known)}, all")
    return [name for name in known if name in names or "all" in names]
