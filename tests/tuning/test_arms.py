"""The search space of an arm, and the arm with a trial's values."""

from __future__ import annotations

import sys
from dataclasses import replace
from types import ModuleType

import pytest

from augbench.datasets.contract import DatasetInfo
from augbench.errors import OptionError, StudyError, UsageError
from augbench.options import Settings
from augbench.plugins import Registry, hookimpl
from augbench.protocol.study import Arm, Cell
from augbench.tuning.arms import spaces_by_arm, spaces_of, tuned_arm
from augbench.tuning.points import trial_values
from augbench.tuning.spaces import Dimension, parsed_spaces


class Boxes:
    """A mixer with a whole number, a text and a number without a range."""

    sources = 2
    search_space = {"count": (1, 4), "alpha": (0.1, 10.0, "log")}  # noqa: RUF012

    def __init__(
        self, count: int = 2, alpha: float = 1.0, bias: float = 0.0, shape: str = "round,flat"
    ) -> None:
        if not 0 <= bias <= 1:
            raise ValueError(f"bias must be in [0, 1], got {bias}")
        self.count, self.alpha, self.bias, self.shape = count, alpha, bias, shape

    def __call__(self, x_i, x_j, *, rng):
        return x_i, x_i.new_ones(len(x_i))


@pytest.fixture(scope="module")
def registry():
    module = ModuleType("boxes_for_tuning")

    def register_augmentations(register):
        register("boxes", Boxes)

    module.register_augmentations = hookimpl(register_augmentations)
    sys.modules[module.__name__] = module
    yield Registry.load([module.__name__])
    del sys.modules[module.__name__]


@pytest.fixture
def arm(registry):
    def arm(spec, base=None, **settings):
        (pipeline,) = registry.pipelines(spec)
        return Arm(pipeline.label, pipeline.on(base), Settings(**settings))

    return arm


def key_of(arm):
    info = DatasetInfo("d", "hash", (1, 8, 8), ("a", "b"), (40, 40), 20)
    backbone = Registry.load().resolve("backbone", "convnet")
    return Cell(info, info, backbone, arm, 4, 0).key


def names(dimensions):
    return [one.name for one in dimensions]


def test_shared_settings_come_first_and_own_parameters_by_name(registry, arm):
    spaces = parsed_spaces("own,weight_decay,lr")
    assert names(spaces_of(arm("boxes"), spaces, registry)) == [
        "learning_rate",
        "weight_decay",
        "boxes.alpha",
        "boxes.count",
    ]
    assert names(spaces_of(arm("none"), spaces, registry)) == ["learning_rate", "weight_decay"]


def test_what_an_augmentation_declares_is_searched(registry, arm):
    found = spaces_of(arm("boxes"), parsed_spaces("own"), registry)
    assert found == (
        Dimension("boxes.alpha", 0.1, 10.0, log=True),
        Dimension("boxes.count", 1, 4, log=False, whole=True),
    )


def test_a_range_that_is_given_wins_and_is_enough_by_itself(registry, arm):
    spaces = parsed_spaces("boxes.count=2..9 log, boxes.bias=0..0.5")
    assert spaces_of(arm("boxes"), spaces, registry) == (
        Dimension("boxes.bias", 0.0, 0.5, log=False),
        Dimension("boxes.count", 2, 9, log=True, whole=True),
    )
    both = spaces_of(arm("boxes"), parsed_spaces("own,boxes.alpha=1..2"), registry)
    assert both[0] == Dimension("boxes.alpha", 1.0, 2.0, log=False)
    assert len(both) == 2


def test_the_base_is_common_to_all_arms_and_not_tuned(registry, arm):
    (base,) = registry.pipelines("boxes:count=3|mixup")
    spaces = parsed_spaces("own")
    under = arm("crop-flip+boxes", base)
    assert names(spaces_of(under, spaces, registry, base=base)) == ["boxes.alpha", "boxes.count"]
    tuned = tuned_arm(under, {"boxes.count": 4}, registry, base=base)
    assert tuned.pipeline.label == "boxes:count=3|mixup+crop-flip+boxes:count=4"
    assert spaces_of(arm("none", base), spaces, registry, base=base) == ()
    (nothing,) = registry.pipelines("none")
    assert len(spaces_of(arm("boxes"), spaces, registry, base=nothing)) == 2
    with pytest.raises(ValueError, match="does not stand on the base"):
        spaces_of(arm("boxes"), spaces, registry, base=base)


def test_a_second_occurrence_is_tuned_by_itself(registry, arm):
    twice = arm("boxes|mixup@0.2|boxes:alpha=2@0.3")
    assert names(spaces_of(twice, parsed_spaces("boxes.alpha"), registry)) == [
        "boxes.alpha",
        "boxes.alpha#2",
    ]
    second = spaces_of(twice, parsed_spaces("boxes.alpha,boxes.alpha#2=1..3"), registry)
    assert [(one.name, one.high) for one in second] == [("boxes.alpha", 10.0), ("boxes.alpha#2", 3)]
    tuned = tuned_arm(twice, {"boxes.alpha#2": 0.5}, registry)
    assert tuned.pipeline.label == "boxes@0.5|mixup@0.2|boxes:alpha=0.5@0.3"


def test_values_reach_settings_and_augmentations_and_the_label_stays(registry, arm):
    plain = replace(arm("boxes:shape='a+b'"), label="mine", needs=frozenset({"labels"}))
    values = {"learning_rate": 0.03, "boxes.count": 3, "boxes.alpha": 0.4321}
    tuned = tuned_arm(plain, values, registry)
    assert (tuned.label, tuned.needs) == ("mine", plain.needs)
    assert tuned.settings == Settings(learning_rate=0.03)
    (component,) = tuned.pipeline.components
    assert dict(component.parameters) == {
        "count": 3,
        "alpha": 0.4321,
        "bias": 0.0,
        "shape": "a+b",
    }
    made = registry.create(component)
    assert (made.count, made.alpha, made.shape) == (3, 0.4321, "a+b")


def test_values_that_are_there_already_leave_the_cells_their_keys(registry, arm):
    plain = arm("crop-flip+mixup:alpha=0.4")
    same = {"learning_rate": 0.01, "weight_decay": 0.0, "mixup.alpha": 0.4}
    assert tuned_arm(plain, {}, registry) == plain
    assert key_of(tuned_arm(plain, same, registry)) == key_of(plain)
    back_to_default = tuned_arm(plain, {"mixup.alpha": 0.3}, registry)
    assert key_of(back_to_default) == key_of(arm("crop-flip+mixup"))
    assert key_of(tuned_arm(plain, {"mixup.alpha": 0.41}, registry)) != key_of(plain)
    assert key_of(tuned_arm(plain, {"weight_decay": 1e-4}, registry)) != key_of(plain)


def test_adding_an_arm_changes_no_other_arm_s_trials(registry, arm):
    spaces = parsed_spaces("lr,own")
    alone = spaces_by_arm([arm("none"), arm("mixup")], spaces, registry)
    more = spaces_by_arm([arm("none"), arm("boxes"), arm("mixup")], spaces, registry)
    for label, space in alone.items():
        assert trial_values(space, 8) == trial_values(more[label], 8)
    rates = {
        label: [one.get("learning_rate") for one in trial_values(space, 8)]
        for label, space in more.items()
    }
    assert rates["none"] == rates["mixup"] == rates["boxes"]


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("mixup.alpa=1..2", r"no arm has a numeric parameter 'mixup.alpa'; did you mean"),
        ("boxes.shape", "no arm has a numeric parameter 'boxes.shape'"),
        ("cutmix.alpha", r"there are: boxes.alpha, boxes.bias, boxes.count, mixup.alpha"),
        ("boxes.bias", "boxes declares no range for bias; give one, as in boxes.bias="),
        ("boxes.bias=0..2", r"boxes.bias=0\.\.2: augmentation 'boxes': bias must be in"),
        ("boxes.count=1..2.5", "expected whole numbers for boxes.count"),
    ],
)
def test_a_parameter_that_cannot_be_tuned_is_one_clear_line(registry, arm, written, message):
    with pytest.raises(OptionError, match=message) as caught:
        spaces_by_arm([arm("boxes"), arm("mixup")], parsed_spaces(written), registry)
    assert "\n" not in str(caught.value)


def test_own_that_finds_nothing_is_an_error(registry, arm):
    with pytest.raises(OptionError, match="'own' finds nothing"):
        spaces_by_arm([arm("none"), arm("collage")], parsed_spaces("lr,own"), registry)


def test_a_setting_that_an_arm_cannot_have_names_the_arm(registry, arm):
    arms = [arm("none"), arm("mixup", optimizer="adamw")]
    with pytest.raises(StudyError, match=r"arm 'mixup': momentum=0.5: AdamW has moments"):
        spaces_by_arm(arms, parsed_spaces("momentum"), registry)


def test_a_value_for_nothing_is_an_error(registry, arm):
    with pytest.raises(UsageError, match=r"arm 'mixup' has no numeric parameter 'boxes.alpha'"):
        tuned_arm(arm("mixup"), {"boxes.alpha": 1.0}, registry)
