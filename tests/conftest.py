"""Settings of the whole suite."""

import sys
from pathlib import Path

from hypothesis import settings

# For `tests.cases` and `bench`. Last, so that an installed fastrnn is what is tested, not the sources beside it.
sys.path.append(str(Path(__file__).parent.parent))

# The first example of a test may compile kernels.
settings.register_profile("fastrnn", deadline=None)
settings.load_profile("fastrnn")
