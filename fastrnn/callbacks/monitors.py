"""Callbacks that watch one figure from epoch to epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastrnn.callbacks.lines import Callback
from fastrnn.ground import checks
from fastrnn.ground.attributes import Guarded, Setting
from fastrnn.ground.files import FilePath, check_writable, save_path
from fastrnn.ground.unknown import choice, explained


def _figure(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} is {checks.brief(value)}; expected the name of a figure, such as 'val_loss'")
    return value


class Monitor(Guarded, Callback):
    """Remembers the best value of a figure.

    Attributes
    ----------
    monitor, mode : the figure, and whether its "min" or its "max" is the best; may be set for the next fit
    best : the best value so far; infinite where there was none, never NaN
    """

    monitor = Setting(_figure)
    _told: ClassVar[Mapping[str, str]] = {"best": "a fit that finds it"}

    def __init__(self, monitor: str, mode: str | None) -> None:
        self.monitor, self.mode = monitor, mode
        self.reset()

    @property
    def mode(self) -> str:
        """Whether "min" or "max" is the best: by the figure's name where nobody said so."""
        return self._mode or ("max" if self.monitor.endswith("accuracy") else "min")

    @mode.setter
    def mode(self, mode: str | None) -> None:
        self._mode = None if mode is None else checks.one_of("mode", mode, ("min", "max"))

    @property
    def best(self) -> float:
        """The best value so far."""
        return self._best

    def reset(self) -> None:
        """Forget the best value; watch the figure anew."""
        self._watched, self._wants_most = self.monitor, self.mode == "max"
        self._best = -math.inf if self._wants_most else math.inf

    def __getstate__(self) -> dict[str, Any]:
        """What a copy gets: all but the trainer of the fit, in which it takes no part."""
        return {name: value for name, value in self.__dict__.items() if name != "_trainer"}

    def is_better(self, value: float, by: float = 0.0) -> bool:
        """Whether a value is better than the best so far, and ``by`` more than this much; NaN never is."""
        return value > self._best + by if self._wants_most else value < self._best - by

    def check_monitor(self, trainer: Any) -> None:
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
    monitor, patience, min_delta, restore_best_weights, mode : as given; ``patience`` and ``min_delta`` may be set for
        the next epoch, the others for the next fit
    best, best_epoch : the best value, and the number of its epoch in this fit, from 0; None where there was none
    stopped_epoch : number of the epoch after which the fit was stopped; None if it was not

    Notes
    -----
    NaN is never better, nor is an epoch that leaves weights that are not finite. Every fit begins anew. As in Keras, an
    epoch's training figures are means over its minibatches, each taken before its update, while the weights of the
    epoch are those after all its updates.

    Raises
    ------
    ValueError, TypeError
        Settings outside their range; at the beginning of a fit, a figure that the fit does not give.
    """

    patience = Setting(checks.whole)
    min_delta = Setting(checks.not_negative)
    restore_best_weights = Setting(checks.true_or_false)
    _told: ClassVar[Mapping[str, str]] = {
        **Monitor._told,
        "best_epoch": "a fit that finds it",
        "stopped_epoch": "trainer.stop()",
    }

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 0,
        min_delta: float = 0.0,
        restore_best_weights: bool = False,
        mode: str | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.patience, self.min_delta, self.restore_best_weights = patience, min_delta, restore_best_weights
        self._best_epoch: int | None = None
        self._stopped_epoch: int | None = None
        self._wait = 0
        self._weights: NDArray[Any] | None = None

    @property
    def best_epoch(self) -> int | None:
        """Number of the best epoch."""
        return self._best_epoch

    @property
    def stopped_epoch(self) -> int | None:
        """Number of the last epoch of a fit that was stopped."""
        return self._stopped_epoch

    def begin(self, trainer: Any, epochs: int, samples: int) -> None:
        self.check_monitor(trainer)
        self.reset()
        self._best_epoch = self._stopped_epoch = None
        self._trainer, self._wait = trainer, 0
        self._weights = trainer.model.network.flat.copy() if self.restore_best_weights else None

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        value = figures[self._watched]
        if self.is_better(value, self.min_delta) and self._trainer.is_finite:
            kept = None if self._weights is None else self._trainer.model.network.flat.copy()
            # One call of C code: Ctrl-C comes before all of it, or after.
            self.__dict__.update(_best=value, _best_epoch=epoch, _wait=0, _weights=kept)
            return
        self._wait += 1
        if self._wait >= max(1, self.patience):
            self._stopped_epoch = epoch
            self._trainer.stop()

    def end(self) -> None:
        if self._weights is not None:
            self._trainer.model.network.write(self._weights)
            self._weights = None


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

    Attributes
    ----------
    path, monitor, save_best_only, mode : as given; ``path`` may be set for the next epoch, the others for the next fit
    best : the figure of the model which the file holds

    Notes
    -----
    NaN is never better, and weights that are not finite are never written. As in Keras, an epoch's training figures are
    means over its minibatches, each taken before its update, while the weights that are written are those after all its
    updates.

    Raises
    ------
    ValueError, TypeError
        Settings outside their range; at the beginning of a fit, a figure that the fit does not give.
    OSError
        At the beginning of a fit, a place that cannot be written; later, what prevented writing.
    """

    path = Setting(save_path)
    save_best_only = Setting(checks.true_or_false)

    def __init__(
        self,
        path: FilePath,
        monitor: str = "val_loss",
        save_best_only: bool = False,
        mode: str | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.path, self.save_best_only = path, save_best_only

    def begin(self, trainer: Any, epochs: int, samples: int) -> None:
        check_writable(self.path)
        self._trainer, self._saves_all = trainer, not self.save_best_only
        if self.save_best_only:
            self.check_monitor(trainer)
            self.reset()
            value = self._value_in_file()
            if self.is_better(value):
                self._best = value

    def epoch(self, epoch: int, figures: dict[str, float]) -> None:
        if not (self._saves_all or self.is_better(figures[self._watched])) or not self._trainer.is_finite:
            return
        self._trainer.save_checkpoint(self.path)
        if not self._saves_all:
            self._best = figures[self._watched]

    def _value_in_file(self) -> float:
        """Return the figure of the model that the file holds, NaN where it holds none of this trainer's run."""
        from fastrnn.storage.trainer_file import read_history

        ours, theirs = self._trainer.history.history, read_history(self.path)
        common = min(len(self._trainer.history.epoch), len(theirs.get("loss", ())))
        if not common or self.monitor not in theirs:
            return math.nan
        for name in ("loss", self.monitor):
            if not np.array_equal(ours.get(name, ())[:common], theirs[name][:common], equal_nan=True):
                return math.nan
        return theirs[self.monitor][-1]
