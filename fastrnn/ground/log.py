"""The log: what fastrnn says unasked goes to ``logging.getLogger("fastrnn")``, at the level INFO.

Where a program has not set up its logging, it is shown on the console.
"""

from __future__ import annotations

import logging

from fastrnn.ground.console import tell


class _OnConsole(logging.Handler):
    """Shows what nobody else would."""

    def emit(self, record: logging.LogRecord) -> None:
        if not (_logger.propagate and logging.root.handlers):
            tell(f"fastrnn: {record.getMessage()}")


_logger = logging.getLogger("fastrnn")
_logger.addHandler(_OnConsole())
if _logger.level == logging.NOTSET:
    _logger.setLevel(logging.INFO)


def inform(message: str) -> None:
    """Say something that the user did not ask for."""
    _logger.info(message)
