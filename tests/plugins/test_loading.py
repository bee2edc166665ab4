"""A broken plugin is told in one line, leaves nothing behind, and everything else goes on."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import augbench
from augbench.errors import PluginError
from augbench.plugins import PluginInfo, Registry

Install = Callable[..., Path]
Source = Callable[..., str]


def of(registry: Registry, distribution: str) -> PluginInfo:
    (found,) = [p for p in registry.plugins if p.distribution == distribution]
    return found


def test_the_built_ins_arrive_through_the_same_door() -> None:
    registry = Registry.load()
    builtin = of(registry, "augbench")
    assert builtin.status == "loaded"
    kinds = ("augmentations", "backbones", "corruptions", "datasets", "executors")
    assert builtin.hooks == tuple(f"register_{kind}" for kind in kinds)
    assert {"none", "collage", "mixup"} <= set(registry.names("augmentation"))
    assert "convnet" in registry.names("backbone")
    assert {"glyph-digits", "mnist", "folder"} <= set(registry.names("dataset"))


def test_an_installed_plugin_is_found(install: Install, plugin_source: Source) -> None:
    install("my-mixes", plugin_source("my-mix"), version="2.1")
    registry = Registry.load()
    assert of(registry, "my-mixes") == PluginInfo(
        name="my-mixes",
        distribution="my-mixes",
        version="2.1",
        origin="my_mixes",
        hooks=("register_augmentations",),
        status="loaded",
    )
    component = registry.resolve("augmentation", "my-mix")
    assert (component.distribution, component.version) == ("my-mixes", "2.1")


HOOK = "from augbench.plugins import hookimpl\n@hookimpl\ndef register_augmentations(register):\n"

BROKEN = {
    "import error": ("import no_such_module_at_all", "No module named 'no_such_module_at_all'"),
    "exception at import": ("1 / 0", "ZeroDivisionError: division by zero (bad.py, line 1)"),
    "syntax error": ("def f(:", "SyntaxError: invalid syntax (bad.py, line 1)"),
    "exit at import": ("import sys; sys.exit(3)", "SystemExit: 3"),
    "exception in a hook": (HOOK + "    {}['key']", "KeyError: 'key' (bad.py, line 4)"),
    "misspelt hook": (
        HOOK.replace("register_augmentations", "register_augmentation") + "    pass",
        "there is no hook 'register_augmentation'; did you mean 'register_augmentations'?",
    ),
    "misspelt and unmarked hook": (
        "def register_augmentation(register): pass",
        "function 'register_augmentation' is no hook; did you mean 'register_augmentations'?",
    ),
    "unmarked hook": (
        "def register_augmentations(register): pass",
        "function 'register_augmentations' lacks @hookimpl",
    ),
    "wrong argument": (
        HOOK.replace("(register)", "(registry)") + "    pass",
        "are declared in the hookimpl but can not be found in the hookspec",
    ),
    "returns instead of registering": (
        HOOK + "    return {'a': object}",
        "register_augmentations returned a dict; it should return nothing and call register",
    ),
    "generator": (HOOK + "    yield", "register_augmentations returned a generator"),
    "factory of a wrong type": (
        HOOK + "    register('a', 3)",
        "a: expected a class, a function or 'module:Attr', got a int (bad.py, line 4)",
    ),
    "malformed target": (
        HOOK + "    register('a', 'module.Attr')",
        "a: expected 'module:Attr', got 'module.Attr'",
    ),
    "name of a wrong type": (HOOK + "    register(3, dict)", "a name consists of letters, digits"),
    "empty name": (HOOK + "    register('', dict)", "a name consists of letters, digits"),
    "name with a colon": (HOOK + "    register('a:b', dict)", "got 'a:b' (bad.py, line 4)"),
    "reserved name": (HOOK + "    register('all', dict)", "is not 'all'"),
    "name registered twice": (
        HOOK + "    register('a', dict)\n    register('a', dict)",
        "augmentation 'a' is registered twice by distribution 'bad'",
    ),
}


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_plugin_is_isolated(
    install: Install, plugin_source: Source, source: str, reason: str
) -> None:
    install("good", plugin_source("works"))
    install("bad", source)
    registry = Registry.load()
    assert of(registry, "bad").status == "failed"
    assert reason in of(registry, "bad").reason
    assert "works" in registry.names("augmentation")
    assert not any(name.startswith("bad") or name == "a" for name in registry.names("augmentation"))
    (line,) = [line for line in registry.problems if "'bad'" in line]
    assert line.startswith("plugin 'bad' (bad 1.0) failed to load: ")
    assert "\n" not in line


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN.keys())
def test_strict_loading_raises_instead(
    install: Install, source: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("bad", source)
    with pytest.raises(PluginError) as caught:
        Registry.load(strict=True)
    assert reason in str(caught.value)
    assert caught.value.__cause__ is not None
    monkeypatch.setenv("AUGBENCH_STRICT_PLUGINS", "1")
    with pytest.raises(PluginError):
        Registry.load()
    monkeypatch.setenv("AUGBENCH_STRICT_PLUGINS", "0")
    assert of(Registry.load(), "bad").status == "failed"


def test_what_a_failed_plugin_registered_before_is_not_kept(install: Install) -> None:
    install("bad", HOOK + "    register('early', dict)\n    1 / 0")
    assert "early" not in Registry.load().names("augmentation")


def test_a_missing_module_and_a_missing_attribute_are_failures(install: Install) -> None:
    install("gone", points={"gone": "no_such_plugin_module"}, files={"other.py": ""})
    install("half", points={"half": "half:no_such_attribute"}, files={"half.py": ""})
    registry = Registry.load()
    assert "No module named 'no_such_plugin_module'" in of(registry, "gone").reason
    assert "no_such_attribute" in of(registry, "half").reason


def test_an_object_may_be_the_plugin(install: Install) -> None:
    source = """
        from augbench.plugins import hookimpl
        class Hooks:
            @hookimpl
            def register_augmentations(self, register):
                register("from-object", "augbench.augmentations.none:NoAugmentation")
        hooks = Hooks()
    """
    install("objects", points={"objects": "objects:hooks"}, files={"objects.py": source})
    assert "from-object" in Registry.load().names("augmentation")


def test_a_hook_for_another_version_may_be_optional(install: Install) -> None:
    optional = "@hookimpl(optionalhook=True)\ndef register_teapots(register): pass"
    install("teapots", HOOK + "    register('a', dict)\n" + optional)
    assert of(Registry.load(), "teapots").status == "loaded"


def test_a_plugin_without_hooks_is_told(install: Install) -> None:
    install("idle", "x = 1")
    found = of(Registry.load(), "idle")
    assert (found.status, found.reason[:20]) == ("warning", "implements no hook (")


def test_register_is_of_no_use_once_its_hook_has_returned(install: Install) -> None:
    install("late", HOOK + "    global kept\n    kept = register")
    Registry.load()
    late = __import__("late")
    with pytest.raises(PluginError, match="register was called after its hook had returned"):
        late.kept("a", dict)


def test_damaged_metadata_of_one_distribution_does_not_hide_the_others(
    install: Install, plugin_source: Source
) -> None:
    install("good", plugin_source("works"))
    for name, text in (
        ("noise", b"[augbench]\nno equals sign here\n"),
        ("bytes", b"\xff[augbench]"),
    ):
        site = install(name)
        (path,) = site.glob("*.dist-info/entry_points.txt")
        path.write_bytes(text)
    registry = Registry.load()
    assert "works" in registry.names("augmentation")
    assert of(registry, "noise").status == "failed"
    assert "its entry_points.txt cannot be read" in of(registry, "noise").reason


def test_a_distribution_without_metadata_is_named_by_its_module(
    install: Install, plugin_source: Source
) -> None:
    site = install("bare", plugin_source("works"))
    for path in site.glob("*.dist-info/METADATA"):
        path.unlink()
    assert Registry.load().resolve("augmentation", "bare:works").version == ""


def test_two_entry_points_of_one_module_load_it_once(
    install: Install, plugin_source: Source
) -> None:
    points = {"one": "double", "two": "double"}
    install("double", files={"double.py": plugin_source("works")}, points=points)
    found = [p for p in Registry.load().plugins if p.distribution == "double"]
    assert [p.status for p in found] == ["loaded", "warning"]
    assert found[1].reason == "another plugin has loaded the same module"


def test_what_a_plugin_prints_is_held_back(
    install: Install, plugin_source: Source, capfd: pytest.CaptureFixture[str]
) -> None:
    head = "import sys; print('hello', 'world'); print('again', file=sys.stderr)"
    install("loud", plugin_source("quiet", head=head))
    registry = Registry.load()
    assert capfd.readouterr() == ("", "")
    found = of(registry, "loud")
    assert (found.status, found.reason) == (
        "warning",
        "printed 'hello world again' (held back)",
    )
    assert "quiet" in registry.names("augmentation")


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("random", "import random; random.seed(0)"),
        ("NumPy", "import numpy; numpy.random.seed(0)"),
        ("torch", "import torch; torch.manual_seed(0)"),
    ],
)
def test_a_changed_global_random_state_is_told_and_restored(
    install: Install, plugin_source: Source, name: str, head: str
) -> None:
    def draws() -> list[float]:
        return [random.random(), np.random.random(), torch.rand(1).item()]  # noqa: NPY002

    install("seeds", plugin_source("seeded", head=head))
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    expected = draws()
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    found = of(Registry.load(), "seeds")
    assert found.status == "warning"
    assert found.reason == f"changed the global random state of {name} (restored)"
    assert draws() == expected


def test_strict_loading_raises_for_warnings_too(install: Install, plugin_source: Source) -> None:
    install("loud", plugin_source("quiet", head="print('hello')"))
    with pytest.raises(PluginError, match="printed 'hello' "):
        Registry.load(strict=True)


def test_a_keyboard_interrupt_is_not_a_failure_of_the_plugin(install: Install) -> None:
    install("slow", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Registry.load()


def test_a_component_that_cannot_be_imported_is_told_when_it_is_asked_for(
    install: Install,
) -> None:
    install("lazy", HOOK + "    register('lost', 'lazy_parts:Lost')\n    register('ok', dict)")
    registry = Registry.load()
    assert of(registry, "lazy").status == "loaded"
    (lost,) = [info for info in registry.describe("augmentation") if info.name == "lost"]
    assert lost.status == "failed"
    assert "No module named 'lazy_parts'" in lost.reason
    with pytest.raises(PluginError, match="'lazy:lost' cannot be imported"):
        registry.resolve("augmentation", "lost")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("parts:Mixx", "'parts' has no attribute 'Mixx'; did you mean 'Mix'?"),
        ("parts:number", "'parts:number' is a int, expected a class or a function"),
    ],
)
def test_a_target_must_be_there_and_callable(install: Install, target: str, reason: str) -> None:
    files = {
        "lazy.py": HOOK + f"    register('lost', {target!r})",
        "parts.py": "class Mix: ...\nnumber = 1",
    }
    install("lazy", files=files)
    with pytest.raises(PluginError) as caught:
        Registry.load().resolve("augmentation", "lost")
    assert reason in str(caught.value)


def test_the_first_copy_on_the_path_counts(install: Install, plugin_source: Source) -> None:
    install("twice", plugin_source("mine"), version="1.0")
    other = plugin_source("mine")
    install("Twice", files={"elsewhere.py": other}, points={"x": "elsewhere"}, version="2.0")
    found = [p for p in Registry.load().plugins if p.distribution.lower() == "twice"]
    assert [p.version for p in found] == ["2.0"]


def test_augbench_s_own_entry_point_is_not_loaded_twice(install: Install) -> None:
    points = {"builtin": "augbench.plugins.builtin"}
    install("augbench", files={"unused.py": ""}, points=points, version="0.0.1")
    assert of(Registry.load(), "augbench").version == augbench.__version__
