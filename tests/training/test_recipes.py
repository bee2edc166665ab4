"""Recipes through both engines: the packed one gives the reference's numbers, replays included."""

import math
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given
from hypothesis import settings as how
from lab import SETTINGS
from torch import nn
from torch_recipes import TorchRecipe, settings_of_recipes

from augbench.packed import Heads
from augbench.packed import replay as replaying
from augbench.packed.trace import PackedByRules
from augbench.protocol.recipe import Recipe
from augbench.protocol.study import Settings
from augbench.training.descent import descent
from augbench.training.engine import PackedEngine
from augbench.training.packs import trained_alike
from augbench.training.reference import ReferenceEngine

SHORT = replace(SETTINGS, pretrain_steps=30, finetune_steps=24)
STANDARD = replace(
    SHORT,
    momentum=0.9,
    nesterov=True,
    weight_decay=5e-3,
    schedule="cosine",
    warmup=0.1,
    label_smoothing=0.1,
    clip_norm=1.0,
    normalize="channels",
    finetune_learning_rate=0.05,
    finetune_momentum=0.5,
    finetune_schedule="step",
    finetune_milestones=(0.5,),
)
ADAMW = replace(
    SHORT,
    optimizer="adamw",
    learning_rate=2e-3,
    weight_decay=0.05,
    schedule="cosine",
    warmup=0.2,
    finetune_optimizer="adamw",
)


@pytest.fixture
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def net(in_channels, image_size):
    """No parameter has a gradient of zero but for rounding, whose sign AdamW would follow."""
    made = nn.Sequential(
        nn.Conv2d(in_channels, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.MaxPool2d(2),
        nn.Tanh(),
        nn.Conv2d(4, 5, 3),
        nn.Dropout2d(0.3),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
    )
    made.feature_dim = 20
    return made


def assert_same(results, others, cells):
    for cell in cells:
        one, other = results[cell.key], others[cell.key]
        assert one.ok, one.traceback
        assert other.ok, other.traceback
        for name, curve in one.curves.items():
            assert curve.loss == pytest.approx(other.curves[name].loss, abs=1e-7)
            assert curve.accuracy == pytest.approx(other.curves[name].accuracy, abs=1e-6)
        for name in ("nll", "pretrain_nll", "accuracy", "pretrain_accuracy"):
            assert one.metrics[name] == pytest.approx(other.metrics[name], abs=1e-7)


@how(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(rules=settings_of_recipes(SHORT))
@example(rules=STANDARD)
@example(rules=ADAMW)
def test_any_recipe_gives_the_references_numbers(session_lab, rules):
    lab = session_lab
    lab.factories["net"] = net
    cells = [
        lab.cell(augmentation, size, seed, backbone="net", settings=rules)
        for augmentation, size, seed in (("none", 2, 0), ("mixup", 5, 0), ("collage", 2, 1))
    ]
    torch.set_default_dtype(torch.float64)
    try:
        packed = lab.train(PackedEngine(), cells)
        reference = lab.train(ReferenceEngine(), cells)
    finally:
        torch.set_default_dtype(torch.float32)
    assert_same(packed, reference, cells)
    assert {one.engine for one in packed.values()} == {"packed"}


@pytest.mark.usefixtures("_double")
@pytest.mark.parametrize("rules", [STANDARD, ADAMW, SHORT])
def test_cells_with_numbers_of_their_own_share_a_pack_and_have_the_numbers_of_each_alone(
    lab, rules
):
    lab.factories["net"] = net
    sgd = rules.optimizer == "sgd"
    own = [
        {},
        {"learning_rate": 0.003, "finetune_learning_rate": 0.2},
        {"weight_decay": 0.0, "label_smoothing": 0.3, "finetune_label_smoothing": 0.2},
        {"clip_norm": 0.05, "finetune_clip_norm": 0.1},
        {"momentum": 0.4} if sgd and rules.nesterov else {"finetune_weight_decay": 0.1},
    ]
    cells = [lab.cell("mixup", backbone="net", settings=replace(rules, **one)) for one in own]
    assert len({trained_alike(cell) for cell in cells}) == 1
    engine = PackedEngine()
    together = lab.train(engine, cells)
    assert {one.engine for one in together.values()} == {"packed"}
    assert_same(together, lab.train(ReferenceEngine(), cells), cells)
    alone = lab.train(PackedEngine(pack_limit=1), cells)
    assert_same(together, alone, cells)


@pytest.mark.parametrize(
    "changed",
    [
        {"optimizer": "adamw"},
        {"schedule": "cosine"},
        {"warmup": 0.5},
        {"normalize": "channels"},
        {"finetune_schedule": "cosine"},
        {"finetune_optimizer": "adamw"},
        {"batch_size": 3},
        {"pretrain_steps": 7},
    ],
)
def test_cells_of_other_steps_are_not_trained_together(lab, changed):
    one, other = lab.cell(), lab.cell(settings=replace(SETTINGS, **changed))
    assert trained_alike(one) != trained_alike(other)


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(momentum=0.9, nesterov=True, weight_decay=1e-3, schedule="cosine", warmup=0.1),
        Recipe(learning_rate=3e-3, optimizer="adamw", weight_decay=0.05, schedule="cosine"),
        Recipe(schedule="step", milestones=(0.3, 0.6, 0.9), clip_norm=0.3),
    ],
)
@pytest.mark.parametrize(
    "device",
    [
        "cpu",
        pytest.param(
            "cuda",
            marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
        ),
    ],
)
def test_a_schedule_goes_on_through_replays_as_in_torch(recipe, device):
    """A rate that was frozen when the step was recorded would go unnoticed by the tape's check."""
    cells, batch, classes, steps = 3, 5, 3, 100
    torch.manual_seed(0)
    plain = [net(1, (8, 8)).double().to(device) for _ in range(cells)]
    for one in plain:
        del one[5]  # no dropout: torch's own would draw otherwise
    heads = [nn.Linear(20, classes).double().to(device) for _ in range(cells)]
    packed = PackedByRules(plain)
    packed.train()
    rates = [recipe.learning_rate * (1 + k) for k in range(cells)]
    own = [replace(recipe, learning_rate=rate) for rate in rates]
    models = [
        nn.Sequential(one, head, nn.LogSoftmax(1)) for one, head in zip(plain, heads, strict=True)
    ]
    torchs = [
        TorchRecipe(r, m.train().parameters(), steps) for r, m in zip(own, models, strict=True)
    ]
    # Replays are preferred, however fast they are here.
    faster = mock.patch.object(replaying, "median", side_effect=[0, 1])
    with mock.patch.object(replaying, "LONGEST", math.inf), faster:
        step = descent(packed, Heads(heads), own, steps)
        for number in range(steps):
            x = torch.rand(batch, cells, 1, 8, 8).double().to(device)
            weight = -torch.rand(cells, batch, classes).double().to(device) / batch
            together = step(x.flatten(1, 2), weight).clone()
            assert step.in_use == (number >= 2)
            for k, (model, optimizer) in enumerate(zip(models, torchs, strict=True)):
                optimizer.zero_grad()
                alone = model(x[:, k])
                (alone * weight[k]).sum().backward()
                optimizer.step()
                assert torch.allclose(together[k], alone, rtol=1e-6, atol=1e-6), (number, k)


class SeesGradients:
    """Notes the images that it is given, and asks for gradients of them."""

    sources = 2
    needs = frozenset({"gradients"})
    seen = ()

    def __call__(self, x_i, x_j, *, gradients, rng):
        type(self).seen = (float(x_i.min()), float(x_i.max()), float(gradients[0].abs().max()))
        return (x_i + x_j) / 2, x_i.new_full((len(x_i),), 0.5)


def test_augmentations_see_images_in_0_to_1_and_the_network_normalized_ones(lab):
    looked = []

    class Looks(nn.Flatten):
        def forward(self, x):
            looked.append((float(x.detach().mean()), float(x.detach().std())))
            return super().forward(x)

    def looking(in_channels, image_size):
        made = nn.Sequential(Looks())
        made.feature_dim = in_channels * math.prod(image_size)
        return made

    lab.factories |= {"sees": SeesGradients, "looking": looking}
    rules = replace(SHORT, normalize="channels")
    cell = lab.cell("sees", backbone="looking", settings=rules)
    (result,) = lab.train(ReferenceEngine(), [cell]).values()
    assert result.ok, result.traceback
    low, high, slope = SeesGradients.seen
    assert 0 <= low < high <= 1
    assert slope > 0
    assert all(abs(mean) < 0.6 and 0.4 < deviation < 1.6 for mean, deviation in looked)


def test_each_cell_normalizes_by_its_own_pretraining_images(lab):
    lab.source = lab.add_images("colour", 3, shape=(3, 10, 10), seed=5)
    rules = replace(SHORT, normalize="channels")
    materials = lab.materials()
    cells = [lab.cell(size=size, settings=rules) for size in (0, 2, 5, None)]
    data = lab.datasets[lab.source.content_hash]
    for cell in cells[1:]:
        images = materials.pretrain_set(cell).images.numpy() / 255.0
        network = materials.backbone(cell)
        assert network.mean.flatten().tolist() == pytest.approx(images.mean((0, 2, 3)), abs=1e-6)
        assert network.deviation.flatten().tolist() == pytest.approx(
            images.std((0, 2, 3)), abs=1e-6
        )
    assert materials.backbone(cells[0]).mean.abs().max() == 0  # the floor has no images
    everything = np.mean(data.train_images / 255.0, axis=(0, 2, 3))
    assert materials.backbone(cells[3]).mean.flatten().tolist() == pytest.approx(
        everything, abs=1e-6
    )
    plain = materials.backbone(lab.cell())
    assert not hasattr(plain, "deviation")


@pytest.mark.parametrize("engine", [PackedEngine, ReferenceEngine])
def test_a_training_that_diverges_names_the_rate_that_is_to_blame(lab, engine):
    cells = [
        lab.cell(settings=replace(SHORT, learning_rate=1e30)),
        lab.cell("mixup", settings=replace(SHORT, finetune_learning_rate=1e38)),
        lab.cell("collage"),
    ]
    results = lab.train(engine(), cells)
    assert "try a smaller learning_rate" in results[cells[0].key].error
    assert "1e+30" in results[cells[0].key].error
    assert "try a smaller finetune_learning_rate" in results[cells[1].key].error
    assert results[cells[2].key].ok


@pytest.mark.usefixtures("_double")
def test_the_floor_and_a_single_step_are_trained_by_any_recipe(lab):
    lab.factories["net"] = net
    for rules in (STANDARD, ADAMW):
        short = replace(rules, pretrain_steps=1, finetune_steps=1)
        cells = [lab.cell(size=size, backbone="net", settings=short) for size in (0, 2, None)]
        packed, reference = lab.train(PackedEngine(), cells), lab.train(ReferenceEngine(), cells)
        assert_same(packed, reference, cells)


def test_the_defaults_are_the_handouts():
    assert Recipe.of(Settings(), "pretraining") == Recipe.of(Settings(), "finetuning") == Recipe()
    assert Recipe().is_plain
