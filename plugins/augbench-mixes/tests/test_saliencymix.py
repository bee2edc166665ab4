from __future__ import annotations

import numpy as np
import pytest
import torch

from augbench_mixes.saliencymix import SaliencyMix, peaks, saliency


def test_saliency_is_the_summed_difference_from_surrounding_squares(images) -> None:
    x = images(0, 2, 3, 9, 17)
    ours = saliency(x)
    intensity = x.mean(dim=1)
    for row in range(9):
        for column in range(17):
            expected = torch.zeros(2)
            for reach in (1, 2, 4):
                square = intensity[
                    :,
                    max(0, row - reach) : row + reach + 1,
                    max(0, column - reach) : column + reach + 1,
                ]
                expected += (intensity[:, row, column] - square.mean(dim=(1, 2))).abs()
            torch.testing.assert_close(ours[:, row, column], expected, atol=1e-5, rtol=0)


def test_peak_is_the_pixel_that_stands_out() -> None:
    x = torch.full((2, 1, 20, 30), 0.5)
    x[0, 0, 4, 17] = 1
    x[1, 0, 12, 3] = 0  # dark on bright stands out as well
    row, column = peaks(x)
    assert row.tolist() == [4, 12]
    assert column.tolist() == [17, 3]


def test_box_lies_around_the_partner_s_peak(given) -> None:
    x_i, x_j = torch.zeros(1, 1, 20, 20), torch.full((1, 1, 20, 20), 0.5)
    x_j[0, 0, 9, 12] = 1
    image, lam = SaliencyMix()(x_i, x_j, rng=given(beta=[[0.9]]))  # half sides of 3.2, so 3
    expected = torch.zeros(20, 20)
    expected[6:12, 9:15] = x_j[0, 0, 6:12, 9:15]
    assert torch.equal(image[0, 0], expected)
    assert lam.item() == pytest.approx(1 - 36 / 400)


def test_a_flat_image_has_its_peak_somewhere_and_gives_exact_labels() -> None:
    x = torch.zeros(5, 1, 8, 8)
    image, lam = SaliencyMix()(torch.ones_like(x), x, rng=np.random.default_rng(0))
    torch.testing.assert_close(image.mean(dim=(1, 2, 3)), lam)
