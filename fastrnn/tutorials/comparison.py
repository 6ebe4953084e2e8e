"""Figures in columns: what came out beside what was published."""

from collections.abc import Sequence

Cell = str | float | None


def compare(rows: Sequence[Sequence[Cell]], heads: Sequence[str] = ("", "here", "published")) -> str:
    """Set rows in columns.

    Parameters
    ----------
    rows : what it is, then its figures; a number is shown in five digits and more if it is large, None as a dash
    heads : one for each column

    Returns
    -------
    text : the first column to the left, the others to the right, under their heads
    """
    cells = [list(heads), *([_shown(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for first, *others in cells:
        right = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([f"{first:<{widths[0]}}", *right]).rstrip())
    return "\n".join(lines)


def _shown(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, str):
        return cell
    return f"{cell:.1f}" if abs(cell) >= 10_000 else f"{cell:.5g}"
