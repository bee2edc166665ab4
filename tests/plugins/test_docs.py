"""The code in docs/plugins.md runs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import augbench
from augbench import Options
from augbench.api import run
from augbench.plugins import Registry
from augbench.testing import check_augmentation, check_backbone, check_dataset

ROOT = Path(augbench.__file__).parents[1]
TEXT = (ROOT / "docs" / "plugins.md").read_text()
BLOCKS = dict(re.findall(r"^```python\n# (\S+)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL))
(TOML,) = re.findall(r"^```toml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
ROWS = re.findall(r"^\| `(\S+)` \| `(\S+)` \|$", TEXT, re.MULTILINE)


@pytest.fixture
def registry(install: Callable[..., Path]) -> Registry:
    project = tomllib.loads(TOML)["project"]
    files = {name: text for name, text in BLOCKS.items() if "/" in name}
    files["my_mixes/__init__.py"] = ""
    install(project["name"], files=files, points=project["entry-points"]["augbench"])
    return Registry.load()


def test_every_python_block_is_known_here() -> None:
    names = ["stripes", "within", "early", "smoothing", "saliency", "manifold"]
    names += ["mlp", "checks", "polite", "hooks"]
    packaged = {f"my_mixes/{name}.py" for name in names}
    assert set(BLOCKS) == {"half_and_half.py", "from_python.py"} | packaged
    assert len(BLOCKS) == TEXT.count("```python")


def test_the_example_is_the_one_in_the_repository() -> None:
    assert BLOCKS["half_and_half.py"] == (ROOT / "examples" / "half_and_half.py").read_text()


def test_the_distribution_shown_loads(registry: Registry) -> None:
    (found,) = [plugin for plugin in registry.plugins if plugin.distribution == "my-mixes"]
    assert (found.status, found.reason) == ("loaded", "")
    assert len(found.hooks) == 4


def test_the_executor_shown_trains_a_study(registry: Registry, tiny_options: Options) -> None:
    stored = run(replace(tiny_options, executor="polite:pause=0", workers=None, seeds=1)).stored
    assert [cell.status for cell in stored.cells] == ["ok"] * 4
    expected = run(replace(tiny_options, seeds=1, out=tiny_options.out / "other")).stored
    for cell, other in zip(stored.cells, expected.cells, strict=True):
        assert cell.result
        assert other.result
        assert cell.result.correct == other.result.correct


def test_the_augmentation_shown_passes_the_share_test(registry: Registry) -> None:
    stripes = registry.create(registry.resolve("augmentation", "stripes:width=3"))
    x_i, x_j = torch.zeros(2, 5, 2, 7, 4)
    x_i[:, 0], x_j[:, 1] = 1, 1
    image, lam = stripes(x_i, x_j, rng=np.random.default_rng(0))
    torch.testing.assert_close(image.mean(dim=(2, 3)), torch.stack([lam, 1 - lam], dim=1))
    assert image.shape == x_i.shape
    assert len(lam.unique()) > 1


def test_the_augmentations_shown_know_labels_and_progress(registry: Registry) -> None:
    def made(spec: str) -> Any:
        return registry.create(registry.resolve("augmentation", spec))

    x_i, x_j = torch.zeros(4, 1, 2, 2), torch.ones(4, 1, 2, 2)
    labels = torch.tensor([0, 1, 2, 0]), torch.tensor([0, 0, 2, 1])
    rng = np.random.default_rng(0)
    image, lam = made("within-class")(x_i, x_j, labels=labels, rng=rng)
    assert (lam == 1).tolist() == [False, True, False, True]
    assert torch.equal(image[:, 0, 0, 0], 1 - lam)
    progress = torch.tensor([0.0, 0.3, 0.6, 0.9])
    _, lam = made("early-mixup:until=0.5")(x_i, x_j, progress=progress, rng=rng)
    assert (lam == 1).tolist() == [False, False, True, True]
    image, smooth = made("label-smoothing:0.2")(x_i, labels=labels[:1], classes=4, rng=rng)
    assert image is x_i
    logits = torch.randn(4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        torch.nn.functional.cross_entropy(logits, smooth),
        torch.nn.functional.cross_entropy(logits, labels[0], label_smoothing=0.2),
    )


def test_the_backbone_shown_tells_its_feature_dim(registry: Registry) -> None:
    network = registry.create(registry.resolve("backbone", "mlp:width=5"))(3, (4, 6))
    assert network(torch.zeros(2, 3, 4, 6)).shape == (2, network.feature_dim) == (2, 5)


def test_the_data_set_shown_loads(registry: Registry) -> None:
    dataset = registry.create(registry.resolve("dataset", "noise:size=9"))(None, download=False)
    assert dataset.train_images.shape == (600, 1, 9, 9)
    assert dataset.classes == ("dark", "bright")


@pytest.mark.parametrize(("written", "means"), ROWS)
def test_specs_mean_what_the_table_says(registry: Registry, written: str, means: str) -> None:
    component = registry.resolve("augmentation", written)
    assert component.label == means
    assert registry.resolve("augmentation", means) == component


def test_the_python_shown_runs() -> None:
    namespace: dict[str, object] = {}
    exec(BLOCKS["from_python.py"], namespace)
    assert repr(namespace["mixup"]) == "Mixup(alpha=0.4)"


def test_everything_shown_keeps_its_contract(registry: Registry) -> None:
    for spec in ("stripes", "stripes:width=3", "within-class", "early-mixup", "label-smoothing"):
        report = check_augmentation(spec, registry=registry)
        assert report.ok, str(report)
    for module, name in (("saliency", "Steeper"), ("manifold", "HiddenMixup")):
        report = check_augmentation(getattr(import_module(f"my_mixes.{module}"), name))
        assert report.ok, str(report)
    shapes = [(1, 9, 8), (3, 4, 6)]
    report = check_backbone("mlp:width=5", registry=registry, image_shapes=shapes)
    assert report.ok, str(report)
    report = check_dataset("noise:size=9", registry=registry)
    assert report.ok, str(report)


def test_the_example_in_the_repository_keeps_its_contract() -> None:
    registry = Registry.load([str(ROOT / "examples" / "half_and_half.py")])
    report = check_augmentation("half-and-half", registry=registry)
    assert report.ok, str(report)
