"""Pictures of the tutorials: panels one above the other; matplotlib is imported when one is drawn."""

from typing import TYPE_CHECKING

from fastrnn.extras import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def panels(rows: int, height: float = 3.2) -> tuple["Figure", list["Axes"]]:
    """Make a figure of `rows` panels, each `height` inches high; save it with ``figure.savefig(path)``."""
    figure = need("matplotlib.figure", "plot", "drawing").Figure(figsize=(9, rows * height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12)
    return figure, list(figure.subplots(rows, 1, squeeze=False)[:, 0])


def finish(ax: "Axes", title: str, x: str, y: str) -> None:
    """Name a panel and its axes, and put the legend of its labelled lines above the data, never on it."""
    ax.set_title(title, loc="left", pad=28, fontweight="bold")
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color="#e4e4e4", linewidth=0.8)
    ax.set_axisbelow(True)
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=4, frameon=False, borderaxespad=0.2, handlelength=2.2)
