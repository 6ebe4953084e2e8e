"""Truncated back-propagation through time, BPTT(h; h'): which steps each backward pass covers.

With ``tbptt=(k1, k2)`` a sequence of L steps has the boundaries k1, 2 k1, ... and L. At each boundary e one pass runs
over the steps e - 1 down to max(0, e - k2); it injects the output errors of the steps since the previous boundary, as
far as they lie in that window. The gradients of the passes add up. ``tbptt=k`` means (k, k); None means (T, T): one
pass over everything, full back-propagation.

In a padded batch every row has its own boundaries: its last one is its own length, not the T of the batch, so that
padding changes nothing. An output (N, O) is one error, at the last step that counts: one pass, whatever k1.

Where every cell reads forwards, a pass runs through the whole stack. As soon as one reads backwards, each cell
truncates by itself, in its own order of steps s (backwards s = T - 1 - t): at each boundary e its pass takes all the
errors that arrive at the outputs of the piece's steps from above back to s = max(0, e - k2). Read backwards, a row's
padding comes first and every row ends at T. Layers without time pass everything on, untruncated.

References
----------
Williams, Peng (1990), An efficient gradient-based algorithm for on-line training of recurrent network trajectories,
Neural Computation 2.
"""

import numpy as np

from fastrnn.reference.arrays import Lengths

Truncation = int | tuple[int, int] | None


def tbptt_depths(tbptt: Truncation, steps: int) -> tuple[int, int]:
    """Return (k1, k2)."""
    if tbptt is None:
        return steps, steps
    if isinstance(tbptt, tuple):
        return tbptt
    return tbptt, tbptt


def tbptt_pieces(k1: int, steps: int) -> list[tuple[int, int]]:
    """Return the pieces (first, stop) between consecutive boundaries, the last one perhaps shorter than k1."""
    return [(first, min(first + k1, steps)) for first in range(0, steps, k1)]


def tbptt_starts(k2: int, stop: int, lengths: Lengths) -> Lengths:
    """Return the first step of each row's window, (N,), in the pass for the piece that ends at ``stop``.

    A row that ends inside the piece has its boundary where it ends: max(0, min(stop, length) - k2). For a cell that
    reads backwards ``lengths`` are all T.
    """
    boundaries = np.minimum(stop, lengths)
    return np.asarray(np.maximum(0, boundaries - k2), dtype=np.int64)
