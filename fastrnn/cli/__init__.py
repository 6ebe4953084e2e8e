"""The command line: `main` turns every error into one line and an exit code; the commands are in `app`."""

import errno
import sys
from collections.abc import Sequence

from fastrnn.cli.flags import as_flags
from fastrnn.cli.streams import say, voices
from fastrnn.ground.extras import MissingExtra, need

REFUSED, STOPPED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command: 0 when it is done, 2 when it is refused (one line on standard error), 130 after Ctrl-C.

    A report that cannot be printed, or that nobody reads, is no failure: what a command writes is on the disk before.
    """
    with voices() as out:
        try:
            need("cyclopts", "cli", "the command line")
            from fastrnn.cli.app import run

            run(sys.argv[1:] if arguments is None else list(arguments))
            out.flush()
        except KeyboardInterrupt:
            print("\nfastrnn: stopped", file=sys.stderr)
            return STOPPED
        except (ValueError, TypeError, OSError, MemoryError, MissingExtra, Warning) as error:
            say(f"fastrnn: {_one_line(error)}", sys.stderr)
            return REFUSED
        if out.fault is not None and out.fault.errno != errno.EPIPE:
            say(f"fastrnn: standard output: {out.fault.strerror}; what was to be printed there is lost", sys.stderr)
    return 0


def _one_line(error: BaseException) -> str:
    """Put an error on one line, one of the system's without its number."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        text = f"not enough memory ({text})" if text else "not enough memory"
    return " ".join(as_flags(text).split()) or type(error).__name__
