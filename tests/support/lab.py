"""A laboratory: small data sets, any network or augmentation by name, both engines."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from augbench.augmentations.collage import Collage
from augbench.augmentations.mixup import Mixup
from augbench.augmentations.none import NoAugmentation
from augbench.batching.materials import CellMaterials
from augbench.datasets.contract import Dataset
from augbench.packed import choice as choosing
from augbench.packed import ops
from augbench.packed.choice import choose
from augbench.packed.rules.registry import LAYER_RULES
from augbench.packed.trace import PackedByRules
from augbench.plugins.components import Component
from augbench.protocol.study import Arm, Cell, Settings
from augbench.training import engine as packed

SETTINGS = Settings(
    batch_size=4,
    pretrain_steps=40,
    finetune_steps=30,
    finetune_samples_per_class=6,
    calibration_samples_per_class=3,
)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


_chosen = {}


def _choose_once(backbones, images, **how):
    """`choose`, remembered for networks that are told apart by what torch prints of them."""
    one = backbones[0]
    known = ("torch.nn.", "augbench.packed.dropout")  # whose parts print all their settings
    if not all(type(part).__module__.startswith(known) for part in one.modules()):
        return choose(backbones, images, **how)
    values = [(name, value.dtype, value.requires_grad) for name, value in one.named_parameters()]
    key = (
        *(repr(one), tuple(values), len(backbones), images.shape, images.dtype),
        # What tests change of the choice itself.
        *(repr(how), ops.layout.kernels, choosing.difference, choosing._gain, choosing._PACKERS),
        *(choosing._WORTH_IT, PackedByRules.forward, frozenset(LAYER_RULES.items())),
    )
    if key not in _chosen:
        _chosen[key] = choose(backbones, images, **how)
    return _chosen[key]


@pytest.fixture(autouse=True)
def _packings_are_chosen_once(monkeypatch):
    """Choosing a packing, and verifying it, takes several times as long as these trainings do."""
    monkeypatch.setattr(packed, "choose", _choose_once)


def blobs(name, classes, *, shape=(1, 10, 10), seed=0, train=16, test=20):
    """Noisy images around one random image per class."""
    rng = np.random.default_rng(seed)
    centres = rng.uniform(40, 215, (classes, *shape))

    def draw(per_class):
        labels = np.repeat(np.arange(classes), per_class)
        images = centres[labels] + rng.normal(0, 40, (len(labels), *shape))
        return images.clip(0, 255).astype(np.uint8), labels.astype(np.int64)

    names = tuple(str(number) for number in range(classes))
    return Dataset(name, *draw(train), *draw(test), names)


def small_net(in_channels, image_size):
    height, width = image_size
    net = nn.Sequential(
        nn.Conv2d(in_channels, 4, 3, padding=1),
        nn.MaxPool2d(2),
        nn.ReLU(),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.Dropout2d(0.3),
        nn.ReLU(),
        nn.Flatten(),
    )
    net.feature_dim = 6 * (height // 2) * (width // 2)
    return net


class Lab:
    """Makes cells of named parts, and trains them with an engine."""

    def __init__(self):
        self.factories = {
            "none": NoAugmentation,
            "collage": Collage,
            "mixup": Mixup,
            "small": small_net,
        }
        self.datasets = {}
        self.source = self.add_images("source", 3, seed=1)
        self.target = self.add_images("target", 4, seed=2)

    def add_images(self, name, classes, **how):
        dataset = blobs(name, classes, **how)
        self.datasets[dataset.content_hash] = dataset
        return dataset.info

    def cell(
        self,
        augmentation="none",
        size=2,
        seed=0,
        *,
        backbone="small",
        settings=SETTINGS,
        source=None,
        target=None,
    ):
        return Cell(
            source or self.source,
            target or self.target,
            Component("backbone", backbone),
            Arm.of(Component("augmentation", augmentation, label=augmentation), settings),
            size,
            seed,
        )

    def materials(self):
        return CellMaterials(
            lambda component: self.of(component), lambda info: self.datasets[info.content_hash]
        )

    def of(self, component):
        made = self.factories[component.name]
        return made if component.kind == "backbone" else made()

    def train(self, engine, cells, test_every=0):
        """Results by the cell's key; the progress must add up where no cell failed."""
        done = []
        results = {
            result.key: result
            for result in engine.train(
                cells, self.materials(), test_every=test_every, progress=done.append
            )
        }
        assert set(results) == {cell.key for cell in cells}
        if not any(one.error or "diverged" in one.metrics for one in results.values()):
            assert sum(done) == sum(cell.steps for cell in cells)
        return results


@pytest.fixture
def lab():
    return Lab()


@pytest.fixture(scope="session")
def session_lab():
    """For hypothesis, whose examples share what a test is given."""
    return Lab()


def _differences(one, other):
    assert one.ok, one.traceback
    assert other.ok, other.traceback
    assert set(one.curves) == set(other.curves)
    losses, tests = [0.0], [0.0]
    for name, curve in one.curves.items():
        against = other.curves[name]
        assert curve.step == against.step
        assert curve.test_step == against.test_step
        losses += [abs(a - b) for a, b in zip(curve.loss, against.loss, strict=True)]
        tests += [abs(a - b) for a, b in zip(curve.test_loss, against.test_loss, strict=True)]
    timing = {"pretrain_seconds"}
    assert set(one.metrics) == set(other.metrics)
    metrics = {
        name: abs(value - other.metrics[name])
        for name, value in one.metrics.items()
        if name not in timing
    }
    return max(losses), max(tests), metrics


@pytest.fixture(scope="session")
def agree():
    """Assert that two results of a cell are equal up to float order."""

    def check(one, other, *, tolerance=1e-4):
        losses, tests, metrics = _differences(one, other)
        assert losses < tolerance
        assert tests < tolerance
        for name, difference in metrics.items():
            # An image whose two best classes are nearly equal may fall to either side.
            if name.endswith("accuracy"):
                assert difference <= 1 / 40
            if name.endswith("nll"):
                assert difference < tolerance

    return check
