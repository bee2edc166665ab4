from __future__ import annotations

import numpy as np
import pytest
import torch

from augbench_mixes.cutout import Cutout


def test_blanks_the_box_that_is_drawn_and_keeps_the_rest(given) -> None:
    x = torch.ones(1, 1, 4, 6)
    image, weight = Cutout(size=0.5)(x, rng=given(integers=[[0], [4]]))  # 2×3 around (0, 4)
    assert image[0, 0].tolist() == [
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 1],
    ]
    assert weight.tolist() == [1]


def test_mean_blanked_area_is_that_of_a_clipped_box() -> None:
    x = torch.ones(20_000, 1, 32, 32)
    image, _ = Cutout()(x, rng=np.random.default_rng(0))
    start = np.arange(32) - 8
    side = np.minimum(start + 16, 32) - np.maximum(start, 0)
    blank = 1 - image.mean(dim=(1, 2, 3))
    assert blank.max().item() == pytest.approx(0.25)
    expected = (side.mean() / 32) ** 2
    assert blank.mean().item() == pytest.approx(expected, abs=4 * blank.std().item() / 20_000**0.5)


def test_fill_is_the_value_of_the_blanked_pixels(given) -> None:
    image, _ = Cutout(size=1, fill=0.5)(torch.ones(1, 2, 3, 3), rng=given(integers=[[1], [1]]))
    assert (image[0, :, :2, :2] == 0.5).all()


@pytest.mark.parametrize(("name", "value"), [("size", 1.5), ("size", -0.1), ("fill", 2.0)])
def test_refuses_what_is_no_fraction(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{name} must be in \[0, 1\]"):
        Cutout(**{name: value})
