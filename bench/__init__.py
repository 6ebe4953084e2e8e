"""Benchmarks: ``python -m bench`` times the project and its peers in turn; ``pytest bench`` watches the project alone.

One file a contestant (``project``, ``torch_peer``, ``jax_peer``), each with the same functions, which ``worker`` calls
in a process of its own: ``use_threads(threads)``, ``versions()``, ``settings(case)`` and ``prepare(case, setting)``.
"""
