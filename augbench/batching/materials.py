"""The materials of an engine: components made from their descriptions, and data in memory."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from augbench.batching.corrupted_tests import CorruptedTests
from augbench.datasets.subsets import nested_subset
from augbench.errors import ContractError, DatasetError
from augbench.packed import own_dropout
from augbench.plugins.guard import Guard, Place
from augbench.protocol.augmenting import Augmenter, augmenter_of
from augbench.protocol.inputs import Normalized, channel_statistics
from augbench.protocol.shift import shift_metric
from augbench.protocol.streams import Role, cell_stream
from augbench.tuning.validation import validation_positions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from augbench.batching.kept_backbones import KeptBackbones
    from augbench.datasets.contract import Dataset, DatasetInfo
    from augbench.plugins.components import Component
    from augbench.protocol.study import Cell, Trial

__all__ = ["CellMaterials", "Labelled", "eval_mode", "finetune_sizes", "once_a_seed", "seeded"]

_T = TypeVar("_T")


@dataclass(frozen=True)
class Labelled:
    """uint8 images [N, C, H, W] with their int64 labels [N], on the engine's device."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


def once_a_seed(cells: Sequence[Cell], make: Callable[[Cell], _T]) -> list[_T]:
    """Call `make` once for each seed; returns each cell's value, in the cells' order."""
    of_seed = {cell.seed: cell for cell in cells}
    made = {seed: make(cell) for seed, cell in of_seed.items()}
    return [made[cell.seed] for cell in cells]


def finetune_sizes(cell: Cell) -> tuple[int, int]:
    """The finetuning images of each class, and those held out of finetuning for calibration."""
    size = cell.settings.finetune_samples_per_class
    left = min(cell.finetune.train_counts) - size
    return size, min(cell.settings.calibration_samples_per_class, left)


@contextmanager
def seeded(rng: np.random.Generator) -> Iterator[None]:
    """Run a block with torch's CPU generator seeded from `rng`; the global state is restored."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        yield


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Put a model into eval mode for a block, and then every module back into its own."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@dataclass
class CellMaterials:
    """Makes what cells name: data sets are loaded once, and must be what was planned.

    `kept` are pretrained backbones in files, None where none are to be kept. `shift` are the
    corruptions under which results, but no trials, are measured as well.
    """

    create: Callable[[Component], Any]
    load: Callable[[DatasetInfo], Dataset]
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    kept: KeptBackbones | None = None
    shift: tuple[Component, ...] = ()
    _loaded: dict[str, Dataset] = field(default_factory=dict)
    _tests: dict[str, Labelled] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._corrupted = CorruptedTests(self.create)

    def dataset(self, info: DatasetInfo) -> Dataset:
        """Load the data set; raises `DatasetError` if its content is not the planned one's."""
        if info.content_hash not in self._loaded:
            with Guard(Place(f"data set {info.name!r}", dataset=info.content_hash)):
                dataset = self.load(info)
            if dataset.content_hash != info.content_hash:
                raise DatasetError(
                    f"data set {info.name!r} changed while the study was running: expected "
                    f"content {info.content_hash[:12]}, found {dataset.content_hash[:12]}; "
                    "run the study again"
                )
            self._loaded[info.content_hash] = dataset
        return self._loaded[info.content_hash]

    def test_set(self, info: DatasetInfo) -> Labelled:
        """The whole test set."""
        if info.content_hash not in self._tests:
            dataset = self.dataset(info)
            self._tests[info.content_hash] = self._labelled(
                dataset.test_images, dataset.test_labels
            )
        return self._tests[info.content_hash]

    def corrupted_tests(self, cell: Cell) -> Iterator[tuple[str, Labelled]]:
        """The name of each metric under shift, and the corrupted test set that it is measured on.

        They are those of `judged_on`, the same for every arm and seed; one at a time is in memory.
        A trial has none. A corruption that fails here, though it did not when the run began, costs
        its own numbers alone: the run notes that they are missing.
        """
        if cell.trial is not None:
            return
        for corruption in self.shift:
            dataset, labels = self.dataset(cell.judged_on), self.test_set(cell.judged_on).labels
            try:
                images = self._corrupted.copy_of(dataset, corruption, cell.settings.root_seed)
            except ContractError:
                continue
            yield (
                shift_metric(corruption),
                Labelled(torch.tensor(np.asarray(images), device=self.device), labels),
            )

    def pretrain_set(self, cell: Cell) -> Labelled:
        """The first s of one permutation per class of D_P: nested in s.

        Those of a trial that is measured on a fold lack it.
        """
        return self._subset(cell.pretrain, self._pretrain_indices(cell)[0])

    def _pretrain_indices(self, cell: Cell) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The indices that a cell is pretrained on, and those of its fold."""
        nothing = np.empty(0, np.int64)
        if cell.samples_per_class == 0:
            return nothing, nothing
        classes = len(cell.pretrain.classes)
        indices = nested_subset(
            self.dataset(cell.pretrain).train_labels,
            cell.samples_per_class,
            classes,
            cell_stream(cell, Role.SUBSET),
        )
        if cell.trial is None or not cell.trial.folds:
            return indices, nothing
        # Every class's first image, then every class's second: each round is balanced.
        in_fold = np.arange(len(indices)) // classes % cell.trial.folds == cell.trial.fold
        return indices[~in_fold], indices[in_fold]

    def finetune_sets(self, cell: Cell) -> tuple[Labelled, Labelled]:
        """D_F's finetuning images, and images held out of finetuning for calibration.

        Of two sizes of one seed, the smaller set of both together is the beginning of the larger.
        """
        size, held_out = finetune_sizes(cell)
        labels, classes = self.dataset(cell.finetune).train_labels, len(cell.finetune.classes)
        rng = cell_stream(cell, Role.FINETUNE_SUBSET)
        # One permutation per class holds both: the first `size`, then the held-out ones.
        indices = nested_subset(labels, size + held_out, classes, rng)
        split = size * classes
        return (
            self._subset(cell.finetune, indices[:split]),
            self._subset(cell.finetune, indices[split:]),
        )

    def measured_set(self, cell: Cell) -> Labelled:
        """The images that a cell is measured on: a test set, or a trial's validation images."""
        if cell.trial is None:
            return self.test_set(cell.judged_on)
        if cell.trial.folds:
            return self._subset(cell.pretrain, self._pretrain_indices(cell)[1])
        return self._subset(cell.finetune, self._validation_indices(cell, cell.trial))

    def _subset(self, info: DatasetInfo, indices: np.ndarray) -> Labelled:
        dataset = self.dataset(info)
        return self._labelled(dataset.train_images[indices], dataset.train_labels[indices])

    def _labelled(self, images: np.ndarray, labels: np.ndarray) -> Labelled:
        # A copy, since what a data set hands out may be a read-only map of its cache.
        return Labelled(
            torch.tensor(images, device=self.device), torch.tensor(labels, device=self.device)
        )

    def augmenter(self, cell: Cell) -> Augmenter:
        """The cell's pipeline, made anew, with its streams at their beginning."""
        label = cell.pipeline.label
        place = Place(f"augmentation {label!r}", label, cell.path_key)
        return augmenter_of(cell.pipeline, self.create, partial(cell_stream, cell), place)

    def _validation_indices(self, cell: Cell, trial: Trial) -> NDArray[np.int64]:
        """The indices of a trial's validation images of D_F."""
        return validation_positions(
            self.dataset(cell.finetune).train_labels,
            trial.validation_samples_per_class,
            len(cell.finetune.classes),
            cell_stream(cell, Role.FINETUNE_SUBSET),
            cell_stream(cell, Role.SUBSET),
            finetune=cell.settings.finetune_samples_per_class,
            calibration=cell.settings.calibration_samples_per_class,
            outside=trial.outside,
        )

    def backbone(self, cell: Cell, dropout: Role = Role.DROPOUT) -> nn.Module:
        """A new backbone with the seed's initial weights and the cell's own dropout streams.

        `dropout` is the role of these. The backbone normalizes its images first, where the settings
        say so. It is made on the CPU, so that every device starts from the same weights.
        """
        channels, height, width = cell.pretrain.image_shape
        who = f"backbone {cell.backbone.label!r}"
        with seeded(cell_stream(cell, Role.WEIGHTS)), Guard(Place(who)):
            module = self.create(cell.backbone)(channels, (height, width))
        if not isinstance(module, nn.Module):
            raise ContractError(
                f"backbone {cell.backbone.label!r}: expected a torch.nn.Module, "
                f"got {type(module).__name__}"
            )
        if not isinstance(getattr(module, "feature_dim", None), int):
            raise ContractError(
                f"backbone {cell.backbone.label!r}: expected an integer attribute feature_dim, "
                f"got {getattr(module, 'feature_dim', None)!r}"
            )
        feature_dim = module.feature_dim
        # A factory may hand out the same module twice; each cell trains its own.
        module = own_dropout(copy.deepcopy(module), lambda layer: cell_stream(cell, dropout, layer))
        module.feature_dim = feature_dim
        if cell.settings.normalize == "channels":
            module = Normalized(module, *channel_statistics(self.pretrain_set(cell).images))
        made: nn.Module = module.to(self.device)
        return made

    def head(self, cell: Cell, backbone: nn.Module, *, finetune: bool) -> nn.Linear:
        """A new linear head on the backbone's features, for D_P (pretraining) or for D_F."""
        feature_dim = backbone.feature_dim
        assert isinstance(feature_dim, int)  # checked when the backbone was made
        info = cell.finetune if finetune else cell.pretrain
        rng = (
            cell_stream(cell, Role.FINETUNE_HEAD)
            if finetune
            else cell_stream(cell, Role.WEIGHTS, 1)
        )
        with seeded(rng):
            return nn.Linear(feature_dim, len(info.classes)).to(self.device)
