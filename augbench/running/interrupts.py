"""Ctrl-C, and a notebook's stop button, while a study is computed from Python."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["one_interrupt"]

_PATIENCE = 10.0
"""Seconds that an interrupt has to end the run in order, before the next one counts."""


@contextmanager
def one_interrupt() -> Iterator[None]:
    """Let one interrupt end what runs inside in order: impatient ones on its heels are ignored.

    They would cut off the end of workers and the last writes to the store. Where somebody else
    handles interrupts, as the command line does, and outside the main thread, nothing changes.
    """
    usual = signal.default_int_handler
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not usual:
        yield
        return
    last = -float("inf")

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PATIENCE:
            last = now
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
