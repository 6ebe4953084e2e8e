"""Trainer: epochs, minibatches, validation and progress around the compiled driver."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn import checks
from fastrnn.callbacks import Callback, Each, ProgressBar
from fastrnn.files import FileFormatError
from fastrnn.history import History
from fastrnn.losses import Columns
from fastrnn.memory import zeros
from fastrnn.model import ROWS, Sequential, check_recompute
from fastrnn.optimizers import Adam, Optimizer
from fastrnn.plan import Data, Plan, Progress, Training
from fastrnn.team import Team
from fastrnn.threads import choose_threads
from fastrnn.unknown import explained

Array = NDArray[Any]
SLICE_SECONDS = 0.1
"""How long one compiled call may take before progress is told and Ctrl-C is heard."""


@explained
class Trainer:
    """Fits a model.

    Parameters
    ----------
    model : what is trained
    loss : "mse", "mae" (means over the outputs), "binary_crossentropy" (a mean over outputs, of targets from 0 to 1),
        "categorical_crossentropy" (a sum over classes, of targets that are their probabilities),
        "sparse_categorical_crossentropy" (the same, of targets that are classes: whole numbers (N,) or (N, T)). A
        cross-entropy reads logits if the last activation is linear; else it must be sigmoid (binary) or softmax, and
        both are computed as one
    optimizer : SGD, Adam, RMSProp or Adagrad; None is ``Adam(1e-3)``
    metrics : names of further figures: any of the losses that takes the same targets; "accuracy": the share of places
        whose largest output is the target's class or, with binary_crossentropy or a single output, the share of outputs
        that are on their targets' side of 0.5 (logits: of 0)
    clip_value : clips every element of the gradient to [-clip_value, clip_value]
    clip_norm : scales the gradient by ``min(1, clip_norm / (norm + 1e-6))``, the norm over all weights, after
        ``clip_value``
    tbptt : (k1, k2): every k1 steps the errors of the last k1 steps go back through at most k2 steps; k is (k, k);
        None is full
    tbptt_update : "sequence" sums the gradients of a sequence's pieces and updates once, "chunk" after each piece
    threads : how many at most; None chooses by the work
    seed : of the shuffling and of dropout
    recompute : "sqrt" keeps the states of about sqrt(T) steps at a time and computes the others again on the way back:
        full back-propagation over long sequences in little memory; None keeps all

    The result does not depend on the number of threads.

    Attributes
    ----------
    history : figures of all epochs so far, over all fits
    figures : names of the figures of an epoch in the fit in hand, or the last one

    Raises
    ------
    ValueError, TypeError
        Unknown names, values outside their range.

    References
    ----------
    Williams and Peng (1990), BPTT(h; h') with h = k2 and h' = k1. Pascanu, Mikolov and Bengio (2013) for ``clip_norm``.
    """

    def __init__(
        self,
        model: Sequential,
        loss: str = "mse",
        optimizer: Optimizer | None = None,
        metrics: Sequence[str] = (),
        clip_value: float | None = None,
        clip_norm: float | None = None,
        tbptt: int | tuple[int, int] | None = None,
        tbptt_update: str = "sequence",
        threads: int | None = None,
        seed: int = 0,
        recompute: str | None = None,
    ) -> None:
        if not isinstance(model, Sequential):
            raise TypeError(f"model is {model!r}; expected a Sequential")
        if optimizer is not None and not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer is {optimizer!r}; expected SGD(...), Adam(...), RMSProp(...) or Adagrad(...)")
        self.model = model
        self.optimizer = Adam() if optimizer is None else optimizer
        if not isinstance(metrics, list | tuple):
            raise TypeError(f"metrics is {metrics!r}; expected a list, such as ['mae']")
        self._columns = Columns(model.layers, (loss, *metrics))
        self.loss, self.metrics = loss, list(metrics)
        self.training = Training(
            tbptt=checks.truncation(tbptt),
            online=checks.one_of("tbptt_update", tbptt_update, ("sequence", "chunk")) == "chunk",
            optimizer=self.optimizer,
            clip_value=checks.positive("clip_value", clip_value),
            clip_norm=checks.positive("clip_norm", clip_norm),
            dropout_seed=checks.seed(seed),
            recompute=check_recompute(recompute, tbptt, model.reads_backwards),
        )
        if self.training.online and model.reads_backwards:
            raise ValueError(
                "tbptt_update='chunk' with a layer that reads backwards, which needs the whole sequence first; "
                "expected 'sequence'"
            )
        self.threads = None if threads is None else checks.positive_int("threads", threads)
        self.history = History()
        self.figures = ["loss", *self.metrics]
        self._stops = False
        self._random = np.random.default_rng(checks.seed(seed))
        self._fitting = threading.Lock()
        self._fitter: int | None = None
        self._resumed: Progress | None = None
        self._plan: Plan | None = None
        self._key: Any = None

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        epochs: int = 10,
        batch_size: int = 32,
        validation_data: tuple[Any, ...] | None = None,
        validation_split: float = 0.0,
        sample_weight: ArrayLike | None = None,
        lengths: ArrayLike | None = None,
        shuffle: bool = True,
        carry_state: bool = False,
        callbacks: Sequence[Callback | Callable[[int, dict[str, float]], Any]] = (),
        verbose: int | None = None,
    ) -> History:
        """Train for some epochs.

        Parameters
        ----------
        x : (N, T, F), or (N, T) ids for a model that begins with Embedding or OneHot
        y : (N, O), or (N, T, O) if the last recurrent layer returns sequences; classes (N,) or (N, T). Those of rows
            without weight and of steps beyond the lengths are not read. Where outputs begin with zeros for padding
            (``go_backwards``), so do the targets
        epochs, batch_size : whole numbers from 1 up; the last minibatch of an epoch may be smaller
        validation_data : (x, y), (x, y, sample_weight) or (x, y, sample_weight, lengths)
        validation_split : share of the rows, taken from the end, that is held out, in [0, 1)
        sample_weight : (N,) weights; a minibatch in which nothing counts makes no update
        lengths : (N,) whole numbers from 0 to T; steps beyond them are not read and count for nothing
        shuffle : a new order every epoch
        carry_state : rows are consecutive stretches of long sequences: row i of a minibatch goes on where row i of the
            one before ended; needs ``shuffle=False`` and a number of sequences that ``batch_size`` divides
        callbacks : objects or functions ``f(epoch, figures)``
        verbose : 1 shows a progress bar, 0 does not; None shows it at a terminal

        Returns
        -------
        history : loss and metrics of every epoch of this fit, means over the epoch

        Notes
        -----
        Ids, classes, lengths and weights are copied when the fit begins: what becomes of the user's arrays changes
        nothing. Other numbers are read where they are, minibatch by minibatch, if x or y is a contiguous array of the
        model's dtype, so that a callback may change them in place from epoch to epoch (they are not checked again); of
        any other array, or a list, there is a copy.

        Raises
        ------
        ValueError, TypeError
            Input of another shape or type, NaN, infinity, settings that do not go together; before any work.
        RuntimeError
            This trainer is fitting already, in another thread or a callback.
        """
        model = self.model
        epochs = checks.positive_int("epochs", epochs)
        data, held_out = self._split(x, y, sample_weight, lengths, validation_data, validation_split)
        samples = len(data.x)
        rows = min(samples, checks.positive_int("batch_size", batch_size))
        if carry_state and (shuffle or samples % rows):
            raise ValueError(
                f"carry_state=True with shuffle={shuffle} and {samples} sequences in batches of {rows}; "
                f"expected shuffle=False and a number of sequences that batch_size divides"
            )
        if carry_state and (model.reads_backwards or self.training.recompute):
            what = "a layer that reads backwards" if model.reads_backwards else "recompute"
            raise ValueError(
                f"carry_state=True with {what}; expected carry_state=False, or a model and trainer without it"
            )
        listeners = _listeners(callbacks)
        model.build_for(data.x)
        if verbose or (verbose is None and sys.stderr.isatty()):
            listeners.append(ProgressBar())
        if not self._fitting.acquire(blocking=False):
            raise RuntimeError("this trainer is fitting already; expected one fit at a time: make a trainer for each")
        try:
            self._fitter = threading.get_ident()
            return self._fit(data, held_out, epochs, rows, shuffle, carry_state, listeners)
        finally:
            self._fitter = None
            self._fitting.release()

    def _fit(
        self,
        data: Data,
        held_out: Data | None,
        epochs: int,
        rows: int,
        shuffle: bool,
        carry_state: bool,
        listeners: list[Callback],
    ) -> History:
        """Train on checked data."""
        samples, steps = data.x.shape[:2]
        plan = self._training_plan(rows, steps, carry_state)
        order = np.arange(samples) if shuffle else None
        plan.read(data._replace(order=order))
        history = History()
        self.figures = [
            prefix + name for prefix in ("", "val_")[: 1 + (held_out is not None)] for name in ("loss", *self.metrics)
        ]
        self._stops = False
        with Team(plan.threads) as team, ExitStack() as ending:
            ending.callback(plan.release)
            for listener in listeners:
                ending.callback(listener.end)
                listener.begin(self, epochs, samples)
            for epoch in range(epochs):
                if self._stops:
                    break
                if order is not None:
                    order[:] = self._random.permutation(samples)
                figures = self._epoch(plan, team, epoch, samples, listeners)
                if held_out is not None:
                    figures |= {f"val_{name}": value for name, value in self._evaluate(held_out).items()}
                history.append(epoch, figures)
                self.history.append(len(self.history.epoch), figures)
                for listener in listeners:
                    listener.epoch(epoch, figures)
        return history

    def stop(self) -> None:
        """End the fit in hand after its epoch, with validation and callbacks: for callbacks, or another thread."""
        self._stops = True

    def evaluate(
        self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, lengths: ArrayLike | None = None
    ) -> dict[str, float]:
        """Compute loss and metrics without training; arguments and errors as in `fit`."""
        data = self._data(x, y, sample_weight, lengths)
        self.model.build_for(data.x)
        return self._evaluate(data)

    # ------------------------------------------------------------------------------------------ files

    def save_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Write the model and all that training needs to go on to one file; an old file stays whole until then.

        A callback may do this during a fit: after an epoch, what is resumed goes on with the next one.

        Raises
        ------
        ValueError
            The model has no weights yet.
        TypeError
            ``path`` is no path.
        RuntimeError
            The trainer is fitting in another thread.
        OSError
            The file cannot be written.
        """
        from fastrnn.trainer_file import write_checkpoint

        if self._fitter == threading.get_ident():
            write_checkpoint(path, self)
            return
        if not self._fitting.acquire(blocking=False):
            raise RuntimeError(
                "this trainer is fitting in another thread; expected to save it afterwards or in a callback"
            )
        try:
            write_checkpoint(path, self)
        finally:
            self._fitting.release()

    @classmethod
    def resume(cls, path: str | os.PathLike[str]) -> Trainer:
        """Return the trainer that `save_checkpoint` wrote, with its model.

        It goes on bit for bit: fitting 10 epochs is fitting 5, saving, resuming and fitting 5. What `fit` was given is
        not in the file; the epochs that are done are ``len(trainer.history.epoch)``.

        Raises
        ------
        FileFormatError
            The file is damaged, cut off, of another program or kind: a ``ValueError``.
        TypeError
            ``path`` is no path.
        OSError
            No such file, a folder, no permission.
        """
        from fastrnn.trainer_file import read_checkpoint

        saved = read_checkpoint(path)
        try:
            trainer = cls(saved.model, **saved.settings)
        except (TypeError, ValueError) as error:
            raise FileFormatError(path, f"settings that make no trainer ({error})", "those of a trainer") from error
        trainer._resumed = saved.progress
        trainer._random.bit_generator.state = saved.generator
        trainer.history = History(saved.history)
        return trainer

    @property
    def progress(self) -> Progress:
        """How far training has come."""
        if self._plan is not None:
            return self._plan.progress
        if self._resumed is not None:
            return self._resumed
        network = self.model.network
        return Progress(0, 0, [zeros(network.flat.size, network.dtype) for _ in self.optimizer.states])

    @property
    def generator(self) -> np.random.BitGenerator:
        """What shuffles."""
        return self._random.bit_generator

    # ------------------------------------------------------------------------------------------ inside

    def _data(self, x: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None, lengths: ArrayLike | None) -> Data:
        """Check the data."""
        model = self.model
        x, lengths = model.check_input(x, lengths)
        samples, steps = x.shape[:2]
        weights = checks.row_weights(sample_weight, samples)
        return Data(x, self._columns.targets(y, samples, steps, model.dtype, weights, lengths), weights, lengths)

    def _split(
        self, x: Any, y: Any, sample_weight: Any, lengths: Any, validation_data: tuple[Any, ...] | None, split: float
    ) -> tuple[Data, Data | None]:
        """Check all data and hold some out for validation."""
        if isinstance(split, bool) or not isinstance(split, Real) or not 0 <= split < 1:
            raise ValueError(f"validation_split is {split!r}; expected a number from 0 up to 1, such as 0.2")
        if validation_data is not None and split:
            raise ValueError("validation_data and validation_split are both given; expected one of them")
        data = self._data(x, y, sample_weight, lengths)
        if validation_data is not None:
            if not isinstance(validation_data, tuple | list) or not 2 <= len(validation_data) <= 4:
                raise ValueError(
                    f"validation_data is {type(validation_data).__name__}; "
                    f"expected a tuple (x, y), (x, y, sample_weight) or (x, y, sample_weight, lengths)"
                )
            given = [*validation_data, None, None][:4]
            try:
                held_out = self._data(given[0], given[1], given[2], given[3])
            except (TypeError, ValueError) as error:
                raise type(error)(f"validation_data: {error}") from None
            if held_out.x.shape[2:] != data.x.shape[2:]:
                raise ValueError(
                    f"x of validation_data has shape {held_out.x.shape}; expected (N, T, {data.x.shape[2]}): "
                    f"as many features as x"
                )
            return data, held_out
        if not split:
            return data, None
        keep = len(data.x) - int(len(data.x) * split)
        if keep == len(data.x) or keep == 0:
            raise ValueError(
                f"validation_split={split} of {len(data.x)} sequences leaves a part empty; expected more sequences"
            )
        parts = [[None if a is None else a[part] for a in data[:4]] for part in (slice(keep), slice(keep, None))]
        return Data(*parts[0]), Data(*parts[1])

    def _training_plan(self, rows: int, steps: int, carry_state: bool) -> Plan:
        """Return the plan for a shape; the optimizer's state goes on from fit to fit."""
        key = (rows, steps, carry_state, choose_threads(self.threads, self.model.network, rows, steps, trains=True))
        if self._plan is None or key != self._key:
            plan = Plan(
                self.model.network, rows, steps,
                columns=(self.loss, *self.metrics), training=self.training, carry_state=carry_state, threads=key[3],
            )  # fmt: skip
            plan.go_on_from(self.progress)
            self._key = None  # an interrupt leaves no plan under another's key
            self._plan, self._resumed = plan, None
            self._key = key
        return self._plan

    def _epoch(self, plan: Plan, team: Team, epoch: int, samples: int, listeners: list[Callback]) -> dict[str, float]:
        """Run an epoch in slices that take about `SLICE_SECONDS` each."""
        plan.zero_totals()
        first, size, batches = 0, 1, plan.batches
        while first < batches:
            last = min(batches, first + size)
            start = time.perf_counter()
            plan.run(team, first, last)
            taken = time.perf_counter() - start
            size = max(1, min(batches, int((last - first) * SLICE_SECONDS / max(taken, 1e-6))))
            first = last
            for listener in listeners:
                listener.progress(epoch, min(samples, first * plan.rows))
        return dict(zip(["loss", *self.metrics], plan.means(), strict=True))

    def _evaluate(self, data: Data) -> dict[str, float]:
        samples, steps = data.x.shape[:2]
        rows = min(samples, ROWS)
        plan = self.model.losses_plan(rows, steps, (self.loss, *self.metrics), self.threads)
        with plan.lock, Team(plan.threads) as team:
            plan.read(data)
            plan.zero_totals()
            plan.run(team, 0, plan.batches)
            plan.release()
            return dict(zip(["loss", *self.metrics], plan.means(), strict=True))


def _listeners(callbacks: Any) -> list[Callback]:
    """Return callbacks as objects; refuses classes, and what can be neither called nor listened to."""
    if not isinstance(callbacks, list | tuple):
        raise TypeError(
            f"callbacks is {callbacks!r}; expected a list of callbacks, such as [{getattr(callbacks, '__name__', 'f')}]"
        )
    for place, callback in enumerate(callbacks):
        if isinstance(callback, type):
            name = callback.__name__
            raise TypeError(f"callbacks[{place}] is the class {name}; expected an object: call it: {name}(...)")
        if not isinstance(callback, Callback) and not callable(callback):
            raise TypeError(f"callbacks has {callback!r}; expected Callback objects or functions f(epoch, figures)")
    return [c if isinstance(c, Callback) else Each(c) for c in callbacks]
