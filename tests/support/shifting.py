"""A plugin for tests: corruptions that are easy to foresee, and some that fail."""

import os

import torch

from augbench import hookimpl


class Same:
    """No change at all."""

    operations = frozenset({"brightness"})

    def __init__(self, strength):
        if strength not in (1, 2, 3):
            raise ValueError(f"strength must be 1, 2 or 3, got {strength}")
        self.strength = strength

    def __call__(self, images, *, rng):
        return images.clone()


class Grain(Same):
    """Noise, as much as it is strong."""

    operations = frozenset({"noise"})

    def __call__(self, images, *, rng):
        drawn = torch.from_numpy(rng.normal(0, 40 * self.strength, tuple(images.shape)))
        return (images + drawn).clamp(0, 255).to(torch.uint8)


class Broken(Same):
    """Raises at strength 2."""

    def __call__(self, images, *, rng):
        if self.strength == 2:
            raise RuntimeError("the chain\ncame off")
        return images.clone()


class Deadly(Same):
    """Ends its process."""

    def __call__(self, images, *, rng):
        os._exit(9)


@hookimpl
def register_corruptions(register):
    register("same", Same)
    register("grain", Grain)
    register("broken", Broken)
    register("deadly", Deadly)
