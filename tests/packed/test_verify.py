"""Faults that the check of a packing finds: each network here is, or would be, packed wrongly."""

import copy
from dataclasses import replace

import pytest
import torch
from scale import Scale, WideScale
from torch import nn

from augbench.packed import replay as replaying
from augbench.packed import same_features
from augbench.packed.choice import choose
from augbench.packed.rules import registry as rules
from augbench.packed.rules.registry import rule
from augbench.packed.trace import PackedByRules
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
    monkeypatch.setattr("augbench.packed.choice._WORTH_IT", 0)


def nets(*layers, cells=3):
    torch.manual_seed(0)
    return [nn.Sequential(*(copy.deepcopy(layer) for layer in layers)) for _ in range(cells)]


def images(batch=4):
    return torch.rand(batch, 2, 8, 8)


class WrongLater(WideScale):
    """Right in the steps that are recorded, wrong in those that follow."""

    def __init__(self, layers, wrong_from):
        super().__init__(layers)
        self.steps, self.wrong_from = 0, wrong_from

    def forward(self, x):
        self.steps += self.training
        return super().forward(x) * (2 if self.steps >= self.wrong_from else 1)


def test_a_rule_that_goes_wrong_after_some_steps_is_found():
    rule(Scale)(lambda layers: WrongLater(layers, 4))
    choice = choose(nets(nn.Conv2d(2, 4, 3), Scale(4), nn.Flatten()), images())
    assert "not by rules: other features in step 4" in choice.reason


class WrongInOneCell(WideScale):
    def __init__(self, layers, cell):
        super().__init__(layers)
        self.cell, self.channels = cell, len(layers[0].scale)

    def forward(self, x):
        y = super().forward(x)
        wrong = torch.ones_like(y)
        wrong[:, self.cell * self.channels : (self.cell + 1) * self.channels] = 1.01
        return y * wrong


@pytest.mark.parametrize("cell", [0, 5, 10])
def test_a_rule_that_is_wrong_in_one_of_many_cells_is_found(cell):
    rule(Scale)(lambda layers: WrongInOneCell(layers, cell) if len(layers) > 1 else layers[0])
    made = nets(nn.Conv2d(2, 4, 3), Scale(4), nn.Flatten(), cells=11)
    assert "not by rules: other features" in choose(made, images()).reason


class SteeperInUse(WideScale):
    """Right but for its gradients in eval mode."""

    def forward(self, x):
        y = super().forward(x)
        return y if self.training else y + 0.1 * (y - y.detach())


def test_a_rule_with_other_gradients_of_images_in_use_is_found_where_they_are_wanted():
    rule(Scale)(SteeperInUse)
    made = nets(nn.Conv2d(2, 4, 3), Scale(4), nn.Flatten())
    assert "packed by rules" in choose(made, images()).reason
    reason = choose(made, images(), pixel_gradients=True).reason
    assert "not by rules: other gradients of images in eval mode" in reason


def test_a_network_of_long_steps_is_verified_with_as_many_cells_as_it_will_be_packed(monkeypatch):
    packed = []

    def packer(layers):
        packed.append(len(layers))
        return WideScale(layers)

    rule(Scale)(packer)
    made = nets(nn.Conv2d(2, 4, 3), Scale(4), nn.Flatten(), cells=11)
    short = choose(made, images())
    assert short.most > 11
    assert max(packed) == 11
    packed.clear()
    monkeypatch.setattr("augbench.packed.choice._LONG_ALONE", 0)
    long = choose(made, images())
    assert long.packer is short.packer is PackedByRules
    assert long.most == max(packed) == 8


class Noisy(WideScale):
    """Numbers of its own, which no plain module has."""

    def forward(self, x):
        return super().forward(x) * (1 + 1e-3 * torch.randn(len(x), 1, 1, 1))


def test_a_rule_that_draws_numbers_of_its_own_is_found():
    rule(Scale)(Noisy)
    choice = choose(nets(nn.Conv2d(2, 4, 3), Scale(4), nn.Flatten()), images())
    assert "not by rules: other features" in choice.reason


class SlightlyOff(WideScale):
    """Off by less than some networks' rounding, but not by less than its own."""

    def forward(self, x):
        return super().forward(x) * (1 + 1e-4)


@pytest.mark.parametrize("layer", [nn.Identity(), nn.BatchNorm2d(4)])
def test_a_rule_that_is_off_by_little_is_found(layer):
    rule(Scale)(SlightlyOff)
    made = nets(nn.Conv2d(2, 4, 3), layer, Scale(4), nn.Flatten())
    assert "packed by rules" not in choose(made, images()).reason


@pytest.mark.parametrize(
    "wrong",
    [
        lambda layers: WrongLater(layers, 2),
        *(lambda layers, cell=cell: WrongInOneCell(layers, cell) for cell in (0, 4, 7)),
        lambda layers: SlightlyOff(layers),
    ],
    ids=["later", "first cell", "middle cell", "last cell", "slightly"],
)
def test_where_steps_are_long_the_two_that_are_compared_find_what_is_wrong(monkeypatch, wrong):
    monkeypatch.setattr("augbench.packed.verify.LONGEST", 0)
    monkeypatch.setattr("augbench.packed.choice._LONG_ALONE", 0)
    rule(Scale)(lambda layers: wrong(layers) if len(layers) > 1 else layers[0])
    made = nets(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), Scale(4), nn.Flatten(), cells=11)
    assert "not by rules: other" in choose(made, images()).reason


def test_a_gradient_that_is_zero_but_for_rounding_is_no_reason_not_to_pack():
    made = nets(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.Flatten())  # the bias has no effect
    assert "packed by rules" in choose(made, images()).reason


class Counting(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind, self.count, self.seen = kind, 0, []
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("largest", torch.zeros(2))
        self.rate = 0.1

    def forward(self, x):
        if self.kind == "buffer":
            self.calls += 1
            return x * (1 + 0.1 * self.calls)
        if self.kind == "attribute":
            self.count += 1
            return x * 2 if self.count % 2 else x
        if self.kind == "list":
            self.seen.append(len(x))
            return x if len(self.seen) < 20 else -x
        if self.kind == "buffer in training" and self.training:
            self.largest = torch.maximum(self.largest, x.detach().amax((0, 2, 3)))
            return x / (1 + self.largest.view(-1, 1, 1))
        return x * self.rate


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("buffer", "in eval mode, its forward changes '0.calls'"),
        ("attribute", "in eval mode, its forward changes '0.count'"),
        ("list", "in eval mode, its forward changes '0.seen'"),
        ("buffer in training", "in training, its forward changes '0.largest'"),
    ],
)
def test_a_network_whose_forward_changes_its_own_state_is_not_packed(lab, agree, kind, told):
    def factory(channels, size):
        net = nn.Sequential(nn.Conv2d(channels, 2, 3), Counting(kind), nn.Flatten())
        net = nn.Sequential(Counting(kind), net) if kind != "buffer in training" else net
        net.feature_dim = 2 * 8 * 8
        return net

    lab.factories["counting"] = factory
    cells = [
        lab.cell(name, size, backbone="counting") for name in ("none", "mixup") for size in (2, 5)
    ]
    engine = PackedEngine()
    packed, reference = lab.train(engine, cells), lab.train(ReferenceEngine(), cells)
    assert "by rules" not in engine.choice
    assert told.split("'")[1].rpartition(".")[2] in engine.choice
    for cell in cells:
        agree(packed[cell.key], reference[cell.key])


def test_running_statistics_streams_and_settings_are_no_such_state():
    made = nets(nn.Conv2d(2, 4, 3), Counting("none"), nn.BatchNorm2d(4), nn.Flatten())
    assert "changes" not in choose(made, images()).reason


def test_networks_of_different_builds_are_not_packed():
    made = nets(nn.Conv2d(2, 4, 3), nn.LeakyReLU(0.1), nn.Flatten())
    made[2][1] = nn.LeakyReLU(0.2)
    with pytest.raises(
        rules.UnpackableError, match=r"1.negative_slope is not the same for every seed"
    ):
        choose(made, images())
    made[2][1] = nn.ReLU()
    with pytest.raises(rules.UnpackableError, match="the layer 1 is not the same"):
        choose(made, images())


class ByTheLargest(nn.Module):
    """Features divided by the largest of the batch, in training and in use."""

    def forward(self, x):
        return x.flatten(1) / x.max()


@pytest.mark.parametrize("batch", [1, 2, 8])
@pytest.mark.parametrize(
    "layer",
    [ByTheLargest(), nn.BatchNorm2d(2, track_running_stats=False)],
    ids=["largest", "batch statistics"],
)
def test_features_that_depend_on_the_batch_are_found_for_any_batch(layer, batch):
    for seed in range(10):
        torch.manual_seed(seed)
        made = [nn.Sequential(nn.Conv2d(2, 2, 3), copy.deepcopy(layer), nn.Flatten())] * 2
        choice = choose(made, torch.rand(batch, 2, 8, 8))
        assert choice.packer is None
        assert not choice.keeps
        assert "more than the image" in choice.reason


@pytest.mark.parametrize("odd", [float("inf"), float("nan")])
def test_features_that_are_finite_in_one_company_alone_differ(odd):
    finite, broken = torch.rand(2, 4, 3), torch.rand(2, 4, 3)
    broken[1, 2, 0] = odd
    assert not same_features(finite, broken)
    assert not same_features(broken, finite)
    assert same_features(broken, broken.clone())


class LaterByTheLargest(nn.Module):
    """Features that depend on the batch as soon as a factor has moved from zero."""

    def __init__(self, asked):
        super().__init__()
        self.gamma, self.asked = nn.Parameter(torch.zeros(1)), asked

    def forward(self, x):
        largest = x.max() if self.gamma.abs() > self.asked else 1
        return x.flatten(1) * (1 + 5 * self.gamma * largest)


@pytest.mark.parametrize("asked", [0, 0.05])
def test_features_that_will_depend_on_the_batch_once_trained_are_found(lab, agree, asked):
    def factory(channels, size):
        net = nn.Sequential(nn.Conv2d(channels, 2, 3), LaterByTheLargest(asked))
        net.feature_dim = 2 * 8 * 8
        return net

    lab.factories["later"] = factory
    rules = replace(lab.cell().settings, learning_rate=0.02, pretrain_steps=100)
    cells = [lab.cell(name, backbone="later", settings=rules) for name in ("none", "mixup")]
    engine = PackedEngine()
    packed, reference = lab.train(engine, cells), lab.train(ReferenceEngine(), cells)
    for cell in cells:
        assert packed[cell.key].engine == "reference"
        agree(packed[cell.key], reference[cell.key], tolerance=1e-6)


class NeedsGradients:
    sources = 2
    needs = frozenset({"gradients"})

    def __call__(self, x_i, x_j, *, gradients, rng):
        return (x_i + x_j) / 2, x_i.new_full((len(x_i),), 0.5)


def test_such_features_are_not_kept_with_an_augmentation_that_is_trained_alone(lab, agree):
    def factory(channels, size):
        net = nn.Sequential(nn.Conv2d(channels, 2, 3), ByTheLargest())
        net.feature_dim = 2 * 8 * 8
        return net

    lab.factories |= {"by the largest": factory, "needy": NeedsGradients}
    cells = [lab.cell(name, backbone="by the largest") for name in ("needy", "none")]
    packed, reference = lab.train(PackedEngine(), cells), lab.train(ReferenceEngine(), cells)
    for cell in cells:
        agree(packed[cell.key], reference[cell.key], tolerance=1e-6)


def test_a_replay_that_goes_wrong_costs_time_and_no_numbers(lab, agree, monkeypatch):
    monkeypatch.setattr(replaying, "_TRIALS", 0)
    right = replaying.Tape.replay
    chosen = []  # timing and verifying replay as well: these go right

    def choose_and_tell(*given, **how):
        chosen.append(choose(*given, **how))
        return chosen[-1]

    def wrong(self, *, refresh=True):
        right(self, refresh=refresh)
        if chosen and refresh:  # once it is in use
            with torch.no_grad():
                self._actions[-1]()  # the last is the descent

    cells = [lab.cell(name, size) for name in ("none", "mixup") for size in (2, 5)]
    reference = lab.train(ReferenceEngine(), cells)
    monkeypatch.setattr(replaying.Tape, "replay", wrong)
    monkeypatch.setattr("augbench.training.engine.choose", choose_and_tell)
    monkeypatch.setattr(replaying, "_CHECKED_AGAIN", range(1, 1000))
    engine = PackedEngine()
    packed = lab.train(engine, cells)
    assert "one by one, after ReplayError" in engine.choice
    for cell in cells:
        agree(packed[cell.key], reference[cell.key])


def test_all_that_a_packing_is_given_is_left_as_it_was():
    made = nets(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
    before = [copy.deepcopy(net.state_dict()) for net in made]
    choice = choose(made, images())
    assert choice.packer is PackedByRules
    assert choice.seconds > 0
    for net, state in zip(made, before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
