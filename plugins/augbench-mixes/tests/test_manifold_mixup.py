from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from scipy import stats

from augbench_mixes.manifold_mixup import ManifoldMixup


@pytest.mark.parametrize("shape", [(5, 2, 3, 4), (5, 7), (5, 2, 3)])
def test_mixes_outputs_of_any_shape(shape: tuple[int, ...], images) -> None:
    h_i, h_j = images(0, *shape) - 2, images(1, *shape) + 5
    mixed, lam = ManifoldMixup()(h_i, h_j, rng=np.random.default_rng(0))
    share = lam.view(-1, *[1] * (len(shape) - 1))
    torch.testing.assert_close(mixed, share * h_i + (1 - share) * h_j)


def test_layer_is_uniform_among_the_images_and_the_first_layers() -> None:
    rng, method = np.random.default_rng(0), ManifoldMixup(layers=2)
    counts = Counter(method.choose_layer(["", "a", "b", "c"], rng=rng) for _ in range(3000))
    assert sorted(counts) == ["", "a", "b"]
    np.testing.assert_allclose(list(counts.values()), 1000, atol=4 * (1000 * 2 / 3) ** 0.5)
    assert {method.choose_layer([""], rng=rng) for _ in range(9)} == {""}
    assert ManifoldMixup(layers=0).choose_layer(["", "a"], rng=rng) == ""


def test_gradients_pass_to_both_sources() -> None:
    h_i, h_j = torch.ones(2, 3, requires_grad=True), torch.ones(2, 3, requires_grad=True)
    mixed, lam = ManifoldMixup()(h_i, h_j, rng=np.random.default_rng(0))
    mixed.sum().backward()
    torch.testing.assert_close(h_i.grad[:, 0], lam)
    torch.testing.assert_close(h_j.grad[:, 0], 1 - lam)


def test_lam_is_drawn_from_the_beta_distribution_for_each_row() -> None:
    h = torch.zeros(4000, 1)
    _, lam = ManifoldMixup(alpha=2.0)(h, h, rng=np.random.default_rng(0))
    assert stats.kstest(lam.numpy().astype(float), stats.beta(2, 2).cdf).pvalue > 0.01
