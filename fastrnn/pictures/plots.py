"""Pictures of a training run, in scikit-learn's `Display` convention; matplotlib is imported when one is drawn."""

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastrnn.forecast.report import HeldOut, Report, Score
from fastrnn.ground.extras import need
from fastrnn.ground.files import atomic_write
from fastrnn.ground.names import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's blue and vermilion: told apart by every kind of colour vision, and in grey.
_BLUE, _VERMILION, _INK, _GREY = "#0072b2", "#d55e00", "#222222", "#9a9a9a"
_FIRST, _LAST = np.datetime64("0100"), np.datetime64("9900")


@dataclass
class LossDisplay:
    """Training and validation loss by epoch.

    Parameters
    ----------
    loss, val_loss
        One value an epoch; `val_loss` may be empty.
    kept
        The epoch, from 1, whose weights were kept: marked if above 0.
    name
        What the loss is, for the axis.

    Attributes
    ----------
    ax_, figure_
        Where it was drawn.
    """

    loss: Sequence[float]
    val_loss: Sequence[float] = ()
    kept: int = 0
    name: str = "loss"
    ax_: "Axes" = field(init=False, repr=False)
    figure_: "Figure" = field(init=False, repr=False)

    @classmethod
    def from_history(cls, history: Any, kept: int = 0, name: str = "loss") -> "LossDisplay":
        """Take the losses of what `Trainer.fit` returned, or of its dict of lists."""
        record: Mapping[str, Sequence[float]] = getattr(history, "history", history)
        return cls(record["loss"], record.get("val_loss", ()), kept, name)

    def plot(self, ax: "Axes | None" = None) -> "LossDisplay":
        """Draw on `ax`, or on a new figure."""
        self.ax_ = ax = _axes(ax)
        self.figure_ = ax.figure  # type: ignore[assignment]
        _curves(ax, self.loss, self.val_loss)
        if self.kept > 0:
            ax.axvline(self.kept, color=_GREY, linewidth=1, linestyle=(0, (4, 3)), label=f"kept: epoch {self.kept}")
        _spread(ax, [*self.loss, *self.val_loss])
        ax.set_xlabel("epoch")
        ax.set_ylabel(self.name)
        _finish(ax)
        return self


@dataclass
class HistoryDisplay:
    """Every figure of training and validation by epoch: the loss in the first panel, each metric in one of its own.

    Parameters
    ----------
    history
        A list with one value an epoch by the figure's name; ``val_`` before it for validation.

    Attributes
    ----------
    axes_, figure_
        Where it was drawn, a panel each.
    """

    history: Mapping[str, Sequence[float]]
    axes_: "list[Axes]" = field(init=False, repr=False)
    figure_: "Figure" = field(init=False, repr=False)

    @classmethod
    def from_history(cls, history: Any) -> "HistoryDisplay":
        """Take what `Trainer.fit` returned, or its dict of lists."""
        return cls(getattr(history, "history", history))

    def plot(self, axes: "Axes | Sequence[Axes] | None" = None) -> "HistoryDisplay":
        """Draw on as many axes as there are panels, or on a new figure.

        Raises
        ------
        ValueError
            A history without epochs; another number of axes.
        """
        names = [name for name in self.history if not name.startswith("val_")]
        if not names:
            raise ValueError("the history has no epochs; expected at least one: fit first")
        if axes is None:
            plt = need("matplotlib.pyplot", "plot", "drawing")
            size = (9, 1.2 + 2.8 * len(names))
            _, axes = plt.subplots(len(names), 1, sharex=True, squeeze=False, figsize=size, layout="constrained")
        panels: list[Any] = np.ravel(np.asarray(axes, dtype=object)).tolist()
        if len(panels) != len(names):
            raise ValueError(f"axes has {len(panels)} axes; expected {len(names)}: one for each of {', '.join(names)}")
        for name, ax in zip(names, panels, strict=True):
            values, held_out = self.history[name], self.history.get(f"val_{name}", ())
            _curves(ax, values, held_out)
            if not name.endswith("accuracy"):
                _spread(ax, [*values, *held_out])
            ax.set_ylabel(name)
            _finish(ax)
        for ax in panels[1:]:
            ax.get_legend().remove()
        panels[-1].set_xlabel("epoch")
        self.axes_, self.figure_ = panels, panels[0].figure
        self.figure_.align_ylabels(panels)
        return self


@dataclass
class ForecastDisplay:
    """The forecast of the held-out end against the truth and against persistence.

    Parameters
    ----------
    held_out
        The lines.
    target
        The name of what is forecast.
    scores
        Errors to name in the legend, by the names `Report` gives them.

    Attributes
    ----------
    ax_, figure_
        Where it was drawn.
    """

    held_out: HeldOut
    target: str = ""
    scores: Sequence[Score] = ()
    ax_: "Axes" = field(init=False, repr=False)
    figure_: "Figure" = field(init=False, repr=False)

    @classmethod
    def from_report(cls, report: Report) -> "ForecastDisplay":
        """Take the held-out end of what `Forecaster.fit` returned."""
        return cls(report.held_out, report.target, report.scores)

    def plot(self, ax: "Axes | None" = None) -> "ForecastDisplay":
        """Draw on `ax`, or on a new figure."""
        self.ax_ = ax = _axes(ax)
        self.figure_ = ax.figure  # type: ignore[assignment]
        lines = self.held_out
        dates = lines.dates
        # Matplotlib's calendar begins in the year 1 and ends in 9999, margins included.
        if dates is not None and (dates[0] < _FIRST or dates[-1] > _LAST):
            dates = None
        time: Any = lines.rows if dates is None else dates.astype("datetime64[s]")
        errors = {score.name: f", RMSE {score.rmse:.4g}" for score in self.scores}
        forecaster = self.scores[0].name if self.scores else "forecast"
        few = "o" if len(time) == 1 else ""
        # A forecast starts from what was known then: it does not go on from the one before.
        between = np.arange(lines.horizon, len(time) if lines.horizon > 1 else 0, lines.horizon)
        starts = np.insert(time, between, time[between])
        dot = few or ("." if lines.horizon > 1 else "")
        ax.plot(time, lines.truth, color=_INK, linewidth=1.6, marker=few, label="truth")
        ax.plot(
            starts,
            np.insert(lines.persistence, between, np.nan),
            color=_GREY,
            linewidth=1.1,
            linestyle=(0, (3, 2)),
            marker=dot,
            label=f"persistence{errors.get('persistence', '')}",
        )
        ax.plot(
            starts,
            np.insert(lines.forecast, between, np.nan),
            color=_VERMILION,
            linewidth=1.6,
            marker=dot,
            label=f"{forecaster}{errors.get(forecaster, '')}",
        )
        if dates is None:
            ax.locator_params(axis="x", integer=True, min_n_ticks=1)
            ax.set_xlabel("row")
        else:
            ticks = need("matplotlib.dates", "plot", "drawing")
            locator = ticks.AutoDateLocator()
            ax.xaxis.set_major_locator(locator)
            ax.xaxis.set_major_formatter(ticks.ConciseDateFormatter(locator))
        ax.margins(x=0.01)
        ax.set_ylabel(in_picture(self.target), parse_math=False)
        _finish(ax)
        return self


@dataclass
class BitsDisplay:
    """Bits a character of a text model by epoch, beside those of counts.

    Parameters
    ----------
    learned, held_out
        One value an epoch: while learning, and on the held-out end.
    kept
        The epoch, from 1, whose weights were kept: marked.
    counts
        Bits a character of count models on the held-out end, by their names: a line each.

    Attributes
    ----------
    ax_, figure_
        Where it was drawn.
    """

    learned: Sequence[float]
    held_out: Sequence[float]
    kept: int
    counts: Mapping[str, float]
    ax_: "Axes" = field(init=False, repr=False)
    figure_: "Figure" = field(init=False, repr=False)

    def plot(self, ax: "Axes | None" = None) -> "BitsDisplay":
        """Draw on `ax`, or on a new figure."""
        self.ax_ = ax = _axes(ax)
        self.figure_ = ax.figure  # type: ignore[assignment]
        epochs = np.arange(1, len(self.held_out) + 1)
        marker = "o" if len(epochs) == 1 else ""
        best = self.held_out[self.kept - 1]
        ax.plot(epochs, self.learned, color=_BLUE, marker=marker, label="while learning, with dropout")
        held_out = f"held out; kept epoch {self.kept}: {best:.3f}"
        ax.plot(epochs, self.held_out, color=_VERMILION, marker=marker, label=held_out)
        ax.plot([self.kept], [best], "o", color=_VERMILION)
        for dashes, (name, bits) in zip(((4, 3), (1, 2)), self.counts.items(), strict=False):
            ax.axhline(bits, color=_GREY, linewidth=1.2, linestyle=(0, dashes), label=f"{name}: {bits:.3f}")
        ax.locator_params(axis="x", integer=True, min_n_ticks=1)
        ax.set_xlabel("epoch")
        ax.set_ylabel("bits a character")
        _finish(ax, columns=2)
        return self

    def save(self, path: str | Path, title: str) -> None:
        """Write a picture of the kind that the path's ending names.

        Raises
        ------
        ValueError
            An ending that matplotlib does not write.
        """
        check_picture(path)
        figure = need("matplotlib.figure", "plot", "drawing").Figure(figsize=(9, 4.4), layout="constrained")
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
        ax = figure.subplots()
        self.plot(ax)
        ax.set_title(in_picture(title, 80), loc="left", pad=46, fontweight="bold", parse_math=False)
        save_figure(figure, path)


def save_report(report: Report, path: str | Path) -> None:
    """Draw the forecast above the loss curves and write a file of the kind its ending names (png, pdf, svg, ...).

    Raises
    ------
    ValueError
        An ending that matplotlib does not write.
    """
    check_picture(path)
    figure = need("matplotlib.figure", "plot", "drawing").Figure(figsize=(9, 6.4), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 2))
    ForecastDisplay.from_report(report).plot(upper)
    LossDisplay.from_history(report.history, report.kept, "mean squared error, scaled").plot(lower)
    ahead = "1 row ahead" if report.horizon == 1 else f"{report.horizon} rows ahead"
    title = f"{in_picture(report.target)}: the held-out end, forecast {ahead}"
    upper.set_title(title, loc="left", pad=30, fontweight="bold", parse_math=False)
    lower.set_title("Training", loc="left", pad=30, fontweight="bold")
    save_figure(figure, path)


def save_figure(figure: "Figure", path: str | Path) -> None:
    """Write a picture whole or not at all.

    Raises
    ------
    OSError
        As `fastrnn.ground.files.atomic_write`; a file that was there is as it was.
    """
    drawn = io.BytesIO()
    with warnings.catch_warnings():
        # A character that the font does not have is drawn as a box.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(drawn, format=Path(path).suffix.removeprefix("."), dpi=150)
    atomic_write(path, drawn.getvalue())


def in_picture(name: str, most: int = 40) -> str:
    """Give a name of a file or column as a picture can hold it."""
    name = shown(name)
    return name if len(name) <= most else f"{name[: most - 3]}..."


def check_picture(path: str | Path) -> None:
    """Raise what `save_report` would raise, before any work."""
    kinds = need("matplotlib.backend_bases", "plot", "drawing").FigureCanvasBase.get_supported_filetypes()
    ending = Path(path).suffix.lower().removeprefix(".")
    if ending not in kinds or ending == "pgf":  # which needs LaTeX
        raise ValueError(
            f"{path} ends in {ending or 'nothing'!r}; expected the ending of a picture: png, svg, pdf, jpg"
        )


def _curves(ax: "Axes", training: Sequence[float], validation: Sequence[float]) -> None:
    """Draw one value an epoch; where there is none (NaN), nothing, and a value between two such as a dot."""
    for values, colour, label in ((training, _BLUE, "training"), (validation, _VERMILION, "validation")):
        if len(values):
            known = np.pad(np.isfinite(values), 1)
            alone = np.flatnonzero(known[1:-1] & ~known[:-2] & ~known[2:]).tolist()
            dots: dict[str, Any] = {"marker": "o", "markevery": alone} if alone else {}
            ax.plot(np.arange(1, len(values) + 1), values, color=colour, label=label, **dots)
    ax.locator_params(axis="x", integer=True, min_n_ticks=1)


def _spread(ax: "Axes", values: Sequence[float]) -> None:
    """Make the axis of values logarithmic, unless they lie within a factor of ten: then it may have no tick to read."""
    known = np.asarray(values)[np.isfinite(values)]
    if len(known) and known.min() > 0 and known.max() >= 10 * known.min():
        ticker = need("matplotlib.ticker", "plot", "drawing")
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_minor_formatter(ticker.NullFormatter())


def _axes(ax: "Axes | None") -> "Axes":
    if ax is None:
        _, ax = need("matplotlib.pyplot", "plot", "drawing").subplots(figsize=(9, 4), layout="constrained")
    assert ax is not None
    return ax


def _finish(ax: "Axes", columns: int = 4) -> None:
    """Put the legend above the data, never on it, and leave only the lines that help reading."""
    # Numbers in full: matplotlib puts a common factor where the legend is.
    ax.yaxis.set_major_formatter("{x:.10g}")
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, frameon=False, borderaxespad=0.2, handlelength=2.2
    )
