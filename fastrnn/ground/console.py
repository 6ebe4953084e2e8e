"""Where it is told how far something is: a terminal, a notebook's cell, a log; and nowhere where there is none."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, TextIO


class Console:
    """A text stream that fails nobody: what cannot be written there is not.

    It may be missing (``pythonw``, a service), closed, a pipe that nobody reads any more, or without a character.

    Parameters
    ----------
    file : None is standard error as it is now; in a notebook, which paints that red, standard output
    """

    def __init__(self, file: TextIO | None = None) -> None:
        cells = [stream for stream in (sys.stdout, sys.stderr) if _is_cell(stream)]
        self._file: Any = file if file is not None else cells[0] if cells else sys.stderr

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __eq__(self, other: object) -> bool:
        return bool(self._file == getattr(other, "_file", other))

    __hash__ = None  # type: ignore[assignment]

    @property
    def is_cell(self) -> bool:
        """Whether this is a notebook's cell, which knows no width."""
        return _is_cell(self._file)

    @property
    def is_live(self) -> bool:
        """Whether a line can be written over the last one."""
        return self.is_cell or self.isatty()

    def isatty(self) -> bool:
        """Whether this is a terminal."""
        with suppress(Exception):
            return bool(self._file.isatty())
        return False

    def write(self, text: str) -> int:
        """Write what can be written."""
        with suppress(Exception):  # whatever stands in the place of a stream, no work fails for it
            try:
                self._file.write(text)
            except UnicodeEncodeError:
                encoding = self._file.encoding
                self._file.write(text.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        """Let it be seen."""
        with suppress(Exception):
            self._file.flush()


def tell(text: str, end: str = "\n", file: TextIO | None = None) -> None:
    """Say something at once, by default on standard error or in the notebook's cell."""
    console = Console(file)
    console.write(text + end)
    console.flush()


def _is_cell(stream: Any) -> bool:
    return type(stream).__module__.partition(".")[0] == "ipykernel"
