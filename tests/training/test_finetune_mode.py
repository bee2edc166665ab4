"""A frozen backbone in train mode while its head is finetuned: both engines, and plain torch."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from awkward import NETWORKS
from lab import SETTINGS
from torch import nn

from augbench.protocol.batches import draw_batches
from augbench.protocol.streams import Role, cell_stream
from augbench.training.engine import PackedEngine
from augbench.training.reference import ReferenceEngine, pretrain

TRAIN = replace(SETTINGS, pretrain_steps=20, finetune_steps=12, finetune_mode="train")
EVAL = replace(TRAIN, finetune_mode="eval")


def _cells(lab, settings=TRAIN, **how):
    return [
        lab.cell(name, seed=seed, settings=settings, **how)
        for name in ("none", "mixup")
        for seed in (0, 1)
    ]


@pytest.mark.parametrize("network", ["small", "normed", "tied", "drawing"])
def test_packed_it_is_the_reference(lab, agree, network):
    lab.factories |= NETWORKS
    cells = _cells(lab, backbone=network)
    together, alone = (lab.train(one, cells) for one in (PackedEngine(), ReferenceEngine()))
    for cell in cells:
        agree(together[cell.key], alone[cell.key])


def test_it_is_a_plain_loop_of_torch_on_a_model_in_train_mode(lab):
    """Dropout by hand, from the cell's stream; the backbone's weights stay as they were."""
    rate = 0.5

    def dropping(channels, size):
        net = nn.Sequential(nn.Flatten(), nn.Linear(100, 12), nn.Dropout(rate), nn.Tanh())
        net.feature_dim = 12
        return net

    lab.factories["dropping"] = dropping
    cell = lab.cell("none", seed=3, settings=TRAIN, backbone="dropping")
    result = lab.train(ReferenceEngine(), [cell])[cell.key]

    materials = lab.materials()
    trained = pretrain(cell, materials, 0, lambda steps: None)
    linear = trained.backbone[1]
    before = linear.weight.clone()
    data, _ = materials.finetune_sets(cell)
    head = materials.head(cell, trained.backbone, finetune=True)
    masks = cell_stream(cell, Role.FINETUNE_DROPOUT, 0)
    order = draw_batches(len(data), 4, 12, cell_stream(cell, Role.FINETUNE_ORDER))
    losses = []
    for batch in torch.from_numpy(order):
        hidden = linear(data.images[batch].float().div(255).flatten(1))
        keep = masks.random(tuple(hidden.shape), dtype=np.float32) >= rate
        features = torch.tanh(hidden * torch.from_numpy(keep) / (1 - rate)).detach()
        loss = nn.functional.cross_entropy(head(features), data.labels[batch])
        head.zero_grad()
        loss.backward()
        with torch.no_grad():
            for value in head.parameters():
                value -= cell.settings.learning_rate * value.grad
        losses.append(loss.item())
    assert torch.equal(linear.weight, before)
    test = materials.test_set(cell.finetune)
    inputs = test.images.float().div(255).flatten(1)
    guessed = head(torch.tanh(linear(inputs))).argmax(1)  # eval mode: no dropout
    accuracy = (guessed == test.labels).float().mean().item()
    assert result.metrics["accuracy"] == pytest.approx(accuracy)
    curve = result.curves["finetune"]
    assert curve.loss[-1] == pytest.approx(np.mean(losses), rel=1e-5)


def test_eval_is_the_default_and_its_keys_know_no_mode(lab):
    usual, train = _cells(lab, EVAL), _cells(lab, TRAIN)
    assert [cell.key for cell in usual] == [
        cell.key for cell in _cells(lab, replace(SETTINGS, pretrain_steps=20, finetune_steps=12))
    ]
    assert not {cell.key for cell in usual} & {cell.key for cell in train}
    # One pretraining serves both.
    assert [one.pretrain_key for one in usual] == [one.pretrain_key for one in train]


def test_both_modes_in_one_pack_are_what_they_are_alone(lab, agree):
    cells = [*_cells(lab, EVAL), *_cells(lab, TRAIN)]
    both = lab.train(PackedEngine(), cells)
    for part in (_cells(lab, EVAL), _cells(lab, TRAIN)):
        alone = lab.train(PackedEngine(), part)
        for cell in part:
            agree(both[cell.key], alone[cell.key])
    accuracies = [both[cell.key].metrics["nll"] for cell in cells]
    assert accuracies[:4] != accuracies[4:]
