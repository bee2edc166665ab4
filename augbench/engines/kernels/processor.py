"""The processor at hand: how wide its vectors are, and machine code for it."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import platform
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

import llvmlite.binding as llvm

from augbench.caching import cache_folder, write_atomically

if TYPE_CHECKING:
    from augbench.engines.kernels.code import Code

__all__ = ["Kernel", "Machine", "machine"]

Kernel = Callable[..., None]


class Machine:
    """This processor: how wide its vectors are, and what was compiled for it.

    Raises `RuntimeError` for a processor that LLVM does not know, or that cannot multiply and add
    in one instruction.
    """

    def __init__(self) -> None:
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        features = llvm.get_host_cpu_features()
        arm = platform.machine().lower() in ("arm64", "aarch64")  # which always has NEON
        if not arm and not features.get("fma", False):
            raise RuntimeError("no fused multiply-add")
        # Bytes of a vector register, and how many of them may hold sums, so that the factors of
        # the next products still find room: x86 has 16, with AVX-512 32, ARM 32.
        wide = features.get("avx512f", False)
        self.vector_bytes = 64 if wide else 32 if features.get("avx2", False) else 16
        self.sums = 24 if wide or arm else 12
        self._target = llvm.Target.from_default_triple().create_target_machine(
            cpu=llvm.get_host_cpu_name(), features=features.flatten(), opt=2
        )
        self._name = repr((llvm.llvm_version_info, llvm.get_host_cpu_name(), features.flatten()))
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), self._target)
        self._passes = llvm.create_pass_builder(
            self._target, llvm.create_pipeline_tuning_options(speed_level=1)
        )

    def compile(self, code: Code) -> Kernel:
        """Machine code for a finished function: takes addresses and integers, returns nothing."""
        made = self._made(str(code.module))
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(made))
        self._engine.finalize_object()
        prototype = ctypes.CFUNCTYPE(
            None,
            *[ctypes.c_void_p] * code.pointer_count,
            *[ctypes.c_int64] * code.integer_count,
        )
        kernel: Kernel = prototype(self._engine.get_function_address(code.name))
        return kernel

    def _made(self, text: str) -> bytes:
        """The object file of a module: from the user's cache, where compiling costs no time."""
        key = hashlib.sha256((self._name + text).encode()).hexdigest()
        path = cache_folder() / "kernels" / f"{key}.o"
        with contextlib.suppress(OSError):
            digest, made = (whole := path.read_bytes())[:32], whole[32:]
            if hashlib.sha256(made).digest() == digest:  # whole, and not damaged
                return made
        module = llvm.parse_assembly(text)
        self._passes.getModulePassManager().run(module, self._passes)
        made = bytes(self._target.emit_object(module))
        write_atomically(path, hashlib.sha256(made).digest() + made)
        return made


@lru_cache(maxsize=1)
def machine() -> Machine:
    """This processor; made once."""
    return Machine()
