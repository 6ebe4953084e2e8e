"""Names that come from files and users, as they may be shown: never raw, never endless."""

import re
from collections.abc import Collection
from itertools import islice

_MOST = 20
_LONGEST = 40
# Controls, ends of lines, marks of direction, halves of characters.
_UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def shown(text: str) -> str:
    """Escape what a terminal would obey rather than show."""
    return _UNSEEN.sub(lambda found: repr(found[0])[1:-1], text)


def short(text: str) -> str:
    """Quote text of a file in a one-line error."""
    return repr(text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}...")


def listed(names: Collection[str]) -> str:
    """Name the first twenty, and say how many there are where there are more; "none" where there is none."""
    told = ", ".join(
        shown(name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}...") for name in islice(names, _MOST)
    )
    return f"{told}, ... {len(names):,} in all" if len(names) > _MOST else told or "none"
