"""History: the figures of every epoch."""

from __future__ import annotations

import math
from typing import Any


class History:
    """Figures of a fit, or of all fits of a trainer.

    Attributes
    ----------
    history : for each figure (``loss``, metrics, ``val_`` for validation) a list with one number an epoch, NaN for an
        epoch that did not have this figure
    epoch : numbers of the epochs, from 0
    """

    def __init__(self, history: dict[str, list[float]] | None = None) -> None:
        self.history: dict[str, list[float]] = {} if history is None else history
        self.epoch = list(range(max(map(len, self.history.values()), default=0)))

    def append(self, epoch: int, figures: dict[str, float]) -> None:
        """Add the figures of an epoch."""
        for name in figures:
            self.history.setdefault(name, [math.nan] * len(self.epoch))
        self.epoch.append(epoch)
        for name, values in self.history.items():
            values.append(figures.get(name, math.nan))

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss curves with matplotlib and return the axes."""
        from fastrnn.plots import LossDisplay

        return LossDisplay.from_history(self).plot(ax).ax_
