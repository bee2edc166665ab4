"""Training stored cells again, in the packs that they were trained in, to compare the results.

A study is rebuilt from its description in the store, with the plugins and data sets of today. A
cell is trained again only if all of its parts are what they were, so that its key is the same.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from augbench.datasets.contract import DatasetInfo
from augbench.datasets.named import data_root
from augbench.environment import describe_environment
from augbench.errors import StudyError
from augbench.executors.contract import Event, Executor, Finished, Job
from augbench.executors.processes import WorkerProcesses
from augbench.options import Settings, spelling
from augbench.plugins.components import Component
from augbench.plugins.pipelines import Pipeline
from augbench.plugins.registry import Registry
from augbench.protocol.arrangement import arrange
from augbench.protocol.cell_result import CellResult
from augbench.protocol.metrics import METRICS
from augbench.protocol.shift import ShiftTest, is_shift_metric
from augbench.protocol.study import Arm, Budget, Cell, Study
from augbench.running.inspecting import inspected
from augbench.store import Disagreement, PlannedCell, Store, StoredStudy, disagreements
from augbench.tuning.planning import rebuilt_search

__all__ = ["Recomputed", "rebuilt", "recompute"]

_SAME = ("cpu", "torch", "numpy", "python", "augbench")
"""What of an environment can change the last bits of a result."""


@dataclass(frozen=True)
class Recomputed:
    """A stored cell, and the result of training it again.

    `disagreements` are the metrics that differ by more than rounding explains. `same_bits` is true
    if every metric and every test image's outcome are equal. `alone` says that its pack is not
    known, so that it was trained by itself, which can change the last bits. `elsewhere` tells in
    words what differs between the environment of then and this one; then bits may well differ.
    """

    cell: PlannedCell
    again: CellResult
    disagreements: tuple[Disagreement, ...]
    same_bits: bool
    alone: bool
    elsewhere: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """True if it was computed again, and agrees up to rounding."""
        return self.again.ok and not self.disagreements


def recompute(
    folder: Path,
    number: int | None,
    amount: int,
    registry: Registry,
    root: Path | None = None,
) -> list[Recomputed]:
    """Train the packs of `amount` random cells of a study again; returns all cells of the packs.

    Raises a `UsageError` for a study that cannot be rebuilt: code or data that are others today.
    """
    with Store.read(folder) as store:
        stored = store.study(number)
        done = {cell.key: cell for cell in stored.cells if cell.status == "ok"}
        packs = store.packs(done)
    chosen = random.sample(sorted(done), min(amount, len(done)))
    # A cell of an old store, whose company is not known, is trained alone.
    lots = list(dict.fromkeys(packs.get(key) or (key,) for key in chosen))
    cells, datasets = rebuilt(stored, registry, root)
    found = []
    for keys in lots:
        known = [cells[key] for key in keys if key in cells]
        mine = [done[key] for key in keys if key in done and packs.get(key, (key,)) == keys]
        again = _train(known, mine, stored, datasets, registry, root)
        found += [
            _compared(cell, again[cell.key], cells, alone=cell.key not in packs)
            for cell in mine
            if cell.key in again
        ]
    return found


def rebuilt(
    stored: StoredStudy, registry: Registry, root: Path | None = None
) -> tuple[dict[str, Cell], dict[str, Component]]:
    """The cells of a stored study by their keys, and its data sets by their content.

    Raises a `UsageError` if a plugin or data set is missing, or another than it was.
    """
    description = stored.description
    datasets: dict[str, Component] = {}
    infos: dict[str, DatasetInfo] = {}
    for name, told in description["datasets"].items():
        component = registry.resolve("dataset", told.get("spec", name))
        info = inspected(registry, component, data_root(root), download=False).called(name)
        if info.content_hash != told["content_hash"]:
            raise StudyError(f"data set {name!r} holds other images than when it was trained on")
        infos[name], datasets[info.content_hash] = info, component
    backbone = registry.resolve("backbone", description["backbone"]["label"])
    _check_same(backbone, Component.from_json(description["backbone"]), "backbone")
    settings = Settings(**description["settings"])
    arms = [_arm(told, settings, registry) for told in description["arms"]]
    study = Study(
        pairs=tuple((infos[a], infos[b]) for a, b in description["pairs"]),
        arms=tuple(arms),
        backbone=backbone,
        samples_per_class=tuple(description["samples_per_class"]),
        seeds=description["seeds"],
        settings=settings,
        budgets=tuple(map(Budget.from_label, description.get("budgets", ()))),
        baseline=next((arm for arm in arms if arm.label == description["baseline"]), None),
        ruler_sizes=tuple(description["ruler_sizes"]),
        references=description["references"],
        test_every=description["test_every"],
        readouts=tuple(description.get("readouts", Study.readouts)),
        finetune_sizes=tuple(description.get("finetune_samples_per_class", ())),
        shift=_shift(description, registry),
    )
    cells = {cell.key: cell for cell in study.cells()}
    if "tuning" in description:
        search = rebuilt_search(study, description["tuning"], registry)
        cells |= {cell.key: cell for cell in search.cells(study)}
        numbers = {cell.trial for cell in stored.cells if cell.role == "tuned"}
        cells |= {
            cell.key: cell
            for number in numbers
            if number is not None
            for cell in search.under_trial(study, number)
        }
    if other := [cell for cell in stored.cells if cell.key not in cells]:
        raise StudyError(
            f"{len(other)} cells of study {stored.id} are others today, the first "
            f"{other[0].place}: this AugBench computes them differently"
        )
    return cells, datasets


def _arm(told: Mapping[str, Any], settings: Settings, registry: Registry) -> Arm:
    before = Pipeline.from_json(told["pipeline"])
    (pipeline,) = registry.pipelines(before.label)
    for now, then in zip(pipeline.components, before.components, strict=True):
        _check_same(now, then, "augmentation")
    own = told.get("settings", {})
    needs = arrange(pipeline, registry.create).needs
    return Arm(
        told["label"],
        pipeline,
        replace(settings, **own),
        told.get("own_budget", "pretrain_steps" in own),
        needs,
        told.get("own_finetune_size", "finetune_samples_per_class" in own),
    )


def _shift(description: Mapping[str, Any], registry: Registry) -> tuple[ShiftTest, ...]:
    """The corrupted test sets of a study; raises `StudyError` for a corruption that is another."""
    tests = tuple(map(ShiftTest.from_json, description.get("shift", ())))
    for one in tests:
        now = registry.resolve("corruption", one.component.label)
        if now.identity() != one.component.identity():
            raise StudyError(
                f"corruption {one.kind!r} is not the one that was measured with: its code, or what "
                "its parameters mean, is another today"
            )
    return tests


def _check_same(now: Component, then: Component, what: str) -> None:
    if now.identity() != then.identity():
        raise StudyError(
            f"{what} {then.label!r} is not the one that was trained with: its code, or what "
            "its parameters mean, is another today"
        )


def _train(
    cells: Sequence[Cell],
    stored: Sequence[PlannedCell],
    study: StoredStudy,
    datasets: Mapping[str, Component],
    registry: Registry,
    root: Path | None,
) -> dict[str, CellResult]:
    """The results of a pack, by their keys, trained as the stored ones were."""
    engines = {cell.result.engine for cell in stored if cell.result}
    on_cpu = all(cell.device == "cpu" for cell in stored)
    job = Job(
        engine="reference" if engines == {"reference"} else "packed",
        device="cpu" if on_cpu else "cuda",
        datasets=tuple(datasets.items()),
        data_root=data_root(root),
        plugins=registry.arguments,
        test_every=study.description["test_every"],
        spelling=tuple(spelling().items()),
        shift=tuple(one.component for one in _shift(study.description, registry)),
    )
    results: dict[str, CellResult] = {}

    def emit(event: Event) -> None:
        if isinstance(event, Finished):
            results[event.cell.key] = event.result

    _executor(on_cpu, registry).run([cells], job, emit)
    return results


def _executor(on_cpu: bool, registry: Registry) -> Executor:
    if on_cpu:
        return WorkerProcesses(1)
    from augbench.executors.serial import ThisProcess

    return ThisProcess(registry)


def _compared(
    cell: PlannedCell, again: CellResult, cells: Mapping[str, Cell], *, alone: bool
) -> Recomputed:
    assert cell.result is not None
    before = cell.result
    images = cells[cell.key].finetune.test_size
    names = [one.name for one in METRICS if one.tolerance is not None]
    names += filter(is_shift_metric, again.metrics)
    here: Mapping[str, Any] = describe_environment()
    return Recomputed(
        cell,
        again,
        disagreements(before.metrics, again.metrics, images=images),
        before.correct == again.correct
        and all(before.metrics.get(name) == again.metrics.get(name) for name in names),
        alone,
        tuple(
            f"{name} {cell.environment[name]}, here {here.get(name)}"
            for name in _SAME
            if name in cell.environment and cell.environment[name] != here.get(name)
        ),
    )
