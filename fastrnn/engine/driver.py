"""The driver: compiled code that runs a job, a list of operations, as one of its threads."""

from __future__ import annotations

import ctypes

from fastrnn.code.compiled import Compiled
from fastrnn.operations.job import drive


class Driver:
    """One of the compiled drivers of `fastrnn.kernels.jobs.driver`; calling it releases the interpreter's lock."""

    def __init__(self, code: Compiled = drive) -> None:
        self.address = code.address()
        self._call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)(self.address)

    def __call__(self, job: int, call: int) -> None:
        """Run the job at address ``job`` with the thread's record at address ``call``."""
        self._call(job, call, call)
