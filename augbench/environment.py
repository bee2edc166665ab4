"""The environment that cells were computed in: versions, hardware, the state of a checkout."""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path

from augbench import __version__

__all__ = ["cuda_devices", "describe_environment", "version_of"]

_PACKAGES = ("numpy", "scipy", "torch", "torchvision", "pluggy")


@functools.cache
def describe_environment() -> dict[str, str | int]:
    """Versions of Python and packages, operating system, CPU, cores, and git state. No torch."""
    return {
        "augbench": version_of("augbench"),
        "python": platform.python_version(),
        **{name: version_of(name) for name in _PACKAGES},
        "system": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        "git": _git(),
    }


def version_of(package: str) -> str:
    """The version of a package; AugBench's own even where it is a checkout, not installed."""
    if package == "augbench":
        return __version__
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _git() -> str:
    """The commit of AugBench's own checkout, with `+changes` if it has any; '' if it is none."""
    folder = Path(__file__).parent.parent
    if not (folder / ".git").exists():
        return ""
    try:
        commit = _run_git(folder, "rev-parse", "--short=12", "HEAD")
        changed = _run_git(folder, "status", "--porcelain", "--", "augbench")
    except (OSError, subprocess.SubprocessError):
        return ""
    return commit + ("+changes" if changed else "")


def _run_git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()


def cuda_devices() -> int:
    """Count the CUDA devices that the driver sees, without importing torch."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
