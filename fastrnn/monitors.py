"""Callbacks that watch one figure from epoch to epoch."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fastrnn import checks
from fastrnn.callbacks import Callback
from fastrnn.files import check_path, check_writable
from fastrnn.unknown import choice, explained

if TYPE_CHECKING:
    from fastrnn.trainer import Trainer


class Monitor(Callback):
    """Remembers the best value of a figure.

    Attributes
    ----------
    monitor, mode : the figure, and whether its "min" or its "max" is the best
    best : the best value so far; infinite where there was none, never NaN
    """

    def __init__(self, monitor: str, mode: str | None) -> None:
        if not isinstance(monitor, str):
            raise TypeError(f"monitor is {checks.brief(monitor)}; expected the name of a figure, such as 'val_loss'")
        self.monitor = monitor
        by_name = "max" if monitor.endswith("accuracy") else "min"
        self.mode = by_name if mode is None else checks.one_of("mode", mode, ("min", "max"))
        self.reset()

    def reset(self) -> None:
        """Forget the best value."""
        self.best = math.inf if self.mode == "min" else -math.inf

    def is_better(self, value: float, by: float = 0.0) -> bool:
        """Whether a value is better than the best so far, and ``by`` more than this much; NaN never is."""
        return value < self.best - by if self.mode == "min" else value > self.best + by

    def check_monitor(self, trainer: Trainer) -> None:
        """Refuse a figure that the fit in hand does not give.

        Raises
        ------
        ValueError
            The line names those that it does.
        """
        if self.monitor not in trainer.figures:
            validates = any(name.startswith("val_") for name in trainer.figures)
            cure = "" if validates else ", or validation_data or validation_split for the others"
            raise ValueError(f"monitor is {self.monitor!r}; expected {choice(self.monitor, trainer.figures)}{cure}")


@explained
class EarlyStopping(Monitor):
    """Stops a fit when a figure has not become better for some epochs.

    Parameters
    ----------
    monitor : a figure of the history: "loss", a metric, or one of them with "val_" before it
    patience : epochs in a row without a better value after which the fit ends; 0 is 1
    min_delta : a value counts as better if it is so by more than this, at least 0
    restore_best_weights : when the fit ends, however it does, go back to the weights of the best epoch, or to those of
        before the fit where no epoch had a value that is a number; the optimizer's state stays that of the last epoch
    mode : "min" or "max", whichever is the best; None takes "max" for accuracy, "min" for all others

    Attributes
    ----------
    best, best_epoch : the best value, and the number of its epoch in this fit, from 0; None where there was none
    stopped_epoch : number of the epoch after which the fit was stopped; None if it was not

    Notes
    -----
    NaN is never better. Every fit begins anew. As in Keras, an epoch's training figures are means over its minibatches,
    each taken before its update, while the weights of the epoch are those after all its updates.

    Raises
    ------
    ValueError, TypeError
        Settings outside their range; at the beginning of a fit, a figure that the fit does not give.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 0,
        min_delta: float = 0.0,
        restore_best_weights: bool = False,
        mode: str | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.patience = checks.whole("patience", patience)
        self.min_delta = checks.not_negative("min_delta", min_delta)
        self.restore_best_weights = checks.true_or_false("restore_best_weights", restore_best_weights)
        self.best_epoch: int | None = None
        self.stopped_epoch: int | None = None
        self._wait = 0
        self._weights: NDArray[Any] | None = None

    def begin(self, trainer: Trainer, epochs: int, samples: int) -> None:
        self.check_monitor(trainer)
        self.reset()
        self.best_epoch = self.stopped_epoch = None
        self._trainer, self._wait = trainer, 0
        self._keep_weights()

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        value = figures[self.monitor]
        if self.is_better(value, self.min_delta):
            self.best, self.best_epoch, self._wait = value, epoch, 0
            self._keep_weights()
            return
        self._wait += 1
        if self._wait >= max(1, self.patience):
            self.stopped_epoch = epoch
            self._trainer.stop()

    def end(self) -> None:
        if self._weights is not None:
            network = self._trainer.model.network
            network.flat[:] = self._weights
            network.weights_changed()
            self._weights = None

    def _keep_weights(self) -> None:
        if self.restore_best_weights:
            self._weights = self._trainer.model.network.flat.copy()


@explained
class ModelCheckpoint(Monitor):
    """Writes a checkpoint after every epoch, or after every one that is better than all before it.

    `Trainer.resume` reads it; a file that is there is replaced, and whole at any moment.

    Parameters
    ----------
    path : file to write
    monitor : figure that says which epoch is better; only with ``save_best_only``
    save_best_only : write only if the figure is better than that of the model which the file holds; what is there from
        another run than the trainer's own, which `Trainer.resume` continues, does not count
    mode : "min" or "max", whichever is the best; None takes "max" for accuracy, "min" for all others

    Notes
    -----
    NaN is never better. As in Keras, an epoch's training figures are means over its minibatches, each taken before its
    update, while the weights that are written are those after all its updates.

    Raises
    ------
    ValueError, TypeError
        Settings outside their range; at the beginning of a fit, a figure that the fit does not give.
    OSError
        At the beginning of a fit, a place that cannot be written; later, what prevented writing.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        monitor: str = "val_loss",
        save_best_only: bool = False,
        mode: str | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        check_path(path)
        self.path, self.save_best_only = path, checks.true_or_false("save_best_only", save_best_only)

    def begin(self, trainer: Trainer, epochs: int, samples: int) -> None:
        check_writable(self.path)
        self._trainer = trainer
        if self.save_best_only:
            self.check_monitor(trainer)
            self.reset()
            value = self._value_in_file()
            if self.is_better(value):
                self.best = value

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        if not self.save_best_only:
            self._trainer.save_checkpoint(self.path)
        elif self.is_better(figures[self.monitor]):
            self._trainer.save_checkpoint(self.path)
            self.best = figures[self.monitor]

    def _value_in_file(self) -> float:
        """Return the figure of the model that the file holds, NaN where it holds none of this trainer's run."""
        from fastrnn.trainer_file import read_history

        ours, theirs = self._trainer.history.history, read_history(self.path)
        common = min(len(self._trainer.history.epoch), len(theirs.get("loss", ())))
        if not common or self.monitor not in theirs:
            return math.nan
        for name in ("loss", self.monitor):
            if not np.array_equal(ours.get(name, ())[:common], theirs[name][:common], equal_nan=True):
                return math.nan
        return theirs[self.monitor][-1]
