"""Faults that random images of one kind do not show, and plugins that fail where nobody expects."""

import sys

import pytest
import torch

from augbench.testing import check_augmentation, check_dataset
from augbench.testing.strategies import Case, image_batch


class Sound:
    """Mixup with a share drawn for each image; what the others deviate from."""

    sources = 2

    def __call__(self, x_i, x_j, *, rng):
        lam = x_i.new_tensor(rng.random(len(x_i)))
        share = lam.view(-1, 1, 1, 1)
        return share * x_i + (1 - share) * x_j, lam


class WeighsByContent(Sound):
    """Half of each image; the label follows the light in them."""

    def __call__(self, x_i, x_j, *, rng):
        light = [x.mean(dim=(1, 2, 3)) + 1e-6 for x in (x_i, x_j)]
        return (x_i + x_j) / 2, light[0] / (light[0] + light[1])


class AutoExposure(Sound):
    """Brightens a batch that is dark as a whole."""

    def __call__(self, x_i, x_j, *, rng):
        image, lam = super().__call__(x_i, x_j, rng=rng)
        return (image * 2 if x_i.mean() < 0.1 else image), lam


class Standardises(Sound):
    """Divides by the deviation of each image, which a flat one does not have."""

    shares = "the contrast is stretched"
    value_range = (-1e3, 1e3)

    def __call__(self, x_i, x_j, *, rng):
        _, lam = super().__call__(x_i, x_j, rng=rng)
        mean, deviation = x_i.mean((1, 2, 3), True), x_i.std((1, 2, 3), keepdim=True)
        return (x_i - mean) / deviation, lam


class Gamma(Sound):
    """Takes the logarithm of every pixel, which is infinite for a black one."""

    shares = "the contrast is stretched"
    value_range = (-1e3, 1e3)

    def __call__(self, x_i, x_j, *, rng):
        return x_i.log(), x_i.new_ones(len(x_i))


class OnTheCpu(Sound):
    """Makes its weights on the CPU, wherever the images are."""

    def __call__(self, x_i, x_j, *, rng):
        lam = torch.from_numpy(rng.random(len(x_i))).float()
        share = lam.view(-1, 1, 1, 1)
        return share * x_i + (1 - share) * x_j, lam


class WeightsOnTheCpu(Sound):
    """Returns its weights on the CPU, wherever the images are."""

    def __call__(self, x_i, x_j, *, rng):
        image, lam = super().__call__(x_i, x_j, rng=rng)
        return image, torch.ones(len(lam)) * 0.5


class ReadsValues(Sound):
    """Works on any device that has values."""

    def __call__(self, x_i, x_j, *, rng):
        x_j.max().item()
        return super().__call__(x_i, x_j, rng=rng)


class ReturnsChannelsLast(Sound):
    def __call__(self, x_i, x_j, *, rng):
        image, lam = super().__call__(x_i, x_j, rng=rng)
        return image.permute(0, 2, 3, 1), lam


class WantsChannelsLast(Sound):
    def __call__(self, x_i, x_j, *, rng):
        if x_i.shape[-1] not in (1, 3):
            raise ValueError(f"expected grey or RGB images, got {x_i.shape[-1]} channels")
        return super().__call__(x_i, x_j, rng=rng)


class CutsChannelsLast(Sound):
    """Rows of x_i above, of x_j below, if images are N×H×W×C."""

    def __call__(self, x_i, x_j, *, rng):
        cut = x_i.shape[1] // 2
        image = x_j.clone()
        image[:, :cut] = x_i[:, :cut]
        rows = torch.arange(x_i.shape[1]) < cut
        return image, rows.float().mean().expand(len(x_i)).to(x_i)


@pytest.mark.parametrize(
    ("kind", "check", "message"),
    [
        (WeighsByContent, "shares", "but its sources' shares of the pixels are (0.500000, 0.50"),
        (AutoExposure, "rows", "changed with the sources of row"),
        (Standardises, "finite", "values are NaN or infinite"),
        (Gamma, "finite", "values are NaN or infinite"),
        (ReturnsChannelsLast, "shape", "it is N×H×W×C, and images are N×C×H×W"),
        (WantsChannelsLast, "runs", "it works on images given as N×H×W×C, but they come as N×C×H"),
        (CutsChannelsLast, "shares", "they are of images given as N×H×W×C, but they come as N×C"),
    ],
)
def test_a_faulty_augmentation_fails_its_check_and_what_is_wrong_is_said(kind, check, message):
    result = check_augmentation(kind, checks=[check])[check]
    assert result.status == "failed", str(result)
    assert message in result.message


@pytest.mark.parametrize(
    ("kind", "status", "message"),
    [
        (Sound, "passed", ""),
        (OnTheCpu, "failed", "on any device but the CPU, it raises RuntimeError"),
        (WeightsOnTheCpu, "failed", "the sources are on meta, the weights are on cpu"),
        (ReadsValues, "skipped", "needs a GPU, and there is none; torch's meta device, which has"),
    ],
)
def test_without_a_gpu_the_device_is_tried_on_meta_or_skipped(monkeypatch, kind, status, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = check_augmentation(kind, checks=["device"])["device"]
    assert result.status == status, str(result)
    assert message in result.message


def test_images_of_every_look_are_among_the_inputs():
    images = torch.cat([image_batch(8, 3, 12, 9, seed) for seed in range(30)])
    flat = (images.flatten(2) == images.flatten(2)[..., :1]).all(2).all(1)
    black_or_white = ((images == 0) | (images == 1)).flatten(1).all(1)
    assert 0.1 < flat.float().mean() < 0.5
    assert (images[flat] == 0).any()
    assert (images[flat] == 1).any()
    assert (black_or_white & ~flat).any()
    assert (~black_or_white & ~flat).float().mean() > 0.3
    one, other = Case(n=8, height=12, width=9).sources(2)
    assert not torch.equal(one, other)


class Exits(Sound):
    def __call__(self, x_i, x_j, *, rng):
        sys.exit("that is that")


class Trapped(Sound):
    """Its attributes raise what nobody expects."""

    @property
    def shares(self):
        raise RuntimeError("no shares today")


class Uncopied(Sound):
    def __deepcopy__(self, memo):
        raise KeyError("no copies")

    def __reduce__(self):
        raise OSError("no pickles")


class OddResult(Sound):
    """Its second result raises wherever it is looked at."""

    class Weights:
        def __len__(self):
            raise LookupError("do not look")

        def __array__(self, *args, **kwargs):
            raise LookupError("do not look")

    def __call__(self, x_i, x_j, *, rng):
        return x_i, self.Weights()


class NoSources:
    @property
    def sources(self):
        raise LookupError("who knows")

    def __call__(self, x, *, rng):
        return x


def half(x_i, x_j, *, rng):
    return (x_i + x_j) / 2, x_i.new_full((len(x_i),), 0.5)


@pytest.mark.parametrize("kind", [Exits, Trapped, Uncopied, OddResult, NoSources, half, object()])
def test_whatever_a_plugin_does_every_check_has_an_outcome(kind, few_examples):
    report = check_augmentation(kind, seconds=10)
    assert len(report.results) == 22
    assert not report.ok
    assert all("\n" not in str(result) for result in report.results)


def test_errors_of_a_plugin_are_told_where_they_come_up():
    assert "SystemExit: that is that" in check_augmentation(Exits, checks=["runs"])["runs"].message
    report = check_augmentation(Trapped, checks=["declarations", "shares"])
    assert "RuntimeError: no shares today" in report["declarations"].message


def forgetful(x_i: torch.Tensor, x_j: torch.Tensor):
    return (x_i + x_j) / 2, x_i.new_full((len(x_i),), 0.5)


@pytest.mark.parametrize("function", [half, forgetful, lambda *sources, rng: sources[0]])
def test_a_function_that_mixes_is_told_to_be_a_class(function):
    result = check_augmentation(function, checks=["declarations"])["declarations"]
    told = "expected a class, whose objects are called with images, got the function"
    assert f"{told} {function.__name__!r}" in result.message


def test_a_function_that_makes_an_augmentation_is_checked():
    def made(strength: float = 1.0):
        return Sound()

    def asks(strength: float):
        return Sound()

    assert check_augmentation(made, checks=["runs", "shares"]).ok
    report = check_augmentation(asks, checks=["declarations"])
    assert "parameter 'strength' is required" in report["declarations"].message


def test_a_data_set_with_its_channels_last_is_told():
    import numpy as np

    from augbench.datasets.contract import Dataset

    def load(root, *, download=False):
        images = np.zeros((4, 32, 32, 3), np.uint8)
        return Dataset("photos", images, np.arange(4) % 2, images, np.arange(4) % 2, ("a", "b"))

    result = check_dataset(load, checks=["loads"])["loads"]
    assert "looks like N×H×W×C: images.transpose(0, 3, 1, 2) has the channels" in result.message
