"""What training warns of."""

from __future__ import annotations

import contextlib
import math
import sys
import warnings


class TrainingWarning(RuntimeWarning):
    """A fit or an evaluation goes on, but its figures are not what was meant."""


def warn(text: str) -> None:
    """Warn at the line outside the package that led here."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "fastrnn":
        frame, level = frame.f_back, level + 1
    with contextlib.suppress(OSError, ValueError):  # standard error may be closed; a filter's "error" is neither
        warnings.warn(text, TrainingWarning, stacklevel=level)


def of_divergence(epoch: str, loss: float, unfinite: str, learning_rate: float, clip_norm: float | None) -> str:
    """Return the warning of a training that is no longer finite.

    Parameters
    ----------
    epoch : which one it is, in words
    loss : of the epoch
    unfinite : what is not finite after the epoch: "weights are", or "optimizer's state is"; empty if all is
    learning_rate, clip_norm : of the trainer
    """
    found = [] if math.isfinite(loss) else [f"the loss is {loss}"]
    found += [f"the {unfinite} not finite"] if unfinite else []
    clip = "set clip_norm=1.0" if clip_norm is None else f"a clip_norm below {clip_norm:g}"
    return (
        f"{' and '.join(found)} in {epoch}: training has diverged; expected finite numbers: lower the learning_rate of "
        f"{learning_rate:g}, {clip}, or scale x and y to about 1"
    )
