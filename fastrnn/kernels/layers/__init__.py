"""The layers that treat every step alike, and where they read and write."""
