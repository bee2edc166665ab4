"""The kit supplies labels and progress, takes class distributions, and finds what breaks these."""

import pytest
import torch
from torch.nn import functional as F

from augbench.testing import check_augmentation
from augbench.testing.strategies import Case


class Smooth:
    """Label smoothing."""

    sources = 1
    needs = frozenset({"labels"})
    returns_distribution = True

    def __init__(self, epsilon: float = 0.1):
        self.epsilon = epsilon

    def __call__(self, x, *, labels, classes, rng):
        sharp = F.one_hot(labels[0], classes).to(x.dtype)
        return x, (1 - self.epsilon) * sharp + self.epsilon / classes


class Tokens:
    """Like TokenMix: rows of either image; a label counts by the light that is left of its own."""

    sources = 2
    needs = frozenset({"labels"})
    returns_distribution = True

    def __call__(self, x_i, x_j, *, labels, classes, rng):
        drawn = rng.random((len(x_i), 1, x_i.shape[2], 1)) < 0.5
        mask = x_i.new_tensor(drawn)
        light = torch.stack([(mask * x_i).sum((1, 2, 3)), ((1 - mask) * x_j).sum((1, 2, 3))], dim=1)
        share = (light + 1e-3) / (light + 1e-3).sum(dim=1, keepdim=True)
        one, other = (F.one_hot(one, classes) for one in labels)
        return mask * x_i + (1 - mask) * x_j, share[:, :1] * one + share[:, 1:] * other


class Within:
    """Mixes images of one class alone."""

    sources = 2
    needs = frozenset({"labels"})

    def __call__(self, x_i, x_j, *, labels, rng):
        lam = torch.where(labels[0] == labels[1], x_i.new_tensor(rng.random(len(x_i))), 1)
        share = lam.view(-1, 1, 1, 1)
        return share * x_i + (1 - share) * x_j, lam


class EndsEarly:
    """Mixup until a share of training is done."""

    sources = 2
    needs = frozenset({"progress"})

    def __init__(self, until: float = 0.5):
        self.until = until

    def __call__(self, x_i, x_j, *, progress, rng):
        lam = torch.where(progress < self.until, x_i.new_tensor(rng.random(len(x_i))), 1)
        share = lam.view(-1, 1, 1, 1)
        return share * x_i + (1 - share) * x_j, lam


@pytest.mark.parametrize("kind", [Smooth, Tokens, Within, EndsEarly])
def test_what_keeps_the_contract_passes_and_every_check_that_applies_has_run(kind):
    report = check_augmentation(kind)
    assert report.ok, str(report)
    skipped = {result.check for result in report.results if result.status == "skipped"}
    assert skipped == {"layers"} | ({"shares"} if kind in (Smooth, Tokens) else set())


def smooth(call, **attributes):
    """Label smoothing whose distribution `call` spoils."""

    def spoilt(self, x, *, labels, classes, rng):
        return x, call(
            Smooth()(x, labels=labels, classes=classes, rng=rng)[1], labels, classes, rng
        )

    return type("Spoilt", (Smooth,), {"__call__": spoilt, **attributes})


def early(until):
    """Mixup until `until(progress)` says no."""

    def call(self, x_i, x_j, *, progress, rng):
        lam = torch.where(until(progress), x_i.new_tensor(rng.random(len(x_i))), 1)
        share = lam.view(-1, 1, 1, 1)
        return share * x_i + (1 - share) * x_j, lam

    return type("Spoilt", (EndsEarly,), {"__call__": call, "__init__": lambda self: None})


def one_draw(self, x_i, x_j, *, labels, rng):
    lam = torch.where(labels[0] == labels[1], x_i.new_tensor(rng.random()), 1)
    share = lam.view(-1, 1, 1, 1)
    return share * x_i + (1 - share) * x_j, lam


def overwrites(self, x, *, labels, classes, rng):
    result = Smooth()(x, labels=labels, classes=classes, rng=rng)
    labels[0].zero_()
    return result


@pytest.mark.parametrize(
    ("kind", "check", "message"),
    [
        (
            smooth(lambda given, labels, classes, rng: F.one_hot(labels[0], classes)),
            "type",
            "expected class probabilities as a tensor of floats, got int64",
        ),
        (
            smooth(lambda given, labels, classes, rng: given[:, :-1]),
            "shape",
            "expected class probabilities of shape [1, 2], got [1, 1]",
        ),
        (
            smooth(lambda given, labels, classes, rng: given[:, 0]),
            "shape",
            "expected class probabilities of shape [1, 2], got [1]",
        ),
        (
            smooth(lambda given, labels, classes, rng: given + 0.1),
            "weights",
            "the class probabilities of row 0 are",
        ),
        (
            smooth(lambda given, labels, classes, rng: given.to("meta")),
            "device",
            "the sources are on cpu, the class probabilities are on meta",
        ),
        (
            smooth(
                lambda given, labels, classes, rng: given.mean(0, keepdim=True).expand_as(given)
            ),
            "rows",
            "the class probabilities of row",
        ),
        (early(lambda progress: progress[:1].expand_as(progress) < 0.5), "rows", "and progress of"),
        (early(lambda progress: progress < progress.mean() + 0.01), "rows", "and progress of row"),
        (
            type("OneDraw", (Within,), {"__call__": one_draw}),
            "draws",
            "one draw for the whole batch",
        ),
        (type("Overwrites", (Smooth,), {"__call__": overwrites}), "inputs", "labels 0 was changed"),
        (
            type("NoTuple", (Smooth,), {"__call__": lambda self, x, *, labels, classes, rng: x}),
            "type",
            "expected a tuple (image, class probabilities), got Tensor",
        ),
        (
            type("Vague", (Smooth,), {"returns_distribution": "yes"}),
            "declarations",
            "expected `returns_distribution` to be True or False, got 'yes'",
        ),
        (
            type("Forgetful", (Smooth,), {"needs": frozenset()}),
            "runs",
            "missing 1 required keyword-only argument: 'labels'",
        ),
    ],
)
def test_what_breaks_it_fails_that_check(kind, check, message):
    report = check_augmentation(kind, checks=[check])
    assert report[check].status == "failed", str(report)
    assert message in report[check].message


def test_a_division_by_progress_is_found_at_the_first_step():
    class Divides(EndsEarly):
        def __call__(self, x_i, x_j, *, progress, rng):
            return x_i * (progress / progress).view(-1, 1, 1, 1), torch.ones_like(progress)

    assert check_augmentation(Divides, checks=["finite"])["finite"].status == "failed"


def test_a_case_tells_labels_and_progress_of_its_images():
    for seed in range(20):
        case = Case(n=8, seed=seed)
        labels = torch.stack(case.labels(3))
        assert labels.shape == (3, 8)
        assert labels.dtype == torch.int64
        assert 0 <= labels.min() <= labels.max() < case.classes
        progress = case.progress()
        assert (progress.shape, progress.dtype) == ((8,), torch.float32)
        assert 0 <= progress.min() <= progress.max() < 1
        assert torch.equal(progress, Case(n=8, seed=seed).progress())
    pairs = torch.stack(Case(n=64, seed=1).labels(2))
    assert (pairs[0] == pairs[1]).any()
    assert (pairs[0] != pairs[1]).any()
    assert (Case(n=64, seed=1).progress() == 0).any()
