from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from augbench_mixes.smoothmix import SmoothMix


def test_mask_is_a_bell_of_height_one_at_the_pixel_drawn(given) -> None:
    x_i, x_j = torch.ones(1, 1, 5, 8), torch.zeros(1, 1, 5, 8)
    image, lam = SmoothMix()(x_i, x_j, rng=given(uniform=[[0.25]], integers=[[1], [6]]))
    for row in range(5):
        for column in range(8):
            exponent = ((row - 1) / (0.25 * 5)) ** 2 + ((column - 6) / (0.25 * 8)) ** 2
            assert image[0, 0, row, column].item() == pytest.approx(math.exp(-exponent / 2))
    assert lam.item() == pytest.approx(image.mean().item(), abs=1e-6)


def test_mean_share_is_the_mean_of_the_mask_over_its_law() -> None:
    sigma = 28 * (0.25 + 0.25 * (np.arange(200) + 0.5) / 200)
    pixels = np.arange(28)
    bell = np.exp(-((pixels - pixels[:, None]) ** 2) / (2 * sigma[:, None, None] ** 2))
    expected = (bell.mean(axis=(1, 2)) ** 2).mean()
    x = torch.zeros(8000, 1, 28, 28)
    _, lam = SmoothMix()(x, x, rng=np.random.default_rng(0))
    assert lam.mean().item() == pytest.approx(expected, abs=4 * lam.std().item() / 8000**0.5)
    assert expected == pytest.approx(0.43, abs=0.02)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.5), (0.6, 0.5), (float("inf"), 0.5)])
def test_refuses_widths_that_are_none(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="low"):
        SmoothMix(low=low, high=high)
