"""How kernels' inner functions are compiled: for other kernels only, without the wrappers that Python would call."""

from __future__ import annotations

from numba import njit

from fastrnn.kernels.machine.pipeline import Pipeline

helper = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=Pipeline)
"""Compile a function that only compiled functions call."""

inlined = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True, pipeline_class=Pipeline)
"""The same, and copy it into its callers: where constants fall into place, or a call would cost as much as the work."""

spliced = njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, inline="always", pipeline_class=Pipeline)
"""Put a function's text into its callers before they are compiled: its parameters may then be functions."""
