from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from augbench.augmentations.mixup import Mixup


class Given:
    """A generator that draws what it is told to."""

    def __init__(self, lam: NDArray[np.float64]) -> None:
        self.lam = lam

    def beta(self, a: float, b: float, size: int) -> NDArray[np.float64]:
        assert size == len(self.lam)
        return self.lam


def images(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 9), st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(0, 99)
)
def test_image_is_the_convex_combination(n: int, c: int, h: int, w: int, seed: int) -> None:
    x_i, x_j = images(seed, n, c, h, w), images(seed + 1, n, c, h, w)
    image, lam = Mixup()(x_i, x_j, rng=np.random.default_rng(seed))
    shares = lam.numpy().astype(np.float64)[:, None, None, None]
    expected = shares * x_i.numpy() + (1 - shares) * x_j.numpy()
    np.testing.assert_allclose(image.numpy(), expected, atol=2e-7)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_lam_is_drawn_from_the_beta_distribution_for_each_image(alpha: float) -> None:
    x = torch.zeros(4000, 1, 1, 1)
    _, lam = Mixup(alpha=alpha)(x, x, rng=np.random.default_rng(1))
    assert lam.unique().numel() > 3000
    assert stats.kstest(lam.numpy().astype(np.float64), stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_agrees_with_torchvision_given_its_lam_and_pairing() -> None:
    from torchvision.transforms import v2

    x = images(0, 6, 3, 8, 10)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        theirs, targets = v2.MixUp(alpha=0.3, num_classes=6)(x, torch.arange(6))
    lam = targets[0, 0].item()
    assert 0 < lam < 1
    rng: Any = Given(np.full(6, lam))
    ours, _ = Mixup()(x, x.roll(1, 0), rng=rng)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


def test_defaults_to_the_handout_s_alpha() -> None:
    assert Mixup().alpha == 0.3


@pytest.mark.parametrize("alpha", [0, -0.5, float("nan"), float("inf")])
def test_refuses_an_alpha_that_is_no_beta_parameter(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha must be a finite number above 0, got"):
        Mixup(alpha=alpha)


@pytest.mark.parametrize("alpha", [1e-300, 1e-6, 1e6, 1e300])
def test_lam_stays_in_range_for_extreme_alphas(alpha: float) -> None:
    x = torch.zeros(1000, 1, 1, 1)
    _, lam = Mixup(alpha=alpha)(x, x, rng=np.random.default_rng(1))
    assert ((lam >= 0) & (lam <= 1)).all()
