from __future__ import annotations

import pytest
import torch
from torch import nn

from augbench_torchvision.cifar_resnet import cifar_resnet
from augbench_torchvision.resnet18 import resnet18


@pytest.mark.parametrize(("depth", "parameters"), [(20, 0.27e6), (32, 0.46e6), (56, 0.85e6)])
def test_cifar_resnet_has_the_paper_s_number_of_parameters(depth: int, parameters: float) -> None:
    network = cifar_resnet(3, (32, 32), depth=depth)
    count = sum(p.numel() for p in network.parameters()) + 10 * 65  # and the head's
    assert count == pytest.approx(parameters, rel=0.02)  # Table 6 of the paper


@pytest.mark.parametrize("depth", [8, 14, 20])
def test_cifar_resnet_has_as_many_layers_as_it_says(depth: int) -> None:
    network = cifar_resnet(1, (28, 28), depth=depth)
    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) + 1 == depth  # the head is the last
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 64)


def test_a_block_that_changes_nothing_passes_on_its_input() -> None:
    network = cifar_resnet(1, (28, 28), depth=8).eval()
    blocks = list(network)[3:6]
    for block in blocks:
        nn.init.zeros_(block.norm2.weight)
    first = torch.rand(2, 16, 8, 8)
    last = nn.Sequential(*blocks)(first)
    assert torch.equal(last[:, :16], first[:, :, ::4, ::4])  # stride 2 twice
    assert not last[:, 16:].any()  # channels that are filled with zeros


@pytest.mark.parametrize("depth", [2, 10, 21])
def test_cifar_resnet_refuses_other_depths(depth: int) -> None:
    with pytest.raises(ValueError, match="depth must be 6n"):
        cifar_resnet(1, (28, 28), depth=depth)


@pytest.mark.parametrize(("stem", "side"), [("imagenet", 1), ("small", 4)])
def test_stem_decides_what_is_left_of_a_small_image(stem, side: int) -> None:
    network = resnet18(1, (28, 28), stem=stem).eval()
    sizes = []
    network.layer4.register_forward_hook(lambda _m, _i, output: sizes.append(output.shape[-1]))
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 512)
    assert sizes == [side]


def test_resnet18_of_three_channels_is_torchvision_s() -> None:
    from torchvision import models

    torch.manual_seed(0)
    theirs = models.resnet18()
    theirs.fc = nn.Identity()
    ours = resnet18(3, (32, 32))
    ours.load_state_dict(theirs.state_dict())
    x = torch.rand(2, 3, 32, 32)
    assert torch.equal(ours.eval()(x), theirs.eval()(x))


def test_resnet18_refuses_another_stem() -> None:
    with pytest.raises(ValueError, match="stem must be 'imagenet' or 'small'"):
        resnet18(1, (28, 28), stem="tiny")
