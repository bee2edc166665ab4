"""Readouts that see the finetuning images anew at each step, on copies of the backbones.

Features cannot be kept where all weights move, nor where the frozen backbone stays in train mode:
an image has other features at each step then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from augbench.batching.materials import once_a_seed
from augbench.options import Training
from augbench.packed import Heads, Packed, side_by_side
from augbench.protocol.batches import block_steps, draw_batches
from augbench.protocol.inputs import network_inputs
from augbench.protocol.recipe import Recipe
from augbench.protocol.streams import Role, cell_stream
from augbench.protocol.study import Cell
from augbench.training.descent import steps_taken
from augbench.training.features import Reader, outputs_of
from augbench.training.readouts.contract import Fitted, ReadoutFit
from augbench.training.recording import Recorder, hits
from augbench.training.weights import load_weights, weights_of

__all__ = ["Descent", "fit_on_images"]

Descent = Callable[[Packed, Heads, Sequence[Recipe], int], Callable[[Tensor, Tensor], Tensor]]
"""From backbones in train mode, heads, recipes and a number of steps to a step.

A step takes images [B, K·C, H, W] and `augbench.protocol.loss.loss_weights` [K, B, classes], and
returns the log-probabilities before it.
"""


def fit_on_images(fit: ReadoutFit, descent: Descent, *, part: Training, dropout: Role) -> Fitted:
    """Take the steps of `part` on a copy of each cell's backbone, in train mode, and a fresh head.

    `dropout` is the role of the streams of its masks. Measured in eval mode.
    """
    cells, materials, pretrained = fit.cells, fit.materials, fit.pretrained
    assert pretrained.packer is not None  # else the reference does it
    weights = weights_of(pretrained.backbones, pretrained.like, fit.members)
    like = pretrained.like
    backbones = pretrained.packer(
        [
            load_weights(materials.backbone(cell, dropout), own)
            for cell, own in zip(cells, weights, strict=True)
        ]
    )
    heads = Heads(once_a_seed(cells, lambda cell: materials.head(cell, like, finetune=True)))
    recipes = [Recipe.of(cell.settings, part) for cell in cells]
    steps = cells[0].judged_by.steps(cells[0].settings)
    backbones.train()
    descend = descent(backbones, heads, recipes, steps)
    smoothing = torch.tensor([one.label_smoothing for one in recipes], device=materials.device)
    everyone, recorder = range(len(cells)), Recorder()
    test_set = materials.test_set(cells[0].finetune) if fit.test_every else None
    blocks = _image_blocks(fit, steps)
    for step, taken in enumerate(steps_taken(blocks, descend, smoothing), 1):
        if test_set is not None and step % fit.test_every == 0:
            backbones.train(False)
            reader = Reader(everyone, heads)
            _, (measured,) = outputs_of(backbones, [test_set], [0] * len(cells), snapshots=[reader])
            recorder.test(measured, step)
            backbones.train()
        if taken is not None:
            made, targets = taken  # [S, K, B, classes]
            recorder.block(-(targets * made).sum(-1).mean(-1), hits(made, targets))
            fit.progress(len(made) * len(cells))
    backbones.train(False)
    held_out = fit.data.part(fit.held_out)
    of_cell, reader = fit.data.set_of(fit.members), Reader(everyone, heads)
    outputs = None
    if len(held_out[0]):
        (outputs,), _ = outputs_of(backbones, held_out, of_cell, kept=[reader])
    labels = fit.data.labels(fit.members)[:, fit.held_out]
    return Fitted(backbones, everyone, heads, outputs, labels, recorder)


def _image_blocks(fit: ReadoutFit, steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield a block's inputs [S, B, K·C, H, W] and targets [S, K, B, classes], to the end."""
    cells, settings = fit.cells, fit.cells[0].settings
    seeds = list(dict.fromkeys(fit.data.set_of(fit.members)))  # numbers of sets
    of_cell = [seeds.index(number) for number in fit.data.set_of(fit.members)]
    of_seed = dict(zip(of_cell, cells, strict=True))

    def order(cell: Cell) -> np.ndarray:
        rng = cell_stream(cell, Role.FINETUNE_ORDER)
        return draw_batches(fit.count, settings.batch_size, steps, rng)

    orders = [torch.from_numpy(order(of_seed[g])) for g in range(len(seeds))]  # each [steps, B]
    batch = orders[0].shape[1]
    block = block_steps(batch, cells[0].finetune.image_shape)
    sets = [fit.data.part(slice(0, fit.count))[number] for number in seeds]
    for start in range(0, steps, block):
        chosen = [one[start : start + block].flatten().to(fit.materials.device) for one in orders]
        images = [network_inputs(own.images[rows]) for own, rows in zip(sets, chosen, strict=True)]
        targets = torch.stack(
            [
                nn.functional.one_hot(own.labels[rows], fit.classes)
                for own, rows in zip(sets, chosen, strict=True)
            ]
        )  # [seeds, S·B, classes]
        targets = targets.to(images[0].dtype).unflatten(1, (-1, batch))[of_cell]
        yield side_by_side([images[g] for g in of_cell], batch), targets.transpose(0, 1)
