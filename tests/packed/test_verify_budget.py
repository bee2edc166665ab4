"""What verifying a large network leaves out, and what it must find all the same; its budget."""

import copy

import pytest
import torch
from scale import Scale, WideScale
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from augbench.packed import choice as choosing
from augbench.packed.choice import choose
from augbench.packed.rules import registry as rules
from augbench.packed.rules.registry import rule
from augbench.packed.trace import PackedByRules
from augbench.packed.verify import difference
from augbench.training.engine import PackedEngine
from augbench.training.reference import ReferenceEngine


@pytest.fixture(autouse=True)
def _rules_as_they_were():
    before = dict(rules.LAYER_RULES)
    yield
    rules.LAYER_RULES.clear()
    rules.LAYER_RULES.update(before)


@pytest.fixture(autouse=True)
def _speed_does_not_decide(monkeypatch):
    monkeypatch.setattr(choosing, "_WORTH_IT", 0)


@pytest.fixture
def long_steps(monkeypatch):
    monkeypatch.setattr("augbench.packed.verify.LONGEST", 0)
    monkeypatch.setattr(choosing, "_LONG_ALONE", 0)


def nets(*layers, cells=8):
    torch.manual_seed(0)
    return [nn.Sequential(*(copy.deepcopy(layer) for layer in layers)) for _ in range(cells)]


class SteeperInOneCell(WideScale):
    """The right features, and one cell's gradients a tenth too large."""

    def __init__(self, layers, cell):
        super().__init__(layers)
        self.cell, self.channels = cell, len(layers[0].scale)

    def forward(self, x):
        y = super().forward(x)
        steeper = torch.zeros_like(y)
        steeper[:, self.cell * self.channels : (self.cell + 1) * self.channels] = 0.1
        return y + steeper * (y - y.detach())


@pytest.mark.parametrize("cell", [0, 4, 7])
def test_gradients_that_are_wrong_in_one_cell_are_found_in_two_steps(long_steps, cell):
    rule(Scale)(lambda layers: SteeperInOneCell(layers, cell) if len(layers) > 1 else layers[0])
    made = nets(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), Scale(4), nn.Flatten())
    assert "not by rules: other gradients of" in choose(made, torch.rand(4, 2, 8, 8)).reason


def images_asked(monkeypatch, longest):
    """How many images the plain modules are given, all in all."""
    monkeypatch.setattr("augbench.packed.verify.LONGEST", longest)
    asked = []

    def note(module, inputs):
        if type(module) is nn.BatchNorm2d:
            asked.append(len(inputs[0]))

    made = nets(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten())
    handle = register_module_forward_pre_hook(note)
    try:
        assert difference(PackedByRules, made, torch.rand(16, 2, 8, 8)) is None
    finally:
        handle.remove()
    return sum(asked)


def test_a_network_of_long_steps_is_asked_for_half_the_images_at_most(monkeypatch):
    asked = images_asked(monkeypatch, 100)
    assert 0 < images_asked(monkeypatch, 0) <= asked / 2


def test_what_cannot_be_verified_in_time_is_not_used_and_that_is_said(lab, agree, monkeypatch):
    monkeypatch.setattr(choosing, "_SECONDS_OF_VERIFYING", 0)
    cells = [lab.cell(name, size) for name in ("none", "mixup") for size in (2, 5)]
    engine = PackedEngine()
    packed, reference = lab.train(engine, cells), lab.train(ReferenceEngine(), cells)
    assert "one by one (not by rules: verifying it takes" in engine.choice
    assert "by rules, a step" not in engine.choice
    for cell in cells:
        agree(packed[cell.key], reference[cell.key])


def test_verifying_stops_when_its_time_is_spent():
    made = nets(nn.Conv2d(2, 4, 3), nn.Flatten())
    reason = difference(PackedByRules, made, torch.rand(4, 2, 8, 8), seconds=0)
    assert reason == "verifying it takes more than 0 s"


def test_a_longer_training_leaves_more_time_for_verifying(monkeypatch):
    allowed = []

    def noting(*given, seconds, **how):
        allowed.append(seconds)

    monkeypatch.setattr(choosing, "difference", noting)
    made, images = nets(nn.Conv2d(2, 4, 3), nn.Flatten()), torch.rand(4, 2, 8, 8)
    for steps in (0, 100, 10**9):
        assert "packed by rules" in choose(made, images, steps=steps).reason
    assert allowed[0] == allowed[1] == 10
    assert allowed[2] > 1000
