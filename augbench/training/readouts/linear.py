"""The linear probe of K cells: a linear head on kept features, trained without augmentation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from augbench.batching.materials import once_a_seed
from augbench.packed import Heads, Packed, Replayed
from augbench.protocol.batches import draw_batches
from augbench.protocol.loss import smoothed
from augbench.protocol.recipe import Recipe
from augbench.protocol.streams import Role, cell_stream
from augbench.protocol.study import Cell
from augbench.protocol.update import Update
from augbench.training.readouts.contract import Fitted, ReadoutFit
from augbench.training.readouts.on_images import fit_on_images
from augbench.training.recording import Recorder, hits

__all__ = ["fit_linear_heads"]

_BLOCK = 100  # steps whose losses are computed together


def fit_linear_heads(fit: ReadoutFit) -> Fitted:
    """Fit a head for each cell, by the recipe of finetuning."""
    cells, materials, settings = fit.cells, fit.materials, fit.cells[0].settings
    if settings.finetune_mode == "train":
        dropout = Role.FINETUNE_DROPOUT
        return fit_on_images(fit, _in_train_mode, part="finetuning", dropout=dropout)
    features, labels = fit.data.features(fit.members), fit.data.labels(fit.members)
    count, stride, width = features.shape
    like = fit.pretrained.like
    # Cells of one seed start from the same head, and see the same images in the same order.
    heads = Heads(once_a_seed(cells, lambda cell: materials.head(cell, like, finetune=True)))

    def order(cell: Cell) -> np.ndarray:
        rng = cell_stream(cell, Role.FINETUNE_ORDER)
        return draw_batches(fit.count, settings.batch_size, settings.finetune_steps, rng)

    batches = np.stack(once_a_seed(cells, order), axis=1)  # [steps, K, B]
    recipes = [Recipe.of(cell.settings, "finetuning") for cell in cells]
    smoothing = features.new_tensor([recipe.label_smoothing for recipe in recipes])
    descend = _descent(heads, recipes, settings.finetune_steps)
    rows = torch.from_numpy(batches + np.arange(count)[:, None] * stride).to(features.device)
    steps, _, batch = rows.shape
    flat, flat_labels = features.view(-1, width), labels.reshape(-1)  # [K·N, D], [K·N]
    recorder, snapshots = Recorder(), []
    for start in range(0, steps, _BLOCK):
        block = rows[start : start + _BLOCK].flatten(1)  # [S, K·B]
        targets = nn.functional.one_hot(flat_labels[block], fit.classes)
        targets = targets.to(torch.get_default_dtype()).view(-1, count, batch, fit.classes)
        targets = smoothed(targets, smoothing[:, None, None])  # [S, K, B, classes]
        outputs = torch.empty_like(targets)
        for s, (chosen, wanted) in enumerate(zip(block, targets, strict=True)):
            x = flat.index_select(0, chosen).view(count, batch, width)
            outputs[s] = descend(x, wanted)
            if fit.test_every and (start + s + 1) % fit.test_every == 0:
                snapshots.append((start + s + 1, heads.clone()))
        recorder.block(-(targets * outputs).sum(-1).mean(-1), hits(outputs, targets))
        fit.progress(len(block) * count)
    held_out = features[:, fit.held_out]
    return Fitted(
        fit.pretrained.backbones,
        fit.members,
        heads,
        heads(held_out) if held_out.shape[1] else None,
        labels[:, fit.held_out],
        recorder,
        snapshots,
    )


def _in_train_mode(
    backbones: Packed, heads: Heads, recipes: Sequence[Recipe], steps: int
) -> Callable[[Tensor, Tensor], Tensor]:
    """A step of the heads on the features of frozen backbones that are left in train mode."""
    descend, state = _descent(heads, recipes, steps), list(backbones.stacked().values())
    for value in state:
        value.requires_grad_(False)

    def features_of(x: Tensor) -> Tensor:
        with torch.no_grad():
            return backbones(x)

    features = Replayed(features_of, state) if backbones.replayable else features_of
    return lambda x, weights: descend(features(x), weights * -weights.shape[-2])


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
