from dataclasses import replace

import numpy as np
import pytest
import torch

from augbench.batching.materials import seeded
from augbench.datasets.contract import DatasetInfo
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Pipeline
from augbench.protocol.streams import Role, cell_stream, spec_words, stage_words, stream, words
from augbench.protocol.study import Arm, Cell, Settings

A = DatasetInfo("a", "hash-a", (1, 8, 8), ("0", "1"), (9, 9), 10)
B = DatasetInfo("b", "hash-b", (1, 8, 8), ("0", "1", "2"), (9, 9, 9), 10)
CELL = Cell(A, B, Component("backbone", "net"), Arm.of(Component("augmentation", "none")), 4, 3)


def draws(cell, role, *extra):
    return cell_stream(cell, role, *extra).random(8).tolist()


@pytest.mark.parametrize("role", list(Role))
def test_what_arms_have_in_common_does_not_depend_on_the_arm(role):
    other = replace(CELL, arm=Arm.of(Component("augmentation", "mixup", (("alpha", 0.3),))))
    assert draws(CELL, role) == draws(other, role)


@pytest.mark.parametrize("role", list(Role))
def test_no_stream_depends_on_the_size_or_the_backbone(role):
    other = replace(CELL, samples_per_class=64, backbone=Component("backbone", "other"))
    assert draws(CELL, role) == draws(other, role)


@pytest.mark.parametrize("role", list(Role))
def test_every_stream_depends_on_the_seed_and_the_root(role):
    assert draws(CELL, role) != draws(replace(CELL, seed=4), role)
    moved = replace(CELL, arm=replace(CELL.arm, settings=Settings(root_seed=1)))
    assert draws(CELL, role) != draws(moved, role)


def test_pretraining_streams_know_no_finetuning_data_and_the_reverse():
    for role in Role:
        finetuning = role.name.startswith(("FINETUNE", "FULL"))
        assert (draws(CELL, role) == draws(replace(CELL, finetune=A), role)) != finetuning
        assert (draws(CELL, role) == draws(replace(CELL, pretrain=B), role)) == finetuning


def test_a_corrected_method_is_compared_on_the_same_draws():
    one = Component("augmentation", "x", version="1", source_hash="p")
    assert spec_words(one) == spec_words(replace(one, version="2", source_hash="q"))


def test_a_parameter_names_a_stream_where_it_is_set_alone():
    plain = Component("augmentation", "x", (("a", 1.0),))
    grown = replace(plain, parameters=(("a", 1.0), ("b", 2.0)))
    assert spec_words(plain) == spec_words(grown)
    assert spec_words(grown) != spec_words(replace(grown, varied=frozenset({"b"})))


def test_the_default_mixup_draws_as_it_always_did():
    mixup = Component("augmentation", "mixup", (("alpha", 0.3),))
    assert spec_words(mixup) == words("('augbench', 'mixup', (('alpha', 0.3),))")


def test_a_stage_draws_alike_alone_and_in_company_and_anew_where_it_occurs_again():
    flip, blur = (Pipeline.of(Component("augmentation", name)) for name in ("flip", "blur"))
    ((_, alone),) = stage_words(flip)
    _, (_, behind), (_, again) = stage_words(Pipeline(blur.stages + 2 * flip.stages))
    assert behind == alone
    assert again != alone


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
