from dataclasses import replace

import numpy as np
import pytest
import torch

from augbench.datasets.contract import DatasetInfo
from augbench.plugins.components import Component
from augbench.protocol.streams import Role, cell_stream, stream, words
from augbench.protocol.study import Cell
from augbench.training.materials import seeded

A = DatasetInfo("a", "hash-a", (1, 8, 8), ("0", "1"), (9, 9), 10)
B = DatasetInfo("b", "hash-b", (1, 8, 8), ("0", "1", "2"), (9, 9, 9), 10)
CELL = Cell(A, B, Component("backbone", "net"), Component("augmentation", "none"), 4, 3)


def draws(cell, role, *extra):
    return cell_stream(cell, role, *extra).random(8).tolist()


@pytest.mark.parametrize("role", list(Role))
def test_only_the_augmentations_own_stream_depends_on_the_augmentation(role):
    other = replace(CELL, augmentation=Component("augmentation", "mixup", (("alpha", 0.3),)))
    assert (draws(CELL, role) == draws(other, role)) == (role is not Role.AUGMENTATION)


@pytest.mark.parametrize("role", list(Role))
def test_no_stream_depends_on_the_size_or_the_backbone(role):
    other = replace(CELL, samples_per_class=64, backbone=Component("backbone", "other"))
    assert draws(CELL, role) == draws(other, role)


@pytest.mark.parametrize("role", list(Role))
def test_every_stream_depends_on_the_seed_and_the_root(role):
    assert draws(CELL, role) != draws(replace(CELL, seed=4), role)
    moved = replace(CELL, settings=replace(CELL.settings, root_seed=1))
    assert draws(CELL, role) != draws(moved, role)


def test_pretraining_streams_know_no_finetuning_data_and_the_reverse():
    for role in Role:
        finetuning = role.name.startswith("FINETUNE")
        assert (draws(CELL, role) == draws(replace(CELL, finetune=A), role)) != finetuning
        assert (draws(CELL, role) == draws(replace(CELL, pretrain=B), role)) == finetuning


def test_a_corrected_method_is_compared_on_the_same_draws():
    one = replace(CELL, augmentation=Component("augmentation", "x", version="1", source_hash="p"))
    two = replace(CELL, augmentation=Component("augmentation", "x", version="2", source_hash="q"))
    assert draws(one, Role.AUGMENTATION) == draws(two, Role.AUGMENTATION)


def test_streams_of_different_addresses_share_nothing():
    addresses = [
        (role, root, name, seed, extra)
        for role in Role
        for root in (0, 1)
        for name in ("a", "b")
        for seed in (0, 1)
        for extra in ((), (0,), (1,))
    ]
    first = {
        stream(role, root=root, dataset=name, seed=seed, extra=extra).integers(2**63)
        for role, root, name, seed, extra in addresses
    }
    assert len(first) == len(addresses)


def test_the_draws_are_pinned_since_they_are_part_of_the_protocol():
    rng = stream(Role.SUBSET, root=0, dataset="content", seed=0)
    assert rng.integers(0, 1000, 6).tolist() == [857, 412, 557, 430, 483, 195]
    assert words("content") == (3983540916, 971615364, 1596077437, 2183900180)


def test_seeding_is_undone_afterwards():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with seeded(np.random.default_rng(0)):
        inside = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with seeded(np.random.default_rng(0)):
        assert torch.equal(torch.rand(3), inside)
