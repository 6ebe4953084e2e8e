"""Callbacks: what a fit tells while it runs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TextIO

from fastrnn.dialects import DIALECTS
from fastrnn.unknown import asked_of, explained

if TYPE_CHECKING:
    from fastrnn.trainer import Trainer
else:
    __getattr__ = asked_of(__name__)


@explained
class Callback:
    """Base class: override what you need. Any function ``f(epoch, figures)`` does as well, called after every epoch."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse what Keras and Lightning call these: it would never be called."""
        super().__init_subclass__(**options)
        for name in vars(cls):
            if name.startswith("on_") and name in DIALECTS["Callback"]:
                raise TypeError(
                    f"{cls.__name__} has {name}, which is not called; expected {DIALECTS['Callback'][name]}"
                )

    def begin(self, trainer: Trainer, epochs: int, samples: int) -> None:
        """Before the first epoch of ``epochs`` over ``samples`` sequences."""

    def progress(self, epoch: int, samples: int) -> None:
        """Now and then within an epoch: ``samples`` sequences of it are done."""

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        """After an epoch, with its figures."""

    def end(self) -> None:
        """After the last epoch, or when the fit is broken off."""


@explained
class ProgressBar(Callback):
    """A live bar: epoch, sequences a second, loss, metrics and validation figures (tqdm)."""

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file
        self._bar: Any = None

    def begin(self, trainer: Trainer, epochs: int, samples: int) -> None:
        from tqdm import tqdm

        self._samples, self._epochs = samples, epochs
        self._bar = tqdm(
            total=epochs * samples, unit=" seq", unit_scale=True, file=self._file or sys.stderr, dynamic_ncols=True
        )
        self._bar.set_description(f"epoch 1/{epochs}")

    def progress(self, epoch: int, samples: int) -> None:
        self._bar.set_description(f"epoch {epoch + 1}/{self._epochs}", refresh=False)
        self._bar.update(epoch * self._samples + samples - self._bar.n)

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        self.progress(epoch, self._samples)
        self._bar.set_postfix({name: f"{value:.4g}" for name, value in figures.items()}, refresh=False)
        if epoch + 1 == self._epochs:
            self._bar.refresh()

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()


class Each(Callback):
    """A plain function, called after every epoch with its number and its figures."""

    def __init__(self, function: Any) -> None:
        self._function = function

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        self._function(epoch, figures)
