"""One thread per worker: small operations lose more to a second thread than it gives them."""

from __future__ import annotations

import contextlib
import os

__all__ = ["configure_worker_threads"]

_POOLS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


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
