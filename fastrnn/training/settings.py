"""What a trainer is told beside its model: checked together, kept in one record, the same that a checkpoint holds."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import msgspec

from fastrnn import losses, optimizers
from fastrnn.engine.columns import Columns
from fastrnn.engine.program import Training
from fastrnn.ground import checks
from fastrnn.ground.attributes import FixedList
from fastrnn.losses import AnyLoss
from fastrnn.model.sequential import Sequential, check_recompute
from fastrnn.optimizers import AnyOptimizer

T = TypeVar("T")


class TrainerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `Trainer` takes beside the model; see there."""

    loss: AnyLoss
    optimizer: AnyOptimizer
    metrics: list[AnyLoss]
    clip_value: float | None
    clip_norm: float | None
    tbptt: tuple[int, int] | None
    tbptt_update: str
    threads: int | None
    seed: int
    recompute: str | None

    @property
    def columns(self) -> tuple[Any, ...]:
        """The loss and the metrics."""
        return (self.loss, *self.metrics)

    @property
    def figures(self) -> list[str]:
        """What they are called in a history."""
        return ["loss", *[each if isinstance(each, str) else each.name for each in self.metrics]]

    @property
    def training(self) -> Training:
        """What a plan is told."""
        return Training(
            tbptt=self.tbptt,
            online=self.tbptt_update == "chunk",
            optimizer=self.optimizer,
            clip_value=self.clip_value,
            clip_norm=self.clip_norm,
            dropout_seed=self.seed,
            recompute=self.recompute is not None,
        )


def check_settings(
    model: Sequential,
    *,
    loss: Any,
    optimizer: Any,
    metrics: Any,
    clip_value: Any,
    clip_norm: Any,
    tbptt: Any,
    tbptt_update: Any,
    threads: Any,
    seed: Any,
    recompute: Any,
) -> TrainerSettings:
    """Return settings that hold, each and together.

    Raises
    ------
    ValueError, TypeError
        Unknown names, values outside their range, settings that do not go together or not with the model.
    """
    if not isinstance(metrics, list | tuple):
        raise TypeError(f"metrics is {checks.brief(metrics)}; expected a list, such as ['mae']")
    Columns(model.layers, (loss, *metrics))
    settings = TrainerSettings(
        loss=losses.plain(loss),
        optimizer=optimizers.get(optimizer),
        metrics=FixedList(map(losses.plain, metrics), "another list: trainer.metrics = [...]"),
        clip_value=checks.positive("clip_value", clip_value),
        clip_norm=checks.positive("clip_norm", clip_norm),
        tbptt=checks.truncation(tbptt),
        tbptt_update=checks.one_of("tbptt_update", tbptt_update, ("sequence", "chunk")),
        threads=None if threads is None else checks.positive_int("threads", threads),
        seed=checks.seed(seed),
        recompute="sqrt" if check_recompute(recompute, tbptt, model.reads_backwards) else None,
    )
    if tbptt_update == "chunk" and model.reads_backwards:
        raise ValueError(
            "tbptt_update='chunk' with a layer that reads backwards, which needs the whole sequence first; "
            "expected 'sequence'"
        )
    return settings


class Told(Generic[T]):
    """An attribute of a `Trainer` that is one of its settings."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, trainer: Any, owner: type) -> T:
        if trainer is None:
            return self  # type: ignore[return-value]
        value: T = getattr(trainer.settings, self._name)
        return value

    def __set__(self, trainer: Any, value: Any) -> None:
        trainer._change(self._name, value)
