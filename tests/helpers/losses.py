"""The one table of losses of single outputs; a row is all that a new one adds here."""

from typing import Any, NamedTuple

import fastrnn as fr


class Row(NamedTuple):
    """A loss; the settings of the reference's; what its targets are; the outputs that it takes; PyTorch's, or None."""

    loss: Any
    settings: dict[str, Any]
    targets: str = "numbers"
    activation: str = "linear"
    theirs: Any = None


TABLE = [
    Row(fr.Huber(), {}, theirs=("huber_loss", {})),
    Row(fr.Huber(0.3), {"delta": 0.3}, theirs=("huber_loss", {"delta": 0.3})),
    Row(fr.LogCosh(), {}),
    Row(fr.MAPE(), {}),
    Row(fr.Quantile(0.8), {"level": 0.8}),
    Row(fr.Poisson(log_input=True), {"log_input": True}, "counts", theirs=("poisson_nll_loss", {"log_input": True})),
    Row(fr.Poisson(), {}, "counts", "softplus"),
    Row(fr.KLDivergence(), {}, "distributions", "softmax"),
]
