"""Readouts of awkward networks and cells: packed as by the reference, and no other disturbed."""

from dataclasses import replace

import pytest
import torch
from awkward import NETWORKS
from lab import SETTINGS

from augbench.packed.vmap import PackedByVmap
from augbench.protocol.study import Budget
from augbench.training import together
from augbench.training.engine import PackedEngine
from augbench.training.packs import units_of
from augbench.training.readouts import full
from augbench.training.reference import ReferenceEngine

OWN = replace(
    SETTINGS,
    pretrain_steps=20,
    finetune_steps=8,
    full_steps=8,
    full_learning_rate=0.05,
    full_momentum=0.9,
    full_weight_decay=0.01,
    knn_neighbours=5,
)
EVERY = ("linear", "knn", "full", "own-head")


def _cells(lab, *readouts, settings=OWN, sizes=(None,), budgets=(None,), seeds=(0, 1), **how):
    return [
        replace(
            lab.cell(name, seed=seed, settings=settings, **how),
            readout=readout,
            finetune_size=size if readout != "own-head" else None,
            budget=steps and Budget(steps),
        )
        for name in ("none", "mixup")
        for seed in seeds
        for steps in budgets
        for readout in readouts
        for size in (sizes if readout != "own-head" else (None,))
    ]


@pytest.mark.parametrize(
    ("network", "normalize"),
    [("tied", "none"), ("normed", "channels"), ("drawing", "none"), ("small", "channels")],
)
def test_readouts_of_awkward_networks_are_the_references(lab, agree, network, normalize):
    lab.factories |= NETWORKS
    own = replace(OWN, normalize=normalize)
    cells = _cells(lab, *EVERY, backbone=network, target=lab.source, settings=own)
    together, alone = (lab.train(one, cells) for one in (PackedEngine(), ReferenceEngine()))
    for cell in cells:
        agree(together[cell.key], alone[cell.key])


def test_one_by_one_within_the_packed_engine_it_is_the_reference(lab, agree):
    cells = _cells(lab, *EVERY, target=lab.source, seeds=(0,), budgets=(10, 20))
    results = []
    for unit in ([cell for cell in cells if cell.arm.label == name] for name in ("none", "mixup")):
        unit.sort(key=lambda cell: -cell.pretrain_steps)
        results += together.train_together([unit], None, lab.materials(), 0, lambda steps: None)
    alone = lab.train(ReferenceEngine(), cells)
    assert {one.key for one in results} == set(alone)
    for one in results:
        agree(one, alone[one.key])
        assert one.engine == "packed"


def test_packed_by_vmap_it_is_the_reference(lab, agree):
    cells = _cells(lab, *EVERY, target=lab.source, settings=replace(OWN, normalize="channels"))
    units, materials = units_of(cells), lab.materials()
    results = list(together.train_together(units, PackedByVmap, materials, 0, lambda steps: None))
    alone = lab.train(ReferenceEngine(), cells)
    assert {one.key for one in results} == set(alone)
    for one in results:
        agree(one, alone[one.key])


def test_several_budgets_and_sizes_share_all_readouts(lab, agree):
    cells = _cells(lab, *EVERY, sizes=(3, 6), budgets=(10, 20), target=lab.source)
    together, alone = (lab.train(one, cells) for one in (PackedEngine(), ReferenceEngine()))
    for cell in cells:
        agree(together[cell.key], alone[cell.key])


def test_a_drawing_network_is_finetuned_alike_each_time(lab):
    lab.factories |= NETWORKS
    cells = _cells(lab, "full", backbone="drawing")[:2]
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        results.append(lab.train(ReferenceEngine(), cells))
        assert torch.equal(torch.get_rng_state(), before)
    for cell in cells:
        one, other = (found[cell.key] for found in results)
        assert one.curves == other.curves


def test_full_finetuning_leaves_what_other_readouts_judge(lab):
    """Its own running statistics go on from the pretrained ones, which stay."""
    with_full = lab.train(PackedEngine(), _cells(lab, "full", "linear", "knn"))
    without = lab.train(PackedEngine(), _cells(lab, "linear", "knn"))
    for key, result in without.items():
        assert result.correct == with_full[key].correct
        assert result.metrics["accuracy"] == with_full[key].metrics["accuracy"]


def test_a_finetuning_that_diverges_fails_alone(lab, agree):
    cells = _cells(lab, "full", "linear", seeds=(0,))
    wild = _cells(lab, "full", seeds=(0,), settings=replace(OWN, full_learning_rate=1e20))
    for engine in (PackedEngine(), ReferenceEngine()):
        results = lab.train(engine, [*cells, *wild])
        for cell in wild:
            assert "full finetuning diverged" in results[cell.key].error
            assert "full_learning_rate" in results[cell.key].error
        plain = lab.train(engine, cells)
        for cell in cells:
            agree(results[cell.key], plain[cell.key])


def test_out_of_memory_in_full_finetuning_halves_the_pack(lab, agree, monkeypatch):
    cells = _cells(lab, "linear", "full")
    finetune, sizes = full.finetune_all_weights, []

    def short_of_memory(fit):
        sizes.append(len(fit.cells))
        if len(fit.cells) > 2:
            raise torch.cuda.OutOfMemoryError("no memory")
        return finetune(fit)

    monkeypatch.setitem(together.read_out.__globals__["FITS"], "full", short_of_memory)
    engine = PackedEngine()
    results = lab.train(engine, cells)
    assert sizes == [4, 2, 2]
    assert "in halves, for lack of memory" in engine.choice
    alone = lab.train(ReferenceEngine(), cells)
    for cell in cells:
        agree(results[cell.key], alone[cell.key])


def test_a_readout_that_raises_leaves_all_others(lab, agree, monkeypatch):
    def refuse(fit):
        raise RuntimeError("out of luck")

    monkeypatch.setitem(together.read_out.__globals__["FITS"], "full", refuse)
    cells = _cells(lab, "linear", "knn", "full")
    engine = PackedEngine()
    results = lab.train(engine, cells)
    assert "one by one, after RuntimeError: out of luck" in engine.choice
    alone = lab.train(ReferenceEngine(), cells)
    for cell in cells:
        agree(results[cell.key], alone[cell.key])
