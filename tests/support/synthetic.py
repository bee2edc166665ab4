"""Stores filled with invented results: everything that reports read, without any training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from augbench.datasets.contract import DatasetInfo
from augbench.labels import encode
from augbench.plugins.components import Component
from augbench.protocol.cell_result import CellResult, TrainingCurve
from augbench.protocol.shift import ShiftTest
from augbench.protocol.study import Arm, Budget, Cell, Settings, Study
from augbench.store import Store

ENVIRONMENT = {"augbench": "0.1.0", "python": "3.11", "torch": "2.4", "cpu": "invented"}
TEST_IMAGES = 500


def dataset(name, *, classes=("a", "b", "c"), number=1):
    """A description of a data set that does not exist."""
    return DatasetInfo(
        name,
        f"{number:02x}" * 32,
        (1, 16, 16),
        tuple(classes),
        (300,) * len(classes),
        TEST_IMAGES,
        test_labels=encode(true_labels(len(classes)), len(classes)),
    )


def true_labels(classes):
    """The labels of the test images: classes of the same size, but for a remainder."""
    return np.arange(TEST_IMAGES) % classes


def predictions(correct, classes):
    """Predicted classes that are right where `correct` says so, and else one too high."""
    labels = true_labels(classes)
    return encode(np.where(correct, labels, (labels + 1) % classes), classes)


def augmentation(label):
    """An augmentation of that label, with nothing behind it; `name:alpha=0.1` has a parameter."""
    name, _, told = label.partition(":")
    parameter, sign, value = told.partition("=")
    number = sign and value.replace(".", "", 1).isdigit()
    return Component(
        "augmentation",
        name,
        parameters=((parameter, float(value)),) if number else (),
        source_hash=name if number else label,
        varied=frozenset({parameter}) if number else frozenset(),
        label=label,
    )


def arm(label, settings=None):
    return Arm.of(augmentation(label), settings or Settings())


def shift_tests(*kinds):
    """Corrupted test sets of these kinds, each at three strengths; a kind is also its operation."""
    return tuple(
        ShiftTest(
            Component(
                "corruption",
                kind,
                parameters=(("strength", strength),),
                source_hash=kind,
                varied=frozenset({"strength"}),
                label=f"{kind}:strength={strength}",
            ),
            frozenset({kind}),
        )
        for kind in kinds
        for strength in (1, 2, 3)
    )


def make_study(
    augmentations=("mixup",),
    *,
    pairs=(("digits", "letters"),),
    sizes=(1, 2, 4, 8),
    seeds=8,
    baseline="none",
    ruler=(),
    references=False,
    settings=None,
    classes=("a", "b", "c"),
    budgets=(),
    in_epochs=False,
    shift=(),
    operations=(),
):
    """A study of these labels on these pairs of data set names; `budgets` are steps or epochs.

    `shift` are kinds of corruptions, and `operations` what all arms but the baseline do.
    """
    names = {name: None for pair in pairs for name in pair}
    infos = {n: dataset(n, classes=classes, number=i + 1) for i, n in enumerate(names)}
    labels = ((baseline,) if baseline else ()) + tuple(augmentations)
    return Study(
        pairs=tuple((infos[a], infos[b]) for a, b in pairs),
        arms=tuple(
            arm(label, settings)
            if label == baseline
            else replace(arm(label, settings), operations=frozenset(operations))
            for label in labels
        ),
        backbone=Component("backbone", "convnet", label="convnet"),
        samples_per_class=tuple(sizes),
        seeds=seeds,
        settings=settings or Settings(),
        budgets=tuple(Budget(amount, in_epochs) for amount in budgets),
        baseline=arm(baseline, settings) if baseline else None,
        ruler_sizes=tuple(ruler),
        references=references,
        shift=shift_tests(*shift),
    )


def invent(cell, study):
    """A result like a trained cell's: a rising curve, seeds that share their luck, some noise.

    A budget that is shorter than the study's longest costs every arm a little, and the arms but the
    baseline more, the more labels there are.
    """
    labels = [one.label for one in study.arms]
    number = labels.index(cell.arm.label)
    pair = [(p.name, f.name) for p, f in study.pairs].index(
        (cell.pretrain.name, cell.finetune.name)
    )
    size = cell.samples_per_class
    luck = np.random.default_rng([7, cell.seed, pair]).normal(0, 0.02)
    own = [8, cell.seed, pair, number, 999 if size is None else size]
    short = 1 - cell.budget.amount / study.all_budgets[-1].amount
    rng = np.random.default_rng([*own, cell.budget.amount] if short else own)
    level = {0: -1.0, None: 9.0}.get(size) if size in (0, None) else np.log2(size)
    truth = 0.55 + 0.05 * level - 0.08 * pair + luck
    if number:
        truth += (0.05 - 0.012 * level) * (1.5 - number % 3) - 0.02 * level * short
    truth -= 0.03 * short
    share = float(np.clip(truth + rng.normal(0, 0.012), 0.02, 0.98))
    correct = rng.random(TEST_IMAGES) < share
    accuracy = float(correct.mean())
    nll = -float(np.log(accuracy)) * 1.3 + 0.05 * rng.random()
    steps = tuple(cell.pretrain_steps * k // 20 for k in range(1, 21))
    rate = 12 if not number else 4 + 8 * (1 - short)  # arms but the baseline take longer
    fall = [float(0.1 + np.exp(-rate * k / 20) + 0.01 * rng.random()) for k in range(20)]
    curve = TrainingCurve(steps, tuple(fall), tuple(1 - value / 3 for value in fall))
    return CellResult(
        cell.key,
        {
            "accuracy": accuracy,
            "nll": nll,
            "ece": 0.1 + 0.05 * rng.random() - 0.02 * number,
            "temperature": 1.3,
            "nll_scaled": 0.9 * nll,
            "ece_scaled": 0.03 + 0.02 * rng.random(),
            "pretrain_accuracy": min(1.0, share + 0.1),
            "pretrain_nll": 0.8 * nll,
            "pretrain_seconds": 1.0,
            "extra_passes": 0,
            **_under_shift(cell, study, accuracy),
        },
        {"pretrain": curve, "finetune": curve},
        np.packbits(correct).tobytes(),
        1.0 + number,
        "reference",
        predicted=predictions(correct, len(cell.finetune.classes)),
    )


def _under_shift(cell, study, accuracy):
    """Accuracies that fall with the strength, in a way of each arm's and corruption's own."""
    found = {}
    for number, test in enumerate(study.shift):
        rng = np.random.default_rng([9, cell.seed, number, len(cell.arm.label)])
        share = accuracy * (1 - 0.08 * test.strength - 0.05 * rng.random())
        found[test.metric] = round(share * TEST_IMAGES) / TEST_IMAGES
    return found


def collapse(result, classes=3):
    """The result of a network that died: it guesses one of three classes."""
    correct = np.arange(TEST_IMAGES) % 3 == 0
    return replace(
        result,
        metrics={**result.metrics, "accuracy": float(correct.mean())},
        correct=np.packbits(correct).tobytes(),
        predicted=predictions(correct, classes),
    )


def fill(folder, study, *, fail=(), skip=(), low=(), command="augbench run", environment=None):
    """Write the study to a store; `fail`, `skip` and `low` are (label, samples per class, seed).

    The cells of `low` collapsed.
    """
    with Store.open(folder) as store:
        number = store.plan(study, study.cells(), command)
        for cell in study.cells():
            place = (cell.arm.label, cell.samples_per_class, cell.seed)
            if place in skip:
                continue
            result = invent(cell, study)
            if place in low:
                result = collapse(result, len(cell.finetune.classes))
            if place in fail:
                result = CellResult(
                    cell.key,
                    error="RuntimeError: the chain came off",
                    traceback="Traceback (most recent call last):\n  <chain>\nRuntimeError: off",
                )
            store.record(cell, result, environment or ENVIRONMENT, "cpu")
    return number


__all__ = ["ENVIRONMENT", "Cell", "augmentation", "dataset", "fill", "invent", "make_study"]
