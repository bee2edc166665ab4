"""Features of a frozen network: may those of an image be computed once, and kept?"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator

import torch
from torch import Tensor, nn

__all__ = [
    "ROUNDING_OF_FEATURES",
    "example_images",
    "features_need_company",
    "perturbed",
    "same_features",
]

_LEAST_IMAGES = 16
_LEAST_ALONE = 4  # images of those, where more would take longer than `_LONGEST_ALONE` seconds
_LONGEST_ALONE = 0.5
ROUNDING_OF_FEATURES = {torch.float32: 1e-4, torch.float64: 1e-9}
"""A difference of less than that, of the largest value, is float order; of more, perhaps."""


def example_images(like: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Images [count, C, H, W] in [0, 1], from nearly black to nearly white, as `like` lies."""
    images = torch.rand(count, *like.shape[1:], generator=generator)
    # A single one is dark or bright by chance, another one each time.
    spread = (
        torch.linspace(-1, 1, count) if count > 1 else 2 * torch.rand(1, generator=generator) - 1
    )
    level = spread[torch.randperm(count, generator=generator)].view(-1, 1, 1, 1)
    dark, bright = images * 10 ** (2 * level), 1 - (1 - images) * 10**-level
    return torch.where(level < 0, dark, bright).to(like.device, like.dtype)


def features_need_company(backbone: nn.Module, like: Tensor) -> bool:
    """True if a frozen backbone's features of an image depend on more than the image.

    They are compared whole, halved and one by one, on sixteen images of its own at least, and
    with gradients switched on, as they are for a head that is finetuned on them. That is done with
    the backbone as it is, and on images from black to white with perturbed weights, since a factor
    that is zero at first hides what training will bring out, and with weights that have all risen,
    which take values over thresholds that they start below.
    """
    generator = torch.Generator().manual_seed(0)
    count = max(_LEAST_IMAGES, len(like))  # of two or four, the odd one may be missed by chance
    alike = torch.rand(count, *like.shape[1:], generator=generator).to(like)
    unlike = example_images(like, count, generator)
    return (
        _need_company(backbone, alike)
        or _need_company(perturbed(backbone, generator), unlike)
        or _need_company(_risen(backbone, generator), unlike)
    )


def _need_company(backbone: nn.Module, images: Tensor) -> bool:
    frozen = copy.deepcopy(backbone).eval().requires_grad_(False)
    again = None
    if images.device.type != "mps":
        try:  # float64 tells what an image's features owe to others from the order of sums
            precise = copy.deepcopy(frozen).double()
            again = precise(images.double()).detach()
            frozen, images = precise, images.double()
        except RuntimeError:  # it makes values of a type of its own
            pass
    again = frozen(images.clone()).detach() if again is None else again
    with torch.no_grad():
        whole = frozen(images.clone())
        halved = torch.cat([frozen(part.clone()) for part in images.split(len(images) // 2)])
        alone = torch.cat(list(_one_by_one(frozen, images)))
    return not all(same_features(part, whole[: len(part)]) for part in (halved, alone, again))


def _one_by_one(frozen: nn.Module, images: Tensor) -> Iterator[Tensor]:
    """The features [1, D] of each image by itself: of sixteen, or of fewer where these take long.

    What an image's features owe to the batch shows in any image but, perhaps, one: the brightest,
    say, or the first.
    """
    start = time.perf_counter()
    for number, image in enumerate(images[:_LEAST_IMAGES]):
        if number >= _LEAST_ALONE and time.perf_counter() - start > _LONGEST_ALONE:
            return
        yield frozen(image[None].clone())


def same_features(one: Tensor, other: Tensor) -> bool:
    """True if features [..., N, D] of N images are the same but for float order.

    A dark image's may be small beside a bright one's: each is measured by its own largest. Those
    that are not finite in both are passed over; finite in one alone, they differ.
    """
    if one.shape != other.shape:
        return False
    apart = (one - other).abs().amax(-1)
    size = other.abs().amax(-1)
    known = other.isfinite().all(-1)
    # An infinite size would allow any distance.
    if not torch.equal(known, one.isfinite().all(-1)):
        return False
    if not bool(known.any()):
        return True
    rounding = ROUNDING_OF_FEATURES[one.dtype]
    allowed = rounding * (size + 1e-3 * size[known].max()) + torch.finfo(one.dtype).tiny
    return bool((apart <= allowed)[known].all())


def _risen(backbone: nn.Module, generator: torch.Generator) -> nn.Module:
    """A copy with weights that are all larger, by up to a tenth."""
    copied = copy.deepcopy(backbone)
    with torch.no_grad():
        for value in copied.parameters():
            if value.is_floating_point():
                value.add_((0.1 * torch.rand(value.shape, generator=generator)).to(value))
    return copied


def perturbed(backbone: nn.Module, generator: torch.Generator) -> nn.Module:
    """A copy with other weights, since cells of one seed start from the same ones."""
    copied = copy.deepcopy(backbone)
    with torch.no_grad():
        for value in copied.parameters():
            noise = torch.randn(value.shape, generator=generator).to(value.device)
            value.add_(noise, alpha=0.1 * float(value.abs().mean()) + 0.01)
    return copied
