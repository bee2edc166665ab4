"""The protocol, from top to bottom: how one cell is trained and measured.

This engine trains cells one by one, in the plainest way. It is the reference that every other
engine is held to: where they differ, this one is right.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice

import torch
from torch import Tensor, nn

from augbench.batching.kept_backbones import Kept
from augbench.batching.materials import CellMaterials, Labelled, eval_mode, seeded
from augbench.batching.suppliers import supplier_for
from augbench.options import Training
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
from augbench.protocol.readouts import OWN_HEAD
from augbench.protocol.recipe import Recipe
from augbench.protocol.streams import Role, cell_stream
from augbench.protocol.study import Cell
from augbench.protocol.update import Update
from augbench.training.contract import Progress, failed
from augbench.training.outcomes import result_of, trial_result
from augbench.training.recording import Recorder, check_finite, hits
from augbench.training.weights import load_weights

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
        if all(cell.trial is not None for cell in cells):
            test_every = 0  # a trial never sees a test set
        try:
            trained = _trained(cells, materials, test_every, progress)
        except Exception as error:
            yield from (failed(cell, error, self.name) for cell in cells)
            return
        shared = (time.perf_counter() - start) / len(cells)
        for cell in cells:
            start = time.perf_counter()
            try:
                result = read_out(cell, materials, trained, test_every, progress)
            except Exception as error:
                yield failed(cell, error, self.name)
                continue
            yield replace(result, seconds=shared + time.perf_counter() - start, engine=self.name)


def _pretraining(cell: Cell) -> str:
    return cell.pretrain_key


@dataclass
class Trained:
    """A pretrained backbone and head, how their training went, and what was measured of them."""

    backbone: nn.Module
    head: nn.Linear
    metrics: dict[str, float]
    curve: TrainingCurve

    def measure(self, test: Labelled) -> None:
        """Measure the head on D_P's test set."""
        (found,) = evaluate(_outputs(self.model, test.images)[None], test.labels)
        self.metrics |= {"pretrain_accuracy": found.accuracy, "pretrain_nll": found.nll}

    @property
    def model(self) -> nn.Module:
        """The pretrained classifier."""
        return nn.Sequential(self.backbone, self.head, nn.LogSoftmax(dim=1))


def _trained(
    cells: list[Cell], materials: CellMaterials, test_every: int, progress: Progress
) -> Trained:
    """Pretrain for cells of one pretraining, or load what was kept of it."""
    results, kept = [cell for cell in cells if cell.trial is None], materials.kept
    if results and kept is not None and (found := kept.load(results[0], materials)):
        progress(cells[0].pretrain_steps * len(cells))
        backbone = found.backbone.eval().requires_grad_(False)
        return Trained(backbone, found.head, found.metrics, found.curve)
    # Backbones may draw from torch's global generator: seed it from the cell's stream.
    with seeded(cell_stream(cells[0], Role.OTHER)):
        trained = pretrain(
            cells[0], materials, test_every, lambda steps: progress(steps * len(cells))
        )
        if results:
            trained.measure(materials.test_set(cells[0].pretrain))
    if results and kept is not None:
        one = Kept(trained.backbone, trained.head, trained.curve, trained.metrics)
        kept.keep(results[0], materials, one)
    return trained


def pretrain(cell: Cell, materials: CellMaterials, test_every: int, progress: Progress) -> Trained:
    """Train backbone and head on s samples per class of D_P, with the augmentation."""
    settings, classes = cell.settings, len(cell.pretrain.classes)
    recipe = Recipe.of(settings, "pretraining")
    augmenter = materials.augmenter(cell)
    backbone = materials.backbone(cell)
    head = materials.head(cell, backbone, finetune=False)
    model = nn.Sequential(backbone, head, nn.LogSoftmax(dim=1)).train()
    update = Update(model.parameters(), [recipe], cell.pretrain_steps)

    data = materials.pretrain_set(cell)
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
                test = materials.test_set(cell.pretrain)
                recorder.test([_loss_and_accuracy(model, test)])
        progress(count)

    curve = recorder.curves()[0]
    seconds = time.perf_counter() - began
    check_finite(curve, "pretraining", recipe.learning_rate)
    extra = float(supplier.extra_passes if supplier else 0)
    metrics = {"pretrain_seconds": seconds, "extra_passes": extra}
    # Frozen: eval mode (no dropout, no new batch statistics), and no gradient reaches it.
    return Trained(backbone.eval().requires_grad_(False), head, metrics, curve)


def read_out(
    cell: Cell, materials: CellMaterials, trained: Trained, test_every: int, progress: Progress
) -> CellResult:
    """Judge a pretrained backbone: fit the cell's readout to D_F, and measure it.

    A trial is measured on its validation images alone.
    """
    data, held_out = None, None
    curves = {"pretrain": trained.curve}
    if cell.readout == OWN_HEAD.name:
        model = trained.model
    else:
        data, held_out = materials.finetune_sets(cell)
        if cell.readout == "knn":
            model = _Neighbours(cell, trained.backbone, data)
        else:
            every = test_every if cell.trial is None else 0
            # Backbones may draw from torch's global generator, as in pretraining.
            with seeded(cell_stream(cell, Role.FULL_DROPOUT)):
                model, curves["finetune"] = finetune(
                    cell, materials, trained, data, every, progress
                )
    on = materials.measured_set(cell)
    outputs = _outputs(model, on.images)[None]
    if cell.trial is not None:
        return trial_result(cell, outputs[0], on.labels)
    calibrating = held_out if cell.judged_by.calibrated and held_out is not None else None
    if calibrating is not None and len(calibrating):
        held_out_outputs = _outputs(model, calibrating.images)[None]
        (measured,) = measure(outputs, on.labels, held_out_outputs, calibrating.labels[None])
    else:
        (measured,) = measure(outputs, on.labels, None, on.labels)
    shifted = {
        name: _loss_and_accuracy(model, corrupted)[1]
        for name, corrupted in materials.corrupted_tests(cell)
    }
    return result_of(cell, {**trained.metrics, **shifted}, measured, curves)


def finetune(
    cell: Cell,
    materials: CellMaterials,
    trained: Trained,
    data: Labelled,
    test_every: int,
    progress: Progress,
) -> tuple[nn.Module, TrainingCurve]:
    """Train a fresh head for D_F without augmentation, alone or with all weights of the backbone.

    Returns the classifier.
    """
    settings, everything = cell.settings, cell.readout == "full"
    part: Training = "full" if everything else "finetuning"
    recipe, steps = Recipe.of(settings, part), cell.judged_by.steps(settings)
    head = materials.head(cell, trained.backbone, finetune=True)
    backbone = trained.backbone
    if cell.fitted_on_images:  # a copy: other readouts judge what was pretrained
        backbone = materials.backbone(
            cell, Role.FULL_DROPOUT if everything else Role.FINETUNE_DROPOUT
        )
        load_weights(backbone, trained.backbone.state_dict()).train()
        if not everything:
            backbone.requires_grad_(False)
    model = nn.Sequential(backbone, head, nn.LogSoftmax(dim=1))
    update = Update(model.parameters(), [recipe], steps)  # those that need a gradient

    targets = nn.functional.one_hot(data.labels, len(cell.finetune.classes))
    targets = smoothed(targets.to(torch.get_default_dtype()), recipe.label_smoothing)
    order = cell_stream(cell, Role.FINETUNE_ORDER)
    batches = draw_batches(len(data), settings.batch_size, steps, order)

    recorder = Recorder()
    for step, batch in enumerate(torch.from_numpy(batches).to(data.labels.device), 1):
        log_probabilities = model(network_inputs(data.images[batch]))  # [B, classes]
        loss = soft_label_cross_entropy(log_probabilities, targets[batch])
        update(loss)
        recorder.step(loss, hits(log_probabilities, targets[batch]))
        if test_every and step % test_every == 0:
            recorder.test([_loss_and_accuracy(model, materials.test_set(cell.finetune))])
        progress(1)

    curve = recorder.curves()[0]
    check_finite(curve, part, recipe.learning_rate)
    return model, curve


class _Neighbours(nn.Module):
    """The nearest neighbours' votes, as a classifier of images."""

    def __init__(self, cell: Cell, backbone: nn.Module, data: Labelled) -> None:
        super().__init__()
        self._backbone, self._data, self._settings = backbone, data, cell.settings
        self._classes = len(cell.finetune.classes)
        with torch.no_grad():
            features = [backbone(network_inputs(chunk)) for chunk in data.images.split(_CHUNK)]
        self._bank = nn.functional.normalize(torch.cat(features), dim=1)  # [N, D]

    def forward(self, images: Tensor) -> Tensor:
        """The share of the votes [B, classes] for each class."""
        # A feature of length 0 stays 0: its cosine with any other is 0.
        similarity = nn.functional.normalize(self._backbone(images), dim=1) @ self._bank.T  # [B, N]
        neighbours = min(self._settings.knn_neighbours, len(self._bank))
        votes = similarity.new_zeros(len(images), self._classes)
        for vote, cosines in zip(votes, similarity, strict=True):
            nearest, which = cosines.topk(neighbours)
            weights = (nearest / self._settings.knn_temperature).softmax(0)
            vote.index_add_(0, self._data.labels[which], weights)
        return votes


@torch.no_grad()
def _outputs(model: nn.Module, images: Tensor) -> Tensor:
    """Log-probabilities [N, classes] in eval mode; the model's mode is restored."""
    with eval_mode(model):
        return torch.cat([model(network_inputs(chunk)) for chunk in images.split(_CHUNK)])


def _loss_and_accuracy(model: nn.Module, test: Labelled) -> tuple[float, float]:
    (measured,) = evaluate(_outputs(model, test.images)[None], test.labels)
    return measured.nll, measured.accuracy
