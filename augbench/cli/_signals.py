"""Signals that ask a command to stop: Ctrl-C, SIGTERM and SIGHUP all end it in order.

What is finished is kept, workers are ended, one line says how to go on, and the exit code is
128 + n. A second signal while that happens changes nothing, and never shows a traceback.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["Stopped", "leave", "listening"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Stopped(KeyboardInterrupt):
    """A signal came; `number` tells which."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def listening() -> Iterator[None]:
    """Have the first signal raise `Stopped` in the main thread; later ones are ignored."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in _NAMES:
            number = getattr(signal, name, None)
            # What the caller ignores stays ignored: `nohup` does so with SIGHUP.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, _stop)
    try:
        yield
    except KeyboardInterrupt:
        raise  # the process is about to end: further signals stay ignored until it has
    except BaseException:
        _restore(before)
        raise
    _restore(before)


def _restore(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _stop(number: int, frame: FrameType | None) -> None:
    for name in _NAMES:
        if (other := getattr(signal, name, None)) is not None:
            signal.signal(other, signal.SIG_IGN)
    raise Stopped(number)


def leave(code: int) -> None:
    """Exit at once, without what other threads and exit handlers might still print."""
    for file in (sys.stdout, sys.stderr):
        try:
            file.flush()
        except (OSError, ValueError):
            continue
    os._exit(code)
