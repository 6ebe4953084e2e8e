"""Benchmarks: ``python -m bench`` times the project and its peers in turn; ``pytest bench`` watches the project alone.

One file a contestant (``project``, ``torch_peer``, ``jax_peer``, ``onnx_peer``), each with the same functions, which
``worker`` calls in a process of its own: ``use_threads(threads)``, ``versions()``, ``calls(case, kind)``: what a call
from Python may be, a "step" or an "epoch", and none where it does not compete, ``settings(case, kind)`` and
``prepare(case, kind, call, setting)``.
"""
