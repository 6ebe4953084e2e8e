"""What a forecaster is told: one dataclass gives the arguments, the flags, the model file's schema and the errors."""

import math
from dataclasses import dataclass
from typing import Final

from fastrnn.ground.attributes import Guarded
from fastrnn.ground.unknown import explained

CELLS: Final = ("simple_rnn", "lstm", "gru")
DTYPES: Final = ("float32", "float64")
MISSING: Final = ("refuse", "drop", "previous")


def cell_name(text: str) -> str:
    """Give the name in `CELLS` that somebody means: LSTM, SimpleRNN, rnn; what is none of them stays."""
    known = {name.replace("_", ""): name for name in CELLS} | {"rnn": "simple_rnn"}
    return known.get(str(text).casefold().replace("_", "").replace("-", ""), text)


@explained
@dataclass(kw_only=True)
class Settings(Guarded):
    """Everything that decides what a forecaster learns.

    Parameters
    ----------
    target
        Column to forecast; may be left out when only one column holds numbers.
    features
        Further columns the network sees; a forecast then reaches no further than the horizon.
    window
        Rows the network sees before it forecasts.
    horizon
        Rows it forecasts at once.
    cell
        Recurrent cell: simple_rnn, lstm or gru.
    units
        Width of the recurrent layer.
    epochs
        Passes over the training windows; the best one on the validation windows is kept.
    batch_size
        Windows between two updates.
    learning_rate
        Step size of Adam.
    dtype
        float32 or float64.
    seed
        Of the initial weights and the order of the windows: the same seed gives the same model.
    threads
        Threads to train with; as many as the work is good for where it is left out.
    period
        Rows in one season, for the seasonal-naive forecast; estimated from the training rows where it is left out.
    missing
        What to do with missing cells: refuse, drop (the row), previous (repeat the last known value).

    Raises
    ------
    ValueError
        A value out of its range, or a name that is none of those that exist.
    """

    target: str | None = None
    features: tuple[str, ...] = ()
    window: int = 48
    horizon: int = 1
    cell: str = "simple_rnn"
    units: int = 64
    epochs: int = 30
    batch_size: int = 16
    learning_rate: float = 3e-3
    dtype: str = "float32"
    seed: int = 0
    threads: int | None = None
    period: int | None = None
    missing: str = "refuse"

    def __post_init__(self) -> None:
        self.cell = cell_name(self.cell)
        lowest = {
            "window": 1,
            "horizon": 1,
            "units": 1,
            "epochs": 1,
            "batch_size": 1,
            "threads": 1,
            "period": 1,
            "seed": 0,
        }
        for name, least in lowest.items():
            value = getattr(self, name)
            optional = value is None and name in ("threads", "period")
            if not optional and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ValueError(f"{name}={value!r}; expected a whole number, at least {least}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate={self.learning_rate}; expected a number above 0, such as 0.001")
        for name, names in (("cell", CELLS), ("dtype", DTYPES), ("missing", MISSING)):
            value = getattr(self, name)
            if value not in names:
                raise ValueError(f"{name}={value!r}; expected one of: {', '.join(names)}")
        self.features = tuple(self.features)
        twice = {name for name in self.features if name == self.target or self.features.count(name) > 1}
        if twice:
            raise ValueError(f"features name {', '.join(sorted(twice))} twice; the target is always seen: leave it out")
