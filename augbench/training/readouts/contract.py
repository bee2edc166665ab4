"""The contract of a readout for K cells: it is fitted to D_F's finetuning images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn

from augbench.batching.materials import CellMaterials, Labelled, finetune_sizes
from augbench.packed import Packed
from augbench.protocol.study import Cell
from augbench.training.contract import Progress
from augbench.training.features import Extractor, OneByOne, Predict, features_of
from augbench.training.recording import Recorder

__all__ = ["FinetuningImages", "Fit", "Fitted", "Pretrained", "ReadoutFit"]


class Pretrained(Protocol):
    """K frozen backbones, `like` one of which each is made, and how more of them are packed."""

    @property
    def backbones(self) -> Packed | OneByOne:
        """The backbones."""
        ...

    like: nn.Module
    packer: Callable[[Sequence[nn.Module]], Packed] | None


class FinetuningImages:
    """D_F's finetuning images of the backbones `members`, and their features.

    `cells` has a cell of each member. Members of one seed share the images; a smaller set of
    finetuning and held-out images is the beginning of a larger one, so the largest serves all.
    """

    def __init__(
        self,
        pretrained: Pretrained,
        members: Sequence[int],
        cells: Sequence[Cell],
        materials: CellMaterials,
    ) -> None:
        self._pretrained, self._members = pretrained, list(members)
        largest = {
            cell.seed: cell
            for cell in sorted(cells, key=lambda one: one.settings.finetune_samples_per_class)
        }
        self._sets = [
            Labelled(torch.cat([a.images, b.images]), torch.cat([a.labels, b.labels]))
            for a, b in (materials.finetune_sets(cell) for cell in largest.values())
        ]
        seeds = list(largest)
        self._set_of = {k: seeds.index(cell.seed) for k, cell in zip(members, cells, strict=True)}
        self._labels = torch.stack([one.labels for one in self._sets])  # [seeds, N]

    def part(self, rows: slice) -> list[Labelled]:
        """Some rows of each seed's images."""
        return [Labelled(one.images[rows], one.labels[rows]) for one in self._sets]

    def set_of(self, members: Sequence[int]) -> list[int]:
        """The number of each member's seed among these."""
        return [self._set_of[k] for k in members]

    def labels(self, members: Sequence[int]) -> Tensor:
        """The labels [K, N] of the members' images."""
        return self._labels[self.set_of(members)]

    def features(self, members: Sequence[int]) -> Tensor:
        """The features [K, N, D] of the members' images."""
        if list(members) == self._members:
            return self._features
        return self._features[[self._members.index(k) for k in members]]

    @cached_property
    def _features(self) -> Tensor:
        backbones, width = self._pretrained.backbones, self._pretrained.like.feature_dim
        assert isinstance(width, int)  # checked when the backbone was made
        features = torch.empty(
            len(self._members), self._labels.shape[1], width, device=self._labels.device
        )
        of_backbone = [self._set_of.get(k, 0) for k in range(backbones.cells)]
        images = [one.images for one in self._sets]
        for start, chunk in features_of(backbones, images, of_backbone):
            features[:, start : start + chunk.shape[1]] = chunk[self._members]
        return features


@dataclass(frozen=True)
class ReadoutFit:
    """The backbones and images that a readout of K cells is fitted to.

    The cells have the same numbers of finetuning and held-out images, and settings of this readout
    that one fit can serve. `members` are their backbones. The fit tells `progress` of its steps for
    each cell; with `test_every` > 0, it takes snapshots every that many steps.
    """

    cells: Sequence[Cell]
    members: Sequence[int]
    pretrained: Pretrained
    data: FinetuningImages
    materials: CellMaterials
    test_every: int
    progress: Progress

    @property
    def classes(self) -> int:
        """The number of classes of D_F."""
        return len(self.cells[0].finetune.classes)

    @cached_property
    def count(self) -> int:
        """The number N of finetuning images."""
        return finetune_sizes(self.cells[0])[0] * self.classes

    @cached_property
    def held_out(self) -> slice:
        """The images behind those, which are held out to fit a temperature."""
        return slice(self.count, self.count + finetune_sizes(self.cells[0])[1] * self.classes)


@dataclass(frozen=True)
class Fitted:
    """K fitted readouts: of the backbones `members` of `extractor`.

    `held_out_outputs` [K, N', classes] are those on the held-out images, None without any.
    `recorder` holds the curves of the fit, if it is one in steps; `snapshots` are the readouts as
    they were after so many of them.
    """

    extractor: Extractor
    members: Sequence[int]
    predict: Predict
    held_out_outputs: Tensor | None = None
    held_out_labels: Tensor | None = None
    recorder: Recorder | None = None
    snapshots: Sequence[tuple[int, Predict]] = field(default=())


class Fit(Protocol):
    """A way to fit a readout."""

    def __call__(self, fit: ReadoutFit) -> Fitted:
        """Fit it, for each cell."""
        ...
