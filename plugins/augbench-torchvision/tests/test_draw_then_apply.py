"""Many images at once are, to the bit, what torchvision makes of each under its seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from augbench_torchvision.policies import RandAugment, TrivialAugmentWide


def pictures(*shape: int) -> torch.Tensor:
    levels = np.random.default_rng(0).integers(0, 256, size=shape)
    levels[1::3] = levels[1::3, :1]  # some are grey, so that weighted sums of channels nearly tie
    levels[2::3] //= 4  # and some of low contrast
    return torch.from_numpy(levels / 255).float()


def one_by_one(x: torch.Tensor, transform) -> torch.Tensor:
    results = []
    for image, seed in zip(x, np.random.default_rng(1).integers(2**63, size=len(x)), strict=True):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(seed))
            results.append(transform((image * 255).round().to(torch.uint8)))
    return torch.stack(results).float().div_(255)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (RandAugment(), v2.RandAugment()),
        (RandAugment(1, 30), v2.RandAugment(1, 30)),
        (RandAugment(3, 0), v2.RandAugment(3, 0)),
        (RandAugment(4, 1, 2), v2.RandAugment(4, 1, 2)),
        (TrivialAugmentWide(), v2.TrivialAugmentWide()),
        (TrivialAugmentWide(2), v2.TrivialAugmentWide(2)),
    ],
    ids=lambda value: repr(value) if isinstance(value, RandAugment | TrivialAugmentWide) else "",
)
@pytest.mark.parametrize(
    "shape",
    [(1, 3, 32, 32), (100, 3, 32, 32), (2, 1, 28, 28), (100, 1, 28, 28), (100, 3, 29, 31)],
    ids=str,
)
def test_a_batch_is_each_image_alone_to_the_bit(ours, theirs, shape: tuple[int, ...]) -> None:
    x = pictures(*shape)
    assert torch.equal(ours(x, rng=np.random.default_rng(1)), one_by_one(x, theirs))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(RandAugment(), v2.RandAugment()), (TrivialAugmentWide(), v2.TrivialAugmentWide())],
    ids=["RandAugment", "TrivialAugmentWide"],
)
def test_many_images_are_each_image_alone_to_the_bit(ours, theirs) -> None:
    x = pictures(600, 3, 32, 32)
    assert torch.equal(ours(x, rng=np.random.default_rng(1)), one_by_one(x, theirs))


class OtherNames(v2.RandAugment):
    """A torchvision whose private method names its parameters otherwise."""

    def _apply_image_or_video_transform(self, image, name, strength, interpolation, fill):
        return super()._apply_image_or_video_transform(image, name, strength, interpolation, fill)


class OtherSpace(v2.RandAugment):
    """A torchvision that has its operations elsewhere."""

    _AUGMENTATION_SPACE = None

    def __init__(self, *parameters: int) -> None:
        super().__init__(*parameters)
        self._elsewhere = THEIRS(*parameters)

    def forward(self, image):
        return self._elsewhere(image)


class OtherFilling(v2.RandAugment):
    """A torchvision that fills with another grey."""

    def __init__(self, *parameters: int) -> None:
        super().__init__(*parameters, fill=128)


THEIRS = v2.RandAugment


@pytest.mark.parametrize("other", [OtherNames, OtherSpace, OtherFilling])
def test_another_torchvision_is_called_image_by_image(other, monkeypatch) -> None:
    x, calls = pictures(30, 3, 16, 16), []
    expected = one_by_one(x, other(2, 9, 31))

    class Counted(other):
        def __call__(self, image):
            calls.append(tuple(image.shape))
            return super().__call__(image)

    monkeypatch.setattr(v2, "RandAugment", Counted)
    assert torch.equal(RandAugment()(x, rng=np.random.default_rng(1)), expected)
    assert calls == [(3, 16, 16)] * 30
