"""Flags: settings as a command line spells them, and values as strict as they are in Python."""

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

from fastrnn.ground.settings import Settings, cell_name
from fastrnn.text.settings import TextSettings

if TYPE_CHECKING:
    from cyclopts import Token

_NAMES = {field.name for settings in (Settings, TextSettings) for field in fields(settings)}
_NAMES |= {"encoding", "length", "temperature", "top_k"}
_VALUE = r"'([^']*)'|[^\s,;:)'.]+(?:\.\d+)?(?:e[+-]?\d+)?"
_SETTING = re.compile(rf"(?<![\w'\"/.=-])({'|'.join(sorted(_NAMES))})=({_VALUE})(?=[\s,;:)]|$)")


def as_flags(text: str) -> str:
    """Write settings as the flags that they are here; a file or a quoted column of such a name keeps it."""
    text = text.replace("refit()", "--refit")
    return _SETTING.sub(lambda found: f"--{found[1].replace('_', '-')} {found[3] or found[2]}", text)


def report_as_flags(report: str) -> str:
    """The same for the lines of a report that hold no names of files and columns."""
    head, *lines = report.split("\n")
    return "\n".join([head, *(line if line.startswith("column ") else as_flags(line) for line in lines)])


def strict(kind: Any, tokens: "Sequence[Token]") -> Any:
    """Convert what stands behind a flag, whole numbers only where they are asked for: 1.5 is not 1."""
    from cyclopts import CoercionError, convert

    if int in (kind, *get_args(kind)):
        for token in tokens:
            if "." in token.value:
                raise CoercionError(token=token, target_type=int)
    return convert(kind, tokens)


def cells(kind: Any, tokens: "Sequence[Token]") -> Any:
    """Convert names of cells, `kind` being a tuple of a Literal, however they are spelled: LSTM, rnn, SimpleRNN."""
    from cyclopts import convert

    known = {cell_name(name): name for name in get_args(get_args(kind)[0])}
    names = [known.get(cell_name(token.value.casefold()), token.value) for token in tokens]
    return convert(kind, [token.evolve(value=name) for token, name in zip(tokens, names, strict=True)])
