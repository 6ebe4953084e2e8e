"""Forecasts of one column of a table, beside the baselines that they must beat."""

from importlib import import_module
from typing import TYPE_CHECKING

from fastrnn.ground.unknown import asked_of

if TYPE_CHECKING:
    from fastrnn.forecast.forecaster import Forecast, Forecaster, Recipe

__all__ = ["Forecast", "Forecaster", "Recipe"]

if not TYPE_CHECKING:  # a type checker would take every name for one that there is

    def __getattr__(name):
        """Import a public name on first use: the rest of this room is needed without a forecaster."""
        if name in __all__:
            return getattr(import_module("fastrnn.forecast.forecaster"), name)
        return asked_of("fastrnn.forecast")(name)
