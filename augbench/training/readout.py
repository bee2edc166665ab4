"""Readouts: how K frozen backbones are judged on D_F. Each is fitted to features, then predicts.

A new readout is a class with the methods of `Readout` and a row in `READOUTS`. `reference.py` has
the plain counterpart of the linear probe, one cell at a time, which tests hold it to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from augbench.batching.materials import CellMaterials, once_a_seed
from augbench.packed import Heads
from augbench.protocol.batches import draw_batches
from augbench.protocol.loss import smoothed
from augbench.protocol.recipe import Recipe
from augbench.protocol.streams import Role, cell_stream
from augbench.protocol.study import Cell
from augbench.protocol.update import Update
from augbench.training.contract import Progress
from augbench.training.features import Predict
from augbench.training.recording import Recorder, hits

__all__ = ["READOUTS", "Fitted", "LinearProbe", "Readout"]

_BLOCK = 100  # steps whose losses are computed together


@dataclass(frozen=True)
class Fitted:
    """K fitted readouts.

    `recorder` holds the curves of the fit; `snapshots` are the readouts as they were after so many
    steps, where the test set is to be measured on the way.
    """

    predict: Predict
    recorder: Recorder
    snapshots: Sequence[tuple[int, Predict]] = ()


class Readout(Protocol):
    """A way to judge frozen backbones."""

    def fit(
        self,
        cells: Sequence[Cell],
        features: Tensor,
        labels: Tensor,
        images: int,
        materials: CellMaterials,
        *,
        like: nn.Module,
        test_every: int,
        progress: Progress,
    ) -> Fitted:
        """Fit to D_F's finetuning images: the first `images` of features [K, N, D], labels [K, N].

        `like` is a backbone as the cells have one. `progress` is told of `finetune_steps` for each
        cell, all in all. With `test_every` > 0, snapshots are taken every that many steps.
        """
        ...


class LinearProbe:
    """A linear head for each cell, trained by the recipe of finetuning, without augmentation."""

    def fit(
        self,
        cells: Sequence[Cell],
        features: Tensor,
        labels: Tensor,
        images: int,
        materials: CellMaterials,
        *,
        like: nn.Module,
        test_every: int,
        progress: Progress,
    ) -> Fitted:
        """See `Readout`."""
        settings, classes = cells[0].settings, len(cells[0].finetune.classes)
        count, stride, width = features.shape
        # Cells of one seed start from the same head, and see the same images in the same order.
        heads = Heads(once_a_seed(cells, lambda cell: materials.head(cell, like, finetune=True)))

        def order(cell: Cell) -> np.ndarray:
            rng = cell_stream(cell, Role.FINETUNE_ORDER)
            return draw_batches(images, settings.batch_size, settings.finetune_steps, rng)

        batches = np.stack(once_a_seed(cells, order), axis=1)  # [steps, K, B]
        recipes = [Recipe.of(cell.settings, "finetuning") for cell in cells]
        smoothing = features.new_tensor([recipe.label_smoothing for recipe in recipes])
        descend = _descent(heads, recipes, settings.finetune_steps)
        rows = torch.from_numpy(batches + np.arange(count)[:, None] * stride).to(features.device)
        steps, _, batch = rows.shape
        flat, labels = features.view(-1, width), labels.reshape(-1)  # [K·N, D], [K·N]
        recorder, snapshots = Recorder(), []
        for start in range(0, steps, _BLOCK):
            block = rows[start : start + _BLOCK].flatten(1)  # [S, K·B]
            targets = nn.functional.one_hot(labels[block], classes)
            targets = targets.to(torch.get_default_dtype()).view(-1, count, batch, classes)
            targets = smoothed(targets, smoothing[:, None, None])  # [S, K, B, classes]
            outputs = torch.empty_like(targets)
            for s, (chosen, wanted) in enumerate(zip(block, targets, strict=True)):
                x = flat.index_select(0, chosen).view(count, batch, width)
                outputs[s] = descend(x, wanted)
                if test_every and (start + s + 1) % test_every == 0:
                    snapshots.append((start + s + 1, heads.clone()))
            recorder.block(-(targets * outputs).sum(-1).mean(-1), hits(outputs, targets))
            progress(len(block) * count)
        return Fitted(heads, recorder, snapshots)


def _descent(
    heads: Heads, recipes: Sequence[Recipe], steps: int
) -> Callable[[Tensor, Tensor], Tensor]:
    """A step of the heads, from features [K, B, D] and targets [K, B, classes] to outputs."""
    if all(recipe.is_plain for recipe in recipes):  # the fastest way
        rates = [recipe.learning_rate for recipe in recipes]
        rate = rates[0] if len(set(rates)) == 1 else heads.weight.new_tensor(rates)
        return lambda features, targets: heads.descend(features, targets, rate)
    update = Update(heads.parameters(), recipes, steps)

    def descend(features: Tensor, targets: Tensor) -> Tensor:
        log_probabilities, gradients = heads.gradients(features, targets)
        update.step(gradients)
        return log_probabilities

    return descend


READOUTS: dict[str, Readout] = {"linear": LinearProbe()}
"""Every readout, by its name."""
