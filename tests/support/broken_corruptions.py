"""A plugin for tests: for every check of a corruption, one that breaks it alone."""

import sys
import types

import numpy as np
import torch

from augbench import hookimpl


class Sound:
    """Noise of one level more a strength; what the others deviate from."""

    operations = frozenset({"noise"})

    def __init__(self, strength: int, most: int = 20) -> None:
        if strength not in (1, 2, 3):
            raise ValueError(f"strength must be 1, 2 or 3, got {strength}")
        self.strength, self.most = strength, most

    def noise(self, images, rng):
        levels = rng.integers(0, self.most * self.strength, size=tuple(images.shape))
        return torch.as_tensor(levels).to(images.device)

    def __call__(self, images, *, rng):
        return (images.int() + self.noise(images, rng)).clamp(0, 255).to(torch.uint8)


class Declarations(Sound):
    operations = frozenset({"nois"})


class Runs(Sound):
    def __call__(self, images, *, rng):
        raise RuntimeError("the chain came off")


class OneImage(Sound):
    def __call__(self, images, *, rng):
        if len(images) == 1:
            raise IndexError("too few")
        return super().__call__(images, rng=rng)


class OddBatch(Sound):
    def __call__(self, images, *, rng):
        if len(images) % 2 and len(images) > 1:
            raise ValueError("expected an even batch")
        return super().__call__(images, rng=rng)


class ImageSizes(Sound):
    def __call__(self, images, *, rng):
        if images.shape[-1] != images.shape[-2]:
            raise ValueError("expected square images")
        return super().__call__(images, rng=rng)


class Channels(Sound):
    def __call__(self, images, *, rng):
        if images.shape[1] == 3:
            raise ValueError("expected grey images")
        return super().__call__(images, rng=rng)


class Type(Sound):
    def __call__(self, images, *, rng):
        return super().__call__(images, rng=rng) / 255


class Shape(Sound):
    def __call__(self, images, *, rng):
        return super().__call__(images, rng=rng)[..., :-1]


class Device(Sound):
    def __call__(self, images, *, rng):
        return super().__call__(images, rng=rng).to("meta")


class Inputs(Sound):
    def __call__(self, images, *, rng):
        result = super().__call__(images, rng=rng)
        images[..., 0, 0] = 255 - images[..., 0, 0]
        return result


class Repeatable(Sound):
    calls = 0

    def __call__(self, images, *, rng):
        self.calls += 1
        return super().__call__(images, rng=np.random.default_rng(self.calls))

    def __deepcopy__(self, memo):
        return Repeatable(self.strength, self.most)


class GlobalState(Sound):
    def __call__(self, images, *, rng):
        torch.rand(1)
        return super().__call__(images, rng=rng)


class Rows(Sound):
    def __call__(self, images, *, rng):
        result = super().__call__(images, rng=rng)
        if len(images) == 1 or images.device.type == "meta":
            return result
        mean = images.double().mean(dim=(1, 2, 3))
        darker = (mean < mean.mean()).view(-1, 1, 1, 1)
        return torch.where(darker, result // 2, result)


class Draws(Sound):
    def noise(self, images, rng):
        return super().noise(images[:1], rng)


class Changes(Sound):
    """No check of its own but this one can pass for what changes nothing at first."""

    def __call__(self, images, *, rng):
        result = super().__call__(images, rng=rng)
        return images.clone() if self.strength == 1 else result


class Strengths(Sound):
    def noise(self, images, rng):
        levels = rng.integers(0, self.most * (4 - self.strength), size=tuple(images.shape))
        return torch.as_tensor(levels).to(images.device)


class Pickling(Sound):
    def __reduce__(self):
        raise TypeError("it holds an open file")

    def __deepcopy__(self, memo):
        return Pickling(self.strength, self.most)


class Parameters(Sound):
    def __init__(self, strength: int, most: int = 20) -> None:
        super().__init__(strength)
        self.most = 2 * most


@hookimpl
def register_corruptions(register):
    own = {
        "sound": Sound,
        "declarations": Declarations,
        "runs": Runs,
        "one-image": OneImage,
        "odd-batch": OddBatch,
        "image-sizes": ImageSizes,
        "channels": Channels,
        "type": Type,
        "shape": Shape,
        "device": Device,
        "inputs": Inputs,
        "repeatable": Repeatable,
        "global-state": GlobalState,
        "rows": Rows,
        "draws": Draws,
        "changes": Changes,
        "strengths": Strengths,
        "pickling": Pickling,
        "parameters": Parameters,
        "source": _without_source(),
    }
    for name, kind in own.items():
        register(name, kind)


def _without_source():
    """A class of a module that has no file."""
    module = types.ModuleType("broken_corruptions_without_source")
    module.Sound = Sound
    exec("class Source(Sound):\n    pass\n", vars(module))
    module.Source.__module__ = module.__name__
    sys.modules[module.__name__] = module
    return module.Source
