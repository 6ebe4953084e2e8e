"""The passes that a kernel's functions go through: Numba's own, without those that kernels have no use for.

A function that only kernels call is needed as LLVM's IR alone. Numba would optimise each by itself, make machine code
of it, and optimise it again in each of its callers; here that is done once, for a kernel as a whole
(:mod:`fastrnn.kernels.machine.compiler`). Left out as well: what unrolls, rewrites array expressions and annotates.
Together a quarter of the time.
"""

from __future__ import annotations

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import AnalysisPass, PassManager, register_pass
from numba.core.typed_passes import (
    InlineOverloads,
    IRLegalization,
    NativeLowering,
    NoPythonBackend,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.untyped_passes import (
    DeadBranchPrune,
    FixupArgs,
    GenericRewrites,
    InlineClosureLikes,
    InlineInlinables,
    IRProcessing,
    ReconstructSSA,
    TranslateByteCode,
)


class _Codegen:
    """Numba's code generator, for functions that have no environment: Python never calls them."""

    def __init__(self, codegen):
        self._codegen = codegen

    def __getattr__(self, name):
        return getattr(self._codegen, name)

    def set_env(self, name, environment):
        """Do nothing: there is no machine code that could read it."""


class Part(JITCodeLibrary):
    """A function's IR, to be linked into kernels; it is neither optimised nor made into machine code."""

    @property
    def codegen(self):
        return _Codegen(self._codegen)

    def finalize(self):
        self._finalized = True

    def get_pointer_to_function(self, name):
        return 0

    def _optimize_functions(self, ll_module):
        ll_module.data_layout = self._codegen._data_layout

    def everything(self):
        """Return the IR of the function and of all that it calls, a module each."""
        found, left = {}, [self]
        while left:
            library = left.pop()
            if library not in found:
                found[library] = library._get_module_for_linking()
                left += library._linking_libraries
        return found.values()


@register_pass(mutates_CFG=False, analysis_only=True)
class _MakePart(AnalysisPass):
    """Lower into a `Part`."""

    _name = "make_part"

    def __init__(self):
        AnalysisPass.__init__(self)

    def run_pass(self, state):
        state.library = Part(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return False


_PASSES = (
    TranslateByteCode, FixupArgs, IRProcessing, InlineClosureLikes, DeadBranchPrune, GenericRewrites,
    InlineInlinables, DeadBranchPrune, ReconstructSSA, DeadBranchPrune, NopythonTypeInference, PreLowerStripPhis,
    InlineOverloads, IRLegalization, _MakePart, NativeLowering, NoPythonBackend,
)  # fmt: skip


class Pipeline(CompilerBase):
    """The passes of kernels and of their inner functions."""

    def define_pipelines(self):
        manager = PassManager("kernels")
        for each in _PASSES:
            manager.add_pass(each, each._name)
        manager.finalize()
        return [manager]
