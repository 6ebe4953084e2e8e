"""What a command tells while it trains: a live bar at a terminal, a few lines in a log."""

from fastrnn.callbacks.lines import Callback, Lines, ProgressBar
from fastrnn.ground.console import Console

LINES = 10
"""Epochs of a fit that leave a line in a log, beside one a second."""


def progress(lines: int = LINES) -> Callback:
    """Give the callback for one or more fits, of which so many epochs leave a line in a log."""
    return ProgressBar(most=1) if Console().is_live else Lines(most=lines)
