from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from augbench_torchvision.policies import AugMix, RandAugment, TrivialAugmentWide
from augbench_torchvision.transforms import Affine, Elastic, RandomErasing


def pictures(*shape: int) -> torch.Tensor:
    levels = np.random.default_rng(0).integers(0, 256, size=shape)
    return torch.from_numpy(levels / 255).float()


AFFINE = v2.RandomAffine(
    15,
    translate=(0.1, 0.1),
    scale=(0.9, 1.1),
    shear=10,
    interpolation=v2.InterpolationMode.BILINEAR,
)


@pytest.mark.parametrize(
    ("ours", "theirs", "on_bytes"),
    [
        (RandAugment(), v2.RandAugment(), True),
        (TrivialAugmentWide(), v2.TrivialAugmentWide(), True),
        (AugMix(), v2.AugMix(), True),
        (RandomErasing(), v2.RandomErasing(), False),
        (Elastic(), v2.ElasticTransform(), False),
        (Affine(), AFFINE, False),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_is_what_torchvision_makes_of_it_under_its_seed(
    ours, theirs, on_bytes: bool, channels: int
) -> None:
    x = pictures(5, channels, 28, 30)
    result = ours(x, rng=np.random.default_rng(1))
    seeds = np.random.default_rng(1).integers(2**63, size=5)
    for image, mine, seed in zip(x, result, seeds, strict=True):
        with torch.random.fork_rng():
            torch.manual_seed(int(seed))
            if on_bytes:
                expected = theirs(torch.round(image * 255).to(torch.uint8)).float() / 255
            else:
                expected = theirs(image)
        torch.testing.assert_close(mine, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", [RandAugment(), AugMix(), Elastic(), Affine()], ids=repr)
def test_images_that_are_alike_are_treated_apart(method) -> None:
    x = pictures(1, 1, 28, 28).repeat(20, 1, 1, 1)
    result = method(x, rng=np.random.default_rng(0))
    assert len(result.flatten(1).unique(dim=0)) > 15


def test_nothing_erased_leaves_the_bytes_as_they_were() -> None:
    x = pictures(4, 1, 28, 28)
    assert torch.equal(RandomErasing(p=0)(x, rng=np.random.default_rng(0)), x)


def test_erased_area_follows_its_law() -> None:
    x = torch.ones(3000, 1, 32, 32)
    erased = 1 - RandomErasing()(x, rng=np.random.default_rng(0)).mean(dim=(1, 2, 3))
    assert (erased > 0).float().mean().item() == pytest.approx(0.5, abs=0.04)
    # U(0.02, 0.33), less where a box of a drawn ratio would not fit and was drawn again.
    assert erased[erased > 0].mean().item() == pytest.approx(0.175, abs=0.03)
    assert erased.max() < 0.36


def test_policies_refuse_other_numbers_of_channels() -> None:
    with pytest.raises(ValueError, match="1 or 3 channels, got 2"):
        RandAugment()(torch.zeros(1, 2, 8, 8), rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("method", "parameters", "message"),
    [
        (RandAugment, {"magnitude": 31}, r"magnitude must be in \[0, 30\]"),
        (RandAugment, {"num_ops": 0}, "num_ops must be at least 1"),
        (TrivialAugmentWide, {"num_magnitude_bins": 1}, "num_magnitude_bins must be at least 2"),
        (AugMix, {"severity": 11}, r"severity must be in \[1, 10\]"),
        (AugMix, {"chain_depth": 0}, "chain_depth must be at least 1"),
        (RandomErasing, {"p": 1.5}, r"p must be in \[0, 1\]"),
        (RandomErasing, {"scale_low": 0.5}, "scale_low must be in"),
        (Elastic, {"sigma": 0}, "sigma must be a finite number above 0"),
        (Affine, {"scale_low": 2.0}, "expected 0 < scale_low <= scale_high"),
    ],
)
def test_refuse_parameters_out_of_range(method, parameters, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        method(**parameters)
