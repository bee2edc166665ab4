"""K cells trained together: pretraining, and where a budget ends, their readouts (`reading.py`).

The counterpart of `reference.py`, step by step, with K cells where that has one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from augbench.batching.blocks import Drawn, blocks, steps_with_gradients
from augbench.batching.materials import CellMaterials, Labelled, once_a_seed, seeded
from augbench.packed import Heads, Packed, UnpackableError, same_features
from augbench.protocol.cell_result import CellResult, TrainingCurve
from augbench.protocol.inputs import network_inputs
from augbench.protocol.recipe import Recipe
from augbench.protocol.streams import Role, cell_stream
from augbench.protocol.study import Cell
from augbench.training.contract import Progress
from augbench.training.descent import Taken, descent, ending_at, pixel_gradients, steps_taken
from augbench.training.features import Extractor, OneByOne, Reader, outputs_of
from augbench.training.hidden import steps_with_hidden_layers
from augbench.training.keeping import are_kept, keep, loaded
from augbench.training.packs import Unit
from augbench.training.pretrained import PretrainedPack
from augbench.training.reading import measure_heads, read_out
from augbench.training.recording import Recorder, hits
from augbench.training.reference import pretrain

__all__ = ["train_together"]

_ASKED_AGAIN = 16  # images


def train_together(
    units: Sequence[Unit],
    packer: Callable[[Sequence[nn.Module]], Packed] | None,
    materials: CellMaterials,
    test_every: int,
    progress: Progress,
) -> Iterator[CellResult]:
    """Pretrain one backbone per unit; where a budget ends, finetune and measure its cells.

    Backbones that were all kept are loaded instead; others are kept, where that was asked for.
    Without a packer, there is one unit, pretrained as the reference does it. Each budget's results
    are yielded where it ends, so that nothing later on costs them. A cell that diverges
    fails alone; any other error is raised. A cell is left without a result if some of its
    backbone's numbers are not finite though its losses are: only the reference can tell how such a
    training ends.
    """
    packs: Iterator[PretrainedPack]
    if are_kept(units, materials):
        packs = loaded(units, packer, materials, progress)
    elif packer is None:
        packs = _pretrain_alone(units, materials, test_every, progress)
    else:
        packs = _pretrain(units, packer, materials, test_every, progress)
    draws: Tensor | None = None
    while True:
        start = time.perf_counter()
        # Who takes the results meanwhile neither sees nor changes what the networks draw.
        with seeded(cell_stream(units[0][0], Role.OTHER)):
            if draws is not None:
                torch.set_rng_state(draws)
            trained = next(packs, None)
            if trained is None:
                return
            _check_company(trained.backbones, materials.test_set(units[0][0].pretrain))
            if materials.kept is not None:  # before a readout may fail
                measure_heads(trained, materials)
                keep(trained, materials)
            found = read_out(trained, materials, test_every, progress)
            draws = torch.get_rng_state()
        seconds = (time.perf_counter() - start) / max(1, len(found))
        yield from (one if one.error else replace(one, seconds=seconds) for one in found)


def _pretrain(
    units: Sequence[Unit],
    packer: Callable[[Sequence[nn.Module]], Packed],
    materials: CellMaterials,
    test_every: int,
    progress: Progress,
) -> Iterator[PretrainedPack]:
    """Train K backbones and heads on D_P, each with its own cell's augmentation.

    Yields them, frozen, where each budget ends; the training then goes on from there.
    """
    cells = [unit[0] for unit in units]
    # Cells of one seed start from the same weights and dropout streams, but normalize by images
    # of their own.
    make, normalized = materials.backbone, cells[0].settings.normalize != "none"
    modules = list(map(make, cells)) if normalized else once_a_seed(cells, make)
    heads = Heads(once_a_seed(cells, lambda cell: materials.head(cell, modules[0], finetune=False)))
    backbones = packer(modules)
    backbones.train()
    recorder, step, spent = Recorder(), 0, 0.0
    ends = sorted({cell.pretrain_steps for unit in units for cell in unit})
    needs = materials.augmenter(cells[0]).arrangement.from_network

    def frozen() -> PretrainedPack:
        backbones.train(False)
        curves = recorder.curves(len(cells))
        extra = float(step if "gradients" in needs else 0)
        metrics = [{"pretrain_seconds": spent / len(cells), "extra_passes": extra} for _ in cells]
        return PretrainedPack(
            step,
            backbones,
            modules[0],
            packer,
            heads,
            curves,
            metrics,
            units,
            doubtful=_doubtful(backbones, curves),
        )

    if ends[0] == 0:
        yield frozen()
        backbones.train()
    began = time.perf_counter()
    for taken in _steps_of(cells, needs, backbones, heads, materials, ends):
        step += 1
        if test_every and step % test_every == 0:
            backbones.train(False)
            reader = Reader(range(len(cells)), heads)
            images = [materials.test_set(cells[0].pretrain)]
            _, (measured,) = outputs_of(backbones, images, [0] * len(cells), snapshots=[reader])
            recorder.test(measured, step)
            backbones.train()
        if taken is None:
            continue
        outputs, targets = taken  # [S, K, B, classes]
        recorder.block(-(targets * outputs).sum(-1).mean(-1), hits(outputs, targets))
        going_on = sum(cell.pretrain_steps >= step for unit in units for cell in unit)
        progress(len(outputs) * going_on)
        if step in ends:
            spent += time.perf_counter() - began
            yield frozen()
            backbones.train()
            began = time.perf_counter()


def _steps_of(
    cells: Sequence[Cell],
    needs: frozenset[str],
    backbones: Packed,
    heads: Heads,
    materials: CellMaterials,
    ends: Sequence[int],
) -> Iterator[Taken | None]:
    """Take the steps of a pretraining, whose augmentations have `needs`; see `steps_taken`."""
    recipes = [Recipe.of(cell.settings, "pretraining") for cell in cells]
    smoothing = torch.tensor([one.label_smoothing for one in recipes], device=materials.device)
    if "hidden" in needs:
        given = Drawn(cells, materials)
        yield from steps_with_hidden_layers(given, backbones, heads, recipes, smoothing)
        return
    if "gradients" in needs:
        drawn = steps_with_gradients(cells, materials, pixel_gradients(backbones, heads))
    else:
        drawn = ending_at(blocks(cells, materials), ends)
    descend = descent(backbones, heads, recipes, cells[0].pretrain_steps)
    yield from steps_taken(drawn, descend, smoothing)


@torch.no_grad()
def _check_company(backbones: Extractor, images: Labelled) -> None:
    """Raise `UnpackableError` if features of trained backbones depend on more than the image.

    That was asked before the training; it may have brought out what was hidden then.
    """
    some = network_inputs(images.images[:_ASKED_AGAIN])
    whole = backbones(some, shared=True)
    for size in (_ASKED_AGAIN // 2, 1):
        parts = [backbones(part, shared=True) for part in some.split(size)]
        if not same_features(torch.cat(parts, dim=1), whole):
            raise UnpackableError(
                "once it is trained, an image's features depend on more than the image"
            )


def _doubtful(backbones: Packed, curves: Sequence[TrainingCurve]) -> list[int]:
    """The cells that hold numbers which are not finite, though their losses are.

    Running statistics of values beyond 1e19 overflow float32, and networks that square them on
    the way, as vmap does, may have lost them where the plain module has not.
    """
    finite = torch.ones(len(curves), dtype=torch.bool)
    for value in backbones.stacked().values():
        if value.ndim and value.is_floating_point():
            finite &= value.detach().isfinite().reshape(len(finite), -1).all(1).cpu()
    own = zip(finite.tolist(), curves, strict=True)
    return [k for k, (ok, curve) in enumerate(own) if not ok and np.isfinite(curve.loss).all()]


def _pretrain_alone(
    units: Sequence[Unit], materials: CellMaterials, test_every: int, progress: Progress
) -> Iterator[PretrainedPack]:
    """Pretrain as the reference does it, for each budget from its beginning."""
    (unit,) = units
    budgets = groupby(sorted(unit, key=_steps), _steps)
    for steps, group in budgets:
        cells = list(group)
        for_each = partial(_for_each, progress, len(cells))
        one = pretrain(cells[0], materials, test_every, for_each)
        yield PretrainedPack(
            steps,
            OneByOne([one.backbone]),
            one.backbone,
            None,
            Heads([one.head]),
            [one.curve],
            [one.metrics],
            units,
            alone=one,
        )


def _for_each(progress: Progress, cells: int, steps: int) -> None:
    progress(steps * cells)


def _steps(cell: Cell) -> int:
    return cell.pretrain_steps
