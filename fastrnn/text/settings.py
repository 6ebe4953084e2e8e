"""What a text model is told: one dataclass gives the arguments, the flags, the model file's schema and the errors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from fastrnn.ground.attributes import Guarded
from fastrnn.ground.settings import CELLS, DTYPES, cell_name
from fastrnn.ground.unknown import explained

EPOCHS = 20
"""Times that a text is read where nobody says how often."""


@explained
@dataclass(kw_only=True)
class TextSettings(Guarded):
    """Everything that decides what a text model learns.

    Parameters
    ----------
    cell
        Recurrent cell: simple_rnn, lstm or gru.
    units
        Width of each recurrent layer.
    layers
        Recurrent layers, one above the other.
    embedding
        Numbers that stand for a character at the input, learned; 0 is one-hot: one input for each character.
    dropout
        Share of each recurrent layer's outputs that is dropped while training, at every step others.
    recurrent_dropout
        Share of each layer's state that is dropped on its way back into the layer, the same for a whole stretch.
    steps
        Characters through which errors go back; the state is carried on from one stretch of them to the next.
    batch_size
        Places of the text that are read side by side.
    learning_rate
        Step size of Adam; simple_rnn wants a smaller one, such as 0.001.
    clip_norm
        Longest gradient; a longer one is shortened to it.
    held_out
        Share of the text, at its end, that is not learned but measured on.
    dtype
        float32 or float64.
    seed
        Of the initial weights and of dropout: the same seed gives the same model.
    threads
        Threads to train with; as many as the work is good for where it is left out.

    Raises
    ------
    ValueError
        A value out of its range, or a name that is none of those that exist.
    """

    cell: str = "lstm"
    units: int = 384
    layers: int = 1
    embedding: int = 0
    dropout: float = 0.5
    recurrent_dropout: float = 0.3
    steps: int = 64
    batch_size: int = 8
    learning_rate: float = 4e-3
    clip_norm: float = 1.0
    held_out: float = 0.1
    dtype: str = "float32"
    seed: int = 0
    threads: int | None = None
    _told: ClassVar[Mapping[str, str]] = {"shape": "units and layers"}

    def __post_init__(self) -> None:
        self.cell = cell_name(self.cell)
        lowest = {"units": 1, "layers": 1, "embedding": 0, "steps": 1, "batch_size": 1, "seed": 0}
        for name, least in (lowest | ({} if self.threads is None else {"threads": 1})).items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name}={value!r}; expected a whole number, at least {least}")
        for name, example in (("learning_rate", 0.001), ("clip_norm", 1)):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name}={value}; expected a number above 0, such as {example}")
        for name in ("dropout", "recurrent_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}; expected a number from 0 up, and below 1")
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out={self.held_out}; expected a number above 0 and below 1, such as 0.1")
        for name, names in (("cell", CELLS), ("dtype", DTYPES)):
            value = getattr(self, name)
            if value not in names:
                raise ValueError(f"{name}={value!r}; expected one of: {', '.join(names)}")

    @property
    def shape(self) -> str:
        """The recurrent layers in words."""
        return f"{self.layers} layer{'s' * (self.layers > 1)} of {self.units} units"
