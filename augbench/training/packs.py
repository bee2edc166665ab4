"""Dealing cells into packs: what can be trained together, and how much at a time. No torch."""

from __future__ import annotations

import heapq
import json
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import fields
from itertools import pairwise

from augbench.options import PREFIXES, Settings
from augbench.protocol.batches import effective_batch_size
from augbench.protocol.recipe import OF_EACH_CELL
from augbench.protocol.study import Cell

__all__ = [
    "Unit",
    "cost",
    "early_results",
    "kept_features",
    "makespan",
    "plan_packs",
    "shares_of_work",
    "trained_alike",
    "units_of",
]

_CACHE_VALUES = 16 * 8 * 28 * 28
"""Pixel values of one step over all cells of a pack; beyond, a step costs more per cell."""

_FEWEST = 4
"""A pack is not cut below this many cells for the cache's sake."""

_OVERHEAD = 1.5
"""The cost of a pack besides its cells, in cells: the interpreter's time for its steps."""

_MOST_ON_GPU = 512

_OF_EACH_CELL = {
    *(f"{part}{name}" for part in PREFIXES.values() for name in OF_EACH_CELL),
    "finetune_samples_per_class",  # cells of one pretraining may differ in it
}

Unit = list[Cell]
"""Cells of one path of pretraining: they end at different budgets, or finetune on other data.

The first one has the longest budget, whose training serves them all.
"""


def units_of(cells: Iterable[Cell]) -> list[Unit]:
    """Put cells together that one pretraining serves."""
    units: dict[str, Unit] = {}
    for cell in cells:
        units.setdefault(cell.path_key, []).append(cell)
    return [sorted(unit, key=lambda cell: -cell.pretrain_steps) for unit in units.values()]


def trained_alike(cell: Cell) -> Hashable:
    """A value that is equal for cells with the same network, shapes and steps.

    Such cells can be trained together, each with learning rate, momentum, weight decay, label
    smoothing and clipping of its own. Steps that need gradients or a hidden layer are longer than
    others, which do not wait for them. Trials are trained among themselves: nothing of a pack of
    theirs is measured on a test set, and results are trained in the packs of a study without any.
    """
    return (
        cell.pretrain.content_hash,
        json.dumps(cell.backbone.identity(), sort_keys=True),
        _alike(cell.settings),
        effective_batch_size(cell.settings.batch_size, cell.pretrain_images),
        cell.arm.from_network,
        cell.trial is not None,
    )


def _alike(settings: Settings) -> Hashable:
    """The settings without the numbers of which each cell may have its own."""
    names = (field.name for field in fields(settings) if field.name not in _OF_EACH_CELL)
    return tuple(getattr(settings, name) for name in names)


def plan_packs(
    cells: Iterable[Cell], workers: int, *, device_kind: str = "cpu", pack_limit: int | None = None
) -> list[list[Cell]]:
    """Deal cells into packs that each train together, for `workers` workers, in a good order.

    Cells that share a pretraining stay together. On a CPU, packs are cut to the cache and hold
    one seed where it has enough cells, since these share images; there are packs enough, and of
    such sizes, that the workers end together. On a GPU (`device_kind` other than `cpu`), a pack is
    as large as it may be. `pack_limit` bounds the pretrainings of a pack.
    """
    groups: dict[Hashable, list[Unit]] = {}
    every = units_of(cells)
    # Asked for in every plan that is tried; a unit is known by its place in memory.
    costs = {id(unit): max(map(cost, unit)) for unit in every}

    def cost_of(pack: Sequence[Unit]) -> float:
        each = [costs[id(unit)] for unit in pack]
        return sum(each) + _OVERHEAD * max(each)

    for unit in every:
        groups.setdefault(trained_alike(unit[0]), []).append(unit)
    lots: list[tuple[list[Unit], int]] = []
    for units in groups.values():
        in_order = sorted(units, key=lambda unit: unit[0].seed)
        limit = pack_limit or _limit(in_order[0][0], device_kind)
        enough = limit // 2 if device_kind == "cpu" else len(in_order)
        lots += [(lot, -(-len(lot) // limit)) for lot in _lots(in_order, enough)]
    # More packs than the cache asks for, if that lets the workers end together.
    plans = [
        [pack for lot, parts in lots for pack in _cut(lot, min(len(lot), parts + more))]
        for more in range(workers)
    ]
    packs = min(plans, key=lambda plan: makespan(sorted(map(cost_of, plan), reverse=True), workers))
    packs.sort(key=lambda pack: (pack[0][0].seed, -cost_of(pack)))
    if len(packs) <= 2 * workers:
        packs.sort(key=cost_of, reverse=True)
    return [_cells(pack) for pack in packs]


def early_results(packs: Sequence[list[Cell]], workers: int) -> list[list[Cell]]:
    """Cut a small first pack from the smallest, where otherwise all packs would end together.

    That is so where there is no more than one for each worker: a user would see nothing until the
    end. It costs the overhead of one pack. Packs of fewer than five pretrainings stay as they are.
    `packs` are as `plan_packs` deals them: of so few, the smallest is the last.
    """
    if not packs or len(packs) > workers:
        return list(packs)
    *larger, smallest = packs
    units = units_of(smallest)
    if len(units) < 5:
        return list(packs)
    first = 2 * len(units) // 5  # with its own overhead, it ends before half of the time
    return [_cells(units[:first]), *larger, _cells(units[first:])]


def cost(cell: Cell) -> float:
    """The work of a cell, in images through the network, forwards."""
    return sum(_costs(cell))


def shares_of_work(cells: Iterable[Cell]) -> tuple[float, float]:
    """The shares of pretraining and of fitting readouts in the work of cells; tests are the rest.

    Both are 0 where there is no work.
    """
    first = fits = tests = 0.0
    for unit in units_of(cells):
        first += _costs(unit[0])[0]
        for cell in unit:
            _, fit, test = _costs(cell)
            fits, tests = fits + fit, tests + test
    whole = first + fits + tests
    return (first / whole, fits / whole) if whole else (0.0, 0.0)


def _costs(cell: Cell) -> tuple[int, int, int]:
    """The work of pretraining, of fitting the readout, and of testing."""
    settings, classes = cell.settings, len(cell.finetune.classes)
    passes = 6 if "gradients" in cell.arm.needs else 3  # a backward pass is as long as two
    batch = effective_batch_size(settings.batch_size, cell.pretrain_images)
    finetuning = settings.finetune_samples_per_class * classes
    anew = 0
    if cell.fitted_on_images:
        passes_a_step = 3 if cell.readout == "full" else 1
        anew = passes_a_step * cell.judged_by.steps(settings) * settings.batch_size
    if cell.trial is not None:
        tested = cell.trial.validation_samples_per_class * classes
    else:
        tested = cell.pretrain.test_size + cell.finetune.test_size
    return passes * cell.pretrain_steps * batch, finetuning + anew, tested


def kept_features(unit: Unit) -> int:
    """The most features that the readouts of a pretraining keep at a time.

    Those that are fitted to one data set where one budget ends share the features of the largest
    number of images; nearest neighbours keep a copy of each number, at length 1.
    """
    together: dict[Hashable, list[Cell]] = {}
    for cell in unit:
        if cell.judged_by.on_finetuning_data:
            where = (cell.finetune.content_hash, cell.pretrain_steps)
            together.setdefault(where, []).append(cell)
    return max((_kept_together(cells) for cells in together.values()), default=0)


def _kept_together(cells: Sequence[Cell]) -> int:
    all_settings = [cell.settings for cell in cells]
    largest = max(
        own.finetune_samples_per_class + own.calibration_samples_per_class for own in all_settings
    )
    copied = {cell.settings.finetune_samples_per_class for cell in cells if cell.readout == "knn"}
    return (largest + sum(copied)) * len(cells[0].finetune.classes)


def _limit(cell: Cell, device_kind: str) -> int:
    """The largest number of pretrainings in a pack."""
    if device_kind != "cpu":
        return _MOST_ON_GPU
    channels, height, width = cell.pretrain.image_shape
    batch = effective_batch_size(cell.settings.batch_size, cell.pretrain_images) or 16
    return max(_FEWEST, _CACHE_VALUES // (batch * channels * height * width))


def _lots(units: Sequence[Unit], enough: int) -> list[list[Unit]]:
    """Whole seeds, put together until there is enough for a pack."""
    lots: list[list[Unit]] = []
    for unit in units:
        same_seed = lots and lots[-1][-1][0].seed == unit[0].seed
        if lots and (same_seed or len(lots[-1]) < enough):
            lots[-1].append(unit)
        else:
            lots.append([unit])
    return lots


def _cut(lot: Sequence[Unit], parts: int) -> list[list[Unit]]:
    """Cut into parts whose sizes differ by one at most."""
    ends = [len(lot) * part // parts for part in range(parts + 1)]
    return [list(lot[a:b]) for a, b in pairwise(ends) if b > a]


def _cells(units: Iterable[Unit]) -> list[Cell]:
    return [cell for unit in units for cell in unit]


def makespan(costs: Iterable[float], workers: int) -> float:
    """The time at which the last worker ends, each taking the next of the costs when it is free."""
    loads = [0.0] * max(1, workers)
    for load in costs:
        heapq.heapreplace(loads, loads[0] + load)
    return max(loads)
