"""History: the figures of every epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from fastrnn.attributes import Guarded
from fastrnn.unknown import explained


@explained
class History(Guarded):
    """Figures of a fit, or of all fits of a trainer.

    Attributes
    ----------
    history : for each figure (``loss``, metrics, ``val_`` for validation) a list with one number an epoch, NaN for an
        epoch that did not have this figure
    epoch : numbers of the epochs, from 0
    """

    _told: ClassVar[Mapping[str, str]] = {
        "history": "its lists to be changed, such as history.history['loss'][0] = 1.0",
        "epoch": "a fit that appends to it",
    }

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

    def plot(self, axes: Any = None) -> list[Any]:
        """Draw the curves with matplotlib: the loss in one panel, each metric in another.

        Parameters
        ----------
        axes : as many axes as there are panels; None makes a new figure

        Returns
        -------
        axes : one a panel, the loss first; ``axes[0].figure.savefig("history.png")`` writes the picture

        Raises
        ------
        ValueError
            There are no epochs, or another number of axes.
        """
        from fastrnn.plots import HistoryDisplay

        return HistoryDisplay.from_history(self).plot(axes).axes_
