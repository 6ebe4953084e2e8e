"""The trainer: what it is told, what it learns from, what it has reached."""
