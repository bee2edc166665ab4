"""A plugin of augmentations that print in all ways that there are; loaded with `--plugin`."""

import ctypes
import os
import signal
import sys

from augbench.plugins.hookspecs import hookimpl

libc = ctypes.CDLL(None)


class Quiet:
    """Mirrors images, and says nothing."""

    sources = 1

    def __call__(self, x, *, rng):
        return x.flip(-1)


class Loud(Quiet):
    """Prints from Python, past it and from C."""

    def __call__(self, x, *, rng):
        print("by Python")
        print("on the error stream", file=sys.stderr)
        os.write(1, b"by the descriptor\n")
        libc.puts(b"by C")
        return super().__call__(x, rng=rng)


class Dying(Quiet):
    """Has last words, after the first look, which sees six images at once."""

    def __call__(self, x, *, rng):
        if len(x) > 6:
            print("farewell")
            libc.printf(b"from C, without an end of the line")
            libc.fflush(None)
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(x, rng=rng)


@hookimpl
def register_augmentations(register):
    register("quiet", Quiet)
    register("loud", Loud)
    register("dying", Dying)
