"""A first look at a pipeline, before any cell trains under it: does it keep its contract?

The checks that cost next to nothing of those that `augbench check` searches for: on the first
images of a cell, once a process. What they find would else be a wrong number, or another one each
time: an augmentation that changes its inputs, that draws from a global generator, or whose row i
depends on other rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from augbench.batching.materials import CellMaterials
from augbench.errors import ContractError
from augbench.plugins.guard import Place
from augbench.plugins.isolation import watched
from augbench.protocol.augmenting import Augmenter, Mixture, Rows, augmenter_of
from augbench.protocol.batches import effective_batch_size
from augbench.protocol.inputs import network_inputs
from augbench.protocol.streams import stream
from augbench.protocol.study import Cell

__all__ = ["FirstLooks"]

_IMAGES = 6
_HINT = "`augbench check` tells more"


class FirstLooks:
    """Looks at each pipeline once on each data set, and remembers the finding."""

    def __init__(self, materials: CellMaterials) -> None:
        self._materials = materials
        self._found: dict[object, Exception | None] = {}

    def error(self, cell: Cell) -> Exception | None:
        """Return the error of the cell's augmentations; None if nothing shows at once."""
        known = (cell.pipeline, cell.pretrain.content_hash)
        if known not in self._found:
            try:
                _look(cell, self._materials)
                self._found[known] = None
            except torch.cuda.OutOfMemoryError:
                raise
            except Exception as error:
                self._found[known] = error
        return self._found[known]


def _look(cell: Cell, materials: CellMaterials) -> None:
    label = cell.pipeline.label
    place = Place(f"augmentation {label!r}", label, first=True)

    def fresh() -> Augmenter:
        """The pipeline made anew: the same streams at their beginning, none of them a cell's."""
        return augmenter_of(
            cell.pipeline,
            materials.create,
            lambda role, *extra: stream(role, root=0, dataset="", seed=0, extra=extra),
            place,
        )

    arrangement = fresh().arrangement
    data = materials.pretrain_set(cell)
    # What needs the network in training is given one batch at a time.
    count = min(_IMAGES, effective_batch_size(cell.settings.batch_size, len(data)))
    if count < max(2, arrangement.sources):
        return  # the study's own checks say what is too few
    images, labels = network_inputs(data.images[:count]), data.labels[:count]
    rows = Rows(
        [labels.roll(k) for k in range(arrangement.sources)],
        len(cell.pretrain.classes),
        (0, count, max(1, cell.pretrain_steps)),
    )
    if "gradients" in arrangement.from_network:
        rows = replace(
            rows, gradients=[_slopes(images).roll(k, 0) for k in range(len(rows.labels))]
        )

    def ahead(given: Tensor) -> Tensor:
        return fresh().ahead_of_mixer(given, rows)

    before = images.clone()
    mixer_before: list[Tensor] = []
    with watched() as remarks:
        first = ahead(images)
        sources = [first.roll(k, 0) for k in range(arrangement.sources)]
        mixer_before = [source.clone() for source in sources]
        mixed = fresh().mix(sources, rows)
        mixed.check(place.who)
    if changes := [one.replace(" (restored)", "") for one in remarks if one.startswith("changed")]:
        raise ContractError(
            f"{place.who} {' and '.join(changes)}; all randomness must come from `rng` ({_HINT})"
        )
    unchanged = [torch.equal(a, b) for a, b in zip(sources, mixer_before, strict=True)]
    if not (torch.equal(images, before) and all(unchanged)):
        raise ContractError(
            f"{place.who} changes its inputs in place; work on a copy (x.clone()) ({_HINT})"
        )
    if not (_alike(first, ahead(images)) and _same(mixed, fresh().mix(sources, rows))):
        raise ContractError(
            f"{place.who} gave two results for the same images and the same state of `rng`; all "
            f"randomness must come from `rng`, and a call must not depend on earlier ones ({_HINT})"
        )
    others = slice(0, count - 1)
    if not _alike(first[others], ahead(_other_last(images))[others]) or not _same(
        mixed, fresh().mix([_other_last(one) for one in sources], rows), others
    ):
        raise ContractError(
            f"{place.who}: the result of one row changed with the images of another; row i may "
            f"depend on row i of its sources and on the draws alone ({_HINT})"
        )


def _slopes(images: Tensor) -> Tensor:
    """Gradients for an augmentation that needs them: any will do, if they differ."""
    return (images - images.mean()) / images.numel()


def _other_last(batch: Tensor) -> Tensor:
    """The batch with another last row, as dark as it was bright."""
    return torch.cat([batch[:-1], 1 - batch[-1:]])


def _same(one: Mixture, other: Mixture, rows: slice = slice(None)) -> bool:
    pairs: Sequence[tuple[Tensor | None, Tensor | None]] = (
        (one.images, other.images),
        (one.shares, other.shares),
        (one.distribution, other.distribution),
    )
    return all(_alike(a[rows], b[rows]) for a, b in pairs if a is not None and b is not None)


def _alike(one: Tensor, other: Tensor) -> bool:
    # On a GPU, sums may be taken in another order each time.
    tolerance = 0.0 if one.device.type == "cpu" else 1e-5
    return bool(torch.allclose(one, other, rtol=0, atol=tolerance, equal_nan=True))
