"""Networks one by one and packed, trained beside each other."""

import copy

import numpy as np
import torch

from augbench.engines.packing import Widened
from augbench.protocol.dropout import own_dropout

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
    packed = Widened([copy.deepcopy(one) for one in plain])
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
        if buffer.ndim:
            kept = torch.stack([one.get_buffer(name).flatten() for one in plain])
            _assert_close(packed.stacked()[name].view(cells, -1), kept, name)
    for one in (packed, *plain):
        one.train(False)
    with torch.no_grad():
        alone = torch.stack([one(x) for one, x in zip(plain, own, strict=True)])
        _assert_close(packed(torch.cat(own, dim=1)), alone, "features in use")
        alone = torch.stack([one(own[0]) for one in plain])
        _assert_close(packed(own[0], shared=True), alone, "features of shared images")


def _slope(value):
    """None where the features do not depend on it: zero."""
    return (torch.zeros_like(value) if value.grad is None else value.grad).flatten()


def _assert_close(got, wanted, what):
    assert got.shape == wanted.shape, what
    apart = float((got - wanted).detach().abs().max())
    assert apart <= _TOLERANCE * max(1.0, float(wanted.detach().abs().max())), f"{what}: {apart}"
