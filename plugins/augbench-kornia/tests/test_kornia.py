from __future__ import annotations

import numpy as np
import pytest
import torch
from kornia.augmentation import RandomCutMixV2, RandomMixUpV2

from augbench_kornia.mosaic import KorniaMosaic
from augbench_kornia.pairs import KorniaPair


def pictures(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))


@pytest.mark.parametrize("mixer", ["mixup", "cutmix"])
def test_gives_what_kornia_gives_on_a_batch_in_which_it_pairs_them(mixer: str) -> None:
    keys = ["input", "class"]
    if mixer == "mixup":
        theirs, pairs = RandomMixUpV2(data_keys=keys), "mixup_pairs"
    else:
        theirs, pairs = RandomCutMixV2(data_keys=keys, use_correct_lambda=True), "mix_pairs"
    x = pictures(0, 12, 2, 11, 14)
    seed = int(np.random.default_rng(3).integers(2**63))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        params = theirs.forward_parameters(x.shape)
    partner = torch.arange(12).roll(6)
    params = {**params, pairs: partner.view_as(params[pairs])}
    expected, labels = theirs(x, torch.arange(12), params=params)
    ours, lam = KorniaPair(mixer)(x[:6], x[6:], rng=np.random.default_rng(3))
    torch.testing.assert_close(ours, expected[:6], atol=0, rtol=0)
    share = labels.view(12, 3)[:6, 2]
    torch.testing.assert_close(lam, 1 - share if mixer == "mixup" else share, atol=1e-6, rtol=0)


def test_share_of_x_j_in_its_mixup_is_uniform_in_the_range_given() -> None:
    x = torch.zeros(3000, 1, 2, 2)
    _, lam = KorniaPair("mixup", low=0.2, high=0.6)(x, x, rng=np.random.default_rng(0))
    assert 0.4 <= lam.min().item() < 0.41
    assert 0.79 < lam.max().item() <= 0.8 + 1e-6
    assert lam.mean().item() == pytest.approx(0.6, abs=0.01)


def test_its_cutmix_takes_half_of_the_image_on_average() -> None:
    x = torch.zeros(3000, 1, 28, 28)
    _, lam = KorniaPair("cutmix")(x, x, rng=np.random.default_rng(0))
    # The box is inside the image, and not clipped; only its sides are rounded down.
    assert lam.mean().item() == pytest.approx(0.52, abs=0.02)


def test_its_mosaic_s_window_is_the_one_drawn() -> None:
    sources = [torch.full((50, 1, 10, 10), float(k)) for k in range(4)]
    image, weights = KorniaMosaic(low=0.3, high=0.7)(*sources, rng=np.random.default_rng(0))
    assert set(image[:, 0, 0, 0].tolist()) == {0}  # the anchor at the top left
    assert set(image[:, 0, -1, 0].tolist()) == {1}  # kornia counts down first
    assert set(image[:, 0, 0, -1].tolist()) == {2}
    above = (weights[:, 0] + weights[:, 2]).tolist()
    assert 0.3 - 1e-6 <= min(above) < max(above) <= 0.7 + 1e-6


def test_refuses_parameters_out_of_range() -> None:
    with pytest.raises(ValueError, match="mixer must be mixup or cutmix"):
        KorniaPair("jigsaw")
    with pytest.raises(ValueError, match="expected 0 <= low <= high <= 1"):
        KorniaPair(low=0.9, high=0.5)
    with pytest.raises(ValueError, match="beta must be"):
        KorniaPair(beta=-1)
    with pytest.raises(ValueError, match="expected 0 <= low <= high <= 1"):
        KorniaMosaic(low=0.9)
