"""History: the figures of every epoch of a fit."""

from __future__ import annotations

from typing import Any


class History:
    """Figures of a fit.

    Attributes
    ----------
    history : for each figure (``loss``, metrics, ``val_`` for validation) a list with one number an epoch
    epoch : numbers of the epochs, from 0
    """

    def __init__(self) -> None:
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def append(self, epoch: int, figures: dict[str, float]) -> None:
        """Add the figures of an epoch."""
        self.epoch.append(epoch)
        for name, value in figures.items():
            self.history.setdefault(name, []).append(value)

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss curves with matplotlib and return the axes."""
        from fastrnn.plots import LossDisplay

        return LossDisplay.from_history(self).plot(ax).ax_
