"""The distributions in `plugins/`, straight from their folders: nothing needs to be installed.

Here runs what may never fail, the share test above all, for every augmentation of the repository.
Each distribution's own tests run the whole kit and more.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
import tomllib
import warnings
from pathlib import Path
from typing import Any

import pytest

from augbench.augmentations.contract import operations_of, shares_of
from augbench.plugins import builtin
from augbench.plugins._canonical import canonical, parsed
from augbench.testing import check_augmentation

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
CHECKS = [
    *("declarations", "shape", "range", "weights", "shares"),
    *("inputs", "global-state", "draws", "rows"),
]
# Registered under one name each; the first parameter chooses what they do.
FURTHER = {
    "timm": ["cutmix", "mixup,cutmix"],
    "kornia": ["cutmix"],
}


def entry_points(folder: Path) -> dict[str, str]:
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    found: dict[str, str] = project["entry-points"]["augbench"]
    return found


def registered(hooks: Any, hook: str = "register_augmentations") -> dict[str, Any]:
    found: dict[str, Any] = {}
    if hasattr(hooks, hook):
        getattr(hooks, hook)(found.__setitem__)
    return found


def every() -> dict[str, tuple[Any, tuple[str, ...]]]:
    """Each augmentation of the repository: a class or "module:Attr", and its parameters."""
    found = {name: (target, ()) for name, target in registered(builtin).items()}
    for folder in FOLDERS:
        sys.path.append(str(folder))
        for module in entry_points(folder).values():
            for name, target in registered(importlib.import_module(module)).items():
                found[name] = (target, ())
                for first in FURTHER.get(name, ()):
                    found[f"{name}:{first}"] = (target, (first,))
    for path in sorted(ROOT.glob("examples/*.py")):
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found |= {name: (target, ()) for name, target in registered(module).items()}
    return found


EVERY = every()


def load(target: Any) -> Any:
    """The class of "module:Attr"; skips where the library that it adapts is not installed."""
    if not isinstance(target, str):
        return target
    module, attribute = target.split(":")
    for library in ("timm", "kornia"):
        if module.startswith(f"augbench_{library}"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what it says while it is imported is not ours
                pytest.importorskip(library, reason=f"{library} is not installed")
    return getattr(importlib.import_module(module), attribute)


def test_every_distribution_is_there() -> None:
    assert [folder.name for folder in FOLDERS] == [
        "augbench-kornia",
        "augbench-mixes",
        "augbench-ray",
        "augbench-submitit",
        "augbench-timm",
        "augbench-torchvision",
    ]


def test_hooks_import_neither_torch_nor_the_library_they_adapt() -> None:
    for folder in FOLDERS:
        for module in entry_points(folder).values():
            source = importlib.util.find_spec(module).origin
            text = Path(source).read_text("utf-8")
            assert "import torch" not in text
            assert "from torch" not in text


@pytest.mark.parametrize("name", EVERY)
def test_keeps_the_contract_and_its_weights_are_shares(name: str) -> None:
    target, parameters = EVERY[name]
    made = load(target)
    report = check_augmentation(made(*parameters) if parameters else made, checks=CHECKS)
    assert report.ok, str(report)
    # One source keeps its label; whatever mixes pixels claims shares, and the test has run.
    augmentation = made(*parameters)
    if augmentation.sources > 1:
        assert shares_of(augmentation) is True
        assert report["shares"].status == "passed"


@pytest.mark.parametrize("name", [name for name in EVERY if name != "half-and-half"])
def test_says_what_it_does_to_an_image_and_keeps_that_out_of_its_key(name: str) -> None:
    target, parameters = EVERY[name]
    augmentation = load(target)(*parameters)
    assert operations_of(augmentation) or name == "none"
    tree = parsed(Path(inspect.getfile(type(augmentation))).read_bytes())
    assert tree is not None
    assert b"str 10 operations;" not in canonical(tree)


def test_operations_follow_parameters() -> None:
    made = {
        name: load(target)
        for name, (target, _) in EVERY.items()
        if name in ("affine", "augmix", "cutout", "resizemix")
    }
    affine = made["affine"]
    assert operations_of(affine()) == {"rotation", "translation", "scale", "shear"}
    assert operations_of(affine(degrees=0, scale_low=1, scale_high=1)) == {"translation", "shear"}
    assert "blur" in operations_of(made["augmix"]())
    assert "blur" not in operations_of(made["augmix"](all_ops=False))
    assert operations_of(made["cutout"]()) == {"occlusion"}
    assert operations_of(made["resizemix"]()) == {"mixing", "occlusion", "scale"}


@pytest.mark.parametrize("name", EVERY)
def test_a_block_of_many_steps_comes_out_whole(name: str) -> None:
    from augbench.testing.strategies import Case

    target, parameters = EVERY[name]
    augmentation = load(target)(*parameters)
    case = Case(n=256, channels=1, height=28, width=28, seed=1)
    needs = getattr(augmentation, "needs", ())
    extra = {"gradients": case.gradients(augmentation.sources)} if "gradients" in needs else {}
    result = augmentation(*case.sources(augmentation.sources), rng=case.rng(), **extra)
    image = result[0] if isinstance(result, tuple) else result
    assert image.shape == (256, 1, 28, 28)
