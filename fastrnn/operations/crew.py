"""The crew: the mail of its threads."""

from __future__ import annotations

from fastrnn.code.compiled import Compiled

WORDS = 16

GONE, AWAKE, CLAIMED, CALLED = 0, 1, 2, 3
"""States: in Python or asleep; waiting for a job; promised one; at work."""

SPINS = 4096
PATIENCE = SPINS + 8192
"""How often a thread looks for the next job before it leaves, or waits for one that is coming: some milliseconds,
longer than a call that is done alone while threads wake, for them to be awake at the next."""

attend = Compiled("attend", "jobs.crew", "i")
lead = Compiled("lead", "jobs.crew", "iiiiii", "i")
