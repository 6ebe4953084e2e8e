"""The command line: `main` turns every error into one line and an exit code; the commands are in `app`."""

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import fields

from fastrnn.extras import MissingExtra, need
from fastrnn.settings import Settings
from fastrnn.text.settings import TextSettings

REFUSED, STOPPED = 2, 130

_NAMES = {field.name for settings in (Settings, TextSettings) for field in fields(settings)}
_NAMES |= {"encoding", "length", "temperature", "top_k"}
_SETTING = re.compile(rf"\b({'|'.join(sorted(_NAMES))})=('([^']*)'|[^\s,;:)]+)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command: 0 when it is done, 2 when it is refused (one line on standard error), 130 after Ctrl-C."""
    try:
        need("cyclopts", "cli", "the command line")
        from fastrnn.cli.app import run

        run(sys.argv[1:] if arguments is None else list(arguments))
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("\nfastrnn: stopped", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:
        # Who reads our output has seen enough; leave nothing for the interpreter to flush into the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, TypeError, OSError, MemoryError, MissingExtra) as error:
        print(f"fastrnn: {_one_line(error)}", file=sys.stderr)
        return REFUSED
    return 0


def _one_line(error: BaseException) -> str:
    """Put an error on one line, one of the system's without its number, settings as the flags they are here."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = _SETTING.sub(lambda found: f"--{found[1].replace('_', '-')} {found[3] or found[2]}", text)
    return " ".join(text.split()) or type(error).__name__
