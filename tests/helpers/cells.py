"""The one table of cells, for tests of whatever holds for all of them: a row is all that a new cell adds here."""

from functools import partial
from typing import Any

import fastrnn as fr

CELLS: dict[str, Any] = {
    "simple_rnn": fr.SimpleRNN,
    "lstm": fr.LSTM,
    "gru": fr.GRU,
    "gru_reset_before": partial(fr.GRU, reset_after=False),
    "min_gru": fr.MinGRU,
    "min_lstm": fr.MinLSTM,
    "ind_rnn": fr.IndRNN,
    "mgu": fr.MGU,
    "peephole_lstm": fr.PeepholeLSTM,
}
"""What makes a layer of each kind from its units and options."""
FIRST = ("simple_rnn", "lstm", "gru", "gru_reset_before")
"""Those that are tried with every law there is."""


def make_cell(kind: str, units: int, activation: str | None = None, gate: str | None = None, **options: Any) -> Any:
    """Return a layer; of options those that it has, and without activations those that it has unless told."""
    make = CELLS[kind]
    fields = getattr(make, "func", make).__struct_fields__
    if activation is not None:
        options["activation"] = activation
    if gate is not None and "recurrent_activation" in fields:
        options["recurrent_activation"] = gate
    if not make(1).recurrent_gates:
        options.pop("recurrent_dropout", None)
    return make(units, **options)
