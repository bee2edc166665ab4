"""Numbers far from 1: where torch's layers stay finite, the packed ones do, with its numbers."""

import copy

import pytest
import torch
from torch import nn

from augbench.packed.trace import PackedByRules

CELLS, BATCH = 3, 5

NETWORKS = {
    "convolution": [nn.Conv2d(2, 4, 3, padding=1)],
    "normalised": [nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)],
    "normalised and rectified": [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)],
    "filtered by Winograd": [
        *(nn.Conv2d(2, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()),
        *(nn.Conv2d(16, 16, 3, padding=1), nn.BatchNorm2d(16)),
    ],
    "normalised vectors": [nn.Conv2d(2, 4, 3), nn.Flatten(), nn.BatchNorm1d(144), nn.Tanh()],
    "vectors of means": [
        *(nn.Conv2d(2, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(8)),
    ],
    "groups": [nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.InstanceNorm2d(4)],
    "layers": [nn.Conv2d(2, 4, 3), nn.LayerNorm([4, 6, 6]), nn.GELU()],
}


@pytest.mark.parametrize("scale", [1e30, 1e19, 1e-19, 1e-30])
@pytest.mark.parametrize("layers", NETWORKS.values(), ids=NETWORKS)
def test_features_and_running_statistics_are_torchs(layers, scale):
    torch.manual_seed(0)
    plain = [nn.Sequential(*map(copy.deepcopy, layers), nn.Flatten()) for _ in range(CELLS)]
    for one in plain:
        for value in one.parameters():
            nn.init.normal_(value)
            value.data *= 1 if value.ndim > 1 else scale  # a bias beside such numbers
    packed = PackedByRules([copy.deepcopy(one) for one in plain])
    packed.train()
    for _ in range(4):
        x = (torch.randn(BATCH, CELLS, 2, 8, 8) + 0.5) * scale
        alone = [one.train()(own) for one, own in zip(plain, x.unbind(1), strict=True)]
        assert_alike(packed(x.flatten(1, 2)), torch.stack(alone))
    for name, value in plain[0].named_buffers():
        if value.ndim:
            kept = torch.stack([one.get_buffer(name) for one in plain])
            assert_alike(packed.stacked()[name].view_as(kept), kept)
    packed.train(False)
    alone = [one.eval()(own) for one, own in zip(plain, x.unbind(1), strict=True)]
    assert_alike(packed(x.flatten(1, 2)), torch.stack(alone))


def assert_alike(got, wanted):
    """The same numbers, infinities and what is no number, to float order."""
    assert torch.equal(got.isnan(), wanted.isnan())
    assert torch.equal(got.isinf(), wanted.isinf())
    got, wanted = (one.detach().double().nan_to_num(0, 0, 0) for one in (got, wanted))
    assert float((got - wanted).abs().max()) <= 1e-4 * float(wanted.abs().max())


def test_a_variance_beyond_the_largest_number_stays_infinite():
    norms = [nn.Sequential(nn.BatchNorm2d(2), nn.Flatten()) for _ in range(CELLS)]
    packed = PackedByRules(norms)
    packed.train()
    for scale in (1e30, 1.0, 1e30):
        packed(torch.randn(BATCH, CELLS * 2, 3, 3) * scale)
    assert packed.stacked()["0.running_var"].isposinf().all()
    assert packed.stacked()["0.running_mean"].isfinite().all()
