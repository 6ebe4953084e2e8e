"""Losses and metrics, which go by name: ``Trainer(model, loss="mse", metrics=["mae"])``."""

from typing import TYPE_CHECKING

from fastrnn.ground.unknown import asked_of

if not TYPE_CHECKING:
    __getattr__ = asked_of(__name__)
