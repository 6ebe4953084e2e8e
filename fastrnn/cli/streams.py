"""What a command prints: a stream that is absent, closed, full or too narrow for a character costs no result."""

import contextlib
import errno
import io
import os
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any, TextIO

from fastrnn.ground.names import shown

_LINES = re.compile(r"[^\n\t]+")


class Voice:
    """A text stream that drops what it cannot write, and remembers why; all else is that of the stream it has.

    Attributes
    ----------
    fault
        The first error of the system, None where there was none.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = _Nowhere() if stream is None or getattr(stream, "closed", False) else stream
        self.fault: OSError | None = None

    def write(self, text: str) -> int:
        """Write, characters that the stream's encoding does not have as escapes."""
        with self._heard():
            try:
                self._stream.write(text)
            except UnicodeEncodeError:
                encoding = self._stream.encoding
                self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        with self._heard():
            self._stream.flush()

    def isatty(self) -> bool:
        with self._heard():
            return self._stream.isatty()
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.fault = self.fault or error
            # Nothing may be left for the interpreter to flush when it ends.
            with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())
        except ValueError as error:  # closed meanwhile
            if isinstance(error, UnicodeError):
                raise


class _Nowhere(io.TextIOBase):
    """Takes everything, keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)


@contextlib.contextmanager
def voices() -> Iterator[Voice]:
    """Put a `Voice` in the place of standard output, which is given, and of standard error; warnings take one line."""
    _occupy()
    streams = sys.stdout, sys.stderr
    voice: Any = Voice(sys.stdout)
    sys.stdout, sys.stderr = voice, Voice(sys.stderr)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _tell_warning
            yield voice
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        sys.stdout, sys.stderr = streams


def _occupy() -> None:
    """Take the numbers of standard streams that are closed: a model would be written where others write errors to."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def harmless(text: str) -> str:
    """Escape what a terminal would obey, but for line ends and tabs."""
    return _LINES.sub(lambda found: shown(found[0]), text)


def say(text: object, file: TextIO | None = None) -> None:
    """Print lines that hold names of files and columns."""
    print(harmless(str(text)), file=file, flush=True)


def answer(text: str) -> None:
    """Write to standard output what was asked for; to a terminal, nothing that it would obey.

    Raises
    ------
    OSError
        Not all of it could be written; that nobody reads on is no error.
    """
    out = sys.stdout
    print(harmless(text) if out is not None and out.isatty() else text, flush=True)
    fault = out.fault if isinstance(out, Voice) else None
    if fault is not None and fault.errno != errno.EPIPE:
        raise OSError(fault.errno, fault.strerror or str(fault), "standard output")


def _tell_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    say(f"fastrnn: {' '.join(str(message).split())}", sys.stderr)
