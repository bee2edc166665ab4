"""RICAP and Mosaic: four images around a point."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from augbench_mixes._tiles import areas, tile
from augbench_mixes.mosaic import Mosaic
from augbench_mixes.ricap import Ricap


@pytest.mark.parametrize(("row", "column"), [(3, 5), (0, 4), (7, 9), (1, 0)])
def test_ricap_lays_out_the_crops_that_are_drawn(row: int, column: int, given, images) -> None:
    height, width, rng = 7, 9, np.random.default_rng(row)
    sources = [images(k, 1, 2, height, width) for k in range(4)]
    talls, wides = [row, row, height - row, height - row], [column, width - column] * 2
    tops = [int(rng.integers(height - tall + 1)) for tall in talls]
    lefts = [int(rng.integers(width - wide + 1)) for wide in wides]
    crops = [
        source[..., top : top + tall, left : left + wide]
        for source, top, tall, left, wide in zip(sources, tops, talls, lefts, wides, strict=True)
    ]
    expected = torch.cat([torch.cat(crops[:2], dim=3), torch.cat(crops[2:], dim=3)], dim=2)
    draws = given(beta=[[row / height], [column / width]], integers=[[tops], [lefts]])
    image, weights = Ricap()(*sources, rng=draws)
    torch.testing.assert_close(image, expected, atol=0, rtol=0)
    shares = [tall * wide / 63 for tall, wide in zip(talls, wides, strict=True)]
    assert weights[0].tolist() == pytest.approx(shares)


def test_ricap_s_point_is_beta_distributed_and_each_image_has_its_own() -> None:
    sources = [torch.zeros(4000, 1, 1, 1000) for _ in range(4)]
    _, weights = Ricap(beta=0.3)(*sources, rng=np.random.default_rng(0))
    left = (weights[:, 0] + weights[:, 2]).numpy().astype(float)
    assert len(np.unique(left)) > 500
    for point in (0.0, 0.1, 0.3, 0.5, 0.7, 0.9):  # rounded to a pixel of 1,000
        expected = stats.beta(0.3, 0.3).cdf(point + 0.0005)
        assert (left <= point + 0.0001).mean() == pytest.approx(expected, abs=0.03)
    np.testing.assert_allclose(weights.mean(dim=0), 0.25, atol=0.03)


def test_mosaic_agrees_with_kornia_given_its_draws(images) -> None:
    augmentation = pytest.importorskip("kornia.augmentation", reason="kornia is not installed")
    height, width = 11, 14
    x = images(0, 6, 3, height, width)
    mosaic = augmentation.RandomMosaic(p=1.0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = mosaic(x)
    order, corner = mosaic._params["permutation"], mosaic._params["src"][:, 0].long().numpy()
    row, column = height - corner[:, 1], width - corner[:, 0]
    shifts = (np.repeat(-shift[:, None], 4, axis=1) for shift in (row, column))
    tiles = [x[order[:, k]] for k in (0, 2, 1, 3)]  # kornia counts down first, then across
    ours = tile(tiles, row, column, *shifts)
    torch.testing.assert_close(ours, theirs, atol=0, rtol=0)


def test_mosaic_s_images_have_a_corner_where_they_meet(given) -> None:
    sources = [torch.arange(16.0).view(1, 1, 4, 4) + 100 * k for k in range(4)]
    image, weights = Mosaic()(*sources, rng=given(uniform=[[[0.25], [0.5]]]))
    assert image[0, 0].tolist() == [
        [14, 15, 112, 113],  # the last row of the upper images
        [202, 203, 300, 301],  # the first row of the lower ones
        [206, 207, 304, 305],
        [210, 211, 308, 309],
    ]
    assert weights[0].tolist() == [0.125, 0.125, 0.375, 0.375]


def test_mosaic_keeps_its_meeting_point_from_the_border() -> None:
    sources = [torch.zeros(4000, 1, 30, 40) for _ in range(4)]
    _, weights = Mosaic(margin=0.2)(*sources, rng=np.random.default_rng(0))
    above, left = weights[:, :2].sum(dim=1), weights[:, ::2].sum(dim=1)
    for part in (above, left):
        assert part.min().item() == pytest.approx(0.2, abs=0.01)
        assert part.max().item() == pytest.approx(0.8, abs=0.01)
    np.testing.assert_allclose(weights.mean(dim=0), 0.25, atol=0.01)


def test_areas_of_a_point_in_the_corner() -> None:
    assert areas(np.array([0]), np.array([5]), 4, 5).tolist() == [[0, 0, 1, 0]]


def test_refuse_parameters_out_of_range() -> None:
    with pytest.raises(ValueError, match="beta must be a finite number above 0"):
        Ricap(beta=0)
    with pytest.raises(ValueError, match=r"margin must be in \[0, 0.5\]"):
        Mosaic(margin=0.6)
