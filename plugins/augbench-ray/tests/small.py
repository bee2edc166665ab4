"""A plugin as a file: data sets to train on in a blink, and augmentations that misbehave."""

import os
import time
from pathlib import Path

import numpy as np
from augbench import Dataset, hookimpl


def _made(classes, seed):
    rng = np.random.default_rng(seed)
    templates = rng.integers(0, 256, (classes, 1, 16, 16))

    def part(per_class):
        labels = np.arange(classes).repeat(per_class)
        noise = rng.integers(-40, 40, (len(labels), 1, 16, 16))
        return np.clip(templates[labels] + noise, 0, 255).astype(np.uint8), labels

    return Dataset("small", *part(20), *part(10), tuple(f"c{i}" for i in range(classes)))


def small_a(root, *, download=False):
    """Three classes of 20 training images."""
    return _made(3, 1)


def small_b(root, *, download=False):
    """Four classes of 20 training images."""
    return _made(4, 2)


def here_alone(root, *, folder, download=False):
    """There in the process that has a folder; its own worker processes excepted, elsewhere not."""
    if os.environ.get("SMALL_FOLDER") != folder:
        from augbench.errors import DatasetError

        raise DatasetError("this machine does not have it")
    return _made(3, 3)


class Crashes:
    """Ends its process in training."""

    sources = 1

    def __call__(self, x, *, rng):
        if len(x) > 6:  # the first look sees fewer
            os._exit(7)
        return x


class Notes:
    """Notes which process trains, and takes its time."""

    sources = 1

    def __init__(self, folder: str, seconds: float = 0.0) -> None:
        self.folder, self.seconds = folder, seconds

    def __call__(self, x, *, rng):
        (Path(self.folder) / f"{os.getpid()}-{time.monotonic_ns()}").touch()
        time.sleep(self.seconds)
        return x


class Holds:
    """Notes which process trains, and holds it there while its folder has a file ``hold``."""

    sources = 1

    def __init__(self, folder: str) -> None:
        self.hold = Path(folder) / "hold"

    def __call__(self, x, *, rng):
        if self.hold.exists():
            (self.hold.parent / f"{os.getpid()}-holds").touch()
        while self.hold.exists():
            time.sleep(0.02)
        return x


@hookimpl
def register_datasets(register):
    register("small-a", small_a)
    register("small-b", small_b)
    register("here-alone", here_alone)


@hookimpl
def register_augmentations(register):
    register("crashes", Crashes)
    register("notes", Notes)
    register("holds", Holds)
