"""The design of a study's tuning in words: what a reviewer asks about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from augbench.protocol.metrics import PRIMARY
from augbench.results import Pair, StudyResult, Tuning

__all__ = ["design_line", "shortfall", "trial_counts", "tuning_facts"]


def trial_counts(result: StudyResult, augmentation: str | None = None) -> Counter[str]:
    """The trials of an arm, or of all, by `ok`, `diverged`, `failed` and `missing`.

    Those that data sets of one content, or arms of one kind, share are counted once.
    """
    trials = {cell.key: cell for cell in result.trials if augmentation in (None, cell.augmentation)}
    return Counter(
        "diverged" if cell.result and cell.result.metrics.get("diverged") else cell.status
        for cell in trials.values()
    )


def design_line(tuning: Tuning, pair: Pair) -> str:
    """The design in one line: trials, who chooses, on what, and what intervals are for."""
    if tuning.within:
        return (
            f"Tuned: {tuning.trials} trials for every arm, size and seed, of which each seed "
            f"chooses on {_images(tuning, pair)}; intervals cover tuning and training."
        )
    seeds = "1 seed that is" if tuning.seeds == 1 else f"{tuning.seeds} seeds that are"
    return (
        f"Tuned: {tuning.trials} trials for every arm and size, chosen on {_images(tuning, pair)} "
        f"by {seeds} not reported; intervals are for these settings, not for tuning."
    )


def tuning_facts(result: StudyResult) -> list[tuple[str, str]]:
    """(question, answer) of each fact about a study's tuning; none where it is not tuned."""
    return list(_facts(result))


def _facts(result: StudyResult) -> Iterator[tuple[str, str]]:
    tuning = result.tuning
    if tuning is None:
        return
    for label in result.augmentations:
        told = [f"{one.label} in {one.range}" for one in tuning.spaces(label)]
        yield f"tuned of {label}", ", ".join(told) or "nothing"
    yield "trials", f"{tuning.trials} for every arm and size, the first at its defaults"
    yield "chosen by", _choosers(tuning)
    for pair in result.pairs:
        for title, tell in (("chosen on", _images), ("labels used to choose", _labels)):
            answers: dict[str, list[str]] = {}
            for view in result.views:
                own = result.about(PRIMARY.name).at(view=view).tuning
                if view.tuned == result.view.tuned and own is not None:
                    answers.setdefault(tell(own, pair), []).append(view.reading)
            for answer, readings in answers.items():
                by = f", {', '.join(readings)}" if len(answers) > 1 else ""
                of = f", {pair[0]} → {pair[1]}" if len(result.pairs) > 1 else ""
                yield f"{title}{by}{of}", answer
    if any(view.readout == "own-head" for view in result.views) and 1 in result.sizes:
        yield "own-head at s = 1", "the choice of the next size: one image makes no folds"
    yield (
        "an interval is for",
        "tuning and training, done anew"
        if tuning.within
        else "the settings that were chosen: it does not cover that tuning anew may choose others",
    )
    counts = trial_counts(result)
    yield (
        "trainings to choose",
        f"{sum(counts.values()):,}: {counts['diverged']:,} diverged and score as guessing, "
        f"{counts['failed']:,} failed, {counts['missing']:,} not computed yet",
    )


def _choosers(tuning: Tuning) -> str:
    if tuning.within:
        return "every seed of the report for itself"
    return (
        f"the mean over {tuning.seeds} seed{'s' * (tuning.seeds != 1)} of which nothing else is "
        "reported"
    )


def _images(tuning: Tuning, pair: Pair) -> str:
    if tuning.by_folds:
        return "folds of the pretraining images"
    return f"{tuning.validation_images(pair)} validation images a class{shortfall(tuning, pair)}"


def shortfall(tuning: Tuning, pair: Pair) -> str:
    """A remark where there are fewer validation images than were asked for."""
    fewer = not tuning.by_folds and tuning.validation_images(pair) < tuning.asked
    return f" (fewer than the {tuning.asked} asked for)" if fewer else ""


def _labels(tuning: Tuning, pair: Pair) -> str:
    """The labelled images that choosing used, beyond those of the results."""
    description = tuning.result.stored.description
    classes = len(description["datasets"][pair[1]]["classes"])
    seeds, images = tuning.seeds, tuning.validation_images(pair)
    count = f"{seeds} seed{'s' * (seeds != 1)}"
    if tuning.by_folds:
        if tuning.within:
            return "none beyond those of pretraining"
        return f"up to {count} × s pretraining images a class"
    if tuning.within:
        whole = seeds * classes * images
        return f"up to {whole:,} of {pair[1]}: {count} × {classes} classes × {images} to validate"
    own = tuning.finetuning_images
    whole = seeds * classes * (images + own)
    return (
        f"up to {whole:,} of {pair[1]}: {count} × {classes} classes × ({images} to validate "
        f"+ {own} to finetune on); and {seeds} × s a class of {pair[0]} to pretrain on"
    )
