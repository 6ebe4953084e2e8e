"""Compile kernels in a process of its own, while others compile the rest: ``python -m fastrnn.engine.ahead``.

All keep what they compile, and leave to each other what one of them is at.
"""

from __future__ import annotations

import pickle
import sys

from fastrnn.code.compiled import Compiled


def main(missing: list[tuple[Compiled, str]]) -> None:
    """Compile what nobody has compiled or is at."""
    for code, dtype in missing:
        code.make(dtype, patience=0.0)


if __name__ == "__main__":
    main(pickle.load(sys.stdin.buffer))
