"""The processor at hand: how wide its vectors are, and machine code for it."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import tempfile
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING

import llvmlite.binding as llvm
import platformdirs

from augbench.packed.codegen.signature import Kernel, Signature

if TYPE_CHECKING:
    from augbench.packed.codegen.code import Code

__all__ = ["Machine", "compiled", "machine"]


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

    def kernel(self, make: Callable[..., Code], arguments: tuple[object, ...]) -> Kernel:
        """Machine code of the function that `make` writes."""
        # All that machine code depends on is in its key: LLVM and the processor, the writer's
        # arguments, and the source of every module that may have a part in writing it.
        identity = repr((self._name, self.vector_bytes, self.sums, make.__qualname__, arguments))
        sources = _sources(Path(__file__).parent) + _sources(Path(make.__code__.co_filename).parent)
        key = hashlib.sha256((sources + identity).encode()).hexdigest()
        path = _cache() / f"{key}.o"
        made = _read(path)
        if made is None:
            made = self._compiled(make(*arguments))
            _write(path, hashlib.sha256(made).digest() + made)
        line, code = made.split(b"\n", 1)
        signature = Signature.from_json(line)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        prototype = ctypes.CFUNCTYPE(
            None,
            *[ctypes.c_void_p] * len(signature.pointers),
            *[ctypes.c_int64] * len(signature.integers),
        )
        return Kernel(signature, prototype(self._engine.get_function_address(signature.function)))

    def _compiled(self, code: Code) -> bytes:
        """A line with the function's signature, then its code."""
        module = llvm.parse_assembly(str(code.module))
        self._passes.getModulePassManager().run(module, self._passes)
        return code.signature.to_json().encode() + b"\n" + bytes(self._target.emit_object(module))


def _read(path: Path) -> bytes | None:
    """The content of a file in the user's cache, if it is there, whole and undamaged."""
    with contextlib.suppress(OSError):
        digest, made = (whole := path.read_bytes())[:32], whole[32:]
        if hashlib.sha256(made).digest() == digest:
            return made
    return None


def _cache() -> Path:
    """The folder of what was compiled, in the one that `AUGBENCH_CACHE` names or the user's own."""
    folder = os.environ.get("AUGBENCH_CACHE") or platformdirs.user_cache_dir("augbench", False)
    return Path(folder) / "kernels"


def _write(path: Path, data: bytes) -> None:
    """Keep a file, whole or not at all: processes may read and write it at the same time."""
    with contextlib.suppress(OSError):  # then it is compiled again, next time
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)


@lru_cache(maxsize=8)
def _sources(folder: Path) -> str:
    """A digest of modules that write functions: where these change, they are compiled again."""
    texts = [path.read_bytes() for path in sorted(folder.glob("*.py"))]
    return hashlib.sha256(b"".join(texts)).hexdigest()


def compiled(most: int) -> Callable[[Callable[..., Code]], Callable[..., Kernel]]:
    """Turn a writer of functions into one of kernels, of which the last `most` are remembered.

    What was compiled once, for the same arguments, is found in the user's cache, and not even
    written again.
    """

    def decorate(make: Callable[..., Code]) -> Callable[..., Kernel]:
        @lru_cache(maxsize=most)
        @wraps(make)
        def kernel(*arguments: object) -> Kernel:
            return machine().kernel(make, arguments)

        return kernel

    return decorate


@lru_cache(maxsize=1)
def machine() -> Machine:
    """This processor; made once."""
    return Machine()
