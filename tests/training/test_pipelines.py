"""Pipelines are trained packed with the reference's numbers, and equal ones are one cell."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from augmented import Smooth
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from augbench.api import Observer, execute, plan
from augbench.augmentations.crop_flip import CropFlip
from augbench.batching.blocks import blocks
from augbench.errors import StudyError
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Member, Pipeline, Stage, parsed
from augbench.training.engine import PackedEngine
from augbench.training.reference import ReferenceEngine


def mixed(sources, weights):
    shape = (-1, *[1] * (sources[0].ndim - 1))
    return sum(w.view(shape) * x for w, x in zip(weights.T, sources, strict=True))


class Three:
    sources = 3

    def __call__(self, a, b, c, *, rng):
        weights = a.new_tensor(rng.dirichlet((1, 1, 1), size=len(a)))
        return mixed((a, b, c), weights), weights


class WithinClasses:
    """Mixes images of one class, and leaves others alone."""

    sources = 2
    needs = frozenset({"labels"})

    def __call__(self, x_i, x_j, *, labels, rng):
        lam = x_i.new_tensor(rng.random(len(x_i)))
        lam = torch.where(labels[0] == labels[1], lam, 1)
        return mixed((x_i, x_j), torch.stack((lam, 1 - lam), dim=1)), lam


class EndsEarly:
    """Mixup in the first half of training."""

    sources = 2
    needs = frozenset({"progress"})

    def __call__(self, x_i, x_j, *, progress, rng):
        lam = torch.where(progress < 0.5, x_i.new_tensor(rng.random(len(x_i))), 1)
        return mixed((x_i, x_j), torch.stack((lam, 1 - lam), dim=1)), lam


class Fades:
    """Noise that fades: of one image."""

    sources = 1
    value_range = (0.0, 1.25)
    needs = frozenset({"progress"})

    def __call__(self, x, *, progress, rng):
        assert 0 <= progress.min() <= progress.max() < 1
        noise = x.new_tensor(rng.random(x.shape, dtype=np.float32))
        return x + (1 - progress).view(-1, 1, 1, 1) * noise / 4


class Tokens:
    """Like TokenMix: rows of either image, whose labels count by the light that is left of each."""

    sources = 2
    needs = frozenset({"labels"})
    returns_distribution = True

    def __call__(self, x_i, x_j, *, labels, classes, rng):
        mask = x_i.new_tensor(rng.random((len(x_i), 1, x_i.shape[2], 1)) < 0.5)
        light = torch.stack([(mask * x_i).sum((1, 2, 3)), ((1 - mask) * x_j).sum((1, 2, 3))], dim=1)
        share = (light + 1e-3) / (light + 1e-3).sum(dim=1, keepdim=True)
        one, other = (F.one_hot(one, classes) for one in labels)
        return mask * x_i + (1 - mask) * x_j, share[:, :1] * one + share[:, 1:] * other


class Steeper:
    """Pixels of the image whose loss depends more on them."""

    sources = 2
    needs = frozenset({"gradients", "progress"})

    def __call__(self, x_i, x_j, *, gradients, progress, rng):
        assert len(x_i) == 4  # one batch at a time
        assert len(progress.unique()) == 1
        mask = (gradients[0].abs() >= gradients[1].abs()).to(x_i.dtype)
        return mask * x_i + (1 - mask) * x_j, mask.mean(dim=(1, 2, 3))


class Hidden:
    sources = 2
    needs = frozenset({"hidden"})

    def choose_layer(self, layers, *, rng):
        return layers[rng.integers(len(layers))]

    def __call__(self, h_i, h_j, *, rng):
        lam = h_i.new_tensor(rng.beta(2, 2, size=len(h_i)))
        return mixed((h_i, h_j), torch.stack((lam, 1 - lam), dim=1)), lam


class TooMuch:
    """Against the contract: weights beyond 1, which of two images of one class make one label."""

    sources = 2

    def __call__(self, x_i, x_j, *, rng):
        return x_i * 1, x_i.new_full((len(x_i),), 1.5)


KINDS = {
    "crop-flip": CropFlip,
    "three": Three,
    "within": WithinClasses,
    "early": EndsEarly,
    "fades": Fades,
    "smooth": Smooth,
    "tokens": Tokens,
    "steeper": Steeper,
    "hidden": Hidden,
    "too-much": TooMuch,
}


@pytest.fixture
def cells(lab):
    """Cells of two seeds for each spec; `lab` knows the augmentations above."""
    lab.factories |= KINDS

    def make(*specs, seeds=(0, 1), sizes=(5,)):
        found = []
        for spec in specs:
            stages = tuple(
                Stage(tuple(Member(Component("augmentation", n, label=n), p) for n, p in members))
                for members in parsed(spec)
            )
            for seed in seeds:
                for size in sizes:
                    cell = lab.cell(size=size, seed=seed)
                    arm = replace(cell.arm, label=spec, pipeline=Pipeline(stages).on(None))
                    found.append(replace(cell, arm=arm))
        return found

    return make


@pytest.mark.parametrize(
    "specs",
    [
        ["crop-flip", "crop-flip+mixup", "crop-flip+collage", "mixup"],
        ["mixup", "mixup@0.5", "crop-flip@0.3+mixup@0.5"],
        ["mixup|three", "mixup@0.2|collage@0.2|three@0.2", "crop-flip+three"],
        ["mixup+crop-flip", "crop-flip+mixup+fades@0.5", "fades+crop-flip+crop-flip"],
        ["within", "crop-flip+within", "within@0.5"],
        ["early", "fades+early", "fades"],
        ["smooth", "tokens", "smooth|tokens", "crop-flip+tokens@0.5+fades", "smooth|three"],
    ],
    ids=lambda specs: " ".join(specs),
)
def test_a_pack_of_pipelines_gives_the_references_numbers(lab, agree, cells, specs):
    some = cells(*specs)
    engine = PackedEngine()
    packed, reference = lab.train(engine, some), lab.train(ReferenceEngine(), some)
    for cell in some:
        agree(packed[cell.key], reference[cell.key])
        assert packed[cell.key].engine == "packed"


@pytest.mark.parametrize(
    "spec", ["crop-flip+hidden@0.5", "hidden", "crop-flip+steeper@0.5+fades", "steeper|mixup"]
)
def test_what_needs_the_network_is_trained_on_a_base_and_with_a_probability(
    lab, agree, cells, spec
):
    some = cells(spec, "crop-flip+mixup", seeds=(0,))
    packed, reference = lab.train(PackedEngine(), some), lab.train(ReferenceEngine(), some)
    for cell in some:
        agree(packed[cell.key], reference[cell.key])
        passes = cell.pretrain_steps if "steeper" in spec and cell.arm.label == spec else 0
        assert packed[cell.key].metrics["extra_passes"] == passes


AHEAD = ["", "crop-flip+", "crop-flip@0.5+", "fades+", "crop-flip+fades+", "fades|none+"]
MIXERS = ["none", "mixup", "mixup@0.5", "three", "mixup|three", "within@0.5", "early", "tokens"]
BEHIND = ["", "+crop-flip", "+fades@0.5"]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arms=st.lists(
        st.tuples(
            st.builds(
                "{}{}{}".format, *(st.sampled_from(part) for part in (AHEAD, MIXERS, BEHIND))
            ),
            st.integers(0, 1),
        ),
        min_size=2,
        max_size=5,
        unique=True,
    )
)
def test_the_inputs_and_labels_of_a_cell_do_not_depend_on_its_company(lab, cells, arms):
    """Stages that cells have in common are applied once for all of them."""
    some = [cell for spec, seed in arms for cell in cells(spec, seeds=(seed,))]
    alone = [list(blocks([cell], lab.materials())) for cell in some]
    for number, (images, labels) in enumerate(blocks(some, lab.materials())):
        channels = images.shape[2] // len(some)
        for k, own in enumerate(alone):
            part = images[:, :, k * channels : (k + 1) * channels]
            assert torch.equal(part, own[number][0])
            torch.testing.assert_close(labels[:, k], own[number][1][:, 0])


def test_a_mixer_that_has_ended_is_no_mixer(lab, cells):
    """Of the same draws, `early` trains as `none` once half of the steps are done."""
    early, none = cells("early", "none", seeds=(0,), sizes=(5,))
    late = replace(lab.cell().settings, pretrain_steps=1)
    first, second = (replace(c, arm=replace(c.arm, settings=late)) for c in (early, none))
    results = lab.train(ReferenceEngine(), [first, second])
    assert results[first.key].curves["pretrain"] != results[second.key].curves["pretrain"]
    lab.factories["early"] = type("Ended", (EndsEarly,), {"__call__": ended})
    results = lab.train(ReferenceEngine(), [early, none])
    assert results[early.key].curves["pretrain"] == results[none.key].curves["pretrain"]


def ended(self, x_i, x_j, *, progress, rng):
    return EndsEarly()(x_i, x_j, progress=progress * 0 + 0.5, rng=rng)


@pytest.mark.parametrize("spec", ["too-much", "smooth|too-much", "mixup|too-much"])
def test_weights_out_of_range_cost_their_own_cell_alone(lab, agree, cells, spec):
    some = cells("crop-flip+mixup", spec, "smooth", seeds=(0,), sizes=(5,))
    packed, reference = lab.train(PackedEngine(), some), lab.train(ReferenceEngine(), some)
    assert "expected weights in [0, 1]" in packed[some[1].key].error
    assert packed[some[1].key].error == reference[some[1].key].error
    for cell in (some[0], some[2]):
        agree(packed[cell.key], reference[cell.key])


def test_a_stage_that_fails_on_a_base_costs_every_arm_that_has_it(lab, agree, cells):
    def fails(self, x, *, rng):
        raise ZeroDivisionError("on purpose")

    lab.factories["fails"] = type("Fails", (), {"sources": 1, "__call__": fails})
    some = cells("fails+mixup", "crop-flip+mixup", "fails+collage", seeds=(0,), sizes=(5,))
    packed, reference = lab.train(PackedEngine(), some), lab.train(ReferenceEngine(), some)
    for cell in (some[0], some[2]):
        assert packed[cell.key].error == "ZeroDivisionError: on purpose"
    agree(packed[some[1].key], reference[some[1].key])


class Counting(Observer):
    trained = 0

    def finished(self, cell, result):
        self.trained += 1


def keys(options):
    return {cell.key for cell in plan(options).cells}


def test_equal_pipelines_are_one_cell_however_they_are_written(tiny_options):
    study = replace(tiny_options, seeds=1, samples_per_class=(4,), baseline="none")
    on_base = replace(study, base="crop-flip:flip=false", augmentations=("mixup",))
    in_one = replace(
        study, augmentations=("crop-flip:flip=false+mixup:alpha=0.3", "crop-flip:flip=false")
    )
    own_base = replace(
        study,
        augmentations=(),
        baseline="crop-flip:flip=false",
        arms=({"name": "mine", "aug": "mixup", "base": "none+crop-flip:flip=false"},),
    )
    assert keys(on_base) == keys(in_one) - keys(study)
    assert keys(on_base) == keys(own_base)
    first = execute(plan(on_base))
    assert not first.failed
    watching = Counting()
    second = execute(plan(own_base), watching)
    assert watching.trained == 0
    first_nll, second_nll = ([c.result.metrics["nll"] for c in r.cells] for r in (first, second))
    assert first_nll == second_nll


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"augmentations": ("mixup+collage",)}, "'mixup' and 'collage' each decide on the label"),
        ({"base": "collage"}, "'collage' and 'mixup' each decide on the label"),
        ({"base": "mixup:alpha=0.1/1"}, "expected one pipeline, got a grid of 2"),
        ({"baseline": "mixup:alpha=0.1/1"}, "expected one pipeline, got a grid of 2"),
    ],
)
def test_pipelines_that_cannot_be_are_one_line_before_anything_trains(
    tiny_options, changes, message
):
    with pytest.raises(StudyError, match=message) as caught:
        plan(replace(tiny_options, **changes))
    assert "\n" not in str(caught.value)
    assert not tiny_options.out.exists()
