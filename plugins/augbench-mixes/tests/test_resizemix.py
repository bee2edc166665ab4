from __future__ import annotations

import numpy as np
import pytest
import torch

from augbench_mixes.resizemix import ResizeMix, resizing


@pytest.mark.parametrize(("scale", "top", "left"), [(0.8, 1, 4), (0.33, 5, 0), (0.1, 2, 3)])
def test_shows_all_of_x_j_as_torchvision_resizes_it(scale, top, left, given, images) -> None:
    functional = pytest.importorskip(
        "torchvision.transforms.v2.functional", reason="torchvision is not installed"
    )
    x_i, x_j = images(0, 2, 3, 15, 22), images(1, 2, 3, 15, 22)
    size = [max(1, round(scale * 15)), max(1, round(scale * 22))]
    small = functional.resize(x_j, size, antialias=True)
    expected = x_i.clone()
    expected[:, :, top : top + size[0], left : left + size[1]] = small
    rng = given(uniform=[[scale] * 2], integers=[[top] * 2, [left] * 2])
    image, lam = ResizeMix()(x_i, x_j, rng=rng)
    torch.testing.assert_close(image, expected, atol=1e-5, rtol=0)
    assert lam.tolist() == pytest.approx([1 - size[0] * size[1] / (15 * 22)] * 2)


def test_matrix_of_a_whole_side_changes_nothing() -> None:
    np.testing.assert_allclose(resizing(np.array([0]), np.array([7]), 7)[0], np.eye(7), atol=1e-12)


def test_rows_outside_the_box_are_zero_and_inside_sum_to_one() -> None:
    weights = resizing(np.array([2, 0]), np.array([3, 1]), 9).sum(axis=2)
    np.testing.assert_allclose(weights, [[0, 0, 1, 1, 1, 0, 0, 0, 0], [1] + [0] * 8], atol=1e-12)


def test_mean_share_follows_from_a_uniform_scale() -> None:
    tau = 0.1 + 0.7 * (np.arange(10_000) + 0.5) / 10_000
    expected = 1 - (np.rint(28 * tau) ** 2).mean() / 28**2
    x = torch.zeros(8000, 1, 28, 28)
    _, lam = ResizeMix()(x, x, rng=np.random.default_rng(0))
    assert lam.mean().item() == pytest.approx(expected, abs=4 * lam.std().item() / 8000**0.5)
    assert expected == pytest.approx(0.757, abs=0.002)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.5), (0.6, 0.5), (0.5, 1.1)])
def test_refuses_a_range_that_is_none(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="expected 0 < low <= high <= 1"):
        ResizeMix(low=low, high=high)
