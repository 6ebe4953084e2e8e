"""What the tests of files share: files with a right digest and wrong contents, and a process killed while saving."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

HANG_IN_REPLACE = """
import os, sys, time

def hang(source, target):
    print("written", flush=True)
    time.sleep(600)

os.replace = hang
"""


def forge(
    path: Path, header: str, *, kind: str = "model", version: int = 1, arrays: str = "", body: bytes = b""
) -> None:
    """Write a container with the right digest around any header, array entries (JSON, ``"name": {...}``) and bytes."""
    zeros = "0" * 64
    envelope = f'{{"version":{version},"kind":{json.dumps(kind)},"sha256":"{zeros}","header":{header}}}'
    entries = f'{{"__metadata__":{{"fastrnn":{json.dumps(envelope)}}}{"," if arrays else ""}{arrays}}}'.encode()
    data = len(entries).to_bytes(8, "little") + entries + body
    path.write_bytes(data.replace(zeros.encode(), hashlib.sha256(data).hexdigest().encode(), 1))


def entry(name: str, dtype: str, shape: list[Any], start: int, end: int) -> str:
    """Return one array's entry of a safetensors header."""
    return f'"{name}":{{"dtype":"{dtype}","shape":{json.dumps(shape)},"data_offsets":[{start},{end}]}}'


def kill_between_write_and_replace(code: str) -> None:
    """Run ``code`` in a process of its own, and kill it when it has written everything but not put it in place."""
    process = subprocess.Popen([sys.executable, "-c", HANG_IN_REPLACE + code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process, process.stdout:
        assert process.stdout.readline() == "written\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
