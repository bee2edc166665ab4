"""Stores filled with invented results: everything that reports read, without any training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from augbench.datasets.contract import DatasetInfo
from augbench.labels import encode
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Pipeline
from augbench.protocol.cell_result import CellResult, TrainingCurve
from augbench.protocol.readouts import READOUTS
from augbench.protocol.shift import ShiftTest
from augbench.protocol.study import Arm, Budget, Cell, Settings, Study
from augbench.store import Store
from augbench.tuning.points import trial_values
from augbench.tuning.search import Search
from augbench.tuning.spaces import Dimension

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
    primary_budget=None,
    in_epochs=False,
    readouts=("linear",),
    finetune_sizes=(),
    tuning=None,
    shift=(),
    operations=(),
):
    """A study of these labels on these pairs of data set names; `budgets` are steps or epochs.

    `tuning` are the keyword arguments of `search`; `shift` are kinds of corruptions, and
    `operations` what all arms but the baseline do.
    """
    names = {name: None for pair in pairs for name in pair}
    infos = {n: dataset(n, classes=classes, number=i + 1) for i, n in enumerate(names)}
    labels = ((baseline,) if baseline else ()) + tuple(augmentations)
    study = Study(
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
        primary_budget=Budget(primary_budget, in_epochs) if primary_budget else None,
        baseline=arm(baseline, settings) if baseline else None,
        ruler_sizes=tuple(ruler),
        references=references,
        readouts=tuple(readouts),
        finetune_sizes=tuple(finetune_sizes),
        shift=shift_tests(*shift),
    )
    return study if tuning is None else replace(study, search=search(study, **tuning))


RATES = Dimension("learning_rate", 0.001, 0.1, log=True)
ALPHAS = Dimension("mixup.alpha", 0.05, 2.0, log=True)


def search(study, *, trials=4, seeds=2, within=False, validation=32, asked=32):
    """A search over the learning rate of every arm, and alpha of `mixup`."""
    spaces = {
        one.label: (RATES, ALPHAS) if one.label.startswith("mixup") else (RATES,)
        for one in study.arms
    }
    values = {label: tuple(trial_values(space, trials)) for label, space in spaces.items()}
    sizes = study.finetune_sizes or (study.settings.finetune_samples_per_class,)
    return Search(
        arms={
            one.label: tuple(_tried(one, own) for own in values[one.label]) for one in study.arms
        },
        spaces=spaces,
        values=values,
        trials=trials,
        seeds=seeds,
        within=within,
        outside=max(study.samples_per_class),
        validation={
            (a.content_hash, b.content_hash, size): validation
            for a, b in study.pairs
            for size in sizes
        },
        asked=asked,
    )


def _tried(one, values):
    settings = {name: value for name, value in values.items() if "." not in name}
    alpha = values.get("mixup.alpha")
    pipeline = one.pipeline if alpha is None else Pipeline.of(augmentation(f"mixup:alpha={alpha}"))
    return replace(one, pipeline=pipeline, settings=replace(one.settings, **settings))


EFFECTS = {"linear": 1, "own-head": 1, "knn": -1, "full": 0}
"""How each readout takes what an augmentation does: nearest neighbours turn it round."""


def invent(cell, study):
    """A result like a trained cell's: a rising curve, seeds that share their luck, some noise.

    A budget that is shorter than the study's longest costs every arm a little, and the arms but the
    baseline more, the more labels there are. A readout takes the effect as `EFFECTS` says; tuned,
    every arm gains five points and the others but the baseline lose what they were worth.
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
    view = [
        list(EFFECTS).index(cell.readout),
        cell.finetune_size or 0,
        int(cell.chosen is not None),
    ]
    unusual = [cell.budget.amount * (short > 0), *view]
    rng = np.random.default_rng(
        [*own, *unusual] if any(view) else [*own, cell.budget.amount] if short else own
    )
    level = {0: -1.0, None: 9.0}.get(size) if size in (0, None) else np.log2(size)
    truth = 0.55 + 0.05 * level - 0.08 * pair + luck
    if number:
        effect = (0.05 - 0.012 * level) * (1.5 - number % 3) - 0.02 * level * short
        truth += effect * EFFECTS[cell.readout] * (cell.chosen is None)
    truth -= 0.03 * short
    truth += 0.05 * (cell.chosen is not None)
    share = float(np.clip(truth + rng.normal(0, 0.012), 0.02, 0.98))
    correct = rng.random(TEST_IMAGES) < share
    accuracy = float(correct.mean())
    nll = -float(np.log(accuracy)) * 1.3 + 0.05 * rng.random()
    steps = tuple(cell.pretrain_steps * k // 20 for k in range(1, 21))
    rate = 12 if not number else 4 + 8 * (1 - short)  # arms but the baseline take longer
    fall = [float(0.1 + np.exp(-rate * k / 20) + 0.01 * rng.random()) for k in range(20)]
    curve = TrainingCurve(steps, tuple(fall), tuple(1 - value / 3 for value in fall))
    metrics = {
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
    }
    readout, shared = READOUTS[cell.readout], ("pretrain_", "extra_")
    return CellResult(
        cell.key,
        {
            **{k: v for k, v in metrics.items() if k.startswith(shared) or readout.has(k)},
            **_under_shift(cell, study, accuracy),
        },
        {"pretrain": curve, **({"finetune": curve} if readout.steps_setting else {})},
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


def invent_trial(cell, study):
    """A trial's result: best at a rate of 0.02; at one above 0.03, it diverges."""
    number = [one.label for one in study.arms].index(cell.arm.label)
    rate = cell.settings.learning_rate
    if rate > 0.03:
        return CellResult(cell.key, {"accuracy": 1 / len(cell.finetune.classes), "diverged": 1.0})
    trial = cell.trial
    luck = np.random.default_rng([9, cell.seed % 1000, number, trial.number, trial.fold])
    distance = abs(np.log10(rate / 0.02))
    return CellResult(cell.key, {"accuracy": 0.7 - 0.2 * distance + 0.02 * luck.random()})


def _tune(store, number, study, environment, *, untried=0):
    """Make the trials but the last `untried`, and the results of what they choose."""
    trials = list(study.search.cells(study))
    for cell in trials[: len(trials) - untried]:
        store.record(cell, invent_trial(cell, study), environment, "cpu")
    if untried:
        return
    tuned = study.search.tuned_cells(study, store.finished(cell.key for cell in trials))
    store.plan_tuned(number, tuned)
    for cell in tuned:
        store.record(cell, invent(cell, study), environment, "cpu")


def fill(
    folder,
    study,
    *,
    fail=(),
    skip=(),
    low=(),
    command="augbench run",
    environment=None,
    untried=0,
):
    """Write the study to a store; `fail`, `skip` and `low` are (label, samples per class, seed).

    The cells of `low` collapsed. Of a tuned study, the last `untried` trials are missing.
    """
    with Store.open(folder) as store:
        trials = [] if study.search is None else study.search.cells(study)
        number = store.plan(study, [*study.cells(), *trials], command)
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
        if study.search is not None:
            _tune(store, number, study, environment or ENVIRONMENT, untried=untried)
    return number


__all__ = ["ENVIRONMENT", "Cell", "augmentation", "dataset", "fill", "invent", "make_study"]
