"""A plugin for tests: for every check of the conformance kit, one component that breaks it alone.

Each is registered under the name of its check, and otherwise keeps the contract.
"""

import sys
import types

import numpy as np
import torch
from torch import nn

from augbench import Dataset, hookimpl
from augbench.packed.rules.registry import rule


class Sound:
    """Mixup with a share drawn for each image; what the others deviate from."""

    sources = 2

    def share(self, x_i, rng):
        return x_i.new_tensor(rng.random(len(x_i), dtype=np.float32))

    def __call__(self, x_i, x_j, *, rng):
        lam = self.share(x_i, rng)
        share = lam.view(-1, *[1] * (x_i.ndim - 1))
        return share * x_i + (1 - share) * x_j, lam


class Declarations(Sound):
    shares = False


class Runs(Sound):
    def __call__(self, x_i, x_j, *, rng):
        raise RuntimeError("the chain came off")


class OneImage(Sound):
    def __call__(self, x_i, x_j, *, rng):
        if len(x_i) == 1:
            raise IndexError("too few")
        return super().__call__(x_i, x_j, rng=rng)


class OddBatch(Sound):
    def __call__(self, x_i, x_j, *, rng):
        if len(x_i) % 2 and len(x_i) > 1:
            raise ValueError("expected an even batch")
        return super().__call__(x_i, x_j, rng=rng)


class ImageSizes(Sound):
    def __call__(self, x_i, x_j, *, rng):
        height, width = x_i.shape[-2:]
        if height != width or height % 2:
            raise ValueError("expected square images of an even side")
        return super().__call__(x_i, x_j, rng=rng)


class Channels(Sound):
    def __call__(self, x_i, x_j, *, rng):
        if x_i.shape[1] == 3:
            raise ValueError("expected grey images")
        return super().__call__(x_i, x_j, rng=rng)


class Type(Sound):
    def __call__(self, x_i, x_j, *, rng):
        image, lam = super().__call__(x_i, x_j, rng=rng)
        return image.double(), lam


class Shape(Sound):
    def __call__(self, x_i, x_j, *, rng):
        image, lam = super().__call__(x_i, x_j, rng=rng)
        return image[..., :-1], lam


class Device(Sound):
    def __call__(self, x_i, x_j, *, rng):
        image, lam = super().__call__(x_i, x_j, rng=rng)
        return image.to("meta"), lam


class Finite(Sound):
    def __call__(self, x_i, x_j, *, rng):
        image, lam = super().__call__(x_i, x_j, rng=rng)
        image[..., 0, 0] = torch.nan
        return image, lam


class Range(Sound):
    def __call__(self, x_i, x_j, *, rng):
        image, lam = super().__call__(x_i, x_j, rng=rng)
        image[..., 0, 0] += 2
        image[..., 0, 1] -= 2  # the mean stays
        return image, lam


class Weights(Sound):
    def __call__(self, x_i, x_j, *, rng):
        image, lam = super().__call__(x_i, x_j, rng=rng)
        return image, lam + 1


class Shares(Sound):
    """CutMix whose label forgets that the box was clipped."""

    def __call__(self, x_i, x_j, *, rng):
        image, (height, width) = x_i.clone(), x_i.shape[2:]
        lam = self.share(x_i, rng)
        for k, share in enumerate(lam.tolist()):
            side = (1 - share) ** 0.5
            top, left = rng.integers(height), rng.integers(width)
            box = (k, ..., slice(top, top + round(side * height)))
            columns = slice(left, left + round(side * width))
            image[(*box, columns)] = x_j[(*box, columns)]
        return image, lam


class Inputs(Sound):
    def __call__(self, x_i, x_j, *, rng):
        result = super().__call__(x_i, x_j, rng=rng)
        x_j.mul_(0.5)
        return result


class Repeatable(Sound):
    calls = 0

    def share(self, x_i, rng):
        self.calls += 1
        return super().share(x_i, rng) / self.calls


class GlobalState(Sound):
    def __call__(self, x_i, x_j, *, rng):
        np.random.random()  # noqa: NPY002
        return super().__call__(x_i, x_j, rng=rng)


class Rows(Sound):
    def __call__(self, x_i, x_j, *, rng):
        return super().__call__(x_i, x_j.mean(0, keepdim=True).expand_as(x_j), rng=rng)


class Draws(Sound):
    def share(self, x_i, rng):
        return x_i.new_full((len(x_i),), rng.random())


class Layers(Sound):
    needs = frozenset({"hidden"})

    def choose_layer(self, layers, *, rng):
        return "nowhere"


class Pickling(Sound):
    def __init__(self):
        self.helper = lambda x: x


class Parameters(Sound):
    def __init__(self, strength: float = 1.0):
        self.kept_elsewhere = strength


class Combination(Sound):
    """Breaks only where two awkward sizes meet."""

    def __call__(self, x_i, x_j, *, rng):
        if len(x_i) == 1 and x_i.shape[1] == 3:
            raise ValueError("one image of three channels")
        return super().__call__(x_i, x_j, rng=rng)


AUGMENTATIONS = {
    "declarations": Declarations,
    "runs": Runs,
    "one-image": OneImage,
    "odd-batch": OddBatch,
    "image-sizes": ImageSizes,
    "channels": Channels,
    "type": Type,
    "shape": Shape,
    "device": Device,
    "finite": Finite,
    "range": Range,
    "weights": Weights,
    "shares": Shares,
    "inputs": Inputs,
    "repeatable": Repeatable,
    "global-state": GlobalState,
    "rows": Rows,
    "draws": Draws,
    "layers": Layers,
    "pickling": Pickling,
    "parameters": Parameters,
}


class Plain(nn.Module):
    """A small network that keeps the contract."""

    def __init__(self, in_channels, image_size):
        super().__init__()
        height, width = image_size
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(in_channels * height * width, 8)
        self.feature_dim = 8

    def forward(self, x):
        return torch.tanh(self.linear(self.flatten(x)))


class BackboneBuilds(Plain):
    def __init__(self, in_channels, image_size):
        if in_channels == 3:
            raise RuntimeError("made for grey images")
        super().__init__(in_channels, image_size)


class BackboneFeatures(Plain):
    def __init__(self, in_channels, image_size):
        super().__init__(in_channels, image_size)
        self.feature_dim = 9


class BackboneRows(Plain):
    def forward(self, x):
        features = super().forward(x)
        return features - features.mean(0, keepdim=True)


class BackboneRepeatable(Plain):
    calls = 0

    def forward(self, x):
        self.calls += not self.training
        return super().forward(x) + (self.calls if not self.training else 0)


class BackboneSeeded(Plain):
    def __init__(self, in_channels, image_size):
        super().__init__(in_channels, image_size)
        with torch.no_grad():
            self.linear.bias[0] = np.random.random()  # noqa: NPY002


class BackboneGlobalState(Plain):
    def forward(self, x):
        if self.training:
            torch.rand(1)
        return super().forward(x)


class BackboneGradients(Plain):
    def __init__(self, in_channels, image_size):
        super().__init__(in_channels, image_size)
        self.unused = nn.Parameter(torch.zeros(2))


class BackboneState(Plain):
    def __init__(self, in_channels, image_size):
        super().__init__(in_channels, image_size)
        self.scale = torch.rand(1)

    def forward(self, x):
        return self.scale * super().forward(x)


class Halved(nn.Module):
    """A layer with a rule of its author's."""

    def forward(self, x):
        return x / 2


@rule(Halved)
class WideHalved(nn.Module):
    """The rule: of more than three cells, it forgets the second."""

    def __init__(self, layers):
        super().__init__()
        self.forgets = len(layers) > 3

    def forward(self, x):
        if not self.forgets:
            return x / 2
        return torch.cat([x[:, :1] / 2, x[:, 1:2], x[:, 2:] / 2], dim=1)


class BackbonePacked(Plain):
    """Its rule is wrong in a cell at which verifying, which compares three, does not look."""

    def __init__(self, in_channels, image_size):
        super().__init__(in_channels, image_size)
        self.halved = Halved()

    def forward(self, x):
        return self.halved(super().forward(x))


def backbone_parameters(in_channels, image_size, *, layers="a,b=2"):
    return Plain(in_channels, image_size)


BACKBONES = {
    "builds": BackboneBuilds,
    "features": BackboneFeatures,
    "rows": BackboneRows,
    "repeatable": BackboneRepeatable,
    "seeded": BackboneSeeded,
    "global-state": BackboneGlobalState,
    "gradients": BackboneGradients,
    "state": BackboneState,
    "packed": BackbonePacked,
    "parameters": backbone_parameters,
}


def make(rng=None, test_from_train=0, test_classes=3):
    """Three classes of noise."""
    rng = rng or np.random.default_rng(0)
    train = rng.integers(0, 256, (12, 1, 8, 8)).astype(np.uint8)
    test = rng.integers(0, 256, (6, 1, 8, 8)).astype(np.uint8)
    test[:test_from_train] = train[3 : 3 + test_from_train]
    labels = np.arange(12) % 3
    return Dataset("broken", train, labels, test, np.arange(6) % test_classes, ("a", "b", "c"))


def data_sound(root, *, download=False):
    return make()


def data_loads(root, *, download=False):
    raise OSError("no such disk")


def data_labels(root, *, download=False):
    return make(test_classes=2)


def data_stable(root, *, download=False):
    found = make()
    order = np.random.default_rng().permutation(12)
    return Dataset(
        *("broken", found.train_images[order], found.train_labels[order]),
        *(found.test_images, found.test_labels, found.classes),
    )


def data_leakage(root, *, download=False):
    return make(test_from_train=2)


def data_global_state(root, *, download=False):
    np.random.seed(0)  # noqa: NPY002
    return make()


def data_parameters(root, files="a,b=2", *, download=False):
    return make()


DATASETS = {
    "loads": data_loads,
    "labels": data_labels,
    "stable": data_stable,
    "leakage": data_leakage,
    "global-state": data_global_state,
    "parameters": data_parameters,
}

# Components that exist, can be pickled, and whose source nobody can read.
nowhere = types.ModuleType("augbench_tests_nowhere")
sys.modules[nowhere.__name__] = nowhere
nowhere.Source = type("Source", (Sound,), {"__module__": nowhere.__name__})
nowhere.Backbone = type("Backbone", (Plain,), {"__module__": nowhere.__name__})
nowhere.data = types.FunctionType(data_sound.__code__, globals(), "data")
nowhere.data.__module__ = nowhere.__name__
nowhere.data.__kwdefaults__ = {"download": False}


@hookimpl
def register_augmentations(register):
    register("sound", Sound)
    register("combination", Combination)
    register("source", nowhere.Source)
    for name, broken in AUGMENTATIONS.items():
        register(name, broken)


@hookimpl
def register_backbones(register):
    register("sound", Plain)
    register("source", nowhere.Backbone)
    for name, broken in BACKBONES.items():
        register(name, broken)


@hookimpl
def register_datasets(register):
    register("sound", data_sound)
    register("source", nowhere.data)
    for name, broken in DATASETS.items():
        register(name, broken)
