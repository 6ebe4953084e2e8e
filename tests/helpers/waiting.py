"""How long a test waits for what may hang."""

HUNG = 900
"""Seconds after which a process or a thread hangs: on no machine, however busy, is it slow only."""
