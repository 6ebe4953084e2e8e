"""The series and the text that ship with the package; where each came from is in `LICENCES.md` beside them."""

from pathlib import Path
from typing import Final

from fastrnn.data.tables import Table, read_table

DEFAULT: Final = "sunspots"

_FOLDER = Path(__file__).parent
ALICE: Final = _FOLDER / "alice29.txt"
"""Alice's Adventures in Wonderland, from the Canterbury corpus."""

_SERIES = {
    "sunspots": "sunspots_yearly.csv",
    "airline": "airline.csv",
    "weather": "seattle_weather.csv",
    "stocks": "goog_daily.csv",
}


def path(name: str = DEFAULT) -> Path:
    """Give the file of a series: `sunspots`, `airline`, `weather` or `stocks`.

    Raises
    ------
    ValueError
        Another name.
    """
    if name not in _SERIES:
        raise ValueError(f"no series {name!r}; expected one of: {', '.join(_SERIES)}")
    return _FOLDER / _SERIES[name]


def load(name: str = DEFAULT) -> Table:
    """Read a series as a table; raises what `path` and `fastrnn.data.tables.read_table` raise."""
    return read_table(path(name))


def alice() -> str:
    """Read Alice's Adventures in Wonderland (Canterbury corpus), every line end as a newline."""
    return ALICE.read_text(encoding="utf-8")
