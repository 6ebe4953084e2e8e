"""Books: a text file as one clean string, or one line that says why it is none."""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from fastrnn.ground.names import shown
from fastrnn.ground.reading import marked_encoding, read_bytes

_GUTENBERG = re.compile(r"^\*\*\* ?(START|END) OF (?:THE|THIS) PROJECT GUTENBERG EBOOK\b.*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Book:
    """A text.

    Attributes
    ----------
    text
        The characters, every line end as a newline, accents and letters as one character (Unicode's form NFC).
    source
        What to call it: the file's name.
    left_out
        Characters before and after the book itself that are not part of it (Project Gutenberg's header and licence).

    Raises
    ------
    ValueError
        Surrogates, which are no characters.
    """

    text: str
    source: str = "the text"
    left_out: int = 0

    def __post_init__(self) -> None:
        try:
            self.text.encode()
        except UnicodeEncodeError as error:
            half = self.text[error.start]
            raise ValueError(f"{self.source} has {half!r}, which is half a character; expected whole ones") from None


def read_book(path: str | Path, encoding: str | None = None) -> Book:
    """Read a text file.

    Parameters
    ----------
    path
        The file.
    encoding
        As Python names it, such as "latin-1"; None is UTF-8, or what the file's first bytes mark it as.

    Raises
    ------
    ValueError
        An empty or binary file, text in another encoding, an encoding that does not exist.
    OSError
        No such file, a folder, no permission.
    """
    path = Path(path)
    data, name = read_bytes(path, "a text file"), shown(path.name)
    marked = marked_encoding(data)
    if b"\0" in data and encoding is None and marked in ("utf-8", "utf-8-sig"):
        raise ValueError(f"{name} is a binary file (it holds a byte of 0); expected a text in UTF-8")
    taken = encoding or marked
    try:
        book = clean(data.decode(taken), name)
    except LookupError:
        raise ValueError(f"encoding={encoding!r} is unknown; expected one such as 'utf-8', 'latin-1'") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        cure = "the encoding it was saved in" if encoding else "encoding='cp1252' if it was written on Windows"
        raise ValueError(
            f"{name} is not {taken.upper()}: byte 0x{data[error.start]:02x} in line {line}; expected text in "
            f"{taken.upper()}: save it so, or name its own, {cure}"
        ) from None
    if not book.text.strip():
        raise ValueError(f"{name} is empty; expected a text")
    return book


def clean(text: str, source: str = "the text") -> Book:
    """Make a book of characters: one kind of line end, one form of accents, no byte-order mark, no licence."""
    text = unicodedata.normalize("NFC", text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n"))
    start, end = 0, len(text)
    for mark in _GUTENBERG.finditer(text):
        if mark[1] == "START":
            start = mark.end()
        elif mark.start() > start:
            end = mark.start()
            break
    return Book(text[start:end], source, len(text) - (end - start))
