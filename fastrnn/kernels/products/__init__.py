"""Products of matrices: tiles in registers, panels in memory."""
