"""Two studies side by side: what they share, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from augbench.options import titled
from augbench.results import Pair, StudyResult
from augbench.statistics import MeanInterval, mean_interval, paired_difference
from augbench.store import Disagreement, disagreements

__all__ = ["SideBySide", "StoreComparison", "compare"]


@dataclass(frozen=True)
class SideBySide:
    """Accuracy at one place of both studies; `difference` is second − first, paired by seed."""

    pair: Pair
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
    whose key the other lacks.
    """

    settings: tuple[tuple[str, str, str], ...]
    environments: tuple[tuple[str, str, str], ...]
    same_keys: int
    only_first: int
    only_second: int
    disagree: tuple[tuple[str, tuple[Disagreement, ...]], ...]
    rows: tuple[SideBySide, ...]


def compare(
    first: StudyResult, second: StudyResult, *, confidence: float = 0.95
) -> StoreComparison:
    """Set two studies side by side.

    Cells of the same key must agree. Beyond that, accuracies are compared wherever both studies
    have the same pair, augmentation and size, whatever else they differ in; seeds are paired by
    their number, and both sides of a difference have the same seeds.
    """
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
    )


def _rows(first: StudyResult, second: StudyResult, confidence: float) -> list[SideBySide]:
    sizes = [size for size in first.sizes if size in second.sizes]
    seeds = min(first.seeds, second.seeds)
    rows = []
    for pair in first.pairs:
        for label in first.augmentations:
            if pair not in second.pairs or label not in second.augmentations:
                continue
            for size in sizes:
                one, other = (
                    study.values(pair, label, (size,))[:seeds, 0] for study in (first, second)
                )
                difference = paired_difference(other, one, confidence=confidence)
                if difference.n:
                    paired = one + 0 * other, other + 0 * one  # NaN where either is missing
                    means = [mean_interval(side, confidence=confidence) for side in paired]
                    rows.append(SideBySide(pair, label, size, means[0], means[1], difference))
    return rows


def _settings(first: StudyResult, second: StudyResult) -> tuple[dict[str, str], dict[str, str]]:
    """The settings of both studies, flat; an arm that only one has is one entry."""
    flat = []
    for one, other in ((first, second), (second, first)):
        description = titled(one.stored.description)
        description["arms"] = {
            arm["label"]: _arm(arm) if arm["label"] in other.augmentations else "yes"
            for arm in description["arms"]
        }
        description["backbone"] = _component(description["backbone"])
        flat.append(_flat(description))
    return flat[0], flat[1]


def _arm(arm: Mapping[str, Any]) -> dict[str, Any]:
    """An arm's augmentations, by their labels, and its own settings."""
    parts = {one["label"]: _component(one) for stage in arm["pipeline"] for one in stage}
    return {
        **(parts[arm["label"]] if [*parts] == [arm["label"]] else parts),
        **arm.get("settings", {}),
    }


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


def _flat(node: Any, name: str = "") -> dict[str, str]:
    if isinstance(node, Mapping):
        return {
            key: value
            for part, inner in node.items()
            for key, value in _flat(inner, f"{name}.{part}" if name else str(part)).items()
        }
    return {name: str(node)}


def _differences(
    first: Mapping[str, str], second: Mapping[str, str]
) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (name, first.get(name, "–"), second.get(name, "–"))
        for name in dict.fromkeys([*first, *second])
        if first.get(name) != second.get(name)
    )
