"""Build option: with ``FASTRNN_READY=x86-64-v3,x86-64-v4`` set, a wheel brings machine code for these processors.

Nothing is compiled then where it is installed. Without it, wheels are as they always are.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Ready(BuildHookInterface[Any]):
    """Puts the files of every level into ``fastrnn/ready``."""

    def dependencies(self) -> list[str]:
        """What compiling takes."""
        wanted: list[str] = self.metadata.core.dependencies
        return wanted if self._levels else []

    @property
    def _levels(self) -> list[str]:
        return [level for level in os.environ.get("FASTRNN_READY", "").split(",") if level]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile for all levels side by side."""
        if version == "editable" or not self._levels:
            return
        self._made = tempfile.TemporaryDirectory()
        command = [sys.executable, "-m", "fastrnn.engine.ready"]
        # The paths of an isolated build's dependencies are in PYTHONPATH, or only in this process.
        paths = os.pathsep.join([self.root, *filter(os.path.isabs, sys.path)])
        running = []
        for level in self._levels:
            folder = Path(self._made.name) / level
            folder.mkdir()
            environment = os.environ | {"PYTHONPATH": paths, "NUMBA_CPU_NAME": level, "NUMBA_CPU_FEATURES": ""}
            running.append(subprocess.Popen([*command, str(folder)], env=environment))
        if any([process.wait() for process in running]):
            raise RuntimeError(f"machine code for {', '.join(self._levels)} could not be made")
        for path in sorted(Path(self._made.name).glob("*/*/*-*")):
            if not path.suffix:
                place = path.relative_to(self._made.name).as_posix()
                build_data["force_include"][str(path)] = f"fastrnn/ready/{place}"
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{platform}"
