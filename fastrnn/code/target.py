"""The processor that is compiled for: vector width, registers, fused multiply-add."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import NamedTuple

import llvmlite.binding as llvm

_PROBE = """
define void @probe(ptr %a, ptr %b) {
  %x = load <16 x float>, ptr %a
  %y = load <16 x float>, ptr %b
  %z = call <16 x float> @llvm.fma.v16f32(<16 x float> %x, <16 x float> %y, <16 x float> %x)
  store <16 x float> %z, ptr %a
  ret void
}
declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, <16 x float>)
"""


class Target(NamedTuple):
    """What the kernels need to know of the processor that is compiled for.

    Attributes
    ----------
    cpu : str
        LLVM's name of the processor (``NUMBA_CPU_NAME`` or the host).
    architecture : str
        ``"x86"``, ``"arm"`` or ``"other"``.
    vector_bytes : int
        Width of the widest vector register: 64 (AVX-512), 32 (AVX2) or 16 (NEON, SSE2).
    fma : bool
        Whether a fused multiply-add is one instruction.
    registers : int
        Number of vector registers: 32 (AVX-512, NEON) or 16.
    features : str
        LLVM's list of what the processor can do; empty for what its name says.
    """

    cpu: str
    architecture: str
    vector_bytes: int
    fma: bool
    registers: int
    features: str


READY = Path(__file__).parents[1] / "ready"
"""Where a wheel brings machine code: a folder for each level of x86-64 that it is made for."""
_V3 = ("avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe")
LEVELS = {"x86-64-v4": (*_V3, "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"), "x86-64-v3": _V3}
"""What a processor can do at each level, the best first (x86-64 psABI)."""


def _level() -> str | None:
    """The best level of the host's that a wheel has brought machine code for, which is compiled for from then on."""
    can = llvm.get_host_cpu_features()
    return next((name for name, needs in LEVELS.items() if (READY / name).is_dir() and all(map(can.get, needs))), None)


def _detect() -> Target:
    """Compile one wide multiply-add and read which registers LLVM chose: true for any name and feature list."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    name = os.environ.get("NUMBA_CPU_NAME") or _level()
    cpu = name or llvm.get_host_cpu_name()
    features = os.environ.get("NUMBA_CPU_FEATURES")
    if features is None:
        features = "" if name else llvm.get_host_cpu_features().flatten()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=cpu, features=features, opt=2)
    assembly = machine.emit_assembly(llvm.parse_assembly(_PROBE))
    kind = platform.machine().lower()
    architecture = (
        "x86" if kind in ("x86_64", "amd64", "i386", "i686") else "arm" if kind in ("aarch64", "arm64") else "other"
    )
    if "zmm" in assembly:
        return Target(cpu, architecture, 64, True, 32, features)
    if "ymm" in assembly:
        return Target(cpu, architecture, 32, "vfmadd" in assembly, 16, features)
    return Target(cpu, architecture, 16, "fmla" in assembly, 32 if architecture == "arm" else 16, features)


TARGET = _detect()
LANES_OF = {"float32": TARGET.vector_bytes // 4, "float64": TARGET.vector_bytes // 8}
"""Numbers in a vector register."""
