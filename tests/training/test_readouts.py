"""Readouts: each is what its name says, packed as in the reference, from one pretraining."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lab import SETTINGS
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from augbench.protocol.batches import draw_batches
from augbench.protocol.inputs import network_inputs
from augbench.protocol.readouts import READOUTS
from augbench.protocol.streams import Role, cell_stream
from augbench.protocol.study import Trial
from augbench.training.engine import PackedEngine
from augbench.training.readouts.neighbours import votes
from augbench.training.reference import ReferenceEngine, pretrain

OWN = replace(
    SETTINGS,
    full_steps=12,
    full_learning_rate=0.05,
    full_momentum=0.9,
    full_schedule="cosine",
    knn_neighbours=5,
)


def _cells(lab, *readouts, sizes=(6,), **how):
    return [
        replace(lab.cell(name, seed=seed, settings=OWN, **how), readout=readout, finetune_size=size)
        for name in ("none", "mixup")
        for seed in (0, 1)
        for readout in readouts
        for size in sizes
    ]


def _bits(result, count):
    return np.unpackbits(np.frombuffer(result.correct, np.uint8), count=count)


def test_readouts_packed_are_those_of_the_reference_from_one_pretraining(lab, agree):
    cells = _cells(lab, "linear", "knn", "full", sizes=(3, 6))
    cells += _cells(lab, "own-head", "knn", target=lab.source)
    calls = []
    materials = lab.materials()
    engine = PackedEngine()
    together = {
        r.key: r for r in engine.train(cells, materials, test_every=0, progress=calls.append)
    }
    assert all(r.error is None for r in together.values())
    assert sum(calls) == sum(cell.steps for cell in cells)
    assert "packed" in engine.choice
    alone = lab.train(ReferenceEngine(), cells)
    curves = {}
    for cell in cells:
        agree(together[cell.key], alone[cell.key])
        # Readouts of one backbone share its pretraining, to the bit.
        curve = together[cell.key].curves["pretrain"]
        assert curves.setdefault(cell.pretrain_key, curve) == curve
        assert ("nll" in together[cell.key].metrics) == ("nll" in cell.judged_by.metrics)


@pytest.mark.parametrize("engine", [PackedEngine, ReferenceEngine])
def test_the_pretraining_head_is_what_pretraining_measures(lab, engine):
    cells = _cells(lab, "own-head", target=lab.source)
    for result in lab.train(engine(), cells).values():
        assert result.metrics["accuracy"] == result.metrics["pretrain_accuracy"]
        assert result.metrics["nll"] == result.metrics["pretrain_nll"]
        assert _bits(result, 60).mean() == pytest.approx(result.metrics["accuracy"])
        assert set(result.curves) == {"pretrain"}


@pytest.mark.parametrize("engine", [PackedEngine, ReferenceEngine])
def test_nearest_neighbours_are_scikit_learns(lab, engine):
    (cell,) = [one for one in _cells(lab, "knn") if one.arm.label == "mixup" and one.seed == 1]
    result = lab.train(engine(), [cell, *_cells(lab, "knn")[:1]])[cell.key]
    materials = lab.materials()
    trained = pretrain(cell, materials, 0, lambda steps: None)
    data, _ = materials.finetune_sets(cell)
    test = materials.test_set(cell.finetune)
    with torch.no_grad():
        bank, queries = (
            trained.backbone(network_inputs(one.images)).numpy() for one in (data, test)
        )
    oracle = KNeighborsClassifier(
        5, weights=lambda far: np.exp((1 - far) / 0.07), metric="cosine", algorithm="brute"
    ).fit(bank, data.labels)
    assert (oracle.predict(queries) == test.labels.numpy()).tolist() == _bits(result, 80).tolist()


def test_a_feature_of_length_0_is_similar_to_nothing_and_votes_are_shares():
    bank = torch.tensor([[[0.0, 0.0], [1.0, 0.0], [0.6, 0.8]]])
    query = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    share = votes(query @ bank.transpose(1, 2), torch.tensor([[0, 1, 2]]), 3, 3, 0.1)
    wanted = torch.tensor([[[0.0, 10.0, 6.0], [0.0, 0.0, 0.0]]]).softmax(2)
    assert torch.allclose(share, wanted)


def test_full_finetuning_is_a_plain_loop_of_torch(lab):
    (cell,) = [one for one in _cells(lab, "full") if one.arm.label == "mixup" and one.seed == 1]
    results = lab.train(PackedEngine(), _cells(lab, "full"))
    materials = lab.materials()
    trained = pretrain(cell, materials, 0, lambda steps: None)
    backbone = materials.backbone(cell, Role.FULL_DROPOUT)
    backbone.load_state_dict(trained.backbone.state_dict())
    model = nn.Sequential(backbone, materials.head(cell, backbone, finetune=True)).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 12)
    data, _ = materials.finetune_sets(cell)
    losses = []
    for batch in draw_batches(len(data), 4, 12, cell_stream(cell, Role.FINETUNE_ORDER)):
        loss = nn.functional.cross_entropy(
            model(network_inputs(data.images[batch])), data.labels[batch]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    result = results[cell.key]
    assert result.curves["finetune"].loss[-1] == pytest.approx(np.mean(losses), abs=1e-5)
    test = materials.test_set(cell.finetune)
    with torch.no_grad():
        logits = model.eval()(network_inputs(test.images))
    nll = nn.functional.cross_entropy(logits, test.labels).item()
    assert result.metrics["nll"] == pytest.approx(nll, abs=1e-4)


def test_arms_of_one_pretraining_that_finetune_otherwise_are_fitted_each_by_its_own(lab):
    """Two arms may share a pretraining and differ in how long, or on how much, they finetune."""
    longer = replace(OWN, finetune_steps=45)
    cells = [lab.cell(settings=OWN), lab.cell(settings=longer)]
    assert cells[0].pretrain_key == cells[1].pretrain_key
    together = lab.train(PackedEngine(), cells)
    assert [together[cell.key].curves["finetune"].step[-1] for cell in cells] == [30, 45]


def _trials(lab, readout, target=None):
    folded = readout == "own-head"
    return [
        replace(
            lab.cell(name, size=4, seed=10**6, settings=OWN, target=target),
            readout=readout,
            trial=Trial(0, fold=fold, folds=2) if folded else Trial(0, 3, outside=4),
        )
        for name in ("none", "mixup")
        for fold in ((0, 1) if folded else (0,))
    ]


@pytest.mark.parametrize("readout", READOUTS)
def test_a_trial_sees_no_test_image(lab, agree, monkeypatch, readout):
    trials = _trials(lab, readout, lab.source)

    def refuse(self, info):
        raise AssertionError("a trial was measured on a test set")

    for engine in (PackedEngine(), ReferenceEngine()):
        found = lab.train(engine, trials, test_every=10)
        with monkeypatch.context() as patched:
            # The engine looks at a few test images once, without labels, to prove its packing.
            if isinstance(engine, ReferenceEngine):
                patched.setattr(type(lab.materials()), "test_set", refuse)
                found = lab.train(engine, trials, test_every=10)
        for one in found.values():
            assert one.error is None
            assert set(one.metrics) == {"accuracy"}
            assert not one.curves
    together = lab.train(PackedEngine(), trials)
    alone = lab.train(ReferenceEngine(), trials)
    for one in trials:
        agree(together[one.key], alone[one.key])


def test_a_trial_that_diverges_scores_chance_and_has_not_failed(lab):
    (trial,) = _trials(lab, "linear")[:1]
    wild = replace(trial, arm=replace(trial.arm, settings=replace(OWN, learning_rate=1e30)))
    for engine in (PackedEngine(), ReferenceEngine()):
        found = lab.train(engine, [wild, trial])
        assert found[wild.key].metrics == {"accuracy": 0.25, "diverged": 1.0}
        assert found[wild.key].ok
        assert found[trial.key].ok
        assert "diverged" not in found[trial.key].metrics


def test_validation_images_are_in_no_training_of_the_study(lab):
    materials = lab.materials()
    (trial,) = _trials(lab, "linear", lab.source)[:1]
    largest = replace(trial, samples_per_class=4)
    used = [*materials.finetune_sets(trial), materials.pretrain_set(largest)]
    validation = materials.measured_set(trial)
    assert len(validation) == 3 * 3
    assert validation.labels.bincount().tolist() == [3, 3, 3]
    seen = {image.numpy().tobytes() for one in used for image in one.images}
    assert not seen & {image.numpy().tobytes() for image in validation.images}


def test_the_folds_of_a_trial_part_its_images(lab):
    materials = lab.materials()
    trials = [one for one in _trials(lab, "own-head", lab.source) if one.arm.label == "none"]
    whole = materials.pretrain_set(replace(trials[0], trial=None))
    parts = [(materials.pretrain_set(one), materials.measured_set(one)) for one in trials]
    for kept, fold in parts:
        assert len(kept) + len(fold) == len(whole)
        assert len(kept) == trials[0].pretrain_images
        assert fold.labels.bincount().tolist() == [2, 2, 2]
    both = torch.cat([fold.images for _, fold in parts]).flatten(1)
    assert sorted(both.tolist()) == sorted(whole.images.flatten(1).tolist())
