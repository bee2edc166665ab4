"""Pipelines at work: held to torchvision's and timm's own on given draws; each stage's draws."""

from functools import partial

import numpy as np
import pytest
import torch
from augmented import Smooth
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from torchvision.transforms import functional as tv
from torchvision.transforms import v2

from augbench.augmentations.crop_flip import CropFlip
from augbench.augmentations.mixup import Mixup
from augbench.errors import ContractError
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Member, Pipeline, Stage, parsed
from augbench.protocol.augmenting import Rows, augmenter_of
from augbench.protocol.streams import Role, stage_words, stream

CLASSES = 4


class HalfBox:
    """CutMix with a box that is known: the right half of x_j, drawn or not for each image."""

    sources = 2

    def __call__(self, x_i, x_j, *, rng):
        image, half = x_i.clone(), x_i.shape[-1] // 2
        image[..., half:] = x_j[..., half:]
        return image, x_i.new_full((len(x_i),), half / x_i.shape[-1])


class Three:
    sources = 3

    def __call__(self, a, b, c, *, rng):
        weights = a.new_tensor(rng.dirichlet((1, 1, 1), size=len(a)))
        return sum(
            w.view(-1, 1, 1, 1) * x for w, x in zip(weights.T, (a, b, c), strict=True)
        ), weights


class Darker:
    """Darkens by the share of training that is done."""

    sources = 1
    needs = frozenset({"progress"})

    def __call__(self, x, *, progress, rng):
        return x * (1 - progress).view(-1, 1, 1, 1)


class Noise:
    sources = 1
    value_range = (0.0, 2.0)

    def __call__(self, x, *, rng):
        return x + x.new_tensor(rng.random(x.shape))


KINDS = {
    "crop-flip": CropFlip,
    "mixup": Mixup,
    "half": HalfBox,
    "three": Three,
    "smooth": Smooth,
    "darker": Darker,
    "noise": Noise,
}
STREAMS = partial(stream, root=3, dataset="content", seed=1)


def streams(role, *extra):
    return STREAMS(role, extra=extra)


def pipeline_of(spec):
    def component(name):
        made = KINDS[name]()
        return Component("augmentation", name, tuple(sorted(vars(made).items())), label=name)

    return Pipeline(
        tuple(Stage(tuple(Member(component(n), p) for n, p in some)) for some in parsed(spec))
    )


def augmenter(spec, kinds=KINDS):
    return augmenter_of(pipeline_of(spec), lambda component: kinds[component.name](), streams)


def own(spec, stage=0, member=0):
    """The generator of a member of a stage, at its beginning."""
    return streams(Role.AUGMENTATION, *stage_words(pipeline_of(spec))[stage][1][member])


def choices(spec, stage=0):
    return streams(Role.CHOICE, *stage_words(pipeline_of(spec))[stage][0])


def batch(count=24, size=8, channels=3):
    rng = np.random.default_rng(count)
    images = torch.tensor(rng.random((count, channels, size, size), dtype=np.float32))
    return images, torch.tensor(rng.integers(CLASSES, size=count))


def partners_of(count):
    """Where the first and the second partner of each row stand."""
    return [torch.arange(count).roll(-k) for k in (1, 2)]


def run(spec, count=24, steps=(0, 24, 1), kinds=KINDS, size=8):
    """Sources as the harness picks them, then the mix; (images, targets)."""
    images, labels = batch(count, size)
    made = augmenter(spec, kinds)
    places = partners_of(count)[: made.sources - 1]
    rows = Rows([labels, *(labels[p] for p in places)], CLASSES, steps)
    ahead = made.ahead_of_mixer(images, rows)
    mixture = made.mix([ahead, *(ahead[p] for p in places)], rows)
    mixture.check(made.name)
    return mixture.images, mixture.targets(rows)


def one_hot(labels):
    return F.one_hot(labels, CLASSES).float()


def cropped(images, rng, frame):
    """torchvision's own crop and flip, image by image, on the draws of `crop-flip`."""
    count, _, height, width = images.shape
    places = rng.integers(0, 2 * frame + 1, size=(2, count)).T
    mirrored = rng.random(count) < 0.5
    done = []
    for image, (top, left), mirror in zip(images, places, mirrored, strict=True):
        moved = tv.crop(tv.pad(image, [frame] * 4), int(top), int(left), height, width)
        done.append(tv.hflip(moved) if mirror else moved)
    return torch.stack(done)


@pytest.mark.parametrize("spec", ["crop-flip+mixup", "mixup+crop-flip"])
def test_crop_flip_and_mixup_are_torchvisions_in_that_order(spec):
    images, labels = batch()
    first = spec.startswith("crop")
    crops = partial(cropped, rng=own(spec, stage=0 if first else 1), frame=1)
    lam = torch.tensor(own("mixup").beta(0.3, 0.3, size=24), dtype=torch.float32)
    expected = crops(images) if first else images
    # torchvision's mixup pairs an image with the one before it; here it is the one behind.
    (partner,) = partners_of(24)[:1]
    mixup = v2.MixUp(num_classes=CLASSES)
    wanted_images, wanted_targets = [], []
    for row in range(24):
        pair = torch.stack([expected[partner[row]], expected[row]])
        both = torch.stack([labels[partner[row]], labels[row]])
        params = {"labels": both, "batch_size": 2, "lam": float(lam[row])}
        wanted_images.append(mixup.transform(pair, params)[1])
        wanted_targets.append(mixup.transform(params["labels"], params)[1])
    expected = torch.stack(wanted_images)
    got, targets = run(spec)
    torch.testing.assert_close(got, expected if first else crops(expected))
    torch.testing.assert_close(targets, torch.stack(wanted_targets))


@pytest.mark.parametrize("switch", [0.2, 0.5])
@pytest.mark.parametrize("probability", [1.0, 0.7])
def test_a_choice_of_mixers_is_timms_switching_for_each_image(monkeypatch, switch, probability):
    timm = pytest.importorskip("timm.data.mixup", reason="timm is not installed")
    spec = f"mixup@{probability * (1 - switch):.12g}|half@{probability * switch:.12g}"
    drawn = choices(spec).random(24)
    lam = own(spec).beta(0.3, 0.3, size=24).astype(np.float32)
    cut, mixed = drawn >= probability * (1 - switch), drawn < probability
    theirs = timm.Mixup(cutmix_alpha=1, mode="elem", label_smoothing=0, num_classes=CLASSES)
    monkeypatch.setattr(
        theirs, "_params_per_elem", lambda count: (np.where(mixed, np.where(cut, 0.5, lam), 1), cut)
    )
    monkeypatch.setattr(timm, "cutmix_bbox_and_lam", lambda *a, **k: ((0, 8, 4, 8), 0.5))
    images, labels = batch()
    expected, expected_targets = theirs(images.clone(), labels)
    made = augmenter(spec)
    rows = Rows([labels, labels.flip(0)], CLASSES, (0, 24, 1))  # timm's partners
    mixture = made.mix([images, images.flip(0)], rows)
    torch.testing.assert_close(mixture.images, expected)
    torch.testing.assert_close(mixture.targets(rows), expected_targets)
    assert cut[mixed].any()
    assert not cut[mixed].all()


def test_mixup_draws_alike_alone_on_a_base_and_behind_a_probability():
    _, alone = run("mixup")
    _, labels = batch()
    for spec in ("crop-flip+mixup", "noise@0.5+mixup", "mixup+noise", "crop-flip+noise+mixup"):
        assert torch.equal(run(spec)[1], alone)
    _, sometimes = run("mixup@0.5")
    here = torch.from_numpy(choices("mixup@0.5").random(24) < 0.5)
    assert torch.equal(sometimes, torch.where(here[:, None], alone, one_hot(labels)))
    assert 0 < here.sum() < 24


def test_a_bases_crops_are_common_to_all_arms_and_repeated_stages_draw_anew():
    base, _ = run("crop-flip")
    images, labels = batch()
    rows = Rows([labels, labels], CLASSES, (0, 24, 1))
    for spec in ("crop-flip+mixup", "crop-flip+smooth", "crop-flip+half@0.5"):
        assert torch.equal(augmenter(spec).ahead_of_mixer(images, rows), base)
    twice, _ = run("crop-flip+crop-flip")
    again = CropFlip()(base, rng=own("crop-flip"))
    assert not torch.equal(twice, again)
    assert torch.equal(twice, CropFlip()(base, rng=own("crop-flip+crop-flip", stage=1)))


def test_partners_are_picked_from_what_stands_ahead_of_the_mixer():
    images, _ = batch()
    crops = cropped(images, own("crop-flip"), 1)
    got, _ = run("crop-flip+half")
    (partner,) = partners_of(24)[:1]
    assert torch.equal(got[..., :4], crops[..., :4])
    assert torch.equal(got[..., 4:], crops[partner][..., 4:])


def test_a_stage_behind_the_mixer_works_on_the_mix_and_leaves_the_label():
    got, targets = run("half+crop-flip")
    mix, alone = run("half")
    assert torch.equal(got, cropped(mix, own("crop-flip"), 1))
    assert torch.equal(targets, alone)


def test_a_probability_leaves_the_other_images_and_their_labels_as_they_are():
    images, labels = batch()
    got, targets = run("half@0.5")
    here = torch.from_numpy(choices("half@0.5").random(24) < 0.5)
    whole, halves = run("half")
    assert torch.equal(got[here], whole[here])
    assert torch.equal(got[~here], images[~here])
    assert torch.equal(targets[here], halves[here])
    assert torch.equal(targets[~here], one_hot(labels)[~here])


def test_mixers_of_different_numbers_of_sources_are_drawn_among():
    spec = "mixup@0.4|three@0.4"
    got, targets = run(spec)
    images, labels = batch()
    drawn = choices(spec).random(24)
    pair, triple = drawn < 0.4, (drawn >= 0.4) & (drawn < 0.8)
    for chosen, expected in ((pair, run("mixup")), (triple, run("three"))):
        assert chosen.any()
        torch.testing.assert_close(got[chosen], expected[0][chosen])
        torch.testing.assert_close(targets[chosen], expected[1][chosen])
    rest = ~(pair | triple)
    assert rest.any()
    assert torch.equal(got[rest], images[rest])
    assert torch.equal(targets[rest], one_hot(labels)[rest])


def test_a_class_distribution_is_the_target_and_torchs_label_smoothing():
    _, targets = run("crop-flip+smooth")
    _, labels = batch()
    logits = torch.randn(24, CLASSES, generator=torch.Generator().manual_seed(0))
    ours = -(targets * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(ours, F.cross_entropy(logits, labels, label_smoothing=0.1))


def test_distributions_and_weights_are_drawn_among():
    spec = "smooth|mixup"
    _, targets = run(spec)
    smoothed = choices(spec).random(24) < 0.5
    torch.testing.assert_close(targets[smoothed], run("smooth")[1][smoothed])
    torch.testing.assert_close(targets[~smoothed], run("mixup")[1][~smoothed])


@given(st.integers(0, 5), st.integers(1, 4), st.integers(1, 6), st.integers(0, 7))
def test_progress_is_the_share_done_before_a_rows_step(first, steps, size, more):
    whole = first + 1 + more  # a last block may reach beyond the end
    rows = Rows([torch.zeros(steps * size, dtype=torch.long)], CLASSES, (first, size, whole))
    expected = [min(first + step, whole - 1) / whole for step in range(steps) for _ in range(size)]
    assert rows.progress.tolist() == pytest.approx(expected)
    assert rows.progress.dtype == torch.float32
    by_step = torch.cat([one.progress for one in rows.by_step()])
    assert torch.equal(by_step, rows.progress)


def test_a_stage_is_told_the_progress_of_its_rows():
    images, _ = batch()
    got, _ = run("darker", steps=(2, 6, 8))
    done = torch.tensor([2, 3, 4, 5]).repeat_interleave(6) / 8
    torch.testing.assert_close(got, images * (1 - done).view(-1, 1, 1, 1))


def faulty(call, sources=1, **attributes):
    return type("Faulty", (), {"sources": sources, "__call__": call, **attributes})


def in_place(self, x, *, labels, rng):
    labels[0].fill_(0)
    return x


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            faulty(lambda self, x, *, classes, rng: x, returns_distribution=True),
            r"expected a tuple \(image, class distribution\), got Tensor",
        ),
        (
            faulty(
                lambda self, x, *, classes, rng: (x, torch.ones(len(x))), returns_distribution=True
            ),
            r"expected a class distribution of shape \[24, 4\], got \[24\]",
        ),
        (
            faulty(
                lambda self, x, *, classes, rng: (x, torch.ones(len(x), classes)),
                returns_distribution=True,
            ),
            r"expected class probabilities in \[0, 1\] whose rows sum to 1, got .* off by 3",
        ),
        (faulty(lambda self, x, *, rng: (x, torch.zeros(len(x)))), "expected weights in"),
        (faulty(in_place, needs=frozenset({"labels"})), "changes its inputs"),
        (faulty(lambda self, x, *, rng: x.mul_(2)), "changes its inputs"),
    ],
)
@pytest.mark.parametrize("spec", ["faulty", "faulty|smooth"])
def test_what_breaks_the_contract_is_told(monkeypatch, kind, message, spec):
    monkeypatch.setitem(KINDS, "faulty", kind)
    with pytest.raises(ContractError, match=message):
        run(spec)
