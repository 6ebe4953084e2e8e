"""Compile everything into a folder, for a wheel that brings it: ``python -m fastrnn.engine.ready FOLDER``.

What it is compiled for is told by ``NUMBA_CPU_NAME``: a level that `fastrnn.code.target.LEVELS` knows.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fastrnn.code import cache
from fastrnn.engine.everything import everything
from fastrnn.ground.settings import DTYPES


def main(folder: str) -> None:
    """Compile it for both precisions.

    Raises
    ------
    OSError
        Not all of it could be written.
    """
    cache.FOLDER, cache.WHY = Path(folder), ""
    cache.FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = [each for dtype in DTYPES for each in everything(dtype)]
    for code, dtype in wanted:
        code.make(dtype)
    lacking = [code for code, dtype in wanted if not code.is_kept(dtype)]
    if lacking:
        raise OSError(f"{folder} lacks {lacking[0]}; expected room for everything that was compiled")


if __name__ == "__main__":
    main(sys.argv[1])
