"""Settings of the whole suite."""

from hypothesis import settings

# The first example of a test may compile kernels.
settings.register_profile("fastrnn", deadline=None)
settings.load_profile("fastrnn")
