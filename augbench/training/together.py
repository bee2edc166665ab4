"""K cells trained together, from top to bottom: pretraining, finetuning, measuring.

The counterpart of `reference.py`, step by step, with K cells where that has one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

import numpy as np
import torch
from torch import Tensor, nn

from augbench.batching.blocks import Drawn, blocks, steps_with_gradients
from augbench.batching.materials import CellMaterials, Labelled, once_a_seed, seeded
from augbench.packed import Heads, Packed, UnpackableError, same_features
from augbench.protocol.cell_result import CellResult, TrainingCurve
from augbench.protocol.evaluation import evaluate, measure
from augbench.protocol.inputs import network_inputs
from augbench.protocol.recipe import Recipe
from augbench.protocol.streams import Role, cell_stream
from augbench.protocol.study import Cell
from augbench.training.contract import Progress, failed
from augbench.training.descent import Taken, descent, ending_at, pixel_gradients, steps_taken
from augbench.training.features import Extractor, OneByOne, features_of, outputs_of
from augbench.training.hidden import steps_with_hidden_layers
from augbench.training.packs import Unit
from augbench.training.readout import READOUTS
from augbench.training.recording import Recorder, check_finite, check_metrics, hits
from augbench.training.reference import pretrain

__all__ = ["train_together"]

_ASKED_AGAIN = 16  # images


@dataclass
class _Pretrained:
    """K backbones as they are after `steps`, `like` one of which each is made.

    `curves` tell how their training went; `heads` are those of D_P that are still to be measured;
    `metrics` what was measured; `doubtful` the numbers of the backbones that only the reference can
    train, see `_doubtful`.
    """

    steps: int
    backbones: Extractor
    like: nn.Module
    curves: list[TrainingCurve]
    metrics: list[dict[str, float]]
    heads: Heads | None
    doubtful: Sequence[int] = ()

    def measured(self, outputs: Tensor, labels: Tensor) -> None:
        """Take the outputs of the heads on D_P's test set."""
        for metrics, one in zip(self.metrics, evaluate(outputs, labels), strict=True):
            metrics |= {"pretrain_accuracy": one.accuracy, "pretrain_nll": one.nll}
        self.heads = None


def train_together(
    units: Sequence[Unit],
    packer: Callable[[Sequence[nn.Module]], Packed] | None,
    materials: CellMaterials,
    test_every: int,
    progress: Progress,
    results: list[CellResult],
) -> None:
    """Pretrain one backbone per unit; where a budget ends, finetune and measure its cells.

    Without a packer, there is one unit, pretrained as the reference does it. Each budget's results
    are added to `results`, so that an error later on does not cost them. A cell that diverges
    fails alone; any other error is raised. A cell is left without a result if some of its
    backbone's numbers are not finite though its losses are: only the reference can tell how such a
    training ends.
    """
    start = time.perf_counter()
    with seeded(cell_stream(units[0][0], Role.OTHER)):
        for trained in (
            _pretrain_alone(units, materials, test_every, progress)
            if packer is None
            else _pretrain(units, packer, materials, test_every, progress)
        ):
            found = _read_out(trained, units, materials, test_every, progress)
            seconds = (time.perf_counter() - start) / max(1, len(found))
            results += [one if one.error else replace(one, seconds=seconds) for one in found]
            start = time.perf_counter()


def _read_out(
    trained: _Pretrained,
    units: Sequence[Unit],
    materials: CellMaterials,
    test_every: int,
    progress: Progress,
) -> list[CellResult]:
    """Finetune and measure the cells whose budget ends here."""
    _check_company(trained.backbones, materials.test_set(units[0][0].pretrain))
    ending = [
        (k, cell)
        for k, unit in enumerate(units)
        if k not in trained.doubtful
        for cell in unit
        if cell.pretrain_steps == trained.steps
    ]
    ending.sort(key=_target_hash)
    results: list[CellResult] = []
    for _, group in groupby(ending, _target_hash):
        members, cells = zip(*group, strict=True)
        results += _finetune(trained, members, cells, materials, test_every, progress)
    if trained.heads is not None:  # D_F was never D_P, whose test set is still to be seen
        everyone = range(len(units))
        test_set = materials.test_set(units[0][0].pretrain)
        (outputs,), _ = outputs_of(trained.backbones, everyone, test_set, kept=[trained.heads])
        trained.measured(outputs, test_set.labels)
    return [
        one if one.error else replace(one, metrics=trained.metrics[k] | one.metrics)
        for (k, _), one in zip(ending, results, strict=True)
    ]


def _target_hash(numbered: tuple[int, Cell]) -> str:
    return numbered[1].finetune.content_hash


def _pretrain(
    units: Sequence[Unit],
    packer: Callable[[Sequence[nn.Module]], Packed],
    materials: CellMaterials,
    test_every: int,
    progress: Progress,
) -> Iterator[_Pretrained]:
    """Train K backbones and heads on D_P, each with its own cell's augmentation.

    Yields them, frozen, where each budget ends; the training then goes on from there.
    """
    cells, test_set = [unit[0] for unit in units], materials.test_set(units[0][0].pretrain)
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

    def frozen() -> _Pretrained:
        backbones.train(False)
        curves = recorder.curves(len(cells))
        extra = float(step if "gradients" in needs else 0)
        metrics = [{"pretrain_seconds": spent / len(cells), "extra_passes": extra} for _ in cells]
        doubtful = _doubtful(backbones, curves)
        return _Pretrained(step, backbones, modules[0], curves, metrics, heads, doubtful)

    if ends[0] == 0:
        yield frozen()
        backbones.train()
    began = time.perf_counter()
    for taken in _steps_of(cells, needs, backbones, heads, materials, ends):
        step += 1
        if test_every and step % test_every == 0:
            backbones.train(False)
            everyone = range(len(cells))
            _, (measured,) = outputs_of(backbones, everyone, test_set, snapshots=[heads])
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
) -> Iterator[_Pretrained]:
    """Pretrain as the reference does it, for each budget from its beginning."""
    (unit,) = units
    budgets = groupby(sorted(unit, key=_steps), _steps)
    for steps, group in budgets:
        cells = list(group)
        for_each = partial(_for_each, progress, len(cells))
        module, metrics, curve = pretrain(cells[0], materials, test_every, for_each)
        backbone = OneByOne([module.eval()])
        yield _Pretrained(steps, backbone, module, [curve], [metrics], None)


def _for_each(progress: Progress, cells: int, steps: int) -> None:
    progress(steps * cells)


def _steps(cell: Cell) -> int:
    return cell.pretrain_steps


def _finetune(
    trained: _Pretrained,
    members: Sequence[int],
    cells: Sequence[Cell],
    materials: CellMaterials,
    test_every: int,
    progress: Progress,
) -> list[CellResult]:
    """Fit a readout for one D_F to the frozen backbones of `members`, and measure it."""
    one, device, backbones = cells[0], materials.device, trained.backbones
    # Cells of one seed finetune on the same images, in the same order, from the same head.
    seeds = list(dict.fromkeys(cell.seed for cell in cells))
    of_seed = {cell.seed: cell for cell in cells}
    sets = [materials.finetune_sets(of_seed[seed]) for seed in seeds]
    (data, held_out), set_of = sets[0], [seeds.index(cell.seed) for cell in cells]
    images = [torch.cat([a.images, b.images]) for a, b in sets]
    labels = torch.stack([torch.cat([a.labels, b.labels]) for a, b in sets])  # [seeds, N + N']

    width = trained.like.feature_dim
    assert isinstance(width, int)  # checked when the backbone was made
    features = torch.empty(len(cells), labels.shape[1], width, device=device)  # [K, N + N', D]
    seen_by = dict(zip(members, set_of, strict=True))
    of_backbone = [seen_by.get(k, 0) for k in range(backbones.cells)]
    for start, chunk in features_of(backbones, images, of_backbone):
        features[:, start : start + chunk.shape[1]] = chunk[list(members)]
    fitted = READOUTS["linear"].fit(
        *(cells, features, labels[set_of], len(data), materials),
        like=trained.like,
        test_every=test_every,
        progress=progress,
    )
    held_out_outputs = fitted.predict(features[:, len(data) :]) if len(held_out) else None
    del features

    test_set, both = materials.test_set(one.finetune), [fitted.predict]
    same_data = one.finetune.content_hash == one.pretrain.content_hash
    if trained.heads is not None and same_data and list(members) == list(range(backbones.cells)):
        both.append(trained.heads)  # one pass over the test set serves both
    (outputs, *rest), measured = outputs_of(
        backbones,
        members,
        test_set,
        kept=both,
        snapshots=[snapshot for _, snapshot in fitted.snapshots],
    )
    for (step, _), values in zip(fitted.snapshots, measured, strict=True):
        fitted.recorder.test(values, step)
    if rest:
        trained.measured(rest[0], test_set.labels)

    curves = fitted.recorder.curves(len(cells))
    results = []
    held_out_labels = labels[set_of][:, len(data) :]
    measures = measure(outputs, test_set.labels, held_out_outputs, held_out_labels)
    for k, cell, curve, found in zip(members, cells, curves, measures, strict=True):
        try:
            check_finite(trained.curves[k], "pretraining", cell.settings.learning_rate)
            own = Recipe.of(cell.settings, "finetuning")
            check_finite(curve, "finetuning", own.learning_rate)
            check_metrics(found.metrics)
        except Exception as error:
            results.append(failed(cell, error, "packed"))
            continue
        own_curves = {"pretrain": trained.curves[k], "finetune": curve}
        results.append(
            CellResult(
                cell.key,
                found.metrics,
                own_curves,
                found.correct,
                engine="packed",
                predicted=found.predicted,
            )
        )
    return results
