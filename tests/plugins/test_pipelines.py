"""Specs of pipelines: stages, probabilities, choices, grids and quotes; labels that read back."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import augbench as package
from augbench.errors import ParameterError, UnknownNameError
from augbench.plugins import Registry
from augbench.plugins.pipelines import Pipeline, shown_labels

PLUGIN = """
from augbench import hookimpl


class Blur:
    sources = 1

    def __init__(self, mode: str = "a", size: int = 3, sigma: float = 1.0):
        self.mode, self.size, self.sigma = mode, size, sigma

    def __call__(self, x, *, rng):
        return x


@hookimpl
def register_augmentations(register):
    register("blur", Blur)
"""


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    path: Path = tmp_path_factory.mktemp("specs") / "blurs.py"
    path.write_text(PLUGIN)
    return Registry.load([str(path)])


def read(registry: Registry, spec: str) -> list[list[tuple[str, dict[str, Any], float]]]:
    """Each stage's members as (name, parameters, probability), of a spec without a grid."""
    (pipeline,) = registry.pipelines(spec)
    return [
        [(m.component.name, dict(m.component.parameters), m.probability) for m in stage.members]
        for stage in pipeline.stages
    ]


MIXUP = {"alpha": 0.3}
CROP = {"padding": None, "flip": True}


def blur(mode: str = "a", size: int = 3, sigma: float = 1.0) -> dict[str, Any]:
    return {"mode": mode, "size": size, "sigma": sigma}


@pytest.mark.parametrize(
    ("spec", "stages"),
    [
        ("mixup", [[("mixup", MIXUP, 1)]]),
        ("blur+mixup:alpha=2", [[("blur", blur(), 1)], [("mixup", {"alpha": 2}, 1)]]),
        (" blur + mixup ", [[("blur", blur(), 1)], [("mixup", MIXUP, 1)]]),
        ("mixup@0.5", [[("mixup", MIXUP, 0.5)]]),
        ("mixup:alpha=2@.25+blur", [[("mixup", {"alpha": 2}, 0.25)], [("blur", blur(), 1)]]),
        ("mixup|collage", [[("mixup", MIXUP, 0.5), ("collage", {}, 0.5)]]),
        ("mixup|collage@0.3", [[("mixup", MIXUP, 0.7), ("collage", {}, 0.3)]]),
        ("mixup@0.1|collage@0.3", [[("mixup", MIXUP, 0.1), ("collage", {}, 0.3)]]),
        (
            "mixup@0.2|collage|none",
            [[("mixup", MIXUP, 0.2), ("collage", {}, 0.4), ("none", {}, 0.4)]],
        ),
        ("blur:mode='a+b'", [[("blur", blur("a+b"), 1)]]),
        ("blur:'a+b@c|d/e',size=5", [[("blur", blur("a+b@c|d/e", 5), 1)]]),
        ('blur:mode="/a path/b"@0.5', [[("blur", blur("/a path/b"), 0.5)]]),
        ("blur:mode='it''s'", [[("blur", blur("it's"), 1)]]),
        ("blur:mode=it's+mixup", [[("blur", blur("it's"), 1)], [("mixup", MIXUP, 1)]]),
        ("blur:mode=a,b,size=5", [[("blur", blur("a,b", 5), 1)]]),
        ("blur:mode='a,size=4',size=5", [[("blur", blur("a,size=4", 5), 1)]]),
        ("blur:sigma='1e+3'", [[("blur", blur(sigma=1000.0), 1)]]),
        ("blur:sigma=1e3", [[("blur", blur(sigma=1000.0), 1)]]),
    ],
)
def test_separators_count_outside_quotes_alone(
    registry: Registry, spec: str, stages: list[Any]
) -> None:
    assert read(registry, spec) == stages


@pytest.mark.parametrize(
    ("spec", "arms"),
    [
        ("mixup:alpha=0.1/0.3/1", ["mixup:alpha=0.1", "mixup", "mixup:alpha=1.0"]),
        ("mixup:0.1/1", ["mixup:alpha=0.1", "mixup:alpha=1.0"]),
        ("augbench:mixup:alpha=0.1/1", ["mixup:alpha=0.1", "mixup:alpha=1.0"]),
        ("mixup@0.5/0.25", ["mixup@0.5", "mixup@0.25"]),
        ("blur:mode=a/b,size=5/7", [f"blur:{m}size={s}" for m in ("", "mode=b,") for s in (5, 7)]),
        ("blur:'a=b'/c", ["blur:mode=a=b", "blur:mode=c"]),
        ("blur:mode='a/b'/c", ["blur:mode='a/b'", "blur:mode=c"]),
        ("blur/mixup", ["blur", "mixup"]),
        (
            "blur:size=1/5+mixup@0.5/0.75",
            [f"blur:size={s}+mixup@{p}" for s in (1, 5) for p in (0.5, 0.75)],
        ),
    ],
)
def test_a_grid_is_one_arm_for_each_combination(
    registry: Registry, spec: str, arms: list[str]
) -> None:
    assert [pipeline.label for pipeline in registry.pipelines(spec)] == arms


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mixup+", "expected NAME[:PARAMETERS][@PROBABILITY] between the signs + and |, got ''"),
        ("mixup||collage", "expected NAME[:PARAMETERS][@PROBABILITY]"),
        ("mixup@0.5@0.5", "got 'mixup@0.5@0.5'"),
        ("@0.5", "got '@0.5'"),
        ("mixup@0", "expected a probability above 0, up to 1, behind the @ of 'mixup@0', got '0'"),
        ("mixup@1.5", "got '1.5'"),
        ("mixup@nan", "got 'nan'"),
        ("mixup@inf", "got 'inf'"),
        ("mixup@1e-13", "got '1e-13'"),
        ("mixup@half", "got 'half'"),
        ("mixup@0.7|collage@0.7", "sum to more than 1 (1.4); lower them"),
        ("mixup@1|collage", "leave nothing for a member"),
        ("mixup@0.9999999999999|collage", "leave nothing for a member"),
        ("blur:sigma=1e+3", "a number with a + needs quotes, as in mixup:alpha='1e+3'"),
    ],
)
def test_what_means_nothing_is_one_clear_line(registry: Registry, spec: str, message: str) -> None:
    with pytest.raises((ParameterError, UnknownNameError)) as caught:
        registry.pipelines(spec)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


values = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.text(
    "ab=,+@|/'\"`: \n1", max_size=8
)
numbers = st.floats(allow_nan=False, allow_infinity=False)


def quoted(value: object) -> str:
    """As the guide says: in quotes, each inner one doubled."""
    return "'" + str(value).replace("'", "''") + "'"


members = st.one_of(
    st.sampled_from(["mixup", "collage", "none", "crop-flip:flip=false"]),
    st.builds("mixup:alpha={!r}".format, st.floats(0.01, 9)),
    st.builds(
        lambda mode, sigma: f"blur:mode={quoted(mode)},sigma={quoted(sigma)}", values, numbers
    ),
)


@st.composite
def stages(draw: st.DrawFn) -> str:
    names = draw(st.lists(members, min_size=1, max_size=3))
    told = [draw(st.none() | st.floats(0.001, 0.3)) for _ in names]
    return "|".join(
        name if chance is None else f"{name}@{chance!r}"
        for name, chance in zip(names, told, strict=True)
    )


@given(st.lists(stages(), min_size=1, max_size=3).map("+".join))
@example("blur:mode='a''\",b'")
@example("blur:mode='a,size=3'")
@example("mixup|collage|none")
@example("mixup@0.3333333333333333|collage@0.3333333333333333|none@0.3333333333333333")
@example("mixup@0.50000000001|collage@0.49999999999")
@example("mixup@0.1|collage|none")
@example("blur:sigma='1e+16'")
def test_a_label_reads_back_as_the_pipeline_that_it_names(registry: Registry, spec: str) -> None:
    (pipeline,) = registry.pipelines(spec)
    assert registry.pipelines(pipeline.label) == [pipeline]
    assert Pipeline.from_json(pipeline.to_json()) == pipeline


@given(values, numbers)
def test_quotes_hold_any_value(registry: Registry, mode: str, sigma: float) -> None:
    spec = f"blur:mode={quoted(mode)},sigma={quoted(sigma)}+mixup"
    assert read(registry, spec)[0] == [("blur", blur(mode, sigma=sigma + 0.0), 1)]


def test_base_and_arm_are_the_pipeline_written_in_one(registry: Registry) -> None:
    (base,), (arm,) = registry.pipelines("blur@0.5"), registry.pipelines("mixup")
    (whole,) = registry.pipelines("blur@0.5+mixup")
    assert arm.on(base) == whole
    assert arm.on(base).identity() == whole.identity()
    (none,) = registry.pipelines("none")
    assert none.on(base) == base
    assert arm.on(none) == arm
    assert none.on(none) == none


def test_one_augmentation_alone_is_known_as_itself(registry: Registry) -> None:
    component = registry.resolve("augmentation", "mixup:alpha=1")
    (pipeline,) = registry.pipelines("none+mixup:alpha=1")
    assert pipeline.on(None).identity() == component.identity()


def test_in_company_every_arm_tells_what_differs(registry: Registry) -> None:
    pipelines = [
        *registry.pipelines("blur+mixup:alpha=0.1/0.3@0.5"),
        *registry.pipelines("blur:size=5"),
        *registry.pipelines("collage"),
    ]
    assert shown_labels([(one.label, one) for one in pipelines]) == [
        "blur+mixup:alpha=0.1@0.5",
        "blur+mixup:alpha=0.3@0.5",
        "blur:size=5",
        "collage",
    ]
    assert shown_labels([("mine", pipelines[0])]) == ["mine"]


def test_in_company_every_arm_on_a_base_tells_what_differs_and_not_its_base(
    registry: Registry,
) -> None:
    (base,) = registry.pipelines("blur:size=7")
    arms = [
        one for s in ("none", "mixup:alpha=0.1/0.3", "collage") for one in registry.pipelines(s)
    ]
    assert shown_labels([(one.label, one.on(base)) for one in arms]) == [
        "none",
        "mixup:alpha=0.1",
        "mixup:alpha=0.3",
        "collage",
    ]


ROOT = Path(package.__file__).parents[1]
PAGE = (ROOT / "docs" / "arms.md").read_text()
WRITTEN, VALUES = (
    [
        [cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", row)[1:-1]]
        for row in re.findall(r"^\| `.*\|$", part, re.MULTILINE)
    ]
    for part in PAGE.split("## Signs in values")
)
(SHOWN,) = re.findall(r"^```console\n\$ (.*)\n((?:.*\n)*?)^```", PAGE, re.MULTILINE)
(TABLE,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_s_table_of_specs_means_what_it_says(registry: Registry) -> None:
    specs = [shlex.split(row[0].replace("\\|", "|"))[0] for row in WRITTEN]
    assert [read(registry, spec) for spec in specs] == [
        [[("mixup", MIXUP, 1)]],
        [[("mixup", {"alpha": 1}, 1)]],
        [[("crop-flip", CROP, 1)], [("mixup", MIXUP, 1)]],
        [[("mixup", MIXUP, 1)], [("crop-flip", CROP, 1)]],
        [[("mixup", MIXUP, 0.5)]],
        [[("mixup", MIXUP, 0.5), ("collage", {}, 0.5)]],
        [[("mixup", MIXUP, 0.7), ("collage", {}, 0.3)]],
        [[("mixup", MIXUP, 0.5), ("collage", {}, 0.3)]],
    ]
    assert read(registry, "crop-flip@0.5+mixup|collage") == [
        [("crop-flip", CROP, 0.5)],
        [("mixup", MIXUP, 0.5), ("collage", {}, 0.5)],
    ]


def test_the_page_s_values_in_quotes_are_those_that_it_says(registry: Registry) -> None:
    for spec, value in VALUES:
        ((_, parameters, _),) = read(registry, spec)[0]
        assert value in map(str, parameters.values())
    assert len(VALUES) == 3


def test_the_page_s_command_prints_what_is_shown(augbench: Any, tmp_path: Path) -> None:
    command, printed = SHOWN
    program, *arguments = shlex.split(command)
    assert program == "augbench"
    code, out, errors = augbench(*arguments, "--out", tmp_path)
    assert (code, errors) == (0, "")
    position = 0
    for lines in printed.split("...\n"):  # three dots stand for any lines
        assert lines in out[position:]
        position = out.index(lines, position) + len(lines)
    arms = re.search(r"^arms: (.*)$", printed, re.MULTILINE)[1]
    told = re.findall(r"^│ (\S.*?) +│", TABLE, re.MULTILINE)
    assert told == arms.split(", ")
