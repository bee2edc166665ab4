"""The distributions' augmentations that need the network: packed, with the reference's numbers."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from lab import _one_thread, lab

from augbench.training.engine import PackedEngine
from augbench.training.reference import ReferenceEngine

sys.path.append(str(Path(__file__).parents[2] / "plugins" / "augbench-mixes"))

from augbench_mixes.manifold_mixup import ManifoldMixup
from augbench_mixes.puzzlemix import PuzzleMix

__all__ = ["_one_thread", "lab"]


@pytest.fixture
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize(
    "arms",
    [
        {"one": ManifoldMixup, "deep": partial(ManifoldMixup, layers=9, alpha=0.5)},
        {"one": PuzzleMix, "still": partial(PuzzleMix, transport=0)},
    ],
    ids=["manifold-mixup", "puzzlemix"],
)
def test_a_pack_gives_the_references_numbers(lab, arms, monkeypatch) -> None:
    monkeypatch.setattr("augbench.packed.choice._WORTH_IT", 0)  # speed does not decide here
    lab.factories |= arms
    rules = replace(lab.cell().settings, finetune_steps=10)
    cells = [
        lab.cell(name, size, seed, settings=rules)
        for name in arms
        for size, seed in ((2, 0), (5, 0), (5, 1))
    ]
    engine = PackedEngine()
    packed, reference = lab.train(engine, cells), lab.train(ReferenceEngine(), cells)
    assert engine.choice.startswith("6 networks at a time, packed by rules")
    for cell in cells:
        one, other = packed[cell.key], reference[cell.key]
        for name, curve in one.curves.items():
            assert curve.loss == pytest.approx(other.curves[name].loss, abs=1e-8)
        for name in ("accuracy", "nll", "pretrain_nll", "extra_passes"):
            assert one.metrics[name] == pytest.approx(other.metrics[name], abs=1e-8)
