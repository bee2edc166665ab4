"""Two studies side by side: what they share, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from augbench.options import differing, titled
from augbench.plugins.parameters import split
from augbench.protocol.readouts import check_metric
from augbench.protocol.shift import ShiftTest
from augbench.results import Pair, StudyResult, View
from augbench.statistics import MeanInterval, mean_interval, paired_difference
from augbench.store import Disagreement, disagreements

__all__ = ["SideBySide", "StoreComparison", "compare"]


@dataclass(frozen=True)
class SideBySide:
    """The first study's metric, by default accuracy, at one place of both studies.

    `difference` is second − first, paired by seed.
    `second_pair` is what the second study calls the data sets of `pair`: their images are the same.
    """

    pair: Pair
    second_pair: Pair
    augmentation: str
    samples_per_class: int
    first: MeanInterval
    second: MeanInterval
    difference: MeanInterval


@dataclass(frozen=True)
class StoreComparison:
    """Everything that `augbench compare` prints.

    `settings` and `environments` hold what differs, as (name, first, second). `same_keys` counts
    the cells that both computed under the very same key, `disagree` lists those among them whose
    metrics differ by more than rounding; `only_first` and `only_second` count computed cells
    whose key the other lacks. `unlike` names the data sets of one name, but not of one content.
    `resplit` names those of the first study that the second has under another split: the same
    folder, of which other images are tested on. Their rows are compared, by the seeds' numbers
    alone: no seed draws the same images in both.
    `views` are what `rows` are about in each study: the first study's leading view, if the second
    has it too, or else each study's own.
    """

    settings: tuple[tuple[str, str, str], ...]
    environments: tuple[tuple[str, str, str], ...]
    same_keys: int
    only_first: int
    only_second: int
    disagree: tuple[tuple[str, tuple[Disagreement, ...]], ...]
    rows: tuple[SideBySide, ...]
    unlike: tuple[str, ...] = ()
    resplit: tuple[str, ...] = ()
    views: tuple[View, View] = (View(), View())


def compare(
    first: StudyResult, second: StudyResult, *, confidence: float = 0.95
) -> StoreComparison:
    """Set two studies side by side.

    Cells of the same key must agree. Beyond that, the first study's metric is compared wherever
    both studies have the same pair, augmentation and size, whatever else they differ in; seeds are
    paired by their number, and both sides of a difference have the same seeds. Pairs are the same
    where
    their data sets' contents are, whatever these are called and wherever they lie, or where they
    are splits of one folder.
    """
    if first.view in second.views:
        second = second.at(view=first.view)
    if first.budget in second.budgets:
        second = second.at(first.budget)
    check_metric(first.metric, second.view.readout)
    cells = [
        {cell.key: cell for cell in one.cells if cell.status == "ok"} for one in (first, second)
    ]
    both = [key for key in cells[0] if key in cells[1]]
    disagree = []
    for key in both:
        one, other = cells[0][key].result, cells[1][key].result
        assert one is not None
        assert other is not None
        if found := disagreements(one.metrics, other.metrics, images=8 * len(one.correct)):
            disagree.append((cells[0][key].place, found))
    return StoreComparison(
        settings=_differences(*_settings(first, second)),
        environments=_differences(_environments(first), _environments(second)),
        same_keys=len(both),
        only_first=len(cells[0]) - len(both),
        only_second=len(cells[1]) - len(both),
        disagree=tuple(disagree),
        rows=tuple(_rows(first, second, confidence)),
        unlike=tuple(
            name
            for name, content in _contents(first).items()
            if _contents(second).get(name, content) != content
            and not _is_resplit(_info(first, name), _info(second, name))
        ),
        resplit=tuple(
            name
            for name in _contents(first)
            if any(_is_resplit(_info(first, name), _info(second, one)) for one in _contents(second))
        ),
        views=(first.view, second.view),
    )


def _contents(study: StudyResult) -> dict[str, str]:
    """The content hash of each data set, by its name."""
    datasets = study.stored.description["datasets"]
    return {name: info["content_hash"] for name, info in datasets.items()}


def _info(study: StudyResult, name: str) -> Mapping[str, Any]:
    """All that is stored of a data set."""
    info: Mapping[str, Any] = study.stored.description["datasets"][name]
    return info


def _is_resplit(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True for two splits of one folder: specs that differ in the parameter `split` alone."""
    if one["content_hash"] == other["content_hash"]:
        return False
    specs = [info.get("spec", "").partition(":") for info in (one, other)]
    parts = [(kind, split(parameters)) for kind, _, parameters in specs]
    splits = [named.pop("split", "0") for _, (_, named) in parts]
    return parts[0] == parts[1] and splits[0] != splits[1]


def _same_pair(pair: Pair, first: StudyResult, second: StudyResult) -> Pair | None:
    """The second study's pair of the same images, or of another split of the same folders.

    Among several, the one of the same names, if it is there.
    """
    ours, theirs = _contents(first), _contents(second)
    wanted = [ours[name] for name in pair]
    same = [other for other in second.pairs if [theirs[name] for name in other] == wanted]
    same = same or [
        other
        for other in second.pairs
        if all(
            ours[a] == theirs[b] or _is_resplit(_info(first, a), _info(second, b))
            for a, b in zip(pair, other, strict=True)
        )
    ]
    return pair if pair in same else next(iter(same), None)


def _rows(first: StudyResult, second: StudyResult, confidence: float) -> list[SideBySide]:
    sizes = [size for size in first.sizes if size in second.sizes]
    seeds = min(first.seeds, second.seeds)
    rows = []
    for pair in first.pairs:
        second_pair = _same_pair(pair, first, second)
        for label in first.augmentations:
            if second_pair is None or label not in second.augmentations:
                continue
            for size in sizes:
                one = first.values(pair, label, (size,))[:seeds, 0]
                other = second.values(second_pair, label, (size,), first.metric)[:seeds, 0]
                difference = paired_difference(other, one, confidence=confidence)
                if difference.n:
                    paired = one + 0 * other, other + 0 * one  # NaN where either is missing
                    means = [mean_interval(side, confidence=confidence) for side in paired]
                    rows.append(
                        SideBySide(pair, second_pair, label, size, means[0], means[1], difference)
                    )
    return rows


def _settings(first: StudyResult, second: StudyResult) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of both studies; an arm that only one has is one entry."""
    told = []
    names = _names_in(first, second)
    for one, other in ((first, second), (second, first)):
        called = names if one is second and second is not first else {}
        description = titled(_renamed(one.stored.description, called))
        description["arms"] = {
            arm["label"]: _arm(arm) if arm["label"] in other.augmentations else "yes"
            for arm in description["arms"]
        }
        description["backbone"] = _component(description["backbone"])
        if "tuning" in description:
            description["tuning"] = _tuning(description["tuning"])
        if "shift" in description:
            description["shift"] = _shift(description["shift"])
        told.append(description)
    return told[0], told[1]


def _names_in(first: StudyResult, second: StudyResult) -> dict[str, str]:
    """What the first study calls the data sets of the second that it calls otherwise."""
    ours, theirs = _contents(first), _contents(second)
    by_content = {content: name for name, content in ours.items() if name not in theirs}
    return {
        name: by_content[content]
        for name, content in theirs.items()
        if name not in ours and content in by_content
    }


def _renamed(description: Mapping[str, Any], called: Mapping[str, str]) -> dict[str, Any]:
    """A study with other names for its data sets, each of which is told."""
    return {
        **description,
        "pairs": [[called.get(name, name) for name in pair] for pair in description["pairs"]],
        "datasets": {
            called.get(name, name): {**info, **({"called": name} if name in called else {})}
            for name, info in description["datasets"].items()
        },
    }


def _arm(arm: Mapping[str, Any]) -> dict[str, Any]:
    """An arm's augmentations, by their labels, and its own settings."""
    parts = {one["label"]: _component(one) for stage in arm["pipeline"] for one in stage}
    return {
        **(parts[arm["label"]] if [*parts] == [arm["label"]] else parts),
        **arm.get("settings", {}),
    }


def _tuning(told: Mapping[str, Any]) -> dict[str, Any]:
    """The design of a tuning, without the values of its trials, which follow from it."""
    return {
        "trials": told["trials"],
        "seeds": "within every seed" if told["seeds"] is None else told["seeds"],
        "spaces": told["spaces"],
        "validation images a class": min((row[-1] for row in told["validation"]), default="folds"),
    }


def _shift(told: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The corruptions by name, with the beginning of the hash of their code."""
    tests = map(ShiftTest.from_json, told)
    return {one.kind: f"source {one.component.source_hash[:12]}" for one in tests}


def _component(component: Mapping[str, Any]) -> dict[str, Any]:
    """What tells a component from another one, without what is for people or for keys."""
    left = {"kind", "label", "varied"}
    return {name: value for name, value in component.items() if name not in left}


def _environments(result: StudyResult) -> dict[str, str]:
    """Each entry of the environments that the study's cells ran in; several values are joined."""
    found: dict[str, dict[str, None]] = {}
    for cell in result.cells:
        if cell.result is not None:
            for name, value in {**cell.environment, "device": cell.device}.items():
                found.setdefault(name, {})[str(value)] = None
    return {name: ", ".join(values) for name, values in found.items()}


def _differences(
    first: Mapping[str, Any], second: Mapping[str, Any]
) -> tuple[tuple[str, str, str], ...]:
    """(name, first, second) of what differs; what only the second has comes last, in its order."""
    rows = [row for row in differing(first, second, lacking={}) if row[1] != {}]
    back = differing(second, first, lacking={})
    rows += [(path, {}, own) for path, own, lacked in back if lacked == {}]
    told = [(".".join(path), _text(one), _text(other)) for path, one, other in rows]
    return tuple(row for row in told if row[1] != row[2])


def _text(value: Any) -> str:
    if value == {}:
        return "–"
    plain = isinstance(value, list) and not any(isinstance(one, list) for one in value)
    return ", ".join(map(str, value)) if plain else str(value)
