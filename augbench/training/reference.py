"""The protocol, from top to bottom: how one cell is trained and measured.

This engine trains cells one by one, in the plainest way. It is the reference that every other
engine is held to: where they differ, this one is right.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice

import torch
from torch import Tensor, nn

from augbench.batching.materials import CellMaterials, Labelled, eval_mode, seeded
from augbench.batching.suppliers import supplier_for
from augbench.protocol.augmenting import Rows
from augbench.protocol.batches import (
    block_steps,
    draw_batches,
    draw_partners,
    effective_batch_size,
    partner_rows,
    whole_blocks,
)
from augbench.protocol.cell_result import CellResult, TrainingCurve
from augbench.protocol.evaluation import evaluate, measure
from augbench.protocol.inputs import network_inputs
from augbench.protocol.loss import smoothed, soft_label_cross_entropy
from augbench.protocol.recipe import Recipe
from augbench.protocol.streams import Role, cell_stream
from augbench.protocol.study import Cell
from augbench.protocol.update import Update
from augbench.training.contract import Progress, failed
from augbench.training.recording import Recorder, check_finite, check_metrics, hits

__all__ = ["ReferenceEngine"]

_CHUNK = 500  # test images at a time: bounds the memory, changes no number


class ReferenceEngine:
    """Trains one cell after the other; cells of one pretraining share it."""

    name = "reference"

    def train(
        self,
        cells: Sequence[Cell],
        materials: CellMaterials,
        *,
        test_every: int,
        progress: Progress,
    ) -> Iterator[CellResult]:
        """See `augbench.training.contract.Engine`."""
        for _, group in groupby(sorted(cells, key=_pretraining), key=_pretraining):
            yield from self._train_group(list(group), materials, test_every, progress)

    def _train_group(
        self, cells: list[Cell], materials: CellMaterials, test_every: int, progress: Progress
    ) -> Iterator[CellResult]:
        start = time.perf_counter()
        try:
            # Backbones may draw from torch's global generator: seed it from the cell's stream.
            with seeded(cell_stream(cells[0], Role.OTHER)):
                backbone, metrics, curve = pretrain(
                    cells[0], materials, test_every, lambda steps: progress(steps * len(cells))
                )
        except Exception as error:
            yield from (failed(cell, error, self.name) for cell in cells)
            return
        shared = (time.perf_counter() - start) / len(cells)
        for cell in cells:
            start = time.perf_counter()
            try:
                result = finetune(cell, materials, backbone, test_every, progress)
            except Exception as error:
                yield failed(cell, error, self.name)
                continue
            yield CellResult(
                key=cell.key,
                metrics={**metrics, **result.metrics},
                curves={"pretrain": curve, **result.curves},
                correct=result.correct,
                predicted=result.predicted,
                seconds=shared + time.perf_counter() - start,
                engine=self.name,
            )


def _pretraining(cell: Cell) -> str:
    return cell.pretrain_key


def pretrain(
    cell: Cell, materials: CellMaterials, test_every: int, progress: Progress
) -> tuple[nn.Module, dict[str, float], TrainingCurve]:
    """Train backbone and head on s samples per class of D_P, with the augmentation."""
    settings, classes = cell.settings, len(cell.pretrain.classes)
    recipe = Recipe.of(settings, "pretraining")
    augmenter = materials.augmenter(cell)
    backbone = materials.backbone(cell)
    head = materials.head(cell, backbone, finetune=False)
    model = nn.Sequential(backbone, head, nn.LogSoftmax(dim=1)).train()
    update = Update(model.parameters(), [recipe], cell.pretrain_steps)

    data = materials.pretrain_set(cell)
    test = materials.test_set(cell.pretrain)
    steps, size = cell.pretrain_steps, effective_batch_size(settings.batch_size, len(data))
    block = block_steps(size, cell.pretrain.image_shape) if size else 1
    drawn = whole_blocks(steps, block)
    batches = draw_batches(
        len(data), settings.batch_size, drawn, cell_stream(cell, Role.ORDER)
    )  # [drawn, B]: which images a step sees
    partners = draw_partners(
        augmenter.sources,
        drawn,
        size,
        [cell_stream(cell, Role.PARTNERS, k) for k in range(augmenter.sources - 1)],
    )  # [K − 1, drawn, B]: with which positions of the same batch each position is mixed
    # What needs the network in training is mixed step by step, see augbench.batching.suppliers.
    supplier = supplier_for(augmenter, model, cell.pretrain.image_shape)

    recorder, began = Recorder(), time.perf_counter()
    for start in range(0, steps, block):
        # Augmentations are called for a whole block of steps at once.
        chosen = torch.from_numpy(batches[start : start + block]).to(data.labels.device)  # [S, B]
        labels = data.labels[chosen.flatten()]  # [S·B]
        anchor = network_inputs(data.images[chosen.flatten()])  # [S·B, C, H, W]
        places = torch.from_numpy(partner_rows(partners[:, start : start + block]))
        places = places.to(labels.device)  # [K − 1, S·B]: where in the block partners stand
        rows = Rows([labels, *labels[places]], classes, (start, size, steps))
        anchor = augmenter.ahead_of_mixer(anchor, rows)
        sources = [anchor, *(anchor[other] for other in places)]
        forwards: Iterable[tuple[Tensor, Tensor]]
        if supplier is None:
            mixture = augmenter.mix(sources, rows)
            mixture.check(augmenter.name)
            pairs = zip(mixture.images.split(size), mixture.targets(rows).split(size), strict=True)
            forwards = ((model(x), y) for x, y in pairs)  # one at a time, as the loop asks
        else:
            by_step = zip(*(one.split(size) for one in sources), strict=True)
            given = zip(by_step, rows.by_step(), partners.swapaxes(0, 1)[start:], strict=False)
            forwards = (supplier.forward(*step) for step in given)
        count = min(block, steps - start)
        for log_probabilities, y in islice(forwards, count):  # [B, classes] both
            y = smoothed(y, recipe.label_smoothing)
            loss = soft_label_cross_entropy(log_probabilities, y)
            update(loss)
            recorder.step(loss, hits(log_probabilities, y))
            if test_every and recorder.steps % test_every == 0:
                recorder.test([_loss_and_accuracy(model, test)])
        progress(count)

    curve = recorder.curves()[0]
    seconds = time.perf_counter() - began
    check_finite(curve, "pretraining", recipe.learning_rate)
    (measured,) = evaluate(_outputs(model, test.images)[None], test.labels)
    metrics = {
        "pretrain_accuracy": measured.accuracy,
        "pretrain_nll": measured.nll,
        "pretrain_seconds": seconds,
        "extra_passes": float(supplier.extra_passes if supplier else 0),
    }
    return backbone, metrics, curve


def finetune(
    cell: Cell, materials: CellMaterials, backbone: nn.Module, test_every: int, progress: Progress
) -> CellResult:
    """Train a fresh head for D_F on the frozen backbone, without augmentation; measure it."""
    settings, recipe = cell.settings, Recipe.of(cell.settings, "finetuning")
    # Frozen: eval mode (no dropout, no new batch statistics), and no gradient reaches it.
    backbone.eval().requires_grad_(False)
    head = materials.head(cell, backbone, finetune=True)
    model = nn.Sequential(backbone, head, nn.LogSoftmax(dim=1))
    update = Update(head.parameters(), [recipe], settings.finetune_steps)

    data, held_out = materials.finetune_sets(cell)
    test = materials.test_set(cell.finetune)
    targets = nn.functional.one_hot(data.labels, len(cell.finetune.classes))
    targets = smoothed(targets.to(torch.get_default_dtype()), recipe.label_smoothing)
    batches = draw_batches(
        len(data),
        settings.batch_size,
        settings.finetune_steps,
        cell_stream(cell, Role.FINETUNE_ORDER),
    )

    recorder = Recorder()
    for step, batch in enumerate(torch.from_numpy(batches).to(data.labels.device), 1):
        log_probabilities = model(network_inputs(data.images[batch]))  # [B, classes]
        loss = soft_label_cross_entropy(log_probabilities, targets[batch])
        update(loss)
        recorder.step(loss, hits(log_probabilities, targets[batch]))
        if test_every and step % test_every == 0:
            recorder.test([_loss_and_accuracy(model, test)])
        progress(1)

    curve = recorder.curves()[0]
    check_finite(curve, "finetuning", recipe.learning_rate)
    held_out_outputs = _outputs(model, held_out.images)[None] if len(held_out) else None
    (measured,) = measure(
        _outputs(model, test.images)[None], test.labels, held_out_outputs, held_out.labels[None]
    )
    check_metrics(measured.metrics)
    return CellResult(
        cell.key,
        measured.metrics,
        {"finetune": curve},
        measured.correct,
        predicted=measured.predicted,
    )


@torch.no_grad()
def _outputs(model: nn.Module, images: Tensor) -> Tensor:
    """Log-probabilities [N, classes] in eval mode; the model's mode is restored."""
    with eval_mode(model):
        return torch.cat([model(network_inputs(chunk)) for chunk in images.split(_CHUNK)])


def _loss_and_accuracy(model: nn.Module, test: Labelled) -> tuple[float, float]:
    (measured,) = evaluate(_outputs(model, test.images)[None], test.labels)
    return measured.nll, measured.accuracy
