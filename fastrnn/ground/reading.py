"""Files as bytes, opened by name, and the encoding that they are marked with."""

import stat
from pathlib import Path

_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe\0\0": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
"""What a file in one of these encodings may begin with; the longer mark first where one begins with another."""

_DEVICE = 2**20


def read_bytes(path: Path, what: str) -> bytes:
    """Read a file, a pipe to its end, of a device the first MiB: some go on for ever.

    Raises
    ------
    OSError
        The subclass that fits: no such file, a folder (`what` says what was expected), no permission.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; expected {what}")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; expected {what}")
    mode = path.stat().st_mode
    with path.open("rb") as file:
        return file.read(_DEVICE) if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else file.read()


def marked_encoding(data: bytes) -> str:
    """Give the encoding that a file is marked with, else UTF-8."""
    return next((encoding for mark, encoding in _MARKS.items() if data.startswith(mark)), "utf-8")
