"""Cells trained together: the numbers of `reference.py`, an order of magnitude sooner.

K backbones of one architecture become one network (`packing.py`), their heads one batched product
(`heads.py`), their batches one tensor (`blocks.py`). Every random draw comes from the cell's own
streams, exactly as in the reference; only the order of sums differs. A frozen backbone's features
are computed once (`finetuning.py`). The training itself is in `training.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import torch

from augbench.augmentations.contract import needs_of
from augbench.engines.contract import Progress
from augbench.engines.notes import summary
from augbench.engines.planning import plan_packs, trained_alike
from augbench.engines.probing import MOST_TIMED, Choice, choose
from augbench.engines.reference import ReferenceEngine
from augbench.engines.rules import UnpackableError
from augbench.engines.training import Unit, train_together
from augbench.engines.workshop import Workshop, seeded
from augbench.protocol.batches import effective_batch_size
from augbench.protocol.cell_result import CellResult
from augbench.protocol.streams import Role
from augbench.protocol.study import Cell

__all__ = ["PackedEngine"]

_FEATURE_BYTES = 400 * 2**20
_FEATURE_SHARE = 0.25  # of what a GPU has free


class PackedEngine:
    """Trains cells together; what cannot be trained together is trained one by one.

    `pack_limit` bounds the pretrainings of a pack; by default packs are sized for the cache.
    `notes` tells how each pack was trained: networks, reason, and gain over one by one if known.
    """

    name = "packed"

    def __init__(self, *, pack_limit: int | None = None) -> None:
        self._pack_limit = pack_limit
        self._choices: dict[object, Choice] = {}
        self.notes: list[tuple[int, str, float | None]] = []

    @property
    def choice(self) -> str:
        """How the cells so far were trained, and why, in one line."""
        return summary(self.notes)

    def train(
        self, cells: Sequence[Cell], workshop: Workshop, *, test_every: int, progress: Progress
    ) -> Iterator[CellResult]:
        """See `augbench.engines.contract.Engine`."""
        kind = workshop.device.type
        for pack in plan_packs(cells, 1, device_kind=kind, pack_limit=self._pack_limit):
            for units, choice in self._divide(pack, workshop):
                yield from self._train(units, choice, workshop, test_every, progress)

    def _train(
        self,
        units: Sequence[Unit],
        choice: Choice,
        workshop: Workshop,
        test_every: int,
        progress: Progress,
    ) -> Iterator[CellResult]:
        """Train units together, or in halves if memory does not suffice, or else one by one."""
        counter = _Counter(progress)
        try:
            if not choice.keeps:
                raise UnpackableError(choice.reason)
            results = train_together(units, choice.packer, workshop, test_every, counter)
        except Exception as error:
            halve = isinstance(error, torch.cuda.OutOfMemoryError) and len(units) > 1
            if halve:
                self._note(len(units), "in halves, for lack of memory")
            elif len(units) > 1:
                self._note(len(units), f"one by one, after {type(error).__name__}: {error}")
        else:
            yield from results
            return
        # Only here is the memory free again that the error's traceback held.
        again, middle = counter.after_a_restart(), len(units) // 2
        if halve:
            for half in (units[:middle], units[middle:]):
                yield from self._train(half, choice, workshop, test_every, again)
        else:
            # Some cell cannot be trained: alone, it fails alone, with its own error.
            cells = [cell for unit in units for cell in unit]
            yield from ReferenceEngine().train(
                cells, workshop, test_every=test_every, progress=again
            )

    def _divide(self, pack: Sequence[Cell], workshop: Workshop) -> list[tuple[list[Unit], Choice]]:
        """Decide how the cells of a pack are trained, and in which parts."""
        by_pretraining = groupby(sorted(pack, key=_pretraining), _pretraining)
        units = [list(cells) for _, cells in by_pretraining]
        alone = [unit for unit in units if not _plain_augmentation(unit[0], workshop)]
        packable = [unit for unit in units if unit not in alone]
        divided = [([unit], Choice(None, "")) for unit in alone]
        if packable:
            try:
                choice, limit = self._choose([unit[0] for unit in packable], workshop)
            except Exception as error:
                choice, limit = Choice(None, f"one by one ({error})"), 1
            size = -(-len(packable) // -(-len(packable) // limit))
            for start in range(0, len(packable), size):
                part = packable[start : start + size]
                self._note(len(part), choice.reason, choice.gain)
                divided.append((part, choice))
        return divided

    def _choose(self, ones: Sequence[Cell], workshop: Workshop) -> tuple[Choice, int]:
        """The packing of these cells' backbones, and how many of them fit into memory."""
        one, key = ones[0], (trained_alike(ones[0]), len(ones))
        with seeded(workshop.rng(one, Role.OTHER)):
            backbones = [workshop.backbone(cell) for cell in ones[:MOST_TIMED]]
            if key not in self._choices:
                batch = effective_batch_size(one.settings.batch_size, one.pretrain_images) or 8
                images = torch.rand(batch, *one.pretrain.image_shape).to(workshop.device)
                self._choices[key] = choose(backbones, images)
        choice = self._choices[key]
        settings, classes = one.settings, max(len(cell.finetune.classes) for cell in ones)
        kept = settings.finetune_samples_per_class + settings.calibration_samples_per_class
        feature_dim = backbones[0].feature_dim
        assert isinstance(feature_dim, int)
        limit = _feature_bytes(workshop.device) // (4 * feature_dim * classes * kept)
        if choice.most and not self._pack_limit:
            limit = min(limit, choice.most)
        return choice, max(1, limit) if choice.packer else 1

    def _note(self, cells: int, reason: str, gain: float | None = None) -> None:
        self.notes.append((cells, " ".join(reason.split()), gain))


def _feature_bytes(device: torch.device) -> int:
    """How much memory the kept features of a pack may take."""
    if device.type != "cuda":
        return _FEATURE_BYTES
    free, _ = torch.cuda.mem_get_info(device)
    reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(_FEATURE_SHARE * (free + reserved))


def _pretraining(cell: Cell) -> str:
    return cell.pretrain_key


def _plain_augmentation(cell: Cell, workshop: Workshop) -> bool:
    """Whether the augmentation can be made, and is content with images."""
    try:
        return not needs_of(workshop.augmentation(cell))
    except Exception:
        return False  # the reference will raise it again, for this cell alone


class _Counter:
    """Passes progress on, and forgets what a restart does again."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._done, self._again = progress, 0, 0

    def __call__(self, steps: int) -> None:
        self._done += steps
        self._progress(steps)

    def after_a_restart(self) -> Progress:
        """What to report to once the work begins anew."""
        self._again = self._done

        def progress(steps: int) -> None:
            again = min(steps, self._again)
            self._again -= again
            if steps > again:
                self._progress(steps - again)

        return progress
