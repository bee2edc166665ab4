"""`--plugin FILE_OR_MODULE` loads what is not installed; `--plugin no:NAME` blocks what is."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import augbench
from augbench.errors import PluginError, UsageError
from augbench.plugins import Registry

ROOT = Path(augbench.__file__).parents[1]
EXAMPLE = ROOT / "examples" / "half_and_half.py"
Install = Callable[..., Path]
Source = Callable[..., str]


def test_the_example_has_15_lines_and_halves() -> None:
    import torch

    assert len(EXAMPLE.read_text().splitlines()) == 15
    registry = Registry.load([str(EXAMPLE)])
    component = registry.resolve("augmentation", "half-and-half")
    assert (component.distribution, component.version) == ("half_and_half", "")
    image, lam = registry.create(component)(
        torch.ones(2, 1, 1, 5), torch.zeros(2, 1, 1, 5), rng=None
    )
    assert image[0, 0, 0].tolist() == [1, 1, 0, 0, 0]
    torch.testing.assert_close(lam, torch.full((2,), 0.4))


def test_a_file_is_loaded_under_the_same_name_in_every_process(
    tmp_path: Path, plugin_source: Source
) -> None:
    path = tmp_path / "my mix.py"
    path.write_text(plugin_source("mine"))
    registry = Registry.load([str(path)])
    instance = registry.create(registry.resolve("augmentation", "mine"))
    pickled = pickle.dumps(instance)
    assert type(pickle.loads(pickled)) is type(instance)
    code = (
        "import pickle, sys; from augbench.plugins import Registry; "
        f"Registry.load({registry.arguments!r}); "
        "print(type(pickle.loads(bytes.fromhex(sys.argv[1]))).__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, pickled.hex()],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.returncode) == ("Aug\n", 0), done.stderr


def test_an_unchanged_file_keeps_its_classes_and_a_changed_one_is_read_again(
    tmp_path: Path, plugin_source: Source
) -> None:
    path = tmp_path / "mine.py"
    path.write_text(plugin_source("one"))
    first = Registry.load([str(path)])
    again = Registry.load([str(path)])
    component = first.resolve("augmentation", "one")
    assert type(first.create(component)) is type(again.create(component))
    path.write_text(plugin_source("two"))  # of the same size, within the same second
    assert "two" in Registry.load([str(path)]).names("augmentation")
    assert not list(tmp_path.glob("__pycache__"))


def test_files_are_found_from_the_working_directory(
    tmp_path: Path, plugin_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.py").write_text(plugin_source("mine"))
    monkeypatch.chdir(tmp_path)
    registry = Registry.load(["mine.py", "no:builtin"])
    assert registry.arguments == (str(tmp_path / "mine.py"), "no:builtin")


def test_the_working_directory_is_neither_scanned_nor_imported_from(
    tmp_path: Path, plugin_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lurking.py").write_text(plugin_source("lurks"))
    monkeypatch.chdir(tmp_path)
    path = [entry for entry in sys.path if entry not in ("", str(tmp_path))]
    monkeypatch.setattr(sys, "path", path)
    assert "lurks" not in Registry.load().names("augmentation")
    with pytest.raises(PluginError, match="No module named 'lurking'"):
        Registry.load(["lurking"])
    assert "lurks" in Registry.load(["lurking.py"]).names("augmentation")
    assert sys.path == path


def test_a_module_is_loaded_by_its_name(
    tmp_path: Path, plugin_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "hooks.py").write_text(plugin_source("mine"))
    monkeypatch.syspath_prepend(tmp_path)
    component = Registry.load(["my_package.hooks"]).resolve("augmentation", "mine")
    assert (component.distribution, component.version) == ("my_package", "")


def test_a_module_of_an_installed_distribution_has_its_provenance(
    install: Install, plugin_source: Source
) -> None:
    hooks = plugin_source("extra")
    install(
        "my-mixes",
        files={"my_mixes/__init__.py": "", "my_mixes/extra.py": hooks},
        points={"x": "os"},
    )
    component = Registry.load(["my_mixes.extra"]).resolve("augmentation", "extra")
    assert (component.distribution, component.version) == ("my-mixes", "1.0")


def test_naming_what_is_loaded_already_changes_nothing(
    install: Install, plugin_source: Source, tmp_path: Path
) -> None:
    install("my-mixes", plugin_source("one"))
    path = tmp_path / "mine.py"
    path.write_text(plugin_source("two"))
    registry = Registry.load(["my_mixes", str(path), str(path)])
    assert len(registry.plugins) == len(Registry.load().plugins) + 1
    assert registry.problems == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nowhere.py", "no such file; expected a .py file or a module's name"),
        ("no/such/file", "no such file"),
        (".", r"plugins: expected a .py file, a module, or no:NAME to block one, got '.'"),
        ("two words", "plugins: expected a .py file"),
        ("", "plugins: expected a .py file"),
        ("./", "not a Python file"),
        ("no:mixpu", "plugins='no:mixpu': no such plugin is installed"),
        ("no:bultin", "no such plugin is installed; did you mean 'builtin'?"),
    ],
)
def test_what_cannot_be_a_plugin_is_one_clear_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Registry.load([text])
    assert message in str(caught.value)


def test_a_file_cannot_pass_for_augbench(tmp_path: Path) -> None:
    (tmp_path / "AugBench.py").touch()
    with pytest.raises(UsageError, match="rename the file"):
        Registry.load([str(tmp_path / "AugBench.py")])


def test_a_plugin_that_the_user_asked_for_must_load(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text("x = 1\n1 / 0\n")
    with pytest.raises(PluginError) as caught:
        Registry.load([str(path)])
    assert str(caught.value) == (
        "plugin 'broken' (broken) failed to load: "
        "ZeroDivisionError: division by zero (broken.py, line 2)"
    )
    with pytest.raises(PluginError):
        Registry.load([str(path)])
    path.write_text("x = 1\n")
    assert Registry.load([str(path)]).problems[0].startswith("plugin 'broken' (broken): implements")


@pytest.mark.parametrize("name", ["its-point", "my-mixes", "My_Mixes"])
def test_a_plugin_is_blocked_by_its_name_or_its_distribution(install: Install, name: str) -> None:
    install("my-mixes", "raise RuntimeError('imported')", points={"its-point": "my_mixes"})
    (found,) = [p for p in Registry.load([f"no:{name}"]).plugins if p.name == "its-point"]
    assert (found.status, found.reason) == ("blocked", f"plugins='no:{name}'")
    assert "my_mixes" not in sys.modules
    Registry.load([f"no:{name}"], strict=True)


def test_strict_loading_raises_for_a_clash_of_names(
    install: Install, plugin_source: Source
) -> None:
    install("taker", plugin_source("mixup"))
    with pytest.raises(PluginError, match="'mixup' is a built-in augmentation"):
        Registry.load(strict=True)
