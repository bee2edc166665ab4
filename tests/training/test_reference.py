"""The reference engine, held to a training loop written out by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from augbench.protocol.batches import draw_batches, draw_partners
from augbench.protocol.streams import Role, cell_stream
from augbench.training.reference import ReferenceEngine


def test_one_cell_is_plain_pytorch(lab):
    cell, materials = lab.cell("collage", 5), lab.materials()
    result = lab.train(ReferenceEngine(), [cell], test_every=20)[cell.key]

    backbone = materials.backbone(cell).train()
    head = materials.head(cell, backbone, finetune=False)
    data = materials.pretrain_set(cell)
    x, labels = data.images.float() / 255, data.labels
    batches = draw_batches(15, 4, 40, cell_stream(cell, Role.ORDER))
    (partners,) = draw_partners(2, 40, 4, [cell_stream(cell, Role.PARTNERS, 0)])
    mask = torch.zeros(1, 10, 10)
    mask[:, :5, 5:] = mask[:, 5:, :5] = 1
    losses = []
    parameters = [*backbone.parameters(), *head.parameters()]
    for batch, partner in zip(batches, partners, strict=True):
        mixed = mask * x[batch] + (1 - mask) * x[batch[partner]]
        one_hot = nn.functional.one_hot(labels, 3).float()
        target = 0.5 * one_hot[batch] + 0.5 * one_hot[batch[partner]]
        loss = nn.functional.cross_entropy(head(backbone(mixed)), target)
        losses.append(loss.item())
        for parameter, grad in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            with torch.no_grad():
                parameter -= 0.01 * grad
    assert result.curves["pretrain"].loss == pytest.approx([np.mean(losses)], abs=1e-5)

    backbone.eval()
    head = materials.head(cell, backbone, finetune=True)
    tuning, held_out = materials.finetune_sets(cell)
    assert (len(tuning), len(held_out)) == (24, 12)
    with torch.no_grad():
        features = backbone(tuning.images.float() / 255)
    losses = []
    for batch in draw_batches(24, 4, 30, cell_stream(cell, Role.FINETUNE_ORDER)):
        loss = nn.functional.cross_entropy(head(features[batch]), tuning.labels[batch])
        losses.append(loss.item())
        grads = torch.autograd.grad(loss, [head.weight, head.bias])
        with torch.no_grad():
            head.weight -= 0.01 * grads[0]
            head.bias -= 0.01 * grads[1]
    assert result.curves["finetune"].loss == pytest.approx([np.mean(losses)], abs=1e-5)
    test = materials.test_set(cell.finetune)
    with torch.no_grad():
        predicted = head(backbone(test.images.float() / 255)).argmax(1)
    right = (predicted == test.labels).numpy()
    assert result.metrics["accuracy"] == pytest.approx(right.mean())
    assert result.correct == np.packbits(right).tobytes()
    assert result.curves["finetune"].test_step == (20,)


def test_the_same_cell_gives_the_same_numbers_to_the_bit(lab):
    cell = lab.cell("mixup", 5)
    first, second = (lab.train(ReferenceEngine(), [cell])[cell.key] for _ in range(2))
    assert first.curves == second.curves
    assert first.correct == second.correct


def test_augmentations_of_a_seed_differ_in_nothing_but_the_images(lab):
    class Copy:
        sources = 2

        def __call__(self, x_i, x_j, *, rng):
            return x_i.clone(), x_i.new_ones(len(x_i))

    lab.factories["copy"] = Copy
    one, other = lab.cell("none", 5), lab.cell("copy", 5)
    results = lab.train(ReferenceEngine(), [one, other])
    assert results[one.key].curves == results[other.key].curves


def test_a_cell_that_fails_is_reported_and_the_others_go_on(lab):
    def broken():
        raise RuntimeError("no\nsuch thing")

    lab.factories["broken"] = broken
    cells = [lab.cell("broken"), lab.cell("none")]
    results = lab.train(ReferenceEngine(), cells)
    assert results[cells[0].key].error == "RuntimeError: no such thing"
    assert "Traceback" in results[cells[0].key].traceback
    assert results[cells[1].key].ok


def test_the_global_random_state_is_neither_used_nor_moved(lab):
    cell = lab.cell("mixup")
    outcomes = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002  the global state is what this test is about
        state = torch.get_rng_state()
        outcomes.append(lab.train(ReferenceEngine(), [cell])[cell.key].curves)
        assert torch.equal(torch.get_rng_state(), state)
    assert outcomes[0] == outcomes[1]
