"""The readouts of a pack: fitted and measured where a budget of its pretraining ends.

Readouts of the same frozen backbones share what those have to do: one pass over the finetuning
images, and one over the images that they are measured on.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from augbench.batching.materials import CellMaterials, Labelled
from augbench.options import Training
from augbench.packed import Heads
from augbench.protocol.cell_result import CellResult
from augbench.protocol.evaluation import evaluate, measure
from augbench.protocol.readouts import OWN_HEAD
from augbench.protocol.recipe import Recipe
from augbench.protocol.study import Cell
from augbench.training.contract import Progress, failed
from augbench.training.features import Extractor, Reader, outputs_of
from augbench.training.grouping import Member, fitted_alike, grouped, measured_on, validation_set
from augbench.training.outcomes import result_of, trial_result
from augbench.training.pretrained import PretrainedPack
from augbench.training.readouts import FITS
from augbench.training.readouts.contract import FinetuningImages, Fitted, ReadoutFit
from augbench.training.recording import check_finite
from augbench.training.reference import Trained
from augbench.training.reference import read_out as read_out_alone

__all__ = ["measure_heads", "read_out"]


def measure_heads(trained: PretrainedPack, materials: CellMaterials) -> None:
    """Measure the pretraining heads on D_P's test set, if that has not been done.

    Readouts of D_P do so in their own pass over that set.
    """
    _Reading(trained, materials, 0, lambda steps: None).measure_heads()


def read_out(
    trained: PretrainedPack, materials: CellMaterials, test_every: int, progress: Progress
) -> list[CellResult]:
    """Fit and measure the readouts of all cells whose budget ends here.

    A cell whose training has diverged fails alone.
    """
    ending = [
        Member(k, cell)
        for k, unit in enumerate(trained.units)
        if k not in trained.doubtful
        for cell in unit
        if cell.pretrain_steps == trained.steps
    ]
    reading = _Reading(trained, materials, test_every, progress)
    results = [one for group in grouped(ending, measured_on) for one in reading.of(group)]
    if any(member.cell.trial is None for member in ending):
        reading.measure_heads()
    return [
        one
        if one.error or member.cell.trial
        else replace(one, metrics={**trained.metrics[member.k], **one.metrics})
        for member, one in results
    ]


class _Reading:
    """The readouts of one pack at the end of one budget."""

    def __init__(
        self,
        trained: PretrainedPack,
        materials: CellMaterials,
        test_every: int,
        progress: Progress,
    ) -> None:
        self._trained, self._materials = trained, materials
        self._test_every, self._progress = test_every, progress
        self._heads = Reader(range(trained.backbones.cells), trained.heads)
        self._heads_measured = all("pretrain_nll" in one for one in trained.metrics)

    def of(self, group: Sequence[Member]) -> list[tuple[Member, CellResult]]:
        """The results of members that are measured on images of one kind."""
        results: list[tuple[Member, CellResult]] = []
        by_extractor: dict[int, list[tuple[list[Member], Fitted]]] = {}
        data = None
        for members in grouped(group, fitted_alike):
            readout = members[0].cell.readout
            on_images = members[0].cell.fitted_on_images
            if on_images and self._trained.alone is not None:
                results += [(one, self._alone(one.cell, self._trained.alone)) for one in members]
                continue
            ks = [one.k for one in members]
            if readout == OWN_HEAD.name:
                own = partial(_chosen, self._trained.heads, ks)
                fitted = Fitted(self._trained.backbones, ks, own)
            else:
                data = data or self._data(group)
                cells = [one.cell for one in members]
                fitted = FITS[readout](
                    ReadoutFit(
                        *(cells, ks, self._trained, data, self._materials),
                        test_every=self._tests_of(cells[0]),
                        progress=self._progress,
                    )
                )
            by_extractor.setdefault(id(fitted.extractor), []).append((members, fitted))
        for reads in by_extractor.values():
            results += self._measured(reads)
        return results

    def _alone(self, cell: Cell, trained: Trained) -> CellResult:
        try:
            every = self._tests_of(cell)
            result = read_out_alone(cell, self._materials, trained, every, self._progress)
        except Exception as error:
            return failed(cell, error, "packed")
        return replace(result, engine="packed")

    def _tests_of(self, cell: Cell) -> int:
        return self._test_every if cell.trial is None else 0

    def _data(self, group: Sequence[Member]) -> FinetuningImages:
        """The finetuning images of all members, in the largest number that one of them has."""
        ordered = sorted(group, key=lambda one: -one.cell.settings.finetune_samples_per_class)
        of_backbone: dict[int, Cell] = {}
        for one in ordered:
            of_backbone.setdefault(one.k, one.cell)
        ks = sorted(of_backbone)
        return FinetuningImages(self._trained, ks, [of_backbone[k] for k in ks], self._materials)

    def _measured(
        self, reads: Sequence[tuple[list[Member], Fitted]]
    ) -> list[tuple[Member, CellResult]]:
        """Measure readouts of the same extractor, in one pass over the images."""
        one, extractor = reads[0][0][0].cell, reads[0][1].extractor
        readers = [Reader(fitted.members, fitted.predict) for _, fitted in reads]
        images, of_cell = self._images(reads, extractor)
        snapshots = [
            (fitted, step, Reader(fitted.members, predict))
            for _, fitted in reads
            for step, predict in fitted.snapshots
        ]
        with_heads = (
            one.trial is None
            and not self._heads_measured
            and extractor is self._trained.backbones
            and one.judged_on.content_hash == one.pretrain.content_hash
        )
        kept = [*readers, self._heads] if with_heads else readers
        taken = [reader for *_, reader in snapshots]
        outputs, measured = outputs_of(extractor, images, of_cell, kept=kept, snapshots=taken)
        for (fitted, step, _), values in zip(snapshots, measured, strict=True):
            assert fitted.recorder is not None  # it has taken the snapshots
            fitted.recorder.test(values, step)
        if with_heads:
            self._take_heads(outputs.pop(), images[0].labels)
        labels = [images[number].labels for number in of_cell]
        shifted = self._under_shift(one, extractor, readers)
        return [
            found
            for (members, fitted), own, accuracies in zip(reads, outputs, shifted, strict=True)
            for found in self._results(
                members, fitted, own, [labels[k] for k in fitted.members], accuracies
            )
        ]

    def _under_shift(
        self, cell: Cell, extractor: Extractor, readers: Sequence[Reader]
    ) -> list[list[dict[str, float]]]:
        """The accuracies of each reader's members on corrupted test sets, by their metrics' names.

        One pass over each set serves all readers.
        """
        found: list[list[dict[str, float]]] = [[{} for _ in one.members] for one in readers]
        for name, corrupted in self._materials.corrupted_tests(cell):
            of_cell = [0] * extractor.cells
            _, measured = outputs_of(extractor, [corrupted], of_cell, snapshots=readers)
            for own, values in zip(found, measured, strict=True):
                for metrics, (_, accuracy) in zip(own, values, strict=True):
                    metrics[name] = accuracy
        return found

    def _images(
        self, reads: Sequence[tuple[list[Member], Fitted]], extractor: Extractor
    ) -> tuple[list[Labelled], list[int]]:
        """The sets that readouts are measured on, and the number of each backbone's."""
        if reads[0][0][0].cell.trial is None:
            test_set = self._materials.test_set(reads[0][0][0].cell.judged_on)
            return [test_set], [0] * extractor.cells
        sets: dict[Hashable, Labelled] = {}
        of_backbone = {
            k: validation_set(member.cell)
            for members, fitted in reads
            for k, member in zip(fitted.members, members, strict=True)
        }
        for members, _ in reads:
            for one in members:
                if (which := validation_set(one.cell)) not in sets:
                    sets[which] = self._materials.measured_set(one.cell)
        numbers = list(sets)
        return list(sets.values()), [
            numbers.index(of_backbone[k]) if k in of_backbone else 0 for k in range(extractor.cells)
        ]

    def _results(
        self,
        members: Sequence[Member],
        fitted: Fitted,
        outputs: Tensor,
        labels: Sequence[Tensor],
        shifted: Sequence[dict[str, float]],
    ) -> list[tuple[Member, CellResult]]:
        """The results of one fit, of outputs [K, N, classes] and labels K times [N].

        `shifted` are the metrics of each member under shift.
        """
        count = len(members)
        curves = fitted.recorder.curves(count) if fitted.recorder else [None] * count
        measured = (
            None
            if members[0].cell.trial is not None
            else measure(outputs, labels[0], fitted.held_out_outputs, fitted.held_out_labels)
        )
        results = []
        for n, (member, curve) in enumerate(zip(members, curves, strict=True)):
            cell = member.cell
            try:
                check_finite(
                    self._trained.curves[member.k], "pretraining", cell.settings.learning_rate
                )
                own_curves = {"pretrain": self._trained.curves[member.k]}
                if curve is not None:
                    part: Training = "full" if cell.readout == "full" else "finetuning"
                    check_finite(curve, part, Recipe.of(cell.settings, part).learning_rate)
                    own_curves["finetune"] = curve
                if measured is None:
                    result = trial_result(cell, outputs[n], labels[n])
                else:
                    result = result_of(cell, shifted[n], measured[n], own_curves)
            except Exception as error:
                results.append((member, failed(cell, error, "packed")))
                continue
            results.append((member, replace(result, engine="packed")))
        return results

    def measure_heads(self) -> None:
        """Measure the pretraining heads on D_P's test set, if no readout's pass has done it."""
        if not self._heads_measured:
            cell, backbones = self._trained.units[0][0], self._trained.backbones
            test_set = self._materials.test_set(cell.pretrain)
            of_cell = [0] * backbones.cells
            (outputs,), _ = outputs_of(backbones, [test_set], of_cell, kept=[self._heads])
            self._take_heads(outputs, test_set.labels)

    def _take_heads(self, outputs: Tensor, labels: Tensor) -> None:
        for metrics, one in zip(self._trained.metrics, evaluate(outputs, labels), strict=True):
            metrics |= {"pretrain_accuracy": one.accuracy, "pretrain_nll": one.nll}
        self._heads_measured = True


def _chosen(heads: Heads, members: Sequence[int], features: Tensor) -> Tensor:
    """The outputs of the heads of some members, on their features [K, n, D]."""
    if len(members) == len(heads.weight):
        return heads(features)
    weight, bias = heads.weight[list(members)], heads.bias[list(members)]
    return torch.baddbmm(bias, features, weight.transpose(1, 2)).log_softmax(dim=2)
