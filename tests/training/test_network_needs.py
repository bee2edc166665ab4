"""Augmentations that need the network in training are packed, and get the reference's numbers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from augbench.augmentations.crop_flip import CropFlip
from augbench.batching.suppliers import input_gradients
from augbench.packed import Heads
from augbench.packed.trace import PackedByRules
from augbench.packed.vmap import PackedByVmap
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Member, Pipeline, Stage, parsed
from augbench.protocol.recipe import Recipe
from augbench.training.descent import descent, pixel_gradients
from augbench.training.engine import PackedEngine
from augbench.training.packs import plan_packs
from augbench.training.reference import ReferenceEngine


def weighted(sources, weights):
    shape = (-1, *[1] * (sources[0].ndim - 1))
    return sum(w.view(shape) * x for w, x in zip(weights.T, sources, strict=True))


class Steeper:
    """Of each pixel more of the image whose loss depends more on it: smooth, and steep enough."""

    sources = 2
    needs = frozenset({"gradients"})

    def __call__(self, x_i, x_j, *, gradients, rng):
        assert [g.shape for g in gradients] == [x_i.shape, x_j.shape]
        share = torch.sigmoid(50 * (gradients[0].abs() - gradients[1].abs()))
        return share * x_i + (1 - share) * x_j, share.mean((1, 2, 3))


class SteepestOfThree:
    """Whole images, by how steep the loss is; it asks for the labels too."""

    sources = 3
    needs = frozenset({"gradients", "labels"})

    def __call__(self, *x, gradients, labels, rng):
        assert len(labels) == len(gradients) == 3
        steep = torch.stack([g.square().sum((1, 2, 3)).sqrt() for g in gradients], dim=1)
        weights = torch.softmax(20 * steep + x[0].new_tensor(rng.random(steep.shape)), dim=1)
        return weighted(x, weights), weights


class Hidden:
    """Mixes one of all layers, by shares that depend on the shape and the place of a value."""

    sources = 2
    needs = frozenset({"hidden"})

    def choose_layer(self, layers, *, rng):
        return layers[rng.integers(len(layers))]

    def __call__(self, *h, rng):
        drawn = rng.dirichlet(np.ones(len(h)), size=len(h[0]))  # [N, sources]
        weights = h[0].new_tensor(drawn) ** (1 + 0.1 * h[0].ndim)
        weights = weights / weights.sum(dim=1, keepdim=True)
        places = torch.linspace(0.9, 1.1, h[0][0].numel(), dtype=h[0].dtype)
        shares = weights[:, 0] if len(h) == 2 else weights
        return weighted(h, weights) * places.view(h[0].shape[1:]), shares


class HiddenOfThree(Hidden):
    """Three sources, by weights that depend on what is mixed."""

    sources = 3
    needs = frozenset({"hidden", "labels", "progress"})

    def __call__(self, *h, labels, progress, rng):
        assert len(labels) == 3
        energy = torch.stack([one.flatten(1).square().mean(1) for one in h], dim=1)
        drawn = energy.new_tensor(rng.random(energy.shape)) + progress[:, None]
        weights = torch.softmax(drawn + energy, dim=1)
        return weighted(h, weights), weights


class HiddenSmooth(Hidden):
    """Returns a class distribution."""

    returns_distribution = True

    def __call__(self, h_i, h_j, *, classes, rng):
        mixed, _ = super().__call__(h_i, h_j, rng=rng)
        return mixed, mixed.new_full((len(mixed), classes), 1 / classes)


KINDS = {
    "crop-flip": CropFlip,
    "steeper": Steeper,
    "three": SteepestOfThree,
    "hidden": Hidden,
    "hidden-three": HiddenOfThree,
    "hidden-smooth": HiddenSmooth,
}


def net(in_channels, image_size):
    """Dropout of channels and of values, batch normalisation, layers that are fused."""
    made = nn.Sequential(
        nn.Conv2d(in_channels, 4, 3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(4, 5, 3, bias=False),
        nn.BatchNorm2d(5),
        nn.Dropout2d(0.3),
        nn.Tanh(),
        nn.Flatten(),
        nn.Dropout(0.2),
    )
    made.feature_dim = 45
    return made


def mapped_net(in_channels, image_size):
    """No rule packs it, since a trace cannot read the length of a value."""

    class First(nn.Module):
        def forward(self, x):
            return x[: len(x)] * 1.0

    made = nn.Sequential(First(), *net(in_channels, image_size))
    made.feature_dim = 45
    return made


@pytest.fixture(autouse=True)
def _speed_does_not_decide(monkeypatch):
    monkeypatch.setattr("augbench.packed.choice._WORTH_IT", 0)


@pytest.fixture
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def cell(lab):
    lab.factories |= {**KINDS, "net": net, "mapped": mapped_net}

    def make(spec, size=2, seed=0, *, backbone="net", **changes):
        stages = tuple(
            Stage(tuple(Member(Component("augmentation", n, label=n), p) for n, p in members))
            for members in parsed(spec)
        )
        settings = replace(lab.cell().settings, finetune_steps=10, **changes)
        made = lab.cell(size=size, seed=seed, backbone=backbone, settings=settings)
        return replace(made, arm=replace(made.arm, label=spec, pipeline=Pipeline(stages).on(None)))

    return make


def assert_same(lab, cells, how="packed by rules"):
    """Both engines give the same, and the packed one has trained all of them together."""
    engine = PackedEngine()
    packed, reference = lab.train(engine, cells, 7), lab.train(ReferenceEngine(), cells, 7)
    assert [note.reason.startswith(how) for note in engine.notes] == [True], engine.choice
    assert engine.notes[0].networks == len({cell.path_key for cell in cells})
    for cell in cells:
        one, other = packed[cell.key], reference[cell.key]
        assert one.ok, one.traceback
        assert other.ok, other.traceback
        for name, curve in one.curves.items():
            against = other.curves[name]
            assert curve.step == against.step
            assert curve.loss == pytest.approx(against.loss, abs=1e-8)
            assert curve.test_loss == pytest.approx(against.test_loss, abs=1e-8)
        for name in set(one.metrics) - {"pretrain_seconds"}:
            assert one.metrics[name] == pytest.approx(other.metrics[name], abs=1e-8), name
    return packed


@pytest.mark.usefixtures("_double")
def test_gradients_of_seeds_sizes_and_pipelines_are_supplied_together(lab, cell):
    cells = [
        cell("steeper", 2, 0),
        cell("steeper", 5, 1),
        cell("three", 5, 0),
        cell("crop-flip+steeper@0.5", 2, 0),
        cell("crop-flip+three", 2, 0),
        cell("steeper|three", 2, 1),
    ]
    packed = assert_same(lab, cells)
    assert {packed[one.key].metrics["extra_passes"] for one in cells} == {40}


@pytest.mark.usefixtures("_double")
def test_gradients_at_every_budget_of_one_path(lab, cell):
    cells = [
        cell("steeper", size, seed, pretrain_steps=steps)
        for size, seed in ((2, 0), (5, 1))
        for steps in (5, 33, 40)
    ]
    packed = assert_same(lab, cells)
    assert [packed[one.key].metrics["extra_passes"] for one in cells] == [5, 33, 40] * 2


@pytest.mark.usefixtures("_double")
def test_gradients_under_a_recipe_and_behind_a_normalisation(lab, cell):
    rules = {"momentum": 0.9, "label_smoothing": 0.1, "normalize": "channels", "schedule": "cosine"}
    cells = [cell("steeper", s, 0, **rules, learning_rate=r) for s, r in ((2, 0.02), (5, 0.01))]
    assert_same(lab, cells)


@pytest.mark.usefixtures("_double")
def test_gradients_under_vmap(lab, cell):
    cells = [cell("steeper", 2, seed, backbone="mapped") for seed in (0, 1)]
    assert_same(lab, cells, "packed by vmap")


@pytest.mark.parametrize("packer", [PackedByRules, PackedByVmap])
def test_pixel_gradients_are_those_of_each_network_alone_and_leave_no_trace(lab, cell, packer):
    """Also once they are replayed, of networks that are trained in between."""
    cells = [cell("steeper", 2, seed) for seed in (0, 1, 2)]
    materials = lab.materials()
    modules = [materials.backbone(one) for one in cells]
    ends = [materials.head(c, m, finetune=False) for c, m in zip(cells, modules, strict=True)]
    packed, heads = packer(modules), Heads(ends)
    packed.train()
    gradients_of = pixel_gradients(packed, heads)
    descend = descent(packed, heads, [Recipe(learning_rate=0.1)] * 3, 30)
    models = [nn.Sequential(m, h, nn.LogSoftmax(1)) for m, h in zip(modules, ends, strict=True)]
    for _ in range(25):
        images, labels = torch.rand(3, 4, 1, 10, 10), torch.randint(3, (3, 4))
        wide = images.transpose(0, 1).flatten(1, 2)
        before = {name: value.clone() for name, value in packed.stacked().items()}
        with torch.no_grad():
            for name, value in before.items():
                for k, one in enumerate(modules):
                    own = dict([*one.named_parameters(), *one.named_buffers()])[name]
                    own.copy_((value.view(3, -1)[k] if value.ndim else value).view_as(own))
            for k, head in enumerate(ends):
                head.weight.copy_(heads.weight[k])
                head.bias.copy_(heads.bias[k, 0])
        got = gradients_of(wide, labels)
        for k, model in enumerate(models):
            alone = input_gradients(model, images[k], labels[k])
            torch.testing.assert_close(got[k], alone, atol=1e-6, rtol=1e-4)
        after = packed.stacked()
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert all(value.grad is None for value in (*after.values(), *heads.parameters()))
        descend(wide, -torch.rand(3, 4, 3).softmax(2) / 4)


class Block(nn.Module):
    """A child that is no layer: its sum is the output that may be mixed."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        return torch.relu(x + self.norm(self.conv(x)))


class Tokens(nn.Module):
    """Its output travels as neither a map nor a vector."""

    def __init__(self, channels):
        super().__init__()
        self.linear = nn.Linear(channels, channels)

    def forward(self, x):
        return self.linear(x.flatten(2).transpose(1, 2))


class Pooled(nn.Module):
    def forward(self, x):
        return x.mean(dim=1)


def blocks_net(in_channels, image_size):
    """Children of every kind, inside another module that only wraps them."""
    inner = nn.Sequential(
        nn.Conv2d(in_channels, 4, 3),
        nn.ReLU(inplace=True),
        Block(4),
        nn.Dropout2d(0.2),
        Block(4),
        nn.MaxPool2d(2),
        Tokens(4),
        Pooled(),
        nn.Dropout(0.2),
        nn.Linear(4, 7),
        nn.BatchNorm1d(7),
    )
    made = nn.Sequential(inner)
    made.feature_dim = 7
    return made


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("backbone", ["net", "blocks"])
def test_hidden_layers_of_seeds_sizes_and_pipelines_are_mixed_together(lab, cell, backbone):
    """Each cell at layers of its own choice, step by step."""
    lab.factories["blocks"] = blocks_net
    cells = [
        cell("hidden", 2, 0, backbone=backbone),
        cell("hidden", 5, 1, backbone=backbone),
        cell("hidden-three", 5, 0, backbone=backbone),
        cell("crop-flip+hidden@0.5", 2, 0, backbone=backbone),
        cell("crop-flip+hidden-three", 2, 0, backbone=backbone),
        cell("hidden-smooth@0.7", 2, 1, backbone=backbone),
    ]
    packed = assert_same(lab, cells)
    assert {packed[one.key].metrics["extra_passes"] for one in cells} == {0}


@pytest.mark.usefixtures("_double")
def test_hidden_layers_at_every_budget_of_one_path(lab, cell):
    cells = [
        cell("hidden", size, seed, pretrain_steps=steps)
        for size, seed in ((2, 0), (5, 1))
        for steps in (5, 33, 40)
    ]
    assert_same(lab, cells)


@pytest.mark.usefixtures("_double")
def test_hidden_layers_under_a_recipe_and_behind_a_normalisation(lab, cell):
    rules = {"momentum": 0.9, "label_smoothing": 0.1, "normalize": "channels", "clip_norm": 1.0}
    cells = [cell("hidden", s, 0, **rules, learning_rate=r) for s, r in ((2, 0.02), (5, 0.01))]
    assert_same(lab, cells)


def test_networks_that_no_rule_packs_mix_hidden_layers_one_by_one(lab, agree, cell):
    cells = [cell("hidden", 2, seed, backbone="mapped") for seed in (0, 1)]
    engine = PackedEngine()
    packed, reference = lab.train(engine, cells), lab.train(ReferenceEngine(), cells)
    assert "1 network at a time, one by one (not by rules: " in engine.choice
    for one in cells:
        agree(packed[one.key], reference[one.key])


def test_a_diverged_cell_that_mixes_hidden_layers_disturbs_no_other(lab, cell):
    class Explodes(Hidden):
        def __call__(self, *h, rng):
            return h[0] * float("nan"), h[0].new_ones(len(h[0]))

    lab.factories["explodes"] = Explodes
    cells = [cell(name) for name in ("hidden", "explodes", "hidden-three")]
    packed, company = lab.train(PackedEngine(), cells), lab.train(PackedEngine(), cells[::2])
    assert "diverged" in packed[cells[1].key].error
    assert packed[cells[1].key].engine == "packed"
    for one in cells[::2]:
        loss = company[one.key].curves["pretrain"].loss
        assert packed[one.key].curves["pretrain"].loss == pytest.approx(loss, abs=1e-6)


class FailsLate(Steeper):
    calls = 0

    def __call__(self, *x, gradients, rng):
        self.calls += 1
        if self.calls > 9:
            raise ZeroDivisionError("on purpose")
        return super().__call__(*x, gradients=gradients, rng=rng)


class TooMuch(Steeper):
    def __call__(self, *x, gradients, rng):
        return x[0] * 1, x[0].new_full((len(x[0]),), 1.5)


class Overwrites(Steeper):
    def __call__(self, *x, gradients, rng):
        gradients[0].zero_()
        return super().__call__(*x, gradients=gradients, rng=rng)


class FailsHidden(Hidden):
    """Where it fails is in the middle of a forward pass."""

    calls = 0

    def __call__(self, *h, rng):
        self.calls += 1
        if self.calls > 9 and h[0].ndim == 2:
            raise ZeroDivisionError("on purpose")
        return super().__call__(*h, rng=rng)


class TooMuchHidden(Hidden):
    def __call__(self, *h, rng):
        return h[0] * 1, h[0].new_full((len(h[0]),), 1.5)


class OverwritesHidden(Hidden):
    def __call__(self, *h, rng):
        h[0].detach().zero_()
        return super().__call__(*h, rng=rng)


class Elsewhere(Hidden):
    def choose_layer(self, layers, *, rng):
        return "no such layer"


@pytest.mark.parametrize(
    ("sound", "kinds"),
    [
        (("steeper", "three"), (FailsLate, TooMuch, Overwrites)),
        (("hidden", "hidden-three"), (FailsHidden, TooMuchHidden, OverwritesHidden, Elsewhere)),
    ],
    ids=["gradients", "hidden"],
)
def test_guilty_cells_leave_the_others_packed(lab, agree, cell, sound, kinds):
    named = {kind.__name__.lower(): kind for kind in kinds}
    lab.factories |= named
    cells = [cell(name) for name in (sound[0], *named, sound[1])]
    engine = PackedEngine()
    packed, reference = lab.train(engine, cells), lab.train(ReferenceEngine(), cells)
    for one in cells:
        if one.arm.label in named:
            assert packed[one.key].error == reference[one.key].error
            assert packed[one.key].error
        else:
            agree(packed[one.key], reference[one.key])
    together = [one.arm.label for one in cells if packed[one.key].engine == "packed"]
    assert together == list(sound)


def test_arms_of_other_needs_are_planned_into_other_packs(cell):
    needs = (), ("labels",), ("gradients",), ("gradients", "labels"), ("hidden",)
    cells = []
    for seed, some in enumerate(needs):
        one = cell("none", 2, seed)
        cells.append(replace(one, arm=replace(one.arm, needs=frozenset(some))))
    packs = plan_packs(cells, 1, device_kind="cuda")
    assert sorted(len(pack) for pack in packs) == [1, 2, 2]
    assert all(len({one.arm.from_network for one in pack}) == 1 for pack in packs)


def test_needs_are_known_where_packs_are_planned(tiny_options, tmp_path):
    from augbench.api import plan

    path = tmp_path / "steep.py"
    path.write_text(
        "from augbench import hookimpl\n"
        "class Steep:\n"
        "    sources, needs = 2, frozenset({'gradients', 'progress'})\n"
        "    def __call__(self, x_i, x_j, *, gradients, progress, rng): ...\n"
        "@hookimpl\n"
        "def register_augmentations(register):\n"
        "    register('steep', Steep)\n"
    )
    plugins = (*tiny_options.plugins, str(path))
    options = replace(tiny_options, augmentations=("crop-flip+steep", "mixup"), plugins=plugins)
    needs = {arm.label: arm.needs for arm in plan(options).study.arms}
    assert needs["crop-flip+steep"] == {"gradients", "progress"}
    assert needs["mixup"] == frozenset()
    (steep,) = [arm for arm in plan(options).study.arms if arm.needs]
    assert steep.follows_progress
    assert steep.from_network == {"gradients"}
