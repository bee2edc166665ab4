"""`NAME[:[VALUE,]key=value,...]` is read against the parameters that a factory declares."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augbench.errors import ContractError, ParameterError, PluginError
from augbench.plugins import Registry
from augbench.plugins import parameters as module
from augbench.plugins.parameters import Parameter, declared

REGISTRY = Registry.load()


def parameters(spec: str) -> dict[str, object]:
    return dict(REGISTRY.resolve("augmentation", spec).parameters)


@pytest.mark.parametrize(
    ("spec", "alpha", "label"),
    [
        ("mixup", 0.3, "mixup"),
        ("mixup:alpha=0.3", 0.3, "mixup"),
        ("mixup:0.4", 0.4, "mixup:alpha=0.4"),
        ("mixup:alpha=0.40", 0.4, "mixup:alpha=0.4"),
        (" mixup : alpha = 0.4 ", 0.4, "mixup:alpha=0.4"),
        ("mixup:alpha=2", 2.0, "mixup:alpha=2.0"),
        ("mixup:alpha=1e-3", 0.001, "mixup:alpha=0.001"),
        ("augbench:mixup:alpha=.5", 0.5, "mixup:alpha=0.5"),
    ],
)
def test_one_value_has_one_form(spec: str, alpha: float, label: str) -> None:
    component = REGISTRY.resolve("augmentation", spec)
    assert component.parameters == (("alpha", alpha),)
    assert type(component.parameters[0][1]) is float
    assert component.label == label
    assert REGISTRY.resolve("augmentation", label) == component


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mixup:", "expected a value or key=value after ':'"),
        ("mixup:alpha=", "parameter 'alpha' expects float, got ''"),
        ("mixup:alpha=high", "parameter 'alpha' expects float, got 'high'"),
        ("mixup:alpha=0.4,", "parameter 'alpha' expects float, got '0.4,'"),
        ("mixup:alpha=nan", "parameter 'alpha' expects float, got 'nan'"),
        ("mixup:alpha=inf", "parameter 'alpha' expects float, got 'inf'"),
        ("mixup:alpha=1e999", "parameter 'alpha' expects float, got '1e999'"),
        ("mixup:alhpa=1", "no parameter 'alhpa'; did you mean 'alpha'? (parameters: alpha)"),
        ("mixup:alpha=1,alpha=2", "parameter 'alpha' is given twice"),
        ("mixup:1,alpha=2", "parameter 'alpha' is given twice"),
        ("mixup:alpha=-1", "alpha must be a finite number above 0, got -1.0"),
        ("collage:3", "takes no parameters, got '3'"),
        ("collage:size=3", "no parameter 'size' (parameters: it has none)"),
    ],
)
def test_a_bad_parameter_is_one_clear_line(spec: str, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        REGISTRY.resolve("augmentation", spec)
    assert str(caught.value) == f"augmentation {spec.partition(':')[0]!r}: {message}"


class Everything:
    def __init__(
        self,
        rate: float = 1,
        count: int = 2,
        soft: bool = False,
        mode: str = "a",
        limit: float | None = None,
        kind: Literal["one", "two"] = "one",
        size: Literal[1, 2] = 1,
        unannotated=0.5,  # type: ignore[no-untyped-def]
        anything=None,  # type: ignore[no-untyped-def]
        path: Path | None = None,
        noted: Annotated[int, "pixels"] = 3,
        either: int | str = 1,
        *args: int,
        only: float = 0.0,
        scale: tuple[float, float] = (0.1, 0.8),
        shape: tuple[int, int] | None = None,
        **kwargs: Any,
    ) -> None: ...


DECLARED = {p.name: p for p in declared("augmentation", Everything)}


def test_the_signature_declares_the_parameters() -> None:
    assert {name: p.type for name, p in DECLARED.items()} == {
        "rate": "float",
        "count": "int",
        "soft": "bool",
        "mode": "str",
        "limit": "float | none",
        "kind": "str",
        "size": "int",
        "unannotated": "float",
        "anything": "bool | int | float | str | none",
        "path": "str | none",
        "noted": "int",
        "either": "int | str",
        "only": "float",
    }
    assert DECLARED["kind"].choices == ("one", "two")
    assert type(DECLARED["rate"].default) is float


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("rate", "3", 3.0),
        ("rate", "-0", 0.0),
        ("count", " 7 ", 7),
        ("count", "9" * 400, int("9" * 400)),
        ("soft", "True", True),
        ("soft", "false", False),
        ("mode", "b,c", "b,c"),
        ("mode", "", ""),
        ("limit", "none", None),
        ("limit", "1", 1.0),
        ("kind", "two", "two"),
        ("size", "2", 2),
        ("anything", "1", 1),
        ("anything", "1.5", 1.5),
        ("anything", "true", True),
        ("anything", "word", "word"),
        ("path", "/a/b", "/a/b"),
        ("either", "2", 2),
        ("either", "x", "x"),
    ],
)
def test_values_are_read_as_the_declared_type(name: str, text: str, value: object) -> None:
    read = module.parse(DECLARED[name], text)
    assert read == value
    assert type(read) is type(value)
    assert str(read) == str(value) or len(text) > 300


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("count", "1.5", "int"),
        ("count", "true", "int"),
        ("soft", "1", "bool"),
        ("soft", "yes", "bool"),
        ("limit", "low", "float | none"),
        ("kind", "three", "one | two"),
        ("size", "3", "1 | 2"),
    ],
)
def test_other_values_are_refused(name: str, text: str, expected: str) -> None:
    with pytest.raises(ParameterError) as caught:
        module.parse(DECLARED[name], text)
    assert str(caught.value) == f"parameter {name!r} expects {expected}, got {text!r}"


def test_a_bound_factory_has_the_defaults_that_it_was_bound_with() -> None:
    bound = functools.partial(Everything, rate=4, count=5)
    found = {p.name: p.default for p in declared("augmentation", bound)}
    assert (found["rate"], found["count"]) == (4.0, 5)


def test_what_the_harness_passes_is_no_parameter() -> None:
    def backbone(in_channels: int, image_size: tuple[int, int], *, width: int = 8) -> None: ...
    def dataset(
        root: Path | None, path: str, *, download: bool = False, size: int = 28
    ) -> None: ...

    assert [p.name for p in declared("backbone", backbone)] == ["width"]
    assert declared("dataset", dataset) == (
        Parameter("path", "str", required=True),
        Parameter("size", "int", 28),
    )


def folder(text: str | None) -> dict[str, object]:
    found = (Parameter("path", "str", required=True), Parameter("size", "int", 28))
    return dict(module.values(found, text))


@pytest.mark.parametrize(
    ("text", "path", "size"),
    [
        ("/data/cats", "/data/cats", 28),
        ("/data/cats,size=32", "/data/cats", 32),
        ("path=/data/cats,size=32", "/data/cats", 32),
        ("size=32,path=/data/cats", "/data/cats", 32),
        (r"C:\data\cats", r"C:\data\cats", 28),
        ("/data/a,b,c,size=8", "/data/a,b,c", 8),
        ("/data/a=b", "/data/a=b", 28),
        ("path=a=b", "a=b", 28),
        ("~/übung 1", "~/übung 1", 28),
    ],
)
def test_a_value_without_a_key_is_the_first_parameter(text: str, path: str, size: int) -> None:
    assert folder(text) == {"path": path, "size": size}


def test_a_required_parameter_is_asked_for() -> None:
    with pytest.raises(ParameterError, match="parameter 'path' is required: write NAME:path=VALUE"):
        folder(None)


plain_text = st.text(st.characters(exclude_characters=",=", exclude_categories=["Cs"]))


@settings(deadline=None, max_examples=100)
@given(
    rate=st.floats(allow_nan=False, allow_infinity=False),
    count=st.integers(),
    soft=st.booleans(),
    mode=plain_text,
    limit=st.none() | st.floats(allow_nan=False, allow_infinity=False),
)
def test_labels_are_read_back(**given_values: Any) -> None:
    found = tuple(DECLARED[name] for name in given_values)
    wanted = dict(given_values, rate=given_values["rate"] + 0.0)
    label = module.label("name", found, wanted)
    _, colon, text = label.partition(":")
    assert module.values(found, text if colon else None) == wanted


Source = Callable[..., str]


def test_a_constructor_s_own_trouble_is_not_the_user_s(
    install: Callable[..., object], plugin_source: Source
) -> None:
    body = """
    class Fails(Aug):
        def __init__(self, size: int = 3):
            raise RuntimeError("no weights here")
    class Bare:
        pass
    class Odd(Aug):
        sources = "2"
    class Chatty(Aug):
        def __init__(self):
            print("hello")
    register("chatty", Chatty)
    register("fails", Fails)
    register("bare", Bare)
    register("odd", Odd)
    """
    install("troubled", plugin_source(body=body))
    registry = Registry.load()
    with pytest.raises(PluginError, match="'fails' cannot be constructed: RuntimeError: no wei"):
        registry.resolve("augmentation", "fails")
    assert registry.problems == ()
    assert registry.resolve("augmentation", "chatty").name == "chatty"
    assert "printed 'hello' (held back)" in registry.problems[0]
    for name in ("bare", "odd"):
        with pytest.raises(ContractError, match="an integer class attribute `sources`"):
            registry.resolve("augmentation", name)


def test_a_parameter_s_summary_is_listed() -> None:
    (info,) = [info for info in REGISTRY.describe("augmentation") if info.name == "mixup"]
    assert info.parameters == (Parameter("alpha", "float", 0.3),)
    assert info.summary.startswith("λ·x_i + (1 − λ)·x_j")
