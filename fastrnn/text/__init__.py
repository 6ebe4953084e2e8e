"""Text, character by character: a book, its alphabet, a network that learns it, and counts to hold against it."""

from importlib import import_module
from typing import TYPE_CHECKING

from fastrnn.ground.unknown import asked_of

if TYPE_CHECKING:
    from fastrnn.text.alphabet import Alphabet
    from fastrnn.text.book import Book, read_book
    from fastrnn.text.counts import CountModel
    from fastrnn.text.model import TextModel
    from fastrnn.text.report import TextReport
    from fastrnn.text.settings import TextSettings

_HOMES = {
    "Alphabet": "alphabet",
    "Book": "book",
    "CountModel": "counts",
    "TextModel": "model",
    "TextReport": "report",
    "TextSettings": "settings",
    "read_book": "book",
}

__all__ = ["Alphabet", "Book", "CountModel", "TextModel", "TextReport", "TextSettings", "read_book"]


if not TYPE_CHECKING:

    def __getattr__(name):
        """Import a public name on first use: the command line's `--help` needs the settings alone."""
        if name in _HOMES:
            return getattr(import_module(f"fastrnn.text.{_HOMES[name]}"), name)
        return asked_of("fastrnn.text")(name)
