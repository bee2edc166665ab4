"""A plugin of augmentations that take for ever, each in its way; the first call says that it began.

The file that it makes is named by the environment variable LASTING.
"""

import ctypes
import os
import signal
import time
from pathlib import Path

from augbench.plugins.hookspecs import hookimpl


class Lasting:
    sources = 1

    def __call__(self, x, *, rng):
        if len(x) > 6:  # not at the first look
            Path(os.environ["LASTING"]).touch()
            self.last()
        return x


class Sleeps(Lasting):
    def last(self):
        time.sleep(3600)


class HoldsTheLock(Lasting):
    def last(self):
        ctypes.PyDLL(None).sleep(3600)  # PyDLL keeps the interpreter's lock


class IgnoresSignals(Lasting):
    def last(self):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)


@hookimpl
def register_augmentations(register):
    register("sleeps", Sleeps)
    register("holds-the-lock", HoldsTheLock)
    register("ignores-signals", IgnoresSignals)
