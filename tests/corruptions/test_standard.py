"""The nine built-in corruptions keep the contract, and get stronger on every kind of image."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from augbench.corruptions.choosing import STANDARD, corruptions_of
from augbench.corruptions.contract import Corruption, at_strength, operations_of
from augbench.corruptions.sets import CHUNK, corrupted
from augbench.datasets import glyphs
from augbench.errors import ContractError, ParameterError
from augbench.operations import OPERATIONS
from augbench.plugins import Registry
from augbench.protocol.streams import Role, corruption_stream, stream
from augbench.testing import check_corruption
from augbench.testing._corruption_calls import smooth_images

REGISTRY = Registry.load()
names = pytest.mark.parametrize("name", STANDARD)


def made(name, strength):
    return REGISTRY.create(REGISTRY.resolve("corruption", name, {"strength": strength}))


@names
@pytest.mark.usefixtures("few_examples")
def test_each_conforms(name):
    report = check_corruption(name, registry=REGISTRY)
    assert report.ok, str(report)
    skipped = {result.check for result in report.results if result.status == "skipped"}
    assert skipped <= {"device"}  # needs a GPU


@given(
    name=st.sampled_from(STANDARD),
    strength=st.sampled_from([1, 2, 3]),
    shape=st.tuples(
        st.integers(1, 5), st.sampled_from([1, 3]), st.integers(8, 40), st.integers(8, 40)
    ),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40)
def test_each_maps_uint8_images_to_uint8_images_row_by_row(name, strength, shape, seed):
    images = torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))
    before = images.clone()
    corruption = made(name, strength)
    result = corruption(images, rng=np.random.default_rng(seed))
    assert (result.dtype, result.shape) == (torch.uint8, images.shape)
    assert torch.equal(images, before)
    assert torch.equal(result, corruption(images, rng=np.random.default_rng(seed)))
    black = torch.cat([images[:1], torch.zeros_like(images[1:])])
    assert torch.equal(corruption(black, rng=np.random.default_rng(seed))[0], result[0])


@names
@pytest.mark.parametrize("kind", ["glyphs", "smooth 32", "smooth 96"])
def test_a_greater_strength_changes_images_more(name, kind):
    if kind == "glyphs":
        images = torch.from_numpy(glyphs.glyph_digits(None).test_images[:64])
    else:
        images = smooth_images(8, 3, int(kind.split()[1]))
    rng = np.random.default_rng(0)
    distances = [
        (made(name, k)(images, rng=rng).int() - images.int()).abs().float().mean().item()
        for k in (1, 2, 3)
    ]
    assert 0 < distances[0] < distances[1] < distances[2], distances


@names
def test_each_declares_operations_and_takes_three_strengths(name):
    corruption = made(name, 1)
    assert isinstance(corruption, Corruption)
    assert operations_of(corruption)
    assert operations_of(corruption) <= set(OPERATIONS)
    for wrong in (0, 4, True, 2.0, "2"):
        with pytest.raises(ValueError, match="strength must be 1, 2 or 3, got"):
            type(corruption)(wrong)
    with pytest.raises(ParameterError, match="strength must be 1, 2 or 3, got 7"):
        REGISTRY.resolve("corruption", f"{name}:strength=7")


def test_the_standard_ones_are_all_that_is_built_in():
    own = [i.name for i in REGISTRY.describe("corruption") if i.distribution == "augbench"]
    assert sorted(own) == sorted(STANDARD)


@names
def test_a_corrupted_set_is_made_in_chunks_and_leaves_the_images_as_they_are(name):
    images = np.random.default_rng(0).integers(0, 256, (CHUNK + 3, 1, 12, 12), dtype=np.uint8)
    before = images.copy()
    component = REGISTRY.resolve("corruption", name, {"strength": 2})
    corruption = REGISTRY.create(component)
    whole = corrupted(images, corruption, corruption_stream(0, "content", component))
    assert np.array_equal(images, before)
    assert (whole.dtype, whole.shape) == (np.uint8, images.shape)
    rng = corruption_stream(0, "content", component)
    parts = [images[:CHUNK], images[CHUNK:]]
    expected = [corruption(torch.from_numpy(part), rng=rng).numpy() for part in parts]
    assert np.array_equal(whole, np.concatenate(expected))
    images.flags.writeable = False  # as those of a file that is mapped
    again = corrupted(images, corruption, corruption_stream(0, "content", component))
    assert np.array_equal(again, whole)


def test_a_corruption_that_returns_something_else_is_a_contract_error():
    class Floats:
        def __call__(self, images, *, rng):
            return images / 255

    class Smaller:
        def __call__(self, images, *, rng):
            return images[..., :-1]

    class Nothing:
        def __call__(self, images, *, rng):
            images.zero_()

    images = np.ones((3, 1, 8, 8), dtype=np.uint8)
    rng = np.random.default_rng(0)
    for wrong, message in (
        (Floats(), r"Floats: expected uint8 \[3, 1, 8, 8\], got float32"),
        (Smaller(), r"got uint8 \[3, 1, 8, 7\]"),
        (Nothing(), "Nothing: expected a torch.Tensor, got a NoneType"),
    ):
        with pytest.raises(ContractError, match=message):
            corrupted(images, wrong, rng)
    assert images.all()


def test_the_stream_hangs_on_root_data_set_name_strength_and_parameters_alone():
    def first(*arguments):
        return corruption_stream(*arguments).integers(2**63)

    mild, medium, strong = corruptions_of(REGISTRY, "occlusion")
    one = first(0, "content", mild)
    assert one == first(0, "content", replace(mild, version="2.0", source_hash="edited"))
    black = corruptions_of(REGISTRY, "occlusion:fill=0")[0]
    noise = corruptions_of(REGISTRY, "noise")[0]
    others = [
        first(1, "content", mild),
        first(0, "other", mild),
        *(first(0, "content", other) for other in (medium, strong, black, noise)),
    ]
    assert len({one, *others}) == 7
    # No arm, no seed: nothing else is asked for.
    assert list(inspect.signature(corruption_stream).parameters) == [
        *("root", "dataset", "corruption")
    ]
    assert Role.CORRUPTION == 11
    roles = [role for role in Role if role != Role.CORRUPTION]
    assert one not in [stream(r, root=0, dataset="content", seed=0).integers(2**63) for r in roles]


def test_the_draws_of_a_corruption_never_change():
    component = corruptions_of(REGISTRY, "noise")[0]
    drawn = corruption_stream(0, "content", component).integers(1000, size=4).tolist()
    assert drawn == [102, 767, 609, 466]


def test_a_value_at_a_strength_is_the_first_second_or_third():
    assert [at_strength(k, (0.5, 1, 2)) for k in (1, 2, 3)] == [0.5, 1, 2]
