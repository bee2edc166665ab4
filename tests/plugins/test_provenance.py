"""A component carries the hash of the code that can change its results, and no more than that."""

from __future__ import annotations

import dataclasses
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from augbench.errors import UsageError
from augbench.plugins import Component, Registry

Install = Callable[..., Path]
Source = Callable[..., str]

HOOKS = """
from augbench.plugins import hookimpl
@hookimpl
def register_augmentations(register):
    register("mine", "pack.mix:Mine")
"""
MIX = """
from typing import TYPE_CHECKING
from . import shared
from .deep.er import thing
from pack.helpers import help_me
import pack.plain
import json, numpy
if TYPE_CHECKING:
    from pack import for_checkers
class Mine:
    sources = 2
    def __call__(self, x_i, x_j, *, rng):
        from pack import lazily
        return x_i, lazily.lam(x_i)
"""
FILES = {
    "pack/__init__.py": "",
    "pack/hooks.py": HOOKS,
    "pack/mix.py": MIX,
    "pack/shared.py": "from .second import *",
    "pack/second.py": "a = 1",
    "pack/deep/__init__.py": "",
    "pack/deep/er.py": "from ..third import c as thing",
    "pack/third.py": "c = 1",
    "pack/helpers.py": "def help_me(): ...",
    "pack/plain.py": "d = 1",
    "pack/lazily.py": "def lam(x): return x",
    "pack/for_checkers.py": "e = 1",
    "pack/unrelated.py": "f = 1",
}
IMPORTED = ["shared", "second", "deep/er", "third", "helpers", "plain", "lazily"]


def hash_of(name: str = "mine", plugins: tuple[str, ...] = ()) -> str:
    return Registry.load(plugins).resolve("augmentation", name).source_hash


@pytest.fixture
def pack(install: Install) -> Path:
    return install("pack", files=FILES, points={"pack": "pack.hooks"})


@pytest.mark.parametrize(
    "path",
    [
        f"pack/{n}.py"
        for n in ["mix", "shared", "second", "deep/er", "third", "helpers", "plain", "lazily"]
    ],
)
def test_whatever_the_component_imports_from_its_package_counts(pack: Path, path: str) -> None:
    before = hash_of()
    (pack / path).write_text((pack / path).read_text() + "\nmore = 1\n")
    assert hash_of() != before


@pytest.mark.parametrize(
    "path", [f"pack/{name}.py" for name in ["__init__", "hooks", "for_checkers", "unrelated"]]
)
def test_what_it_does_not_import_does_not_count(pack: Path, path: str) -> None:
    before = hash_of()
    (pack / path).write_text((pack / path).read_text() + "\nmore = 1\n")
    assert hash_of() == before


def test_neither_the_place_nor_the_line_ends_count(tmp_path: Path, plugin_source: Source) -> None:
    hashes = set()
    for folder, ending in (("here", "\n"), ("there", "\r\n")):
        path = tmp_path / folder / "mine.py"
        path.parent.mkdir()
        path.write_text(plugin_source("mine"), newline=ending)
        hashes.add(hash_of(plugins=(str(path),)))
    assert len(hashes) == 1


@pytest.mark.parametrize("path", ["pack/mix.py", "pack/shared.py", "pack/deep/er.py"])
def test_a_better_comment_or_docstring_is_the_same_component(pack: Path, path: str) -> None:
    before = hash_of()
    (pack / path).write_text('"""It mixes."""\n' + (pack / path).read_text() + "\n# Why.\n")
    assert hash_of() == before


def test_a_changed_file_is_another_component(tmp_path: Path, plugin_source: Source) -> None:
    path = tmp_path / "mine.py"
    path.write_text(plugin_source("mine"))
    before = hash_of(plugins=(str(path),))
    path.write_text(plugin_source("mine", head="constant = 3"))
    assert hash_of(plugins=(str(path),)) != before


def test_a_built_in_that_is_built_upon_counts(tmp_path: Path) -> None:
    from augbench.plugins import _sources

    path = tmp_path / "mine.py"
    path.write_text(
        "from augbench.augmentations.mixup import Mixup\nfrom augbench.plugins import x"
    )
    spec = _sources.importlib.util.spec_from_file_location("mine", path)
    tree = _sources.parsed(path.read_bytes())
    assert list(_sources._imports(tree, spec)) == [
        "augbench.augmentations.mixup",
        "augbench.plugins",
    ]
    assert _sources._counts("augbench.augmentations.mixup", {"mine"})
    assert not _sources._counts("augbench.plugins", {"mine"})


def test_a_lazily_imported_layer_file_counts_for_the_built_in_network() -> None:
    from augbench.plugins import _sources

    spec = _sources._locate("augbench.backbones.convnet")
    assert spec is not None
    found = set(_sources._imports(_sources.parsed(_sources._read(spec) or b""), spec))
    assert "augbench.backbones._convnet" in found


def test_a_factory_that_was_bound_counts_where_it_was_bound(tmp_path: Path) -> None:
    path = tmp_path / "bound.py"
    text = """
from functools import partial
from augbench.augmentations.mixup import Mixup
from augbench.plugins import hookimpl
@hookimpl
def register_augmentations(register):
    register("strong", partial(Mixup, 2.0))
"""
    path.write_text(text)
    before = hash_of("strong", (str(path),))
    path.write_text(text.replace("2.0", "3.0"))
    assert hash_of("strong", (str(path),)) != before


def test_a_zipped_plugin_has_a_source_too(
    tmp_path: Path, plugin_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "plugins.zip", "w") as archive:
        archive.writestr("zipped.py", plugin_source("mine"))
    monkeypatch.syspath_prepend(tmp_path / "plugins.zip")
    assert len(hash_of(plugins=("zipped",))) == 64


SOURCELESS = """
import sys, types
from augbench.plugins import hookimpl
module = sys.modules["made_up"] = types.ModuleType("made_up")
exec("class Mine:\\n    sources = 2\\n    def __call__(self): ...", vars(module))
@hookimpl
def register_augmentations(register):
    register("mine", module.Mine)
"""


def test_without_source_the_distribution_s_record_counts(install: Install) -> None:
    site = install("made", SOURCELESS)
    (info,) = site.glob("*.dist-info")
    (info / "RECORD").write_text("made.py,sha256=abc,1\n")
    before = hash_of()
    assert len(before) == 64
    (info / "RECORD").write_text("made.py,sha256=def,1\n")
    assert hash_of() != before


def test_without_source_and_record_there_is_a_warning(install: Install) -> None:
    install("made", SOURCELESS)
    registry = Registry.load()
    with pytest.warns(UserWarning, match="the source code of 'made:mine' cannot be read"):
        assert registry.resolve("augmentation", "mine").source_hash == ""


def test_create_gives_what_was_resolved() -> None:
    registry = Registry.load()
    component = registry.resolve("augmentation", "mixup:alpha=0.4")
    assert registry.create(component).alpha == 0.4
    assert Registry.load().create(component).alpha == 0.4
    network = registry.create(registry.resolve("backbone", "convnet:dropout=0.25"))
    assert network(1, (28, 28))[4].p == 0.25
    assert registry.create(Component("augmentation", "mixup")).alpha == 0.3


def test_a_plugin_that_was_removed_is_told(pack: Path) -> None:
    component = Registry.load().resolve("augmentation", "mine")
    shutil.rmtree(pack)
    with pytest.raises(UsageError, match="augmentation 'pack:mine' is not installed any more"):
        Registry.load().create(component)


def test_a_source_that_changed_after_planning_is_told(pack: Path) -> None:
    component = Registry.load().resolve("augmentation", "mine")
    (pack / "pack" / "third.py").write_text("c = 2")
    with pytest.raises(UsageError) as caught:
        Registry.load().create(component)
    assert str(caught.value) == (
        "the source code of augmentation 'pack:mine' has changed since the study was planned "
        "(1.0 → 1.0): plan it again"
    )


def test_a_release_that_changes_no_source_has_the_same_identity(pack: Path) -> None:
    component = Registry.load().resolve("augmentation", "mine")
    newer = dataclasses.replace(component, version="1.1")
    assert newer.identity() == component.identity()
    unread = dataclasses.replace(component, source_hash="")
    assert unread.identity() != dataclasses.replace(unread, version="1.1").identity()
    relabelled = dataclasses.replace(component, label="other")
    assert relabelled.identity() == component.identity()
