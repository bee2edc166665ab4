"""Inputs of networks: bytes to [0, 1], and normalization by channel."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from augbench.protocol.inputs import Normalized, channel_statistics, network_inputs


@given(
    images=st.integers(1, 5),
    channels=st.integers(1, 4),
    side=st.integers(1, 6),
    seed=st.integers(0, 999),
)
def test_channel_statistics_are_numpys_over_all_pixels(images, channels, side, seed):
    rng = np.random.default_rng(seed)
    made = rng.integers(0, 256, (images, channels, side, side + 1), dtype=np.uint8)
    mean, deviation = channel_statistics(torch.from_numpy(made))
    wanted = made.astype(np.float64).transpose(1, 0, 2, 3).reshape(channels, -1) / 255
    assert mean.tolist() == pytest.approx(wanted.mean(1).tolist(), abs=1e-6)
    least = np.maximum(wanted.std(1), 1 / 255)
    assert deviation.tolist() == pytest.approx(least.tolist(), abs=1e-6)


def test_flat_images_are_not_blown_up_and_no_images_change_nothing():
    mean, deviation = channel_statistics(torch.full((2, 1, 3, 3), 7, dtype=torch.uint8))
    assert mean.item() == pytest.approx(7 / 255)
    assert deviation.item() == pytest.approx(1 / 255)
    mean, deviation = channel_statistics(torch.empty(0, 3, 4, 4, dtype=torch.uint8))
    assert (mean.tolist(), deviation.tolist()) == ([0, 0, 0], [1, 1, 1])


def test_a_normalized_backbone_sees_channels_of_mean_0_and_deviation_1():
    seen = nn.Flatten()
    seen.feature_dim = 3 * 8 * 8
    images = torch.randint(256, (20, 3, 8, 8), dtype=torch.uint8)
    images[:, 1] //= 3
    network = Normalized(seen, *channel_statistics(images))
    features = network(network_inputs(images)).view(20, 3, 64)
    assert network.feature_dim == seen.feature_dim
    assert features.mean((0, 2)).tolist() == pytest.approx([0, 0, 0], abs=1e-5)
    assert features.std((0, 2), correction=0).tolist() == pytest.approx([1, 1, 1], abs=1e-5)
