from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from scipy import stats

from augbench_mixes.fmix import FMix, low_frequencies, top_pixels


@pytest.mark.parametrize(("height", "width"), [(6, 6), (5, 7), (1, 4), (3, 1)])
def test_field_is_the_noise_with_each_frequency_divided(height: int, width: int) -> None:
    noise = np.random.default_rng(1).standard_normal((2, height, width))
    rows, columns = np.arange(height), np.arange(width)
    expected = np.zeros((2, height, width), complex)
    for u in range(height):  # the Fourier transform, term by term
        for v in range(width):
            if u == v == 0:
                continue
            f = np.hypot(min(u, height - u) / height, min(v, width - v) / width)
            wave = np.exp(2j * np.pi * (u * rows[:, None] / height + v * columns / width))
            amplitude = (noise * wave.conj()).sum(axis=(1, 2), keepdims=True) / (height * width)
            expected += amplitude / f**3 * wave
    ours = low_frequencies(noise, 3.0)
    lowest = 1 / max(height, width)  # the scale is free: it orders the pixels alike
    np.testing.assert_allclose(ours, expected.real * lowest**3, atol=1e-9)


def test_a_steeper_decay_makes_smoother_masks() -> None:
    noise = np.random.default_rng(0).standard_normal((200, 28, 28))
    half = np.full(200, 0.5)
    edges = [
        np.diff(top_pixels(low_frequencies(noise, decay), half).astype(int), axis=2).__abs__().sum()
        for decay in (0.0, 1.0, 2.0, 3.0)
    ]
    assert edges == sorted(edges, reverse=True)
    assert edges[3] < edges[0] / 4


@settings(deadline=None, max_examples=50)
@drawn(st.integers(1, 9), st.integers(1, 9), st.floats(0, 1), st.integers(0, 999))
def test_mask_holds_the_highest_pixels_and_no_other(h: int, w: int, lam: float, seed: int) -> None:
    field = np.random.default_rng(seed).standard_normal((1, h, w))
    mask = top_pixels(field, np.array([lam]))
    assert mask.sum() == np.floor(lam * h * w + 0.5)
    if 0 < mask.sum() < h * w:
        assert field[mask].min() > field[~mask].max()


def test_share_of_x_i_follows_beta_to_the_nearest_pixel() -> None:
    x = torch.zeros(4000, 1, 28, 28)
    _, lam = FMix()(x, x, rng=np.random.default_rng(0))
    drawn_lam = np.random.default_rng(0).beta(1.0, 1.0, size=4000)
    np.testing.assert_allclose(lam, drawn_lam, atol=0.5 / 784 + 1e-6)
    assert stats.kstest(drawn_lam, "uniform").pvalue > 0.01


def test_an_image_of_one_pixel_comes_from_one_source() -> None:
    zero, one = torch.zeros(50, 1, 1, 1), torch.ones(50, 1, 1, 1)
    image, lam = FMix()(zero, one, rng=np.random.default_rng(0))
    assert set(lam.tolist()) == {0.0, 1.0}
    torch.testing.assert_close(image.flatten(), 1 - lam)


@pytest.mark.parametrize("decay", [-1.0, float("nan"), float("inf")])
def test_refuses_a_decay_that_is_none(decay: float) -> None:
    with pytest.raises(ValueError, match="decay must be a finite number of at least 0"):
        FMix(decay=decay)
