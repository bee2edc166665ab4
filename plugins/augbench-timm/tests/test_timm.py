from __future__ import annotations

import numpy as np
import pytest
import torch
from timm.data import Mixup

from augbench_timm.mixers import TimmMixup
from augbench_timm.models import timm_model


def pictures(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))


@pytest.mark.parametrize("mixers", ["mixup", "cutmix", "mixup,cutmix"])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_gives_what_timm_gives_on_a_batch_in_which_it_pairs_them(mixers: str, count: int) -> None:
    x_i, x_j = pictures(0, count, 2, 12, 15), pictures(1, count, 2, 12, 15)
    image, lam = TimmMixup(mixers)(x_i, x_j, rng=np.random.default_rng(7))
    theirs = Mixup(
        mixup_alpha=float("mixup" in mixers),
        cutmix_alpha=float("cutmix" in mixers),
        mode="elem",
        label_smoothing=0,
        num_classes=2 * count,
    )
    state = np.random.get_state()  # noqa: NPY002  (timm draws from the global one)
    np.random.seed(int(np.random.default_rng(7).integers(2**32)))  # noqa: NPY002
    expected, target = theirs(torch.cat([x_i, x_j.flip(0)]), torch.arange(2 * count))
    np.random.set_state(state)  # noqa: NPY002
    torch.testing.assert_close(image, expected[:count], atol=0, rtol=0)
    torch.testing.assert_close(lam, target.diagonal()[:count], atol=1e-6, rtol=0)


def test_every_image_has_parameters_of_its_own() -> None:
    x = torch.zeros(200, 1, 28, 28)
    _, lam = TimmMixup("mixup,cutmix")(x, x, rng=np.random.default_rng(0))
    assert len(lam.unique()) > 150


def test_both_at_once_makes_half_of_the_images_a_cutmix() -> None:
    x_i, x_j = torch.zeros(600, 1, 28, 28), torch.ones(600, 1, 28, 28)
    image, _ = TimmMixup("mixup,cutmix")(x_i, x_j, rng=np.random.default_rng(0))
    whole = ((image == 0) | (image == 1)).flatten(1).all(dim=1)
    assert whole.float().mean().item() == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("mixers", ["", "mixpu", "mixup,mixup", "mixup,"])
def test_refuses_mixers_that_timm_does_not_have(mixers: str) -> None:
    with pytest.raises(ValueError, match="mixers must be mixup, cutmix or mixup,cutmix"):
        TimmMixup(mixers)


def test_refuses_parameters_out_of_range() -> None:
    with pytest.raises(ValueError, match="cutmix_alpha must be a finite number above 0"):
        TimmMixup(cutmix_alpha=0)
    with pytest.raises(ValueError, match=r"prob must be in \[0, 1\]"):
        TimmMixup(prob=2)


@pytest.mark.parametrize(("model", "dim"), [("resnet10t", 512), ("vit_tiny_patch16_224", 192)])
def test_models_are_built_for_the_images(model: str, dim: int) -> None:
    network = timm_model(1, (32, 48), model=model)
    assert network.training
    assert network.feature_dim == dim
    assert network(torch.zeros(2, 1, 32, 48)).shape == (2, dim)


def test_an_unknown_model_is_told_with_near_ones() -> None:
    with pytest.raises(ValueError, match=r"timm has no model 'resnet1'; there are .*resnet1"):
        timm_model(1, (28, 28), model="resnet1")
