"""The packed engine gives the reference's numbers, whatever the network and the company."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from augbench.packed import ops
from augbench.training.engine import PackedEngine
from augbench.training.reference import ReferenceEngine


class Residual(nn.Module):
    """Glue by hand: no one declares anything for it."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        return F.relu(x + self.norm(self.conv(x)))


class Twice(nn.Module):
    """Two branches side by side, then their mean over the pixels."""

    def __init__(self, channels):
        super().__init__()
        self.one, self.other = nn.Conv2d(channels, 3, 1), nn.Conv2d(channels, 2, 3, padding=1)
        self.linear = nn.Linear(5, 7)

    def forward(self, x):
        x = torch.cat([self.one(x), torch.tanh(self.other(x))], dim=1)
        return self.linear(x.mean(dim=(2, 3)))


class View(nn.Module):
    def forward(self, x):
        return x.view(x.size(0), -1)


LAYERS = {
    "conv": lambda c: nn.Conv2d(c, 4, 3, padding=1),
    "strided": lambda c: nn.Conv2d(c, 6, 3, stride=2, padding=1, bias=False),
    "grouped": lambda c: nn.Conv2d(c, 2 * c, 3, padding=1, groups=c),
    "batch norm": nn.BatchNorm2d,
    "group norm": lambda c: nn.GroupNorm(1, c),
    "instance norm": lambda c: nn.InstanceNorm2d(c, affine=True),
    "residual": Residual,
    "dropout": lambda c: nn.Dropout(0.2),
    "channel dropout": lambda c: nn.Dropout2d(0.4),
    "relu": lambda c: nn.ReLU(),
    "gelu": lambda c: nn.GELU(),
    "max pool": lambda c: nn.MaxPool2d(2, ceil_mode=True),
    "average pool": lambda c: nn.AvgPool2d(3, stride=1, padding=1),
}
DRAWN = sorted(LAYERS)
LAYERS["wide"] = lambda c: nn.Conv2d(c, 16, 3, padding=1, bias=False)  # whose products are saved


def network(names, ending, in_channels):
    """Layers by name on `in_channels` × 10 × 10 images, then an ending that makes vectors."""
    layers, channels = [], in_channels
    for name in names:
        layers.append(LAYERS[name](channels))
        channels = getattr(layers[-1], "out_channels", channels)
    body = nn.Sequential(*layers)
    if ending == "twice":
        return nn.Sequential(body, Twice(channels)), 7
    if ending == "pooled":
        return nn.Sequential(body, nn.AdaptiveAvgPool2d(2), nn.Flatten()), 4 * channels
    with torch.no_grad():
        pixels = body.eval()(torch.zeros(2, in_channels, 10, 10)).flatten(1).shape[1]
    dense = [nn.Linear(pixels, 9), nn.BatchNorm1d(9), nn.Dropout(0.5), nn.ReLU(), nn.Linear(9, 5)]
    return nn.Sequential(body, View(), *dense), 5


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    names=st.lists(st.sampled_from(DRAWN), min_size=1, max_size=5),
    ending=st.sampled_from(["twice", "pooled", "dense"]),
    batch=st.integers(3, 6),
)
@example(names=["wide", "residual", "max pool", "residual"], ending="pooled", batch=16)
def test_losses_agree_to_1e_4_over_100_steps_for_any_network(
    session_lab, agree, names, ending, batch
):
    lab = session_lab
    lab.factories["drawn"] = lambda channels, _: with_width(*network(names, ending, channels))
    rules = replace(lab.cell().settings, batch_size=batch, pretrain_steps=100)
    cells = [
        lab.cell(augmentation, size, seed, backbone="drawn", settings=rules)
        for augmentation, size, seed in (("none", 2, 0), ("mixup", 4, 0), ("collage", 2, 1))
    ]
    engine = PackedEngine()
    packed, reference = lab.train(engine, cells), lab.train(ReferenceEngine(), cells)
    for cell in cells:
        agree(packed[cell.key], reference[cell.key])
    assert "by rules" in engine.choice or "only" in engine.choice, engine.choice


def with_width(net, width):
    net.feature_dim = width
    return net


@pytest.fixture
def cells(lab):
    return [
        lab.cell(augmentation, size, seed)
        for seed in (0, 1)
        for augmentation in ("none", "collage", "mixup")
        for size in (2, 5)
    ]


def test_a_result_depends_neither_on_company_nor_on_order_nor_on_packs(lab, agree, cells):
    whole = lab.train(PackedEngine(), cells)
    reference = lab.train(ReferenceEngine(), cells)
    shuffled = [cells[k] for k in np.random.default_rng(0).permutation(len(cells))]
    for other in (
        lab.train(PackedEngine(pack_limit=1), cells),
        lab.train(PackedEngine(pack_limit=5), cells),
        lab.train(PackedEngine(), shuffled),
    ):
        for cell in cells:
            agree(whole[cell.key], other[cell.key], tolerance=1e-5)
            agree(reference[cell.key], other[cell.key], tolerance=1e-5)


def test_images_of_several_channels_and_of_any_shape_are_packed(lab, agree):
    lab.source = lab.add_images("colour", 3, shape=(3, 9, 12), seed=3)
    lab.target = lab.add_images("colour too", 5, shape=(3, 9, 12), seed=4)
    cells = [lab.cell(a, s, 0) for a in ("none", "mixup") for s in (2, 5)]
    packed, reference = lab.train(PackedEngine(), cells), lab.train(ReferenceEngine(), cells)
    for cell in cells:
        agree(packed[cell.key], reference[cell.key])


def test_what_a_gpu_is_given_agrees_too(lab, agree, monkeypatch):
    """On the CPU: batch-last maps without kernels, convolutions as products of columns."""
    monkeypatch.setattr(ops.layout, "kernels", lambda: None)
    for room in (ops, ops.layout):
        monkeypatch.setattr(room, "prefers_batch_last", lambda x: True)
    names = ["conv", "batch norm", "channel dropout", "strided", "relu", "residual"]
    lab.factories["drawn"] = lambda channels, _: with_width(*network(names, "pooled", channels))
    cells = [lab.cell(a, s, 0, backbone="drawn") for a in ("none", "mixup") for s in (2, 5)]
    # Columns are slow on a CPU: that they are right is asked here, not that they are taken.
    monkeypatch.setattr("augbench.packed.choice._WORTH_IT", 0)
    engine = PackedEngine()
    packed, reference = lab.train(engine, cells), lab.train(ReferenceEngine(), cells)
    for cell in cells:
        agree(packed[cell.key], reference[cell.key])
    assert "by rules" in engine.choice
