"""The time that a study will take, from the times of cells that were trained before."""

from __future__ import annotations

import json
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from augbench.environment import describe_environment
from augbench.errors import AugbenchError
from augbench.executors.threads import cores
from augbench.protocol.study import Cell
from augbench.running.dealing import devices_of, unique_cells
from augbench.running.plan import Plan
from augbench.store import FILE_NAME, CellTime, Store
from augbench.training.packs import units_of

__all__ = ["Duration", "estimated", "missing_cells", "on_workers", "words", "worker_count"]

_LENGTH = {"pretrain_steps", "finetune_steps", "full_steps", "finetune_samples_per_class"}
"""Settings in which the cells of one pretraining may differ."""
_MANY = 10_000  # cells whose keys take seconds; they are not worth that to count a few less


@dataclass(frozen=True)
class Duration:
    """Seconds from the first step to the last result, and in words what they rest on."""

    seconds: float
    basis: str


def missing_cells(plan: Plan) -> list[Cell]:
    """The cells that the store in the plan's folder lacks; all of them without a store."""
    if not (plan.options.out / FILE_NAME).exists() and len(plan.cells) > _MANY:
        return list(plan.cells)
    cells = unique_cells(plan.cells)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Store.read(plan.options.out) as store:
                stored = store.finished([cell.key for cell in cells], plan.wanted)
                stored |= store.finished([cell.key for cell in cells if cell.trial is not None])
    except AugbenchError:
        return cells
    return [cell for cell in cells if cell.key not in stored]


def worker_count(plan: Plan) -> int | None:
    """The number of packs that train at a time; None where an executor elsewhere decides."""
    options = plan.options
    if options.executor is not None:
        return None
    devices = devices_of(options.device)
    if options.workers is None:
        return cores() if devices == ("cpu",) else len(devices)
    return max(1, options.workers)


def estimated(plan: Plan, missing: Sequence[Cell]) -> Duration | None:
    """The time for the `missing` cells, from what this machine's store has measured.

    A step of pretraining is taken to last as long as those of the same augmentation on the same
    data, backbone, engine and machine (of any augmentation, if that one is not there), the readout
    of a cell as long as others'. None where nothing alike was trained here.
    """
    slots = worker_count(plan)
    if slots is None or not missing:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Store.read(plan.options.out) as store:
                known = store.times()
    except AugbenchError:
        return None
    kind = devices_of(plan.options.device)[0].partition(":")[0]
    engine = "reference" if plan.options.engine == "reference" else "packed"
    here = describe_environment()
    alike = [
        one
        for one in known
        if (one.device == "cpu") == (kind == "cpu")
        and all(one.environment.get(name) == here[name] for name in ("cpu", "cores"))
    ]
    # What cannot be packed is trained by the reference, whatever the engine.
    alike = [one for one in alike if one.engine == engine] or alike
    seconds = _Rates(alike).seconds(missing)
    if seconds is None:
        return None
    if plan.study.search is not None:  # what the trials choose is trained once more
        results = [cell for cell in missing if cell.trial is None]
        seconds += _Rates(alike).seconds(results) or 0.0
    return Duration(
        on_workers(seconds, slots, len(units_of(missing))),
        f"from {len(alike):,} cell{'s' * (len(alike) != 1)} that this machine has trained",
    )


def on_workers(busy: float, slots: int, parts: int) -> float:
    """The seconds that `busy` seconds of work in so many parts take on so many workers."""
    return busy / max(1, min(slots, parts))


class _Rates:
    """Seconds for each image of a step of pretraining, and for each readout."""

    def __init__(self, known: Iterable[CellTime]) -> None:
        self._steps: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._any: dict[str, list[float]] = defaultdict(list)
        self._readouts: dict[str, list[float]] = defaultdict(list)
        by_path: dict[str, list[CellTime]] = defaultdict(list)
        for one in known:
            by_path[_path(one)].append(one)
        for cells in by_path.values():
            longest = max(cells, key=lambda one: one.pretrain_seconds)
            settings = longest.settings
            on = _text(settings["backbone"], settings["pretrain_dataset"])
            images = settings["pretrain_steps"] * settings["batch_size"]
            if longest.samples_per_class != 0 and images:
                rate = longest.pretrain_seconds / images
                self._steps[on, _text(settings["augmentation"])].append(rate)
                self._any[on].append(rate)
            left = sum(one.seconds for one in cells) - longest.pretrain_seconds
            self._readouts[_text(settings["backbone"], settings["finetune_dataset"])].append(
                max(0.0, left) / len(cells)
            )

    def seconds(self, cells: Sequence[Cell]) -> float | None:
        """The sum over some cells; None if one of them is on data, or of a network, not known."""
        total = 0.0
        for unit in units_of(cells):
            first = unit[0]
            backbone = first.backbone.identity()
            on = _text(backbone, first.pretrain.content_hash)
            rates = self._steps.get((on, _text(first.pipeline.identity()))) or self._any.get(on)
            if first.pretrain_steps:
                if not rates:
                    return None
                total += fmean(rates) * first.pretrain_steps * first.settings.batch_size
            for cell in unit:
                readouts = self._readouts.get(_text(backbone, cell.finetune.content_hash))
                if not readouts:
                    return None
                total += fmean(readouts)
        return total


def _path(one: CellTime) -> str:
    settings = {name: value for name, value in one.settings.items() if name not in _LENGTH}
    settings.pop("finetune_dataset", None)
    return _text(settings, one.samples_per_class, one.seed)


def _text(*values: Mapping[str, Any] | str | int | None) -> str:
    return json.dumps(values, sort_keys=True)


def words(seconds: float) -> str:
    """A duration in words, with two digits at most: `40 seconds`, `7 minutes`, `2.5 hours`."""
    units = ((90, "second", 1), (5400, "minute", 60), (172_800, "hour", 3600))
    unit, length = next(
        ((unit, length) for until, unit, length in units if seconds < until), ("day", 86_400)
    )
    count = seconds / length
    rounded = round(count) if count >= 10 or unit in ("second",) else round(count, 1)
    number = f"{max(rounded, 1) if unit == 'second' else rounded:g}"
    return f"{number} {unit}{'' if number == '1' else 's'}"
