"""Trainer: epochs, minibatches, validation and progress around the compiled driver."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from copy import deepcopy
from functools import partial
from typing import Any, ClassVar, TypeVar

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn.callbacks.lines import Callback, Each, telling
from fastrnn.engine.plan import Data, Plan, Progress
from fastrnn.engine.program import Training
from fastrnn.engine.team import Team
from fastrnn.engine.threads import choose_threads
from fastrnn.ground import checks, notices
from fastrnn.ground.attributes import FixedList, Guarded, Setting
from fastrnn.ground.files import FileFormatError
from fastrnn.ground.handed import handed_in
from fastrnn.ground.locks import free_in_children, new_generator, new_lock
from fastrnn.ground.unknown import brief, explained
from fastrnn.model.sequential import ROWS, Sequential
from fastrnn.model.stream import check_batch
from fastrnn.optimizers import Optimizer
from fastrnn.training.data import by_place, checked_data, fitting_data, why_nothing_counts
from fastrnn.training.history import History
from fastrnn.training.live import LearningStream, live_training
from fastrnn.training.settings import Told, TrainerSettings, check_settings

Array = NDArray[Any]
Result = TypeVar("Result")
SLICE_SECONDS = 0.1
"""How long one compiled call may take before progress is told and Ctrl-C is heard."""


def _history(name: str, value: Any) -> History:
    if not isinstance(value, History):
        raise TypeError(f"{name} is {checks.brief(value)}; expected a History")
    return value


@explained
class Trainer(Guarded):
    """Fits a model.

    Parameters
    ----------
    model : what is trained
    loss : "mse", "mae" (means over the outputs), "binary_crossentropy" (a mean over outputs, of targets from 0 to 1),
        "categorical_crossentropy" (a sum over classes, of targets that are their probabilities),
        "sparse_categorical_crossentropy" (the same, of targets that are classes: whole numbers (N,) or (N, T)). A
        cross-entropy reads logits if the last activation is linear; else it must be sigmoid (binary) or softmax, and
        both are computed as one
    optimizer : one of `fastrnn.optimizers`, or its short name, such as "adam"; None is ``Adam(1e-3)``
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
    loss, optimizer, metrics, clip_value, clip_norm, tbptt, tbptt_update, threads, seed, recompute
        as given; what is set is checked as here, and counts from the next fit on. A callback may set them: then they
        count from the next epoch on, ``threads`` from the next fit on; ``loss``, ``metrics`` and ``recompute`` wait for
        the end of the fit. An optimizer of the same kind goes on from the old one's state (the moments, the number of
        updates), one of another kind begins anew; ``seed`` begins the shuffling anew
    model : cannot be another
    history : figures of all epochs so far, over all fits
    figures : names of the figures of an epoch in the fit in hand, or the last one; a callback may add to them when the
        fit begins
    is_finite : whether all weights are finite numbers, and all that the optimizer keeps

    Raises
    ------
    ValueError, TypeError
        Unknown names, values outside their range.

    References
    ----------
    Williams and Peng (1990), BPTT(h; h') with h = k2 and h' = k1. Pascanu, Mikolov and Bengio (2013) for ``clip_norm``.
    """

    loss = Told[str]()
    optimizer = Told[Optimizer]()
    metrics = Told[list[str]]()
    clip_value = Told[float | None]()
    clip_norm = Told[float | None]()
    tbptt = Told[tuple[int, int] | None]()
    tbptt_update = Told[str]()
    threads = Told[int | None]()
    seed = Told[int]()
    recompute = Told[str | None]()
    history = Setting(_history)
    _told: ClassVar[Mapping[str, str]] = {
        "model": "a trainer of its own for another model: Trainer(model, ...)",
        **dict.fromkeys(("settings", "training"), "one of them, such as trainer.clip_norm = 1.0"),
        "progress": "Trainer.resume, which goes on from a checkpoint",
        "generator": "another seed: trainer.seed = 1",
        "is_finite": "other weights: trainer.model.set_weights",
    }

    def __init__(
        self,
        model: Sequential,
        loss: str = "mse",
        optimizer: Optimizer | str | None = None,
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
            raise TypeError(f"model is {checks.brief(model)}; expected a Sequential")
        self.model = model
        self._settings = check_settings(
            model, loss=loss, optimizer=optimizer, metrics=metrics, clip_value=clip_value, clip_norm=clip_norm,
            tbptt=tbptt, tbptt_update=tbptt_update, threads=threads, seed=seed, recompute=recompute,
        )  # fmt: skip
        self.history = History()
        self._figures = self._settings.figures
        self._stops = False
        self._random = new_generator(checks.seed(seed))
        self._lock = new_lock()
        self._owner: list[tuple[int, int] | None] = [None]
        self._resumed: Progress | None = None
        self._plan: Plan | None = None
        self._key: Any = None

    def fit(
        self,
        x: ArrayLike,
        y: ArrayLike,
        epochs: int = 10,
        batch_size: int = 32,
        validation_data: tuple[Any, ...] | Mapping[str, Any] | None = None,
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
        validation_data : (x, y), (x, y, sample_weight), or a dict: "x", "y", and perhaps "sample_weight", "lengths"
        validation_split : share of the rows, taken from the end, that is held out, in [0, 1)
        sample_weight : (N,) weights; a minibatch in which nothing counts makes no update and is no part of the means
        lengths : (N,) whole numbers from 0 to T; steps beyond them are not read and count for nothing
        shuffle : a new order every epoch
        carry_state : rows are consecutive stretches of long sequences: row i of a minibatch goes on where row i of the
            one before ended; needs ``shuffle=False`` and a number of sequences that ``batch_size`` divides
        callbacks : objects or functions ``f(epoch, figures)``
        verbose : 0 shows nothing, 1 a live bar with the figures, and lines of epochs above it, 2 a line an epoch; None
            is 1 at a terminal and in a notebook, elsewhere 2, but of more than 100 epochs it tells about 100, and one a
            second

        Returns
        -------
        history : loss and metrics of every epoch of this fit, means over the epoch; NaN where nothing counts

        Notes
        -----
        Ids, classes, lengths and weights are copied when the fit begins: what becomes of the user's arrays changes
        nothing. Other numbers are read where they are, minibatch by minibatch, if x or y is a contiguous array of the
        model's dtype: a callback may change them in place from epoch to epoch (they are not checked again), and a file
        that is mapped must stay as long as it is. Of any other array, or a list, there is a copy.

        Raises
        ------
        ValueError, TypeError
            Input of another shape or type, NaN, infinity, lengths and weights by which nothing counts, settings that do
            not go together; before any work.
        RuntimeError
            This trainer is fitting already, in another thread or a callback.

        Warns
        -----
        TrainingWarning
            Validation data of which nothing counts, before any work; a loss, weights or an optimizer's state that are
            no longer finite, once, after the epoch in which it happens. Training goes on.
        """
        model = self.model
        epochs = checks.positive_int("epochs", epochs)
        shown = telling(verbose, callbacks)
        data, held_out = fitting_data(
            model, self._settings.columns, x, y, sample_weight, lengths, validation_data, validation_split
        )
        samples = len(data.x)
        rows = min(samples, checks.positive_int("batch_size", batch_size))
        if carry_state and (shuffle or samples % rows):
            raise ValueError(
                f"carry_state=True with shuffle={shuffle} and {samples} sequences in batches of {rows}; "
                f"expected shuffle=False and a number of sequences that batch_size divides"
            )
        if carry_state and (model.reads_backwards or self.recompute):
            what = "a layer that reads backwards" if model.reads_backwards else "recompute"
            raise ValueError(
                f"carry_state=True with {what}; expected carry_state=False, or a model and trainer without it"
            )
        listeners = _listeners(callbacks)
        if held_out is not None and (why := why_nothing_counts(held_out)):
            text = f"validation: {why}, so that nothing counts; its figures are NaN, and no epoch is the best by them"
            notices.warn(text)
        model.build_for(data.x)
        return self.alone(
            "this trainer is fitting already; expected one fit at a time: make a trainer for each",
            partial(self._fit, data, held_out, epochs, rows, shuffle, carry_state, [*listeners, *shown]),
        )

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
        order = np.arange(samples) if shuffle else None
        data = data._replace(order=order)
        threads = choose_threads(self.threads, self.model.network, rows, steps, trains=True)
        settings, plan = self._settings, self._training_plan(data, rows, carry_state, threads)
        history = History()
        self._figures = [
            prefix + name for prefix in ("", "val_")[: 1 + (held_out is not None)] for name in settings.figures
        ]
        self._stops = has_diverged = False
        team = Team(threads)
        with ExitStack() as ending:
            ending.callback(lambda: plan.release())
            for listener in listeners:
                ending.callback(listener.end)
                listener.begin(self, epochs, samples)
            for epoch in range(epochs):
                if self._stops:
                    break
                if self._settings is not settings:
                    settings, plan = self._settings, self._training_plan(data, rows, carry_state, threads)
                if order is not None:
                    order[:] = self._random.permutation(samples)
                figures = self._epoch(plan, team, epoch, samples, listeners)
                if held_out is not None:
                    figures |= {f"val_{name}": value for name, value in self._evaluate(held_out).items()}
                history.append(epoch, figures)
                self.history.append(len(self.history.epoch), figures)
                notice = ""
                if not has_diverged and not (math.isfinite(figures["loss"]) and self.is_finite):
                    notice = self._divergence(f"epoch {epoch + 1} of {epochs}", figures["loss"])
                for listener in listeners:
                    listener.epoch(epoch, figures)
                if notice:
                    has_diverged = True
                    notices.warn(notice)
        return history

    def stop(self) -> None:
        """End the fit in hand after its epoch, with validation and callbacks: for callbacks, or another thread."""
        self._stops = True

    def stream(self, batch: int = 1) -> LearningStream:
        """Return a stream that takes the next steps of ``batch`` sequences, keeps the state and can learn from them.

        Raises
        ------
        ValueError
            ``batch`` is no whole number from 1 up, a layer reads backwards, no ``tbptt`` with ``tbptt_update="chunk"``,
            or a loss with ``class_weight`` or ``ignore_label``.
        """
        live_training(self._settings)
        return LearningStream(self, check_batch(self.model, batch))

    def evaluate(
        self,
        x: ArrayLike,
        y: ArrayLike,
        *more: ArrayLike | None,
        sample_weight: ArrayLike | None = None,
        lengths: ArrayLike | None = None,
    ) -> dict[str, float]:
        """Compute loss and metrics without training; arguments, errors and warnings as in `fit`.

        ``more`` may be sample_weight, or sample_weight and lengths; whole numbers, which may be meant for lengths, are
        taken by name only.
        """
        if more:
            if sample_weight is not None or lengths is not None or len(more) > 2:
                raise TypeError("evaluate was given an argument twice, or too many; expected sample_weight and lengths")
            given = by_place("evaluate", more, "evaluate(x, y, lengths=...); weights too: sample_weight=...")
            sample_weight, lengths = given["sample_weight"], given["lengths"]
        data = checked_data(self.model, self._settings.columns, x, y, sample_weight, lengths)
        self.model.build_for(data.x)
        if why := why_nothing_counts(data):
            notices.warn(f"evaluate: {why}, so that nothing counts; its figures are NaN")
        return self._evaluate(data)

    # ------------------------------------------------------------------------------------------ files

    def save_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Write the model and all that training needs to go on to one file; an old file stays whole until then.

        A callback may do this during a fit: after an epoch, what is resumed goes on with the next one.

        Raises
        ------
        ValueError
            The model has no weights yet, or ``path`` has the ending of another format.
        TypeError
            ``path`` is no path.
        RuntimeError
            The trainer is fitting in another thread.
        OSError
            The file cannot be written.
        """
        from fastrnn.storage.trainer_file import write_checkpoint

        if self._fitter == threading.get_ident():
            write_checkpoint(path, self)
            return
        self.alone(
            "this trainer is fitting in another thread; expected to save it afterwards or in a callback",
            partial(write_checkpoint, path, self),
        )

    @classmethod
    def resume(cls, path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None) -> Trainer:
        """Return the trainer that `save_checkpoint` wrote, with its model.

        It goes on bit for bit: fitting 10 epochs is fitting 5, saving, resuming and fitting 5. What `fit` was given is
        not in the file; the epochs that are done are ``len(trainer.history.epoch)``. ``custom_objects`` as in
        `fastrnn.load`.

        Raises
        ------
        FileFormatError
            The file is damaged, cut off, of another program or kind: a ``ValueError``.
        TypeError
            ``path`` is no path.
        OSError
            No such file, a folder, no permission.
        """
        from fastrnn.storage.trainer_file import read_checkpoint

        with handed_in(custom_objects):
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
    def settings(self) -> TrainerSettings:
        """All settings together."""
        return self._settings

    @property
    def training(self) -> Training:
        """Those that a plan is told."""
        return self._settings.training

    @property
    def figures(self) -> list[str]:
        """Names of the figures of an epoch."""
        return FixedList(self._figures, "trainer.figures += [...] in a callback when a fit begins")

    @figures.setter
    def figures(self, names: list[str]) -> None:
        if self._fitter is None:
            raise AttributeError("figures of a Trainer cannot be set between fits; expected a callback to add to them")
        self._figures = list(names)

    @property
    def progress(self) -> Progress:
        """How far training has come, from where the optimizer goes on."""
        before = self._resumed if self._plan is None else self._plan.progress
        network = self.model.network
        return (before or Progress("", 0, 0, {})).under(self.optimizer, network.flat.size, network.dtype)

    @property
    def is_finite(self) -> bool:
        """Whether all weights are finite, and all that the optimizer keeps."""
        return all(map(checks.all_finite, self._trained()))

    @property
    def generator(self) -> np.random.BitGenerator:
        """What shuffles."""
        return self._random.bit_generator

    def __getstate__(self) -> dict[str, Any]:
        """What a copy gets: all that `save_checkpoint` writes, and what else a user has added."""
        state = self.__dict__ | {"_owner": [None], "_plan": None, "_key": None}
        if self._plan is not None:
            state["_resumed"] = deepcopy(self._plan.progress)
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = new_lock()
        free_in_children(self._random)

    # ------------------------------------------------------------------------------------------ inside

    @property
    def _fitter(self) -> int | None:
        """The thread of this process that fits; a child made by ``fork`` during a fit has none."""
        owner = self._owner[0]
        return owner[1] if owner is not None and owner[0] == os.getpid() else None

    @brief
    def alone(self, busy: str, work: Callable[[], Result]) -> Result:
        """Do what no two threads may do at once; ``busy`` is said where one does already.

        What is taken is given back by steps without a call, between which no signal is heard.
        """
        mine = os.getpid(), threading.get_ident()
        try:
            with self._lock:
                if self._fitter is not None:
                    raise RuntimeError(busy)
                self._owner[0] = mine
            return work()
        finally:
            if self._owner[0] is mine:
                self._owner[0] = None

    def _training_plan(self, data: Data, rows: int, carry_state: bool, threads: int) -> Plan:
        """Return the plan for a shape, with the settings that there are; the optimizer's state goes on."""
        settings = self._settings
        training, steps = settings.training, data.x.shape[1]
        key = (rows, steps, carry_state, threads, settings.columns, training.form)
        plan = self._plan
        if plan is None or key != self._key:
            plan = Plan(
                self.model.network, rows, steps,
                columns=settings.columns, training=training, carry_state=carry_state, threads=threads,
            )  # fmt: skip
            self.go_on_with(plan)
            self._key = key
        else:
            plan.tune(training)
        plan.read(data)
        return plan

    def go_on_with(self, plan: Plan) -> None:
        """Hand the optimizer's state over to a plan, which has it from now on."""
        if plan is not self._plan:
            if self._plan is not None or self._resumed is not None:
                plan.go_on_from(self.progress)
            self._key = None  # an interrupt leaves no plan under another's key
            self._plan, self._resumed = plan, None

    def _change(self, name: str, value: Any) -> None:
        """Set one of the settings."""
        if self._fitter is not None and name in ("loss", "metrics", "recompute"):
            raise AttributeError(f"{name} of a Trainer cannot be set during a fit; expected it to be set between fits")
        settings = check_settings(self.model, **{**msgspec.structs.asdict(self._settings), name: value})
        random = new_generator(settings.seed) if name == "seed" else self._random
        self.__dict__.update(_settings=settings, _random=random)  # at once, whenever Ctrl-C comes

    def _trained(self) -> list[Array]:
        """Return what training changes: the weights, then the optimizer's states."""
        states = self._plan.update.state if self._plan is not None else self.progress.states.values()
        return [self.model.network.flat, *states]

    def _divergence(self, epoch: str, loss: float) -> str:
        """Return the warning of an epoch that is not finite."""
        weights, *states = map(checks.all_finite, self._trained())
        unfinite = "weights are" if not weights else "" if all(states) else "optimizer's state is"
        return notices.of_divergence(epoch, loss, unfinite, self.optimizer.learning_rate, self.clip_norm)

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
        return dict(zip(self._settings.figures, plan.means(), strict=True))

    def _evaluate(self, data: Data) -> dict[str, float]:
        samples, steps = data.x.shape[:2]
        rows = min(samples, ROWS)
        plan = self.model.losses_plan(rows, steps, self._settings.columns, self.threads)
        with plan.lock:
            try:
                plan.read(data)
                plan.zero_totals()
                plan.run(Team(plan.threads), 0, plan.batches)
            finally:
                plan.release()
            return dict(zip(self._settings.figures, plan.means(), strict=True))


def _listeners(callbacks: Any) -> list[Callback]:
    """Return callbacks as objects; refuses classes, and what can be neither called nor listened to."""
    if not isinstance(callbacks, list | tuple):
        raise TypeError(
            f"callbacks is {checks.brief(callbacks)}; expected a list of callbacks, such as "
            f"[{getattr(callbacks, '__name__', 'f')}]"
        )
    for place, callback in enumerate(callbacks):
        if isinstance(callback, type):
            name = callback.__name__
            raise TypeError(f"callbacks[{place}] is the class {name}; expected an object: call it: {name}(...)")
        if not isinstance(callback, Callback) and not callable(callback):
            raise TypeError(
                f"callbacks has {checks.brief(callback)}; expected Callback objects or functions f(epoch, figures)"
            )
    return [c if isinstance(c, Callback) else Each(c) for c in callbacks]
