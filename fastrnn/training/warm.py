"""Compilation ahead of time."""

from __future__ import annotations

import time

from fastrnn.engine.compiling import prepare
from fastrnn.engine.everything import everything
from fastrnn.ground import checks
from fastrnn.ground.settings import DTYPES
from fastrnn.ground.unknown import explained


@explained
def warmup(dtype: str = "float32") -> float:
    """Compile, or load from the cache, what training and prediction need; returns the seconds that took.

    Of every cell that is the code for the activations that it has unless told.

    Raises
    ------
    ValueError
        ``dtype`` is neither "float32" nor "float64".
    """
    start = time.perf_counter()
    prepare(everything(checks.one_of("dtype", dtype, DTYPES)))
    return time.perf_counter() - start
