"""Callbacks: what a fit tells while it runs, and what watches over it."""

from typing import TYPE_CHECKING

from fastrnn.callbacks.lines import Callback, Lines, ProgressBar
from fastrnn.callbacks.monitors import EarlyStopping, ModelCheckpoint
from fastrnn.ground.unknown import asked_of

if not TYPE_CHECKING:
    __getattr__ = asked_of(__name__)

__all__ = ["Callback", "EarlyStopping", "Lines", "ModelCheckpoint", "ProgressBar"]
