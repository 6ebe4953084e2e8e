"""What a command tells while it trains: a live bar at a terminal, a few lines in a log."""

import sys

from fastrnn.callbacks import Callback, ProgressBar

LINES = 10
"""How many lines a fit writes to a log, at most."""


def progress() -> Callback:
    """Give the callback for one or more fits."""
    return ProgressBar() if sys.stderr.isatty() else Lines()


class Lines(Callback):
    """At most `LINES` lines a fit on standard error, the last epoch's among them."""

    def begin(self, trainer: object, epochs: int, samples: int) -> None:
        self._epochs, self._every = epochs, -(-epochs // LINES)

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        done = epoch + 1
        if done == self._epochs or (done % self._every == 0 and self._epochs - done >= self._every):
            told = ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
            print(f"epoch {done}/{self._epochs}: {told}", file=sys.stderr, flush=True)
