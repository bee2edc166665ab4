from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from augbench.backbones.convnet import convnet
from augbench.errors import StudyError

sides = st.integers(16, 40)


def test_gives_256_features_of_a_handwritten_digit() -> None:
    network = convnet(1, (28, 28))
    assert network.feature_dim == 256
    assert network.eval()(torch.zeros(3, 1, 28, 28)).shape == (3, 256)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 4), sides, sides)
def test_feature_dim_is_what_comes_out(channels: int, height: int, width: int) -> None:
    network = convnet(channels, (height, width)).eval()
    features = network(torch.zeros(2, channels, height, width))
    assert features.shape == (2, network.feature_dim)


def test_is_the_handout_s_network() -> None:
    network = convnet(1, (28, 28)).eval()
    first, second = network[0], network[3]
    x = torch.rand(4, 1, 28, 28)
    h = functional.relu(functional.max_pool2d(functional.conv2d(x, first.weight, first.bias), 2))
    h = functional.conv2d(h, second.weight, second.bias)
    expected = functional.relu(functional.max_pool2d(h, 2)).flatten(1)
    torch.testing.assert_close(network(x), expected)


def test_is_a_plain_sequence_that_an_engine_can_read() -> None:
    network = convnet(3, (32, 32), dropout=0.25)
    assert isinstance(network, nn.Sequential)
    assert [type(layer) for layer in network] == [
        nn.Conv2d,
        nn.MaxPool2d,
        nn.ReLU,
        nn.Conv2d,
        nn.Dropout2d,
        nn.MaxPool2d,
        nn.ReLU,
        nn.Flatten,
    ]
    assert network[4].p == 0.25


def test_the_same_seed_gives_the_same_weights() -> None:
    states = []
    with torch.random.fork_rng():
        for _ in range(2):
            torch.manual_seed(7)
            states.append(convnet(1, (28, 28)).state_dict())
    for name, weights in states[0].items():
        assert torch.equal(weights, states[1][name])


@pytest.mark.parametrize("dropout", [-0.1, 1, 1.5, float("nan")])
def test_refuses_a_dropout_outside_the_unit_interval(dropout: float) -> None:
    with pytest.raises(ValueError, match=r"dropout must be in \[0, 1\), got"):
        convnet(1, (28, 28), dropout=dropout)


@pytest.mark.parametrize("size", [(15, 28), (28, 15), (1, 1)])
def test_tells_the_smallest_image_that_works(size: tuple[int, int]) -> None:
    with pytest.raises(StudyError, match="at least 16×16 pixels, got"):
        convnet(1, size)
    assert convnet(1, (16, 16)).feature_dim == 16
