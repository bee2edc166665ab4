"""Nothing is ever silently replaced: whose component a name means is never in doubt."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from augbench.errors import UnknownNameError, UsageError
from augbench.plugins import Registry

Install = Callable[..., object]
Source = Callable[..., str]

pytestmark = pytest.mark.usefixtures("only_built_in")


def problem(registry: Registry, name: str) -> str:
    (line,) = [line for line in registry.problems if line.startswith(f"plugin {name!r}")]
    return line


def test_a_built_in_name_stays_the_built_in_s(install: Install, plugin_source: Source) -> None:
    install("taker", plugin_source("mixup", "own"))
    registry = Registry.load()
    assert registry.resolve("augmentation", "mixup").distribution == "augbench"
    assert registry.resolve("augmentation", "taker:mixup").distribution == "taker"
    assert registry.resolve("augmentation", "taker:mixup").label == "taker:mixup"
    assert problem(registry, "taker") == (
        "plugin 'taker' (taker 1.0): 'mixup' is a built-in augmentation: this one is 'taker:mixup'"
    )
    assert {"mixup", "taker:mixup", "own"} <= set(registry.names("augmentation"))


def test_a_name_of_two_third_parties_is_an_error_that_names_both(
    install: Install, plugin_source: Source
) -> None:
    install("first", plugin_source("cutmix"))
    install("second", plugin_source("cutmix"))
    registry = Registry.load()
    with pytest.raises(UsageError) as caught:
        registry.resolve("augmentation", "cutmix")
    assert str(caught.value) == (
        "augmentation 'cutmix' is registered by 2 distributions: "
        "write 'first:cutmix' or 'second:cutmix'"
    )
    assert registry.resolve("augmentation", "second:cutmix").distribution == "second"
    assert "is registered by second too: this one is 'first:cutmix'" in problem(registry, "first")
    assert "is registered by first too: this one is 'second:cutmix'" in problem(registry, "second")
    names = registry.names("augmentation")
    assert {"first:cutmix", "second:cutmix"} <= set(names)
    assert "cutmix" not in names


def test_one_name_may_be_an_augmentation_and_a_backbone(install: Install) -> None:
    source = """
        from augbench.plugins import hookimpl
        @hookimpl
        def register_augmentations(register):
            register("both", "augbench.augmentations.none:NoAugmentation")
        @hookimpl
        def register_backbones(register):
            register("both", "augbench.backbones.convnet:convnet")
    """
    install("pair", source)
    registry = Registry.load()
    assert registry.resolve("augmentation", "both").kind == "augmentation"
    assert registry.resolve("backbone", "both").kind == "backbone"
    assert registry.problems == ()


@pytest.mark.parametrize(
    "spec", ["My_Mixes:one", "my-mixes:one", "my.mixes:one", " my-mixes : one"]
)
def test_distributions_are_compared_as_pip_does(
    install: Install, plugin_source: Source, spec: str
) -> None:
    install("my-mixes", plugin_source("one"))
    assert Registry.load().resolve("augmentation", spec).name == "one"


def test_every_shown_name_resolves_to_itself(install: Install, plugin_source: Source) -> None:
    install("first", plugin_source("cutmix", "mixup", "alone"))
    install("second", plugin_source("cutmix"))
    registry = Registry.load()
    infos = registry.describe("augmentation")
    assert [info.name for info in infos] == list(registry.names("augmentation"))
    for info in infos:
        bare = registry.resolve("augmentation", info.name)
        assert bare == registry.resolve("augmentation", info.qualified_name)
        assert bare.label == info.name


@pytest.mark.parametrize(
    ("kind", "spec", "message"),
    [
        (
            "augmentation",
            "mixpu",
            "unknown augmentation 'mixpu'; did you mean 'mixup'? (there are:",
        ),
        ("augmentation", "convnet", "unknown augmentation 'convnet' ('convnet' is a backbone)"),
        ("augmentation", "augbench:mixpu", "did you mean 'augbench:mixup'?"),
        ("augmentation", "", "unknown augmentation '' (there are: "),
        ("backbone", "convet", "unknown backbone 'convet'; did you mean 'convnet'?"),
        ("dataset", "glyph-digit", "unknown data set 'glyph-digit'; did you mean 'glyph-digits'?"),
        ("dataset", "zzz", "unknown data set 'zzz' (there are: cifar10, cifar10-c, cifar100, "),
    ],
)
def test_an_unknown_name_gets_a_suggestion_and_the_list(kind: str, spec: str, message: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        Registry.load().resolve(kind, spec)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_an_unknown_name_tells_what_failed_to_load_and_what_is_blocked(install: Install) -> None:
    install("broken", "1 / 0")
    install("ruined", "import nothing_there")
    install("unwanted", "")
    with pytest.raises(UnknownNameError) as caught:
        Registry.load(["no:unwanted"]).resolve("augmentation", "shiny")
    assert str(caught.value).endswith(
        "(2 plugins failed to load: broken, ruined) (1 plugin blocked: unwanted)"
    )
