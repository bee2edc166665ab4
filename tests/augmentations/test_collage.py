from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from augbench.augmentations.collage import Collage

rng = np.random.default_rng(0)
sides = st.integers(1, 30)


def collage(shape: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Of ones (x_i) and zeros (x_j), so that a pixel tells where it comes from."""
    image, lam = Collage()(torch.ones(shape), torch.zeros(shape), rng=rng)
    return image, lam


def test_takes_top_right_and_bottom_left_from_the_anchor() -> None:
    image, lam = collage((1, 1, 4, 4))
    assert image[0, 0].tolist() == [
        [0, 0, 1, 1],
        [0, 0, 1, 1],
        [1, 1, 0, 0],
        [1, 1, 0, 0],
    ]
    assert lam.tolist() == [0.5]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4), st.integers(1, 3), sides, sides)
def test_every_pixel_comes_from_its_quadrant_s_source(
    count: int, channels: int, height: int, width: int
) -> None:
    image, _ = collage((count, channels, height, width))
    for row in range(height):
        for column in range(width):
            top, left = row < height // 2, column < width // 2
            from_anchor = top != left  # top-right or bottom-left
            assert (image[:, :, row, column] == float(from_anchor)).all()


@settings(deadline=None, max_examples=60)
@given(sides, sides)
def test_lam_is_one_half_unless_both_sides_are_odd(height: int, width: int) -> None:
    _, lam = collage((2, 1, height, width))
    pixels = height * width
    expected = (pixels - 1) / (2 * pixels) if pixels % 2 else 0.5
    np.testing.assert_allclose(lam, [expected, expected], atol=1e-7)


def test_draws_nothing() -> None:
    fresh = np.random.default_rng(5)
    Collage()(torch.ones(3, 1, 4, 4), torch.zeros(3, 1, 4, 4), rng=fresh)
    assert fresh.random() == np.random.default_rng(5).random()
