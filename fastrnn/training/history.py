"""History: the figures of every epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from fastrnn.ground.attributes import Guarded
from fastrnn.ground.unknown import explained


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
        self._lists: dict[str, list[float]] = {} if history is None else history
        self._epochs = list(range(max(map(len, self._lists.values()), default=0)))
        self._new: list[tuple[int, int, dict[str, float]]] = []

    @property
    def history(self) -> dict[str, list[float]]:
        """The figures, by name."""
        self._enter()
        return self._lists

    @property
    def epoch(self) -> list[int]:
        """The numbers of the epochs."""
        self._enter()
        return self._epochs

    def append(self, epoch: int, figures: dict[str, float]) -> None:
        """Add the figures of an epoch: all of them or, if Ctrl-C comes before, none."""
        self._enter()
        self._new.append((len(self._epochs), epoch, figures))
        self._enter()

    def _enter(self) -> None:
        """Enter new epochs into the lists, each at its place: once more, if Ctrl-C came in between, changes nothing."""
        for place, epoch, figures in self._new:
            for name in figures:
                self._lists.setdefault(name, [math.nan] * place)
            for name, values in self._lists.items():
                values[place:] = [figures.get(name, math.nan)]
            self._epochs[place:] = [epoch]
        self._new.clear()

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
        from fastrnn.pictures.plots import HistoryDisplay

        return HistoryDisplay.from_history(self).plot(axes).axes_
