"""Networks one by one and packed, trained beside each other."""

import copy
import math
from unittest import mock

import numpy as np
import torch
from torch import nn

from augbench.packed import replay as replaying
from augbench.packed.dropout import own_dropout
from augbench.packed.heads import Heads
from augbench.packed.trace import PackedByRules
from augbench.protocol.recipe import Recipe
from augbench.training.descent import descent

_TOLERANCE = 1e-10


def cells_of(make, cells=3):
    """Networks of one architecture: own weights, own dropout streams, float64."""
    made = []
    for k in range(cells):
        own = own_dropout(make(), lambda layer, k=k: np.random.default_rng([k, layer]))
        generator = torch.Generator().manual_seed(k)
        with torch.no_grad():
            for value in own.double().parameters():
                value.copy_(torch.randn(value.shape, generator=generator) / 2)
        made.append(own)
    return made


def assert_same_numbers(plain, images):
    """Features, gradients and buffers of plain networks and of their packing.

    Over two steps of training, each cell on images of its own, and afterwards in eval mode, of
    own images and of shared ones.
    """
    cells, images = len(plain), images.double()
    began = {name: buffer.clone() for name, buffer in plain[0].named_buffers()}
    packed = PackedByRules([copy.deepcopy(one) for one in plain])
    own = [images.roll(k, 0) * (1 + 0.1 * k) - 0.5 for k in range(cells)]
    generator = torch.Generator().manual_seed(0)
    for one in (packed, *plain):
        one.train()
    for step in (1, 2):
        together = packed(torch.cat(own, dim=1))
        alone = torch.stack([one(x) for one, x in zip(plain, own, strict=True)])
        _assert_close(together, alone, f"features of step {step}")
        direction = torch.randn(alone.shape, generator=generator, dtype=alone.dtype)
        (together * direction).sum().backward()
        (alone * direction).sum().backward()
        wide = packed.stacked()
        for name, _ in plain[0].named_parameters():
            values = [one.get_parameter(name) for one in plain]
            if name not in wide:
                assert all(value.grad is None for value in values), name
                continue
            slopes = torch.stack([_slope(value) for value in values])
            _assert_close(_slope(wide[name]).view(cells, -1), slopes, f"{name} in step {step}")
            with torch.no_grad():
                for value in (wide[name], *values):
                    value.sub_(_slope(value).view_as(value), alpha=0.01)
                    value.grad = None
    for name, buffer in plain[0].named_buffers():
        if name not in packed.stacked():
            assert torch.equal(buffer, began[name]), name
        elif buffer.ndim:
            kept = torch.stack([one.get_buffer(name).flatten() for one in plain])
            _assert_close(packed.stacked()[name].view(cells, -1), kept, name)
    for one in (packed, *plain):
        one.train(False)
    with torch.no_grad():
        alone = torch.stack([one(x) for one, x in zip(plain, own, strict=True)])
        _assert_close(packed(torch.cat(own, dim=1)), alone, "features in use")
        alone = torch.stack([one(own[0]) for one in plain])
        _assert_close(packed(own[0], shared=True), alone, "features of shared images")


def assert_same_training(plain, images, steps=6, packer=PackedByRules):
    """Log-probabilities and parameters over steps of descent, most of them replayed from a tape.

    The packed cells against the plain networks, each trained by torch's own optimiser, on other
    images in each step. Returns whether steps were replayed in the end, however slow they are here.
    """
    with mock.patch.object(replaying, "LONGEST", math.inf):
        return _train_beside(plain, images, steps, packer)


def _train_beside(plain, images, steps, packer):
    cells, rate, generator = len(plain), 0.01, torch.Generator().manual_seed(1)
    packed = packer([copy.deepcopy(one) for one in plain])
    packed.train()
    with torch.no_grad():
        width = copy.deepcopy(plain[0]).eval()(images.double()).shape[1]
    torch.manual_seed(0)
    heads = [nn.Linear(width, 3).double() for _ in plain]
    step = descent(packed, Heads(heads), [Recipe(learning_rate=rate)] * cells, steps)
    models = [nn.Sequential(*pair, nn.LogSoftmax(1)).train() for pair in zip(plain, heads)]  # noqa: B905
    optimizers = [torch.optim.SGD(model.parameters(), rate) for model in models]
    for number in range(steps):
        x = torch.rand(len(images), cells, *images.shape[1:], generator=generator).double() - 0.3
        weight = -torch.rand(cells, len(images), 3, generator=generator).double() / len(images)
        together = step(x.flatten(1, 2), weight)
        for k, (model, optimizer) in enumerate(zip(models, optimizers, strict=True)):
            optimizer.zero_grad()
            alone = model(x[:, k])
            (alone * weight[k]).sum().backward()
            optimizer.step()
            _assert_close(together[k], alone, f"cell {k} in step {number}", 1e-8)
    for name, value in packed.stacked().items():
        if value.ndim:
            kept = torch.stack([dict(_named(one))[name].flatten() for one in plain])
            _assert_close(value.reshape(cells, -1), kept, name, 1e-8)
    return getattr(step, "in_use", False)


def _named(module):
    return [*module.named_parameters(), *module.named_buffers()]


def _slope(value):
    """None where the features do not depend on it: zero."""
    return (torch.zeros_like(value) if value.grad is None else value.grad).flatten()


def _assert_close(got, wanted, what, tolerance=_TOLERANCE):
    assert got.shape == wanted.shape, what
    assert got.isfinite().all(), what
    apart = float((got - wanted).detach().abs().max())
    assert apart <= tolerance * max(1.0, float(wanted.detach().abs().max())), f"{what}: {apart}"
