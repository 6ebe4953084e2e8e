"""Packages that only some commands need: imported when used, with the cure in the error when they are absent."""

from importlib import import_module
from types import ModuleType


class MissingExtra(ImportError):
    """A package of an extra is not installed; the message holds the command that installs it."""


def need(module: str, extra: str, purpose: str) -> ModuleType:
    """Import `module`, which the extra `extra` brings.

    Raises
    ------
    MissingExtra
        When it is not installed: one line with the pip command.
    """
    package = module.partition(".")[0]
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        message = f'{purpose} needs {package}, which is not installed: pip install "fastrnn[{extra}]"'
        raise MissingExtra(message, name=package) from None
    return import_module(module)
