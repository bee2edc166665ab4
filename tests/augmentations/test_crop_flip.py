import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import functional as tv

from augbench.augmentations.crop_flip import CropFlip
from augbench.testing import check_augmentation


def images(count, height, width, channels=3):
    rng = np.random.default_rng([count, height, width])
    return torch.tensor(rng.random((count, channels, height, width), dtype=np.float32))


def by_torchvision(x, padding, flip, rng):
    """The same draws, done image by image with torchvision's functions."""
    count, _, height, width = x.shape
    places = rng.integers(0, 2 * padding + 1, size=(2, count)).T if padding else [(0, 0)] * count
    mirrored = rng.random(count) < 0.5 if flip else [False] * count
    done = []
    for image, (top, left), mirror in zip(x, places, mirrored, strict=True):
        moved = tv.crop(tv.pad(image, [padding] * 4), int(top), int(left), height, width)
        done.append(tv.hflip(moved) if mirror else moved)
    return torch.stack(done)


@given(
    st.integers(1, 9),
    st.integers(1, 20),
    st.integers(1, 20),
    st.one_of(st.none(), st.integers(0, 6)),
    st.booleans(),
    st.integers(0, 99),
)
def test_it_does_what_torchvision_does_on_the_same_draws(count, height, width, padding, flip, seed):
    x = images(count, height, width)
    mine = CropFlip(padding, flip)(x, rng=np.random.default_rng(seed))
    width_of_frame = min(height, width) // 8 if padding is None else padding
    theirs = by_torchvision(x, width_of_frame, flip, np.random.default_rng(seed))
    assert torch.equal(mine, theirs)


def test_places_and_flips_are_equally_likely():
    x = torch.zeros(20_000, 1, 3, 3)
    x[:, :, 1, 1] = 1  # where the point goes tells the place
    moved = CropFlip(1, flip=False)(x, rng=np.random.default_rng(0))
    shares = moved.mean(dim=0)[0]
    assert torch.allclose(shares, torch.full((3, 3), 1 / 9), atol=0.01)
    x[:, :, 1] = torch.tensor([1.0, 0.0, 0.0])
    kept = CropFlip(0)(x, rng=np.random.default_rng(0))[:, 0, 1, 0].mean()
    assert abs(float(kept) - 0.5) < 0.015


def test_the_default_frame_is_the_fields_four_pixels_at_32():
    rngs = np.random.default_rng(1), np.random.default_rng(1)
    x = images(8, 32, 40)
    assert torch.equal(CropFlip()(x, rng=rngs[0]), CropFlip(4)(x, rng=rngs[1]))


def test_a_negative_frame_is_refused():
    with pytest.raises(ValueError, match="padding must be 0 or more"):
        CropFlip(-1)


@pytest.mark.parametrize("spec", ["crop-flip", "crop-flip:padding=3,flip=false"])
def test_it_keeps_the_contract(spec):
    report = check_augmentation(spec)
    assert report.ok, str(report)
