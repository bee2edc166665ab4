import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from augbench.errors import StudyError
from augbench.protocol.batches import (
    block_steps,
    draw_batches,
    draw_partners,
    effective_batch_size,
)


def rngs(count, seed=0):
    return [np.random.default_rng((seed, k)) for k in range(count)]


@given(
    images=st.integers(1, 60),
    size=st.integers(1, 20),
    steps=st.integers(0, 50),
    seed=st.integers(0),
)
def test_batches_hold_no_image_twice_and_epochs_cover_all(images, size, steps, seed):
    batches = draw_batches(images, size, steps, np.random.default_rng(seed))
    assert batches.shape == (steps, min(size, images))
    assert all(len(set(batch)) == len(batch) for batch in batches)
    per_epoch = images // batches.shape[1]
    for start in range(0, steps - per_epoch + 1, per_epoch):
        epoch = batches[start : start + per_epoch].flatten()
        assert len(set(epoch)) == per_epoch * batches.shape[1]
        if images % batches.shape[1] == 0:
            assert sorted(epoch) == list(range(images))
    assert batches.size == 0 or 0 <= batches.min() <= batches.max() < images


def test_every_image_comes_up_equally_often():
    counts = np.bincount(draw_batches(12, 5, 6000, np.random.default_rng(0)).flatten())
    assert counts == pytest.approx(np.full(12, 2500), rel=0.05)


def test_nothing_is_drawn_where_there_is_nothing_to_train_on():
    assert draw_batches(0, 8, 100, np.random.default_rng(0)).shape == (0, 0)
    assert effective_batch_size(8, 5) == 5
    assert effective_batch_size(8, 50) == 8


@given(sources=st.integers(1, 5), extra=st.integers(0, 8), seed=st.integers(0))
def test_partners_are_never_oneself_and_differ_from_each_other(sources, extra, seed):
    batch = sources + extra
    partners = draw_partners(sources, 7, batch, rngs(sources - 1, seed))
    assert partners.shape == (sources - 1, 7, batch)
    everyone = np.concatenate([np.broadcast_to(np.arange(batch), (1, 7, batch)), partners])
    assert everyone.min() >= 0
    assert everyone.max() < batch
    for step in range(7):
        for position in range(batch):
            assert len(set(everyone[:, step, position])) == sources


@pytest.mark.parametrize("sources", [2, 3, 4])
def test_the_first_partner_is_the_same_for_every_augmentation(sources):
    pair = draw_partners(2, 9, 8, rngs(1))
    assert np.array_equal(draw_partners(sources, 9, 8, rngs(sources - 1))[0], pair[0])


def test_every_other_position_is_as_likely_a_partner():
    for partner in draw_partners(3, 20_000, 5, rngs(2)):
        counts = np.bincount(partner[:, 2], minlength=5)
        assert counts[2] == 0
        assert np.delete(counts, 2) == pytest.approx(np.full(4, 5000), rel=0.06)


def test_a_batch_too_small_for_the_augmentation_is_an_error():
    with pytest.raises(StudyError, match="3 images needs a batch of at least 3, got 2"):
        draw_partners(3, 1, 2, rngs(2))
    assert draw_partners(3, 0, 2, rngs(2)).shape == (2, 0, 2)


def test_a_block_is_32_steps_or_as_many_as_fit_2_to_21_values():
    assert block_steps(8, (1, 28, 28)) == 32
    assert block_steps(64, (3, 32, 32)) == 10
    assert block_steps(64, (3, 224, 224)) == 1
