"""What everything stands on: checks and their words, files, locks, messages, memory. It knows no model."""
