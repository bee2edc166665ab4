"""A plugin for tests: a data set small enough to train on in a blink, and things that go wrong."""

import numpy as np

from augbench import Dataset, hookimpl


def _tiny(classes: int, offset: int) -> Dataset:
    rng = np.random.default_rng(offset)
    templates = rng.integers(0, 256, (classes, 1, 16, 16))

    def part(per_class):
        labels = np.arange(classes).repeat(per_class)
        noise = rng.integers(-40, 40, (len(labels), 1, 16, 16))
        return np.clip(templates[labels] + noise, 0, 255).astype(np.uint8), labels

    train_images, train_labels = part(20)
    test_images, test_labels = part(10)
    names = tuple(f"c{i}" for i in range(classes))
    return Dataset("tiny", train_images, train_labels, test_images, test_labels, names)


def tiny_a(root, *, download=False):
    """Three classes of 20 training images."""
    return _tiny(3, 1)


def tiny_b(root, *, download=False):
    """Four classes of 20 training images."""
    return _tiny(4, 2)


def wide(root, *, download=False):
    """Images of another shape."""
    one = _tiny(3, 3)
    return Dataset(
        "wide",
        one.train_images.repeat(2, axis=3),
        one.train_labels,
        one.test_images.repeat(2, axis=3),
        one.test_labels,
        one.classes,
    )


for _factory in (tiny_a, tiny_b, wide):
    # They depend on no file but this one: what is known of them is remembered, as of real sets.
    _factory.files = lambda root: ()


class Breaks:
    """Raises once it has been asked for a block of many images."""

    sources = 2

    def __call__(self, x_i, x_j, *, rng):
        raise RuntimeError("the chain came\noff")


class Dies:
    """Takes its worker process down."""

    sources = 1

    def __call__(self, x, *, rng):
        import os

        os._exit(9)


@hookimpl
def register_datasets(register):
    register("tiny-a", tiny_a)
    register("tiny-b", tiny_b)
    register("wide", wide)


@hookimpl
def register_augmentations(register):
    register("breaks", Breaks)
    register("dies", Dies)
