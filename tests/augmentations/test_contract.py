"""Promises of every built-in augmentation, whatever it does to the pixels."""

from __future__ import annotations

import pickle
import random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from augbench.augmentations.collage import Collage
from augbench.augmentations.contract import Augmentation
from augbench.augmentations.mixup import Mixup
from augbench.augmentations.none import NoAugmentation

AUGMENTATIONS = [NoAugmentation(), Collage(), Mixup(), Mixup(alpha=5)]
every_augmentation = pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=repr)

shapes = st.tuples(
    st.integers(1, 9), st.integers(1, 4), st.integers(1, 13), st.integers(1, 13)
)  # N, C, H, W; odd and even, square and not
seeds = st.integers(0, 2**32 - 1)
relaxed = settings(deadline=None, max_examples=60)  # the first call of torch takes its time


def batches(count: int, shape: tuple[int, ...], seed: int) -> list[torch.Tensor]:
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(rng.random(shape, dtype=np.float32)) for _ in range(count)]


def augmented(augmentation: Any, sources: list[torch.Tensor], seed: int) -> Any:
    return augmentation(*sources, rng=np.random.default_rng(seed))


def global_random_state() -> tuple[object, ...]:
    legacy = np.random.get_state(legacy=False)  # noqa: NPY002  (what must not change)
    key = legacy["state"].pop("key").tolist()
    return random.getstate(), key, legacy, torch.get_rng_state().tolist()


@every_augmentation
def test_keeps_the_contract_s_form(augmentation: Any) -> None:
    assert isinstance(augmentation, Augmentation)
    assert repr(pickle.loads(pickle.dumps(augmentation))) == repr(augmentation)


@every_augmentation
@relaxed
@given(shape=shapes, seed=seeds)
def test_images_keep_shape_and_type_and_lam_is_a_share(
    augmentation: Any, shape: tuple[int, ...], seed: int
) -> None:
    sources = batches(augmentation.sources, shape, seed)
    image, lam = augmented(augmentation, sources, seed)
    assert image.shape == shape
    assert image.dtype == torch.float32
    assert lam.shape == shape[:1]
    assert lam.dtype == torch.float32
    assert torch.isfinite(image).all()
    assert ((lam >= 0) & (lam <= 1)).all()


@every_augmentation
@relaxed
@given(shape=shapes, seed=seeds)
def test_weights_are_the_realised_shares(
    augmentation: Any, shape: tuple[int, ...], seed: int
) -> None:
    count, _, height, width = shape
    sources = [torch.zeros(count, augmentation.sources, height, width) for _ in "ij"]
    sources = sources[: augmentation.sources]
    for k, source in enumerate(sources):
        source[:, k] = 1
    image, lam = augmented(augmentation, sources, seed)
    weights = torch.stack([lam, 1 - lam], dim=1)[:, : augmentation.sources]
    torch.testing.assert_close(image.mean(dim=(2, 3)), weights, atol=1e-6, rtol=0)


@every_augmentation
@relaxed
@given(shape=shapes, seed=seeds)
def test_the_same_generator_state_gives_the_same_output(
    augmentation: Any, shape: tuple[int, ...], seed: int
) -> None:
    sources = batches(augmentation.sources, shape, seed)
    for first, second in zip(
        augmented(augmentation, sources, seed),
        augmented(augmentation, sources, seed),
        strict=True,
    ):
        assert torch.equal(first, second)


@every_augmentation
@relaxed
@given(shape=shapes, seed=seeds)
def test_inputs_and_global_random_state_are_untouched(
    augmentation: Any, shape: tuple[int, ...], seed: int
) -> None:
    sources = batches(augmentation.sources, shape, seed)
    originals = [source.clone() for source in sources]
    before = global_random_state()
    augmented(augmentation, sources, seed)
    assert global_random_state() == before
    for source, original in zip(sources, originals, strict=True):
        assert torch.equal(source, original)


@every_augmentation
@relaxed
@given(shape=shapes, seed=seeds, data=st.data())
def test_a_row_depends_on_its_own_sources_alone(
    augmentation: Any, shape: tuple[int, ...], seed: int, data: st.DataObject
) -> None:
    row = data.draw(st.integers(0, shape[0] - 1))
    sources = batches(augmentation.sources, shape, seed)
    others = batches(augmentation.sources, shape, seed + 1)
    for source, other in zip(sources, others, strict=True):
        other[row] = source[row]
    image, lam = augmented(augmentation, sources, seed)
    image_among_others, lam_among_others = augmented(augmentation, others, seed)
    assert torch.equal(image[row], image_among_others[row])
    assert torch.equal(lam[row], lam_among_others[row])


@every_augmentation
def test_works_on_the_device_of_its_sources(augmentation: Any) -> None:
    sources = [torch.zeros(3, 1, 4, 4, device="meta")] * augmentation.sources
    image, lam = augmented(augmentation, sources, 0)
    assert (image.device.type, lam.device.type) == ("meta", "meta")


@every_augmentation
def test_a_row_comes_out_the_same_in_a_block_of_8000_as_alone(augmentation: Any) -> None:
    sources = batches(augmentation.sources, (8000, 1, 7, 9), 0)
    block, lam = augmented(augmentation, sources, 1)
    head, head_lam = augmented(augmentation, [source[:8] for source in sources], 1)
    assert torch.equal(block[:8], head)
    assert torch.equal(lam[:8], head_lam)
