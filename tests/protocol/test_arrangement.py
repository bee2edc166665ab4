"""Which part each stage of a pipeline plays, and which pipelines are refused, in one line."""

import pytest

from augbench.errors import ContractError, StudyError
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Member, Pipeline, Stage, parsed
from augbench.protocol.arrangement import arrange


def kind(sources, needs=(), distribution=False):
    attributes = {
        "sources": sources,
        "needs": frozenset(needs),
        "returns_distribution": distribution,
    }
    return type("Made", (), {**attributes, "choose_layer": lambda self, layers, *, rng: ""})


KINDS = {
    "flip": kind(1),
    "blur": kind(1),
    "fade": kind(1, {"progress"}),
    "pure": kind(1, {"labels"}),
    "mixup": kind(2),
    "three": kind(3),
    "within": kind(2, {"labels"}),
    "smooth": kind(1, {"labels"}, True),
    "steep": kind(2, {"gradients"}),
    "hidden": kind(2, {"hidden"}),
    "alone": kind(1, {"gradients"}),
    "tea": kind(1, {"tea"}),
    "vague": kind(1, distribution="yes"),
}


def arranged(spec):
    pipeline = Pipeline(
        tuple(
            Stage(tuple(Member(Component("augmentation", n, label=n), p) for n, p in members))
            for members in parsed(spec)
        )
    )
    return arrange(pipeline, lambda component: KINDS[component.name]())


def labels(stages):
    return "+".join(stage.label for stage in stages)


@pytest.mark.parametrize(
    ("spec", "ahead", "mixer", "behind", "sources"),
    [
        ("flip", "flip", "", "", 1),
        ("flip+blur@0.5", "flip+blur@0.5", "", "", 1),
        ("flip+pure+mixup", "flip+pure", "mixup", "", 2),
        ("mixup+flip", "", "mixup", "flip", 2),
        ("flip+mixup@0.5+fade", "flip", "mixup@0.5", "fade", 2),
        ("mixup|three|flip", "", "mixup|three|flip", "", 3),
        ("flip+smooth", "flip", "smooth", "", 1),
        ("smooth+flip", "", "smooth", "flip", 1),
        ("smooth|mixup", "", "smooth|mixup", "", 2),
        ("flip+steep+blur", "flip", "steep", "blur", 2),
        ("steep|mixup", "", "steep|mixup", "", 2),
        ("alone+flip", "", "alone", "flip", 1),
        ("flip+hidden@0.5", "flip", "hidden@0.5", "", 2),
    ],
)
def test_stages_stand_ahead_of_the_mixer_or_behind_it(spec, ahead, mixer, behind, sources):
    found = arranged(spec)
    assert labels(found.ahead) == ahead
    assert (found.mixer.label if found.mixer else "") == mixer
    assert labels(found.behind) == behind
    assert found.sources == sources
    assert labels(found.stages) == spec


@pytest.mark.parametrize(
    ("spec", "from_network", "needs"),
    [
        ("flip+mixup", set(), set()),
        ("fade+within", set(), {"labels", "progress"}),
        ("steep|mixup", {"gradients"}, {"gradients"}),
        ("fade+hidden", {"hidden"}, {"hidden", "progress"}),
    ],
)
def test_needs_are_those_of_all_stages(spec, from_network, needs):
    found = arranged(spec)
    assert found.from_network == from_network
    assert found.needs == needs


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (
            "mixup+flip+three",
            StudyError,
            "'mixup' and 'three' each decide on the label of an image .* one such stage at most "
            r"\(write 'mixup\|three' for one of both",
        ),
        ("smooth+mixup", StudyError, "'smooth' and 'mixup' each decide on the label"),
        ("mixup@0.5+mixup@0.5", StudyError, "each decide on the label"),
        ("steep+smooth", StudyError, "each decide on the label"),
        (
            "hidden+flip",
            StudyError,
            "'flip' stands behind 'hidden', which mixes a hidden layer: no image is left",
        ),
        ("hidden|mixup", StudyError, "cannot be drawn among others; make it a stage of its own"),
        (
            "mixup+pure",
            StudyError,
            "'pure' needs labels, and behind 'mixup' an image has more than one; put it in front",
        ),
        ("smooth+blur+pure", StudyError, "'pure' needs labels, and behind 'smooth'"),
        ("flip+tea", ContractError, "needs 'tea', which AugBench cannot supply"),
        ("steep|hidden", StudyError, "cannot be drawn among others"),
        ("vague", ContractError, "expected `returns_distribution` to be True or False, got 'yes'"),
    ],
)
def test_stages_that_cannot_work_together_are_refused_in_one_line(spec, error, message):
    with pytest.raises(error, match=message) as caught:
        arranged(spec)
    assert "\n" not in str(caught.value)
