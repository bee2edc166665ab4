"""Steps of K cells: the forward and backward pass, and the update of every cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from augbench.packed import Heads, Packed, Replayed
from augbench.protocol.loss import loss_weights, smoothed, summed_losses
from augbench.protocol.recipe import Recipe
from augbench.protocol.update import Update

__all__ = ["Taken", "descent", "ending_at", "pixel_gradients", "steps_taken"]

Taken = tuple[Tensor, Tensor]
"""The outcome of S steps: log-probabilities and smoothed targets, each [S, K, B, classes]."""


def descent(
    backbones: Packed, heads: Heads, recipes: Sequence[Recipe], steps: int
) -> Callable[[Tensor, Tensor], Tensor]:
    """A step of gradient descent of K cells, replayed from a tape where that pays.

    There will be `steps` of them, by each cell's own recipe. One takes images [B, K·C, H, W] and
    `loss_weights` [K, B, classes], and returns the log-probabilities before the step.
    """
    state = [*heads.parameters(), *backbones.stacked().values()]
    update = Update(state, recipes, steps)

    def descend(x: Tensor, weight: Tensor) -> Tensor:
        log_probabilities = heads(backbones(x))
        update(summed_losses(weight, log_probabilities))
        return log_probabilities.detach()

    return Replayed(descend, [*state, *update.state]) if backbones.replayable else descend


def steps_taken(
    drawn: Iterable[tuple[Tensor, Tensor]],
    descend: Callable[[Tensor, Tensor], Tensor],
    smoothing: Tensor,
) -> Iterator[Taken | None]:
    """Take steps on blocks of inputs [S, B, K·C, H, W] and targets [S, K, B, classes].

    Yields after each step: with the last one of a block, what came of the block, else None.
    `smoothing` [K] is the label smoothing of each cell.
    """
    for inputs, targets in drawn:
        targets = smoothed(targets, smoothing[:, None, None])
        outputs = torch.empty_like(targets)
        weights = loss_weights(targets)
        for s, (x, weight) in enumerate(zip(inputs, weights, strict=True)):
            outputs[s] = descend(x, weight)
            yield (outputs, targets) if s + 1 == len(inputs) else None


def ending_at(
    drawn: Iterable[tuple[Tensor, Tensor]], ends: Sequence[int]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Cut blocks of steps where budgets end."""
    first = 0
    for inputs, targets in drawn:
        inside = [end - first for end in ends if 0 < end - first < len(inputs)]
        for a, b in pairwise([0, *inside, len(inputs)]):
            yield inputs[a:b], targets[a:b]
        first += len(inputs)


def pixel_gradients(backbones: Packed, heads: Heads) -> Callable[[Tensor, Tensor], Tensor]:
    """The gradients of K cells' images, see `suppliers.input_gradients`; replayed where that pays.

    The function takes images [B, K·C, H, W] and labels [K, B], and returns [K, B, C, H, W]. It
    asks the networks in eval mode, and puts them back into train mode.
    """

    def wide_slopes(images: Tensor, weight: Tensor) -> Tensor:
        pixels = images.detach().requires_grad_()
        with torch.enable_grad():
            loss = summed_losses(weight, heads(backbones(pixels)))
            slopes: Tensor = torch.autograd.grad(loss, pixels)[0]
        return slopes

    backbones.train(False)
    slopes_of = Replayed(wide_slopes, []) if backbones.replayable else wide_slopes
    backbones.train()
    cells, classes = heads.weight.shape[:2]

    def gradients_of(images: Tensor, labels: Tensor) -> Tensor:
        backbones.train(False)
        # Each image's own loss, and no mean: its gradient does not depend on the batch's size.
        slopes = slopes_of(images, -one_hot(labels, classes).to(images.dtype))
        backbones.train()
        own: Tensor = slopes.unflatten(1, (cells, -1)).transpose(0, 1)
        # A copy, since the next replay writes into the same memory.
        return own.clone(memory_format=torch.contiguous_format)

    return gradients_of
