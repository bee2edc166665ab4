"""CutMix against torchvision, timm and kornia, and against its law."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from augbench_mixes._masks import Box, box_mask, centred_box, paste
from augbench_mixes.cutmix import CutMix


def test_pastes_the_box_that_is_drawn(given) -> None:
    x_i, x_j = torch.zeros(1, 1, 6, 8), torch.ones(1, 1, 6, 8)
    # λ = 0.75: half sides of 0.25·6 = 1.5 and 0.25·8 = 2, so a box of 2×4 around row 1, column 7,
    # of which columns 5 … 7 are inside.
    image, lam = CutMix()(x_i, x_j, rng=given(beta=[[0.75]], integers=[[1], [7]]))
    assert image[0, 0].tolist() == [
        [0, 0, 0, 0, 0, 1, 1, 1],
        [0, 0, 0, 0, 0, 1, 1, 1],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ]
    assert lam.item() == 1 - 6 / 48


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_torchvision_given_its_draws(seed: int, given, images) -> None:
    v2 = pytest.importorskip("torchvision.transforms.v2", reason="torchvision is not installed")
    x = images(seed, 5, 3, 13, 18)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        theirs, targets = v2.CutMix(alpha=1.0, num_classes=5)(x, torch.arange(5))
        torch.manual_seed(seed)  # what it drew, in its order
        alpha = torch.tensor([1.0])
        lam = torch.distributions.Beta(alpha, alpha).sample(()).item()
        column, row = torch.randint(18, (1,)).item(), torch.randint(13, (1,)).item()
    rng = given(beta=[[lam] * 5], integers=[[row] * 5, [column] * 5])
    ours, share = CutMix()(x, x.roll(1, 0), rng=rng)
    torch.testing.assert_close(ours, theirs, atol=0, rtol=0)
    torch.testing.assert_close(share, targets.diagonal(), atol=1e-6, rtol=0)


def test_boxes_agree_with_timm_where_its_sides_are_even() -> None:
    mixup = pytest.importorskip("timm.data.mixup", reason="timm is not installed")
    compared = 0
    for seed in range(60):
        lam, height, width = np.random.default_rng(seed).random(), 20 + seed % 7, 33 - seed % 5
        state = np.random.get_state()  # noqa: NPY002  (timm draws from the global one)
        np.random.seed(seed)  # noqa: NPY002
        theirs = mixup.rand_bbox((1, height, width), lam)
        np.random.seed(seed)  # noqa: NPY002
        row, column = np.random.randint(0, height), np.random.randint(0, width)  # noqa: NPY002
        np.random.set_state(state)  # noqa: NPY002
        sides = [int(side * np.sqrt(1 - lam)) for side in (height, width)]
        if any(side % 2 for side in sides):
            continue  # timm rounds a side down to a whole pixel, the published code to an even one
        box = centred_box(*(np.array([v]) for v in (row, column, 1 - lam)), height, width)
        assert [int(edge[0]) for edge in box] == [int(edge) for edge in theirs]
        compared += 1
    assert compared >= 10


def test_pasting_agrees_with_kornia_given_its_boxes(images) -> None:
    augmentation = pytest.importorskip("kornia.augmentation", reason="kornia is not installed")
    x = images(3, 6, 3, 12, 17)
    cutmix = augmentation.RandomCutMixV2(data_keys=["input", "class"], use_correct_lambda=True)
    with torch.random.fork_rng():
        torch.manual_seed(5)
        theirs, labels = cutmix(x, torch.arange(6))
    corners = cutmix._params["crop_src"][0].long().numpy()  # [N, 4, 2]: (column, row), inclusive
    box = Box(corners[:, 0, 1], corners[:, 2, 1] + 1, corners[:, 0, 0], corners[:, 2, 0] + 1)
    pairs = cutmix._params["mix_pairs"][0]
    ours, share = paste(x, x[pairs], box_mask(box, 12, 17))
    torch.testing.assert_close(ours, theirs, atol=0, rtol=0)
    torch.testing.assert_close(share, labels[0, :, 2], atol=1e-6, rtol=0)


def test_mean_share_is_what_clipping_leaves_of_a_uniform_lam() -> None:
    # All centres, and λ at 2,000 midpoints: the share of the image that a clipped box takes.
    lam = (np.arange(2000) + 0.5) / 2000
    half = (0.5 * np.sqrt(1 - lam) * 28).astype(int)[:, None]
    centre = np.arange(28)
    side = np.minimum(centre + half, 28) - np.maximum(centre - half, 0)  # [2000, 28]
    expected = 1 - (side.mean(axis=1) ** 2).mean() / 28**2
    assert expected == pytest.approx(0.70, abs=0.01)  # and not one half
    x = torch.zeros(20_000, 1, 28, 28)
    _, share = CutMix()(x, x, rng=np.random.default_rng(0))
    assert share.mean().item() == pytest.approx(expected, abs=4 * share.std().item() / 20_000**0.5)


def test_every_image_has_a_box_of_its_own() -> None:
    x = torch.zeros(500, 1, 28, 28)
    image, _ = CutMix()(x, torch.ones_like(x), rng=np.random.default_rng(0))
    assert len(image.flatten(1).unique(dim=0)) > 400


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
def test_refuses_an_alpha_that_is_no_beta_parameter(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha must be a finite number above 0"):
        CutMix(alpha=alpha)
