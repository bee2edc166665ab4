"""One thread per worker: small operations lose more to a second thread than it gives them."""

from __future__ import annotations

import contextlib
import os

__all__ = ["configure_worker_threads", "cores", "worker_environment"]

_POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")

# glibc hands a freed activation back to the system, and the next step pays for each of its pages
# again: up to 900 page faults and 3 ms a step where 0 and 0 are possible. Kept memory, on huge
# pages, is what a worker wants. Other C libraries do not read this.
_ALLOCATOR = ":".join(
    (
        "glibc.malloc.hugetlb=1",
        "glibc.malloc.mmap_threshold=33554432",
        "glibc.malloc.trim_threshold=1073741824",
        "glibc.malloc.top_pad=67108864",
    )
)


def worker_environment() -> dict[str, str]:
    """Variables for a worker's environment before it starts: one thread, memory that is kept.

    A user's own GLIBC_TUNABLES stay as they are.
    """
    return {
        **dict.fromkeys(_POOLS, "1"),
        "GLIBC_TUNABLES": os.environ.get("GLIBC_TUNABLES", _ALLOCATOR),
    }


def configure_worker_threads() -> None:
    """Hold this process to one computing thread, whatever the user's environment says.

    To be called before torch is imported, and safe after it. Denormal numbers become zero: they
    are a hundred times slower, and far below what a float32 sum keeps.
    """
    for name in _POOLS:
        os.environ[name] = "1"
    import torch

    torch.set_num_threads(1)
    with contextlib.suppress(RuntimeError):  # too late once work has begun, and then no matter
        torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)


def cores() -> int:
    """The number of processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1
