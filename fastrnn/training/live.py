"""A stream that learns: a trainer's model takes steps as they come, and is trained on them."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastrnn import losses
from fastrnn.engine.learner import Learner
from fastrnn.engine.plan import Plan
from fastrnn.engine.program import Training
from fastrnn.ground.unknown import brief, explained
from fastrnn.model.stream import Stream

Array = NDArray[Any]


def live_training(settings: Any) -> Training:
    """Return what a plan is told that learns from a stream.

    Raises
    ------
    ValueError
        Settings that are not for streams.
    """
    if settings.tbptt is None or settings.tbptt_update != "chunk":
        raise ValueError(
            f"tbptt={settings.tbptt} with tbptt_update={settings.tbptt_update!r}; expected a truncation and 'chunk' "
            f"for a stream, which has no end to go back from: Trainer(model, ..., tbptt=10, tbptt_update='chunk')"
        )
    if losses.get("loss", settings.loss).weighs:
        raise ValueError(
            "loss has class_weight or ignore_label; expected none for a stream, which knows no sum of all weights: "
            "leave them out"
        )
    return settings.training._replace(live=True)  # type: ignore[no-any-return]


class Trains(Protocol):
    """What a stream needs of a trainer, a `fastrnn.Trainer`."""

    @property
    def model(self) -> Any:
        """The model."""

    @property
    def settings(self) -> Any:
        """All settings together."""

    def alone(self, busy: str, work: Any) -> Any:
        """Do what no two threads may do at once."""

    def go_on_with(self, plan: Plan) -> None:
        """Hand the optimizer's state over to a plan."""


@explained
class LearningStream(Stream):
    """A stream whose model learns from its steps; made by ``trainer.stream(batch)``.

    The weights change every k1 steps of the trainer's ``tbptt=(k1, k2)``: by the gradient of the mean loss of these
    steps, whose errors go back through k2 steps. That is what ``fit`` does with one long sequence and
    ``tbptt_update="chunk"``, but that it takes the mean over the whole sequence, of which a stream knows no end.
    Errors do not go back beyond `step`, `run`, `reset` or a state that was set: the weights learn then from what there
    is of the k1 steps, and a new sequence begins.

    References
    ----------
    Williams and Peng (1990), An efficient gradient-based algorithm for on-line training of recurrent network
    trajectories.
    """

    def __init__(self, trainer: Trains, batch: int) -> None:
        self._trainer = trainer
        self._learner: Learner | None = None
        self._settings: Any = None
        self._key: Any = None
        self._is_learning = False
        super().__init__(trainer.model, batch)

    def __reduce__(self) -> tuple[Any, ...]:
        made, (kind, _, *others) = super().__reduce__()
        return made, (kind, self._trainer, *others)

    @brief
    def learn(self, x: ArrayLike, y: ArrayLike) -> float:
        """Take the next step or steps of each sequence and learn from their targets.

        Parameters
        ----------
        x : a step (batch, F), or its ids (batch,); steps (batch, T, F), or their ids (batch, T), in a single call
        y : (batch, O), or classes (batch,); for steps (batch, T, O) or (batch, T)

        Returns
        -------
        loss : mean over the batch and the steps; a step's is by the weights of its moment

        Raises
        ------
        ValueError, TypeError
            Another shape or type, NaN, infinity, settings of the trainer that are not for streams; nothing changes.
        RuntimeError
            The trainer is fitting.
        """
        with self._lock:
            loss: float = self._alone(partial(self._learn, x, y))
            return loss

    # ------------------------------------------------------------------------------------------ inside

    def _alone(self, work: Any) -> Any:
        return self._trainer.alone("this trainer is fitting; expected its stream to learn before or afterwards", work)

    def _learn(self, x: ArrayLike, y: ArrayLike) -> float:
        if self._learner is not None:
            learner = self._learning()
            if learner.are_fit(x, y):
                self._begin(learner)
                return learner.learn()
        takes_many = np.ndim(x) == 3 - (self._vocabulary is not None)
        inputs = self._run_input(x) if takes_many else self._step_input(x)[:, None]
        learner = self._learning()
        targets = learner.targets(y, inputs.shape[1] if takes_many else None)
        self._begin(learner)
        return learner.learn_all(inputs, targets if takes_many else targets[:, None])

    def _begin(self, learner: Learner) -> None:
        """Bring the state to the learner if it is not there."""
        if not self._is_learning:
            learner.begin(self._stepping().states)
            self._is_learning = True

    def _learning(self) -> Learner:
        """Return what learns, with the settings that the trainer has now and the optimizer's state."""
        settings, learner = self._trainer.settings, self._learner
        if learner is None or settings is not self._settings:
            training = live_training(settings)
            if learner is None or (settings.loss, training.form) != self._key:
                self._leave()
                learner = self._learner = Learner(self._model.network, self._batch, (settings.loss,), training)
                self._key = settings.loss, training.form
            else:
                learner.plan.tune(training)
            self._settings = settings
        self._trainer.go_on_with(learner.plan)
        return learner

    def _settle(self) -> None:
        if self._is_learning:
            self._alone(self._finish)

    def _finish(self) -> None:
        """Learn from what there is of a piece and bring the state to the stepper."""
        self._learning().close()
        self._leave()

    def _leave(self) -> None:
        """Bring the state to the stepper."""
        if self._is_learning:
            assert self._learner is not None
            self._stepping().states = self._learner.states
            self._is_learning = False
