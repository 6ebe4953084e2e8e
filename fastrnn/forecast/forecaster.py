"""A forecaster of one column: from a table to a trained network, and from that to the rows that follow.

The network sees a window relative to its newest value and forecasts the moves from that value on, in units of the moves
of the training rows. Its last layer starts at zero, so that an untrained forecaster is persistence.

References
----------
Zeng et al., Are Transformers Effective for Time Series Forecasting?, AAAI 2023, section 4 (NLinear: the newest value is
taken off the window and put back onto the forecast).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fastrnn.callbacks.lines import telling
from fastrnn.data.dates import Step, continue_dates, find_gaps, infer_step, tell_gaps
from fastrnn.data.moments import Dates
from fastrnn.data.tables import Series, as_table
from fastrnn.data.windows import Scaling, split_by_time, windows
from fastrnn.forecast.baselines import CALENDAR, find_period
from fastrnn.forecast.report import Report, measure
from fastrnn.ground.files import FileFormatError
from fastrnn.ground.settings import Settings
from fastrnn.ground.unknown import explained
from fastrnn.layers import GRU, LSTM, AnyLayer, Dense, SimpleRNN
from fastrnn.model.sequential import Sequential
from fastrnn.optimizers import Adam
from fastrnn.storage.model_file import load_model, save_model
from fastrnn.training.trainer import Trainer

Array = NDArray[Any]

_KEY = "forecaster"
_CELLS = {layer.kind: layer for layer in (SimpleRNN, LSTM, GRU)}
# One steep batch must not throw the recurrent weights away (Pascanu et al. 2013, section 3.2).
_CLIP_NORM = 1.0


@dataclass(frozen=True)
class Forecast:
    """The rows that follow a series.

    Attributes
    ----------
    target
        The name of what is forecast.
    values
        (steps,) float64, in the target's units.
    dates
        (steps,) datetime64, or None where the series has none or no steady step.
    gaps
        Rows that are missing among those that the network sees: how many, and where; "" where there are none.
    """

    target: str
    values: NDArray[np.float64]
    dates: Dates | None
    gaps: str = ""


class Recipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model file holds beside the network: all that a forecast needs.

    Attributes
    ----------
    settings
        What the forecaster was told, its target by name.
    mean, scale
        One number a column, of the training rows.
    moves
        One number a step of the horizon: the root mean square of the training rows' moves, in units of `scale`.
    period
        Rows in a season, or None.
    step, last_date
        What lies between two rows, and the date of the newest row seen, where they are known.
    """

    settings: Settings
    mean: list[float]
    scale: list[float]
    moves: list[float]
    period: int | None
    step: Step | None
    last_date: str | None

    def __post_init__(self) -> None:
        columns, steps = 1 + len(self.settings.features), self.settings.horizon
        if self.settings.target is None or not len(self.mean) == len(self.scale) == columns or len(self.moves) != steps:
            raise ValueError("its scaling does not match its columns and horizon")
        if not np.isfinite([*self.mean, *self.scale, *self.moves]).all() or min(*self.scale, *self.moves) <= 0:
            raise ValueError("its scaling is not finite and above zero")

    @property
    def scaling(self) -> Scaling:
        """The scaling of the columns, the target first."""
        return Scaling(np.array(self.mean), np.array(self.scale))


@explained
class Forecaster(Settings):
    """Learns to continue one column of a table.

    Parameters are those of `Settings`; they may be set for the next `fit`, and ``missing`` for the next `predict` too.

    Examples
    --------
    >>> from fastrnn.forecast.forecaster import Forecaster
    >>> forecaster = Forecaster(target="Passengers", window=24)
    >>> print(forecaster.fit("airline.csv"))  # doctest: +SKIP
    >>> forecaster.predict("airline.csv", steps=12).values  # doctest: +SKIP
    """

    model: Sequential
    recipe: Recipe | None = None
    _plain = frozenset({"model"})

    def fit(self, data: Any, callbacks: Sequence[Any] = (), verbose: int | None = None) -> Report:
        """Train on the earlier rows of a table, and measure on the last 15 % of them.

        The rows before those, another 15 %, choose the epoch whose weights are kept: the one of the lowest loss there.
        `refit` lets the model learn from all rows then.

        Parameters
        ----------
        data
            A path, a data frame, an array (R,) or a `fastrnn.data.tables.Table`.
        callbacks, verbose
            As for `Trainer.fit`.

        Raises
        ------
        ValueError
            What `Table.select`, `split_by_time` and `Trainer` refuse; a period longer than the training rows; a loss
            that is no longer finite.
        """
        self.__post_init__()  # what was set since then
        callbacks = [*callbacks, *telling(verbose, callbacks)]
        table = as_table(data)
        series = table.select(table.target(self.target), self.features, self.missing)
        split = split_by_time(len(series.values), self.window, self.horizon)
        if self.period is not None and self.period > split.fit_rows:
            raise ValueError(f"period={self.period}; expected at most {split.fit_rows}: the rows for training")
        view = _View.of(series, split.fit_rows, self.window, self.horizon)
        step = None if series.dates is None else infer_step(series.dates)
        calendar = CALENDAR if step is None else step.seasons
        period = self.period or find_period(series.values[: split.fit_rows, 0], calendar)

        model = self._new_model(series)
        inputs = [self._inputs(view.x[part]) for part in split[:3]]
        outputs = [self._outputs(view, part) for part in split[:3]]
        history, kept = self._train(model, inputs, outputs, callbacks)
        self.model, self.recipe = model, self._recipe(view, series, period)
        forecast = view.values(model.predict(inputs[2]), split.test)
        return measure(table, series, split, self, period, forecast, history, kept)

    def refit(self, data: Any, report: Report, callbacks: Sequence[Any] = (), verbose: int | None = None) -> Report:
        """Train anew on all rows of a table, for as many epochs as `fit` kept.

        Parameters
        ----------
        data
            What `fit` was given.
        report
            What `fit` returned. The persistence forecast, of epoch 0, stays what it is.
        callbacks, verbose
            Passed to `Trainer.fit`; no rows are left to validate on, and to watch.

        Returns
        -------
        The report, whose errors are those that `fit` measured, and whose rows to learn from are all.

        Raises
        ------
        ValueError
            What `fit` raises; the forecaster is then as it was.
        """
        self.__post_init__()  # what was set since then
        callbacks = [*callbacks, *telling(verbose, callbacks)]
        if report.kept == 0:
            return report
        table = as_table(data)
        series = table.select(report.target, self.features, self.missing)
        view = _View.of(series, len(series.values), self.window, self.horizon)
        model = self._new_model(series)
        trainer = self._trainer(model)

        def check(epoch: int, logs: dict[str, float]) -> None:
            loss = logs["loss"] if trainer.is_finite else np.nan
            _check_loss("the loss on all rows", loss, epoch, self.learning_rate)

        trainer.fit(
            self._inputs(view.x),
            self._outputs(view, slice(None)),
            epochs=report.kept,
            batch_size=self.batch_size,
            callbacks=[check, *callbacks],
            verbose=0,
        )
        self.model, self.recipe = model, self._recipe(view, series, report.period)
        return replace(report, learned=report.rows)

    def predict(self, data: Any, steps: int | None = None) -> Forecast:
        """Continue a table by `steps` rows; by the horizon where `steps` is left out.

        Beyond the horizon the forecasts are fed back as if they had been seen.

        Raises
        ------
        ValueError
            A forecaster neither fitted nor loaded; steps below 1, or beyond the horizon when there are features, whose
            future nobody knows; fewer rows than a window; what `Table.select` refuses.
        """
        if self.recipe is None:
            raise ValueError("the forecaster has not been trained; expected one after fit or load")
        recipe, told = self.recipe, self.recipe.settings
        horizon, window = told.horizon, told.window
        steps = horizon if steps is None else steps
        if steps < 1:
            raise ValueError(f"steps={steps}; expected at least 1")
        if told.features and steps > horizon:
            raise ValueError(
                f"steps={steps}; expected at most the horizon, {horizon}, as the features are not known further ahead: "
                "train with a longer horizon or without features"
            )
        table = as_table(data)
        series = table.select(str(told.target), told.features, self.missing)
        if len(series.values) < window:
            raise ValueError(
                f"{table.source} has {len(series.values)} rows; expected at least {window}, the model's window"
            )
        scores = recipe.scaling.transform(series.values[-window:])
        ahead: list[float] = []
        while len(ahead) < steps:
            newest = scores[-1, 0]
            block = self.model.predict(self._inputs(scores[None]))[0] * recipe.moves + newest
            ahead.extend(block)
            # With features there is one block only: what is fed back is the target.
            scores = np.concatenate([scores, np.repeat(block[:, None], scores.shape[1], axis=1)])[-window:]
        values, dates = recipe.scaling.inverse(ahead[:steps]), series.dates
        return Forecast(series.names[0], values, _dates_after(dates, recipe, steps), _gaps_in(dates, window))

    def save(self, path: str | Path) -> None:
        """Write the network and all that a forecast needs to a file; raises what `fastrnn.storage.model_file` does."""
        if self.recipe is None:
            raise ValueError("the forecaster has not been trained; expected one after fit or load")
        save_model(path, self.model, {_KEY: msgspec.json.encode(self.recipe).decode()})

    @classmethod
    def load(cls, path: str | Path) -> "Forecaster":
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            `FileFormatError`: a model without a recipe to forecast with, or with one that does not fit; and what
            `fastrnn.storage.model_file` refuses.
        """
        model, extra = load_model(path)
        if _KEY not in extra:
            raise FileFormatError(
                path, "a model but no forecaster", "what `fastrnn train` writes: use fastrnn.load for this"
            )
        try:
            recipe = msgspec.json.decode(extra[_KEY], type=Recipe)
        except msgspec.DecodeError as error:
            raise FileFormatError(
                path, f"a forecaster that does not fit: {error}", "what `fastrnn train` writes"
            ) from None
        settings = recipe.settings
        forecaster = cls(**asdict(settings))
        needed = (forecaster._layers(), 1 + len(settings.features), settings.dtype)
        if (model.layers, model.input_size, model.dtype) != needed:
            raise FileFormatError(
                path,
                "a network that does not fit its forecaster",
                f"{settings.cell} with units={settings.units}, horizon={settings.horizon}, dtype={settings.dtype} and "
                f"{len(settings.features)} features, as `fastrnn train` writes it",
            )
        forecaster.model, forecaster.recipe = model, recipe
        return forecaster

    def _layers(self) -> list[AnyLayer]:
        """The network; its last layer starts at zero."""
        return [_CELLS[self.cell](self.units), Dense(self.horizon, kernel_initializer="zeros")]

    def _inputs(self, x: Array) -> Array:
        """Windows (N, W, F) as the network sees them: C-contiguous, the target relative to its newest value."""
        seen = np.empty(x.shape, self.dtype)
        seen[..., 1:] = x[..., 1:]
        np.subtract(x[..., 0], x[:, -1:, 0], out=seen[..., 0], casting="same_kind")
        return seen

    def _outputs(self, view: "_View", part: slice) -> Array:
        """The moves (N, K) that the network is to forecast."""
        return (view.change[part] / view.moves).astype(self.dtype)

    def _new_model(self, series: Series) -> Sequential:
        return Sequential(self._layers(), input_size=len(series.names), dtype=self.dtype, seed=self.seed)

    def _recipe(self, view: "_View", series: Series, period: int | None) -> Recipe:
        return Recipe(
            settings=Settings(**{**asdict(self), "target": series.names[0]}),
            mean=view.scaling.mean.tolist(),
            scale=view.scaling.scale.tolist(),
            moves=view.moves.tolist(),
            period=period,
            step=None if series.dates is None else infer_step(series.dates),
            last_date=None if series.dates is None else str(series.dates[-1]),
        )

    def _trainer(self, model: Sequential) -> Trainer:
        return Trainer(
            model,
            loss="mse",
            optimizer=Adam(learning_rate=self.learning_rate),
            metrics=["mae"],
            clip_norm=_CLIP_NORM,
            threads=self.threads,
            seed=self.seed,
        )

    def _train(
        self, model: Sequential, inputs: list[Array], outputs: list[Array], callbacks: Sequence[Any]
    ) -> tuple[dict[str, list[float]], int]:
        """Train; leave the model with the weights of its best epoch on the validation windows, and say which."""
        trainer = self._trainer(model)
        best = _Best(trainer, trainer.evaluate(inputs[1], outputs[1])["loss"])
        history = trainer.fit(
            inputs[0],
            outputs[0],
            epochs=self.epochs,
            batch_size=self.batch_size,
            validation_data=(inputs[1], outputs[1]),
            callbacks=[best, *callbacks],
            verbose=0,
        )
        model.set_weights(best.weights)
        return history.history, best.epoch


class _View(NamedTuple):
    """Windows of a series as a forecaster learns them.

    Attributes
    ----------
    scaling
        Fitted on the rows that are learned.
    x, change
        Windows (N, W, F), scaled, and the moves (N, K) from their newest target to those that follow.
    moves
        (K,) the root mean square of the moves that are learned, 1 where there are none.
    """

    scaling: Scaling
    x: Array
    change: Array
    moves: NDArray[np.float64]

    @classmethod
    def of(cls, series: Series, learned: int, window: int, horizon: int) -> "_View":
        """Take all windows of a series, of which the first `learned` rows are learned."""
        scaling = Scaling.fit(series.values[:learned], series.names)
        x, y = windows(scaling.transform(series.values), window, horizon, dtype="float64")
        change = y - x[:, -1, :1]
        moves = np.sqrt(np.mean(change[: learned - window - horizon + 1] ** 2, axis=0))
        return cls(scaling, x, change, np.where(moves > 0, moves, 1.0))

    def values(self, forecast: Array, part: slice) -> NDArray[np.float64]:
        """Give what the network forecasts (N, K) for a part of the windows in the target's units."""
        return self.scaling.inverse(forecast * self.moves + self.x[part, -1, :1])


class _Best:
    """Remembers the weights of the lowest validation loss; epoch 0 is the model before training."""

    def __init__(self, trainer: Trainer, loss: float) -> None:
        self.trainer, self.model = trainer, trainer.model
        self.loss, self.epoch, self.weights = loss, 0, trainer.model.get_weights()

    def __call__(self, epoch: int, logs: dict[str, float]) -> None:
        for name, what in (("loss", "the loss"), ("val_loss", "the loss on the validation windows")):
            _check_loss(what, logs[name], epoch, self.trainer.optimizer.learning_rate)
        if logs["val_loss"] < self.loss:
            self.loss, self.epoch, self.weights = logs["val_loss"], epoch + 1, self.model.get_weights()


def _check_loss(what: str, loss: float, epoch: int, learning_rate: float) -> None:
    if not np.isfinite(loss):
        raise ValueError(
            f"{what} is {loss} in epoch {epoch + 1}; expected a finite one: lower learning_rate={learning_rate}"
        )


def _dates_after(dates: Dates | None, recipe: Recipe, steps: int) -> Dates | None:
    """Continue the dates by the model's step where the newest two rows keep it, else by the table's own."""
    if dates is None:
        return None
    step = recipe.step
    if step is None or len(dates) < 2 or continue_dates(dates[-2], step, 1)[0] != dates[-1]:
        step = infer_step(dates)
    return None if step is None else continue_dates(dates[-1], step, steps)


def _gaps_in(dates: Dates | None, window: int) -> str:
    """Tell the gaps among the newest rows, which the network sees."""
    step = None if dates is None else infer_step(dates)
    return "" if dates is None or step is None else tell_gaps(dates[-window:], find_gaps(dates[-window:], step))
