"""Cells trained together: the numbers of `reference.py`, an order of magnitude sooner.

K backbones of one architecture become one network with K heads (`augbench.packed`), their batches
one tensor (`augbench.batching`). Every random draw comes from the cell's own streams, exactly as
in the reference; only the order of sums differs. The training itself is in `together.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from augbench.batching.blocks import GuiltyCellsError
from augbench.batching.materials import CellMaterials, seeded
from augbench.packed import Choice, UnpackableError, choose
from augbench.protocol.batches import effective_batch_size
from augbench.protocol.cell_result import CellResult
from augbench.protocol.streams import Role, cell_stream
from augbench.protocol.study import Cell
from augbench.training.contract import Progress
from augbench.training.hidden import layers_to_tap
from augbench.training.keeping import are_kept, kept_apart
from augbench.training.notes import Note, summary
from augbench.training.packs import Unit, kept_features, plan_packs, trained_alike, units_of
from augbench.training.reference import ReferenceEngine
from augbench.training.together import train_together

__all__ = ["PackedEngine"]

_MOST_COMPARED = 64  # backbones of a pack: more gain no less
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
        self.notes: list[Note] = []

    @property
    def choice(self) -> str:
        """One line on the way that the cells so far were trained, and why."""
        return summary(self.notes)

    def train(
        self,
        cells: Sequence[Cell],
        materials: CellMaterials,
        *,
        test_every: int,
        progress: Progress,
    ) -> Iterator[CellResult]:
        """See `augbench.training.contract.Engine`."""
        kind = materials.device.type
        for pack in plan_packs(cells, 1, device_kind=kind, pack_limit=self._pack_limit):
            # A trial never sees a test set.
            every = 0 if all(cell.trial is not None for cell in pack) else test_every
            for units, choice in self._divide(pack, materials):
                for part in kept_apart(units, materials):
                    if are_kept(part, materials):
                        self._note(len(part), "loaded as they were kept")
                    yield from self._train(part, choice, materials, every, progress)

    def _train(
        self,
        units: Sequence[Unit],
        choice: Choice,
        materials: CellMaterials,
        test_every: int,
        progress: Progress,
    ) -> Iterator[CellResult]:
        """Train units together, or in halves if memory does not suffice, or else one by one."""
        counter, results = _Counter(progress), list[CellResult]()
        halves, guilty = False, frozenset[int]()
        try:
            if not choice.keeps:
                raise UnpackableError(choice.reason)
            for result in train_together(units, choice.packer, materials, test_every, counter):
                results.append(result)
                yield result
        except torch.cuda.OutOfMemoryError:
            halves = len(units) > 1
            if halves:
                self._note(len(units), "in halves, for lack of memory")
        except GuiltyCellsError as error:
            guilty = frozenset(error.errors)
        except Exception as error:  # some cell cannot be trained, and nothing tells which
            if len(units) > 1:
                self._note(len(units), f"one by one, after {type(error).__name__}: {error}")
        else:
            if doubtful := len(_left(units, results)):
                self._note(doubtful, "once more one by one, since numbers left float32's range")
        # Only here is the memory free again that an error's traceback held.
        again = counter.after_a_restart(sum(cell.steps for cell in _ended(units, results)))
        together: list[list[Unit]] = []
        alone = _left(units, results)
        if halves:
            together, alone = [alone[: len(alone) // 2], alone[len(alone) // 2 :]], []
        elif guilty:
            # Alone, each fails alone, with its own error; the others stay together.
            keys = {units[k][0].path_key for k in guilty}
            together = [[unit for unit in alone if unit[0].path_key not in keys]]
            alone = [unit for unit in alone if unit[0].path_key in keys]
        for part in filter(None, together):
            yield from self._train(part, choice, materials, test_every, again)
        cells = [cell for unit in alone for cell in unit]
        yield from ReferenceEngine().train(cells, materials, test_every=test_every, progress=again)

    def _divide(
        self, pack: Sequence[Cell], materials: CellMaterials
    ) -> list[tuple[list[Unit], Choice]]:
        """Decide how the cells of a pack are trained, and in which parts."""
        of_needs: dict[frozenset[str] | None, list[Unit]] = {}
        for unit in sorted(units_of(pack), key=_pretraining):
            of_needs.setdefault(_needs(unit[0], materials), []).append(unit)
        # What cannot be made is for the reference, which raises it again for this cell alone.
        failing = Choice(None, "one by one", keeps=False)
        divided = [([unit], failing) for unit in of_needs.pop(None, [])]
        for needs, units in of_needs.items():
            assert needs is not None
            try:
                choice, limit = self._choose(units, needs, materials)
            except Exception as error:
                choice, limit = Choice(None, f"one by one ({error})", keeps=False), 1
            size = -(-len(units) // -(-len(units) // limit))
            for start in range(0, len(units), size):
                part = units[start : start + size]
                self._note(len(part), choice.reason, choice.gain, choice.seconds)
                choice = replace(choice, seconds=0)
                divided.append((part, choice))
        return divided

    def _choose(
        self, units: Sequence[Unit], needs: frozenset[str], materials: CellMaterials
    ) -> tuple[Choice, int]:
        """The packing of these units' backbones, and how many of them fit into memory.

        `needs` is what their augmentations need of the network in training.
        """
        ones = [unit[0] for unit in units]
        one, key = ones[0], (trained_alike(ones[0]), needs, len(ones))
        with seeded(cell_stream(one, Role.OTHER)):
            backbones = [materials.backbone(cell) for cell in ones[:_MOST_COMPARED]]
            choice = self._choices.get(key)
            if choice is None:
                shape = one.pretrain.image_shape
                choice = choose(
                    backbones,
                    _images_like(one, materials),
                    pixel_gradients="gradients" in needs,
                    taps=layers_to_tap(backbones[0], shape) if "hidden" in needs else (),
                    steps=max(cell.pretrain_steps for cell in ones),
                )
                self._choices[key] = replace(choice, seconds=0)  # they are spent once
        feature_dim = backbones[0].feature_dim
        assert isinstance(feature_dim, int)
        kept = max(1, *map(kept_features, units))
        limit = _feature_bytes(materials.device) // (4 * feature_dim * kept)
        if choice.most and not self._pack_limit:
            limit = min(limit, choice.most)
        return choice, max(1, limit) if choice.packer else 1

    def _note(self, cells: int, reason: str, gain: float | None = None, took: float = 0.0) -> None:
        self.notes.append(Note(cells, " ".join(reason.split()), gain, took))


def _feature_bytes(device: torch.device) -> int:
    """The bytes of memory that the kept features of a pack may take."""
    if device.type != "cuda":
        return _FEATURE_BYTES
    free, _ = torch.cuda.mem_get_info(device)
    reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(_FEATURE_SHARE * (free + reserved))


def _images_like(cell: Cell, materials: CellMaterials) -> Tensor:
    """A batch [B, C, H, W] of the shape that the cell is pretrained on."""
    batch = effective_batch_size(cell.settings.batch_size, cell.pretrain_images) or 8
    return torch.rand(batch, *cell.pretrain.image_shape).to(materials.device)


def _pretraining(unit: Unit) -> str:
    return unit[0].pretrain_key


def _ended(units: Sequence[Unit], results: Sequence[CellResult]) -> list[Cell]:
    keys = {result.key for result in results}
    return [cell for unit in units for cell in unit if cell.key in keys]


def _left(units: Sequence[Unit], results: Sequence[CellResult]) -> list[Unit]:
    """The units with the cells that have no result yet."""
    keys = {result.key for result in results}
    left = [[cell for cell in unit if cell.key not in keys] for unit in units]
    return [unit for unit in left if unit]


def _needs(cell: Cell, materials: CellMaterials) -> frozenset[str] | None:
    """What the augmentation needs of the network in training; None if it cannot be made."""
    try:
        return materials.augmenter(cell).arrangement.from_network
    except Exception:
        return None


class _Counter:
    """Passes progress on, and forgets what a restart does again."""

    def __init__(self, progress: Progress) -> None:
        self._progress, self._done, self._again = progress, 0, 0

    def __call__(self, steps: int) -> None:
        self._done += steps
        self._progress(steps)

    def after_a_restart(self, kept: int) -> Progress:
        """The progress to report to while all but so many steps are done again."""
        self._again = self._done - kept

        def progress(steps: int) -> None:
            again = min(steps, self._again)
            self._again -= again
            if steps > again:
                self._progress(steps - again)

        return progress
