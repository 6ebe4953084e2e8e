"""Pictures of the tutorials: panels one above the other; matplotlib is imported when one is drawn."""

from typing import TYPE_CHECKING

from fastrnn.ground.extras import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 4
"""How many lines a row of a legend names."""


def panels(rows: int, height: float = 3.2, smaller: int = 0) -> tuple["Figure", list["Axes"]]:
    """Make a figure of `rows` panels, each `height` inches high, the first `smaller` of them two thirds of that."""
    heights = [height * 2 / 3] * smaller + [height] * (rows - smaller)
    figure = need("matplotlib.figure", "plot", "drawing").Figure(figsize=(9, sum(heights)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
    return figure, list(figure.subplots(rows, 1, squeeze=False, height_ratios=heights)[:, 0])


def finish(ax: "Axes", title: str, x: str, y: str) -> None:
    """Name a panel and its axes, and put the legend of its labelled lines above the data, never on it."""
    rows = -(-len(ax.get_legend_handles_labels()[1]) // _COLUMNS)
    ax.set_title(title, loc="left", pad=10 + 18 * rows, fontweight="bold")
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=_COLUMNS, frameon=False, borderaxespad=0.2, handlelength=2.2
    )


def count_epochs(ax: "Axes") -> None:
    """Put the ticks of the x-axis at whole numbers."""
    ax.locator_params(axis="x", integer=True, min_n_ticks=1)


def show_dates(ax: "Axes") -> None:
    """Label the x-axis with dates, each as short as can be."""
    dates = need("matplotlib.dates", "plot", "drawing")
    locator = dates.AutoDateLocator()
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))
