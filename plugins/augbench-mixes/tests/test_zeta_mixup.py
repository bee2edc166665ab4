from __future__ import annotations

import numpy as np
import pytest
import torch

from augbench_mixes.zeta_mixup import ZetaMixup, p_series


def test_weights_are_the_normalised_p_series_of_the_ranks() -> None:
    total = 1 + 2**-2.0 + 3**-2.0
    weights = p_series(np.array([[1, 0, 2]]), 2.0)
    np.testing.assert_allclose(weights, [[0.25 / total, 1 / total, (1 / 9) / total]])


def test_image_is_the_weighted_sum(images) -> None:
    sources = [images(k, 3, 2, 4, 5) for k in range(4)]
    image, weights = ZetaMixup(sources=4)(*sources, rng=np.random.default_rng(0))
    expected = torch.einsum("nk,knchw->nchw", weights, torch.stack(sources))
    torch.testing.assert_close(image, expected, atol=1e-6, rtol=0)


def test_every_order_of_the_weights_is_as_likely() -> None:
    sources = [torch.zeros(6000, 1, 1, 1) for _ in range(3)]
    _, weights = ZetaMixup(sources=3)(*sources, rng=np.random.default_rng(0))
    orders = weights.argsort(dim=1, descending=True)
    _, counts = orders.unique(dim=0, return_counts=True)
    assert len(counts) == 6
    np.testing.assert_allclose(counts, 1000, atol=4 * (1000 * 5 / 6) ** 0.5)


def test_one_image_outweighs_all_others_by_default() -> None:
    assert p_series(np.arange(1000)[None], ZetaMixup().gamma).max() > 0.5


def test_refuses_parameters_out_of_range() -> None:
    with pytest.raises(ValueError, match="gamma must be a finite number above 0"):
        ZetaMixup(gamma=0)
    with pytest.raises(ValueError, match="sources must be a whole number of at least 3"):
        ZetaMixup(sources=2)
