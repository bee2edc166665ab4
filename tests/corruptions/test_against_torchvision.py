"""Each corruption, image by image, against torchvision's operation on the same draws."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from augbench.corruptions.blur import Blur
from augbench.corruptions.elastic import Elastic
from augbench.corruptions.jpeg import Jpeg
from augbench.corruptions.light import Brightness, Contrast
from augbench.corruptions.movement import Rotation, Translation
from augbench.corruptions.noise import Noise
from augbench.corruptions.occlusion import Occlusion

SHAPES = [(5, 1, 28, 28), (3, 3, 32, 48), (1, 3, 96, 96)]
strengths = pytest.mark.parametrize("strength", [1, 2, 3])
shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def images_of(shape):
    """Noise in patches of 4×4 pixels, so that there is something to move and to blur."""
    coarse = np.random.default_rng(1).integers(0, 256, (*shape[:2], shape[2] // 4, shape[3] // 4))
    return torch.tensor(coarse.repeat(4, 2).repeat(4, 3), dtype=torch.uint8)


def rng():
    return np.random.default_rng(7)


def assert_same(got, expected):
    """Equal but for rounding: a value that lies between two levels may fall to either."""
    assert got.dtype == torch.uint8
    assert (got.int() - torch.stack(expected).int()).abs().max() <= 1


@shapes
@strengths
def test_noise_is_torchvision_s_gaussian_noise(shape, strength, monkeypatch):
    images, sigma = images_of(shape), {1: 0.08, 2: 0.18, 3: 0.38}[strength]
    drawn = iter(torch.from_numpy(rng().standard_normal(shape, dtype=np.float32)))
    monkeypatch.setattr(torch, "randn_like", lambda image, **_: next(drawn))
    expected = [F.gaussian_noise(image / 255, 0.0, sigma).mul(255).round() for image in images]
    assert_same(Noise(strength)(images, rng=rng()), expected)


@shapes
@strengths
def test_blur_is_torchvision_s_gaussian_blur(shape, strength):
    images, sigma = images_of(shape), {1: 0.02, 2: 0.04, 3: 0.06}[strength] * min(shape[2:])
    size = 2 * max(1, round(4 * sigma)) + 1
    expected = [F.gaussian_blur(image, [size, size], [sigma, sigma]) for image in images]
    assert_same(Blur(strength)(images, rng=rng()), expected)


@shapes
@strengths
def test_contrast_is_torchvision_s_adjust_contrast(shape, strength):
    images, factor = images_of(shape), {1: 0.75, 2: 0.5, 3: 0.4}[strength]
    expected = [F.adjust_contrast(image, factor) for image in images]
    assert_same(Contrast(strength)(images, rng=rng()), expected)


@shapes
@strengths
def test_brightness_moves_each_value_towards_white(shape, strength):
    images, light = images_of(shape), {1: 0.1, 2: 0.3, 3: 0.5}[strength]
    expected = [image + light * (255 - image.double()) for image in images]
    assert_same(Brightness(strength)(images, rng=rng()), expected)
    negative = [255 - F.adjust_brightness(255 - image, 1 - light) for image in images]
    assert_same(Brightness(strength)(images, rng=rng()), negative)


@shapes
@strengths
def test_occlusion_is_torchvision_s_erase_at_places_inside_the_image(shape, strength):
    images, share = images_of(shape), {1: 0.25, 2: 0.4, 3: 0.55}[strength]
    tall, wide = round(share * shape[2]), round(share * shape[3])
    draws = rng()
    top = draws.integers(0, shape[2] - tall, size=shape[0], endpoint=True)
    left = draws.integers(0, shape[3] - wide, size=shape[0], endpoint=True)
    expected = [
        F.erase(image, int(i), int(j), tall, wide, torch.tensor(128))
        for image, i, j in zip(images, top, left, strict=True)
    ]
    assert torch.equal(Occlusion(strength)(images, rng=rng()), torch.stack(expected))


@pytest.mark.filterwarnings("ignore:The image decoding and encoding")
@shapes
@strengths
def test_jpeg_is_torchvision_s_jpeg(shape, strength):
    images, quality = images_of(shape), {1: 25, 2: 10, 3: 4}[strength]
    expected = [F.jpeg(image, quality) for image in images]
    got = Jpeg(strength)(images, rng=rng())
    # Two builds of libjpeg may round differently.
    assert (got.double() - torch.stack(expected)).abs().mean() < 0.5
    assert (got.double() - images).abs().mean() > 5


@shapes
@strengths
def test_translation_is_torchvision_s_affine_by_whole_pixels(shape, strength):
    images = images_of(shape)
    length = {1: 0.05, 2: 0.1, 3: 0.15}[strength] * min(shape[2:])
    angle = rng().uniform(0, 2 * np.pi, size=shape[0])
    shifts = np.rint(length * np.stack([np.cos(angle), np.sin(angle)], axis=1))
    expected = [
        F.affine(image, 0, list(map(float, shift)), 1, [0.0, 0.0])
        for image, shift in zip(images, shifts, strict=True)
    ]
    got = Translation(strength)(images, rng=rng())
    assert torch.equal(got, torch.stack(expected))
    # To the pixel: rolled, with black where the other side would come in.
    for image, moved, (right, down) in zip(images, got, shifts.astype(int), strict=True):
        rolled = image.roll((down, right), (1, 2))
        rows, columns = (
            slice(max(down, 0), shape[2] + min(down, 0)),
            slice(max(right, 0), shape[3] + min(right, 0)),
        )
        assert torch.equal(moved[:, rows, columns], rolled[:, rows, columns])
        inside = torch.zeros(shape[2:], dtype=torch.bool)
        inside[rows, columns] = True
        assert moved[:, ~inside].eq(0).all()


@shapes
@strengths
def test_rotation_is_torchvision_s_rotate_to_either_side(shape, strength):
    images, degrees = images_of(shape), {1: 10, 2: 25, 3: 40}[strength]
    signs = rng().choice([-1, 1], size=shape[0])
    expected = [
        F.rotate(image, float(sign * degrees), InterpolationMode.BILINEAR)
        for image, sign in zip(images, signs, strict=True)
    ]
    assert torch.equal(Rotation(strength)(images, rng=rng()), torch.stack(expected))


@shapes
@strengths
def test_elastic_is_torchvision_s_elastic_with_the_drawn_field(shape, strength):
    images, elastic = images_of(shape), Elastic(strength)
    field = elastic.field(shape[0], *shape[2:], rng())
    expected = [
        F.elastic(image, torch.from_numpy(one)[None])
        for image, one in zip(images, field, strict=True)
    ]
    assert torch.equal(elastic(images, rng=rng()), torch.stack(expected))


@strengths
def test_the_elastic_field_has_the_size_and_smoothness_that_are_told(strength):
    count, side = 60, 32
    field = Elastic(strength).field(count, side, side, rng())
    pixels = field * side / 2  # the image is 2 wide
    expected = {1: 0.02, 2: 0.04, 3: 0.06}[strength] * side
    middle = pixels[:, 8:-8, 8:-8]  # reflection at the border adds to the variance
    assert np.sqrt((middle**2).mean()) == pytest.approx(expected, rel=0.1)
    # A Gaussian of deviation σ leaves a correlation of exp(−d² / 4σ²) at distance d.
    for distance in (2, 4):
        product = middle[:, :, :-distance] * middle[:, :, distance:]
        told = np.exp(-(distance**2) / (4 * (side / 8) ** 2))
        assert product.mean() / (middle**2).mean() == pytest.approx(told, abs=0.08)
