"""Pictures of histories, series and forecasts."""
