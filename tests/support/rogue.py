"""A plugin of augmentations that break things, each in its way; loaded with `--plugin`."""

import contextlib
import ctypes
import os
import random
import signal
import time

import numpy as np
import torch

from augbench.plugins.hookspecs import hookimpl


class Rogue:
    """Leaves images as they are, after it has done its deed; `late` spares the first look."""

    sources = 1
    _calls = 0

    def __init__(self, late: bool = False) -> None:
        self.late = late

    def __call__(self, x, *, rng):
        # The first look sees six images at once, a block of steps many more.
        if not self.late or len(x) > 6:
            changed = self.deed(x, rng)
            return x if changed is None else changed
        return x

    def deed(self, x, rng):
        raise NotImplementedError


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("no text")


def _write_everywhere():
    for descriptor in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(descriptor, b"not a message" * 9)
    time.sleep(0.5)


def _in_place(x):
    x.numpy()[...] = 0


def _nan(x):
    return torch.full_like(x, float("nan"))


def _deed(name, action):
    def deed(self, x, rng):
        return action(x)

    return type(name, (Rogue,), {"deed": deed, "__module__": __name__})


def _raise(error):
    def action(x):
        raise error()

    return action


DEEDS = {
    "exits": lambda x: os._exit(0),
    "segfaults": lambda x: ctypes.string_at(0) and None,
    "system-exit": _raise(lambda: SystemExit(0)),
    "keyboard-interrupt": _raise(KeyboardInterrupt),
    "unspeakable": _raise(Unspeakable),
    "surrogate": _raise(lambda: ValueError("a lone \ud800 surrogate")),
    "hangs": lambda x: time.sleep(3600),
    "killed": lambda x: os.kill(os.getpid(), signal.SIGKILL),
    "writes": lambda x: _write_everywhere(),
    "no-grad": lambda x: torch.set_grad_enabled(False) and None,
    "float64": lambda x: torch.set_default_dtype(torch.float64),
    "threads": lambda x: torch.set_num_threads(3),
    "seeds": lambda x: torch.manual_seed(0) and None,
    "random": lambda x: x * random.random(),
    "numpy-random": lambda x: x * np.random.random(),  # noqa: NPY002
    "nan": _nan,
    "bright": lambda x: x + 1,
    "in-place": _in_place,
    "neighbours": lambda x: x * x.mean() / 2,
}
CLASSES = {name: _deed(name, action) for name, action in DEEDS.items()}


@hookimpl
def register_augmentations(register):
    for name, kind in CLASSES.items():
        register(name, kind)


def exiting(*arguments, **options):
    """A backbone, or a data set, that ends the process."""
    os._exit(7)


@hookimpl
def register_backbones(register):
    register("exiting", exiting)


@hookimpl
def register_datasets(register):
    register("exiting", exiting)
