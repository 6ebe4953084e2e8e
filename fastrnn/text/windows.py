"""Windows of a text that carry their state from minibatch to minibatch."""

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


def carried_windows(ids: Ids, rows: int, steps: int) -> tuple[Ids, Ids]:
    """Cut a text into `rows` stretches that are read side by side, `steps` characters a minibatch.

    Row i of a minibatch goes on where row i of the one before ended. Together the stretches cover the text; where it
    does not divide, neighbours overlap a little.

    Parameters
    ----------
    ids
        (L,), L > rows * steps.

    Returns
    -------
    x, y
        (K * rows, steps): the characters, and the ones that follow them; minibatch k is rows k * rows and on.
    """
    last = len(ids) - 1
    count = min(-(-last // (rows * steps)), last // steps)
    starts = np.linspace(0, last - count * steps, rows).astype(np.int64)
    places = (np.arange(count)[:, None] * steps + starts).reshape(-1, 1) + np.arange(steps)
    return ids[places], ids[places + 1]
