"""Steps of K cells whose augmentations mix hidden layers, each at a layer of its own choice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from augbench.batching.blocks import Drawn, GuiltyCellsError, Step, of_each_cell
from augbench.batching.suppliers import hidden_layers
from augbench.packed import Heads, Packed, side_by_side
from augbench.protocol.augmenting import Mixture
from augbench.protocol.loss import loss_weights, smoothed, summed_losses
from augbench.protocol.recipe import Recipe
from augbench.protocol.update import Update
from augbench.training.descent import Taken

__all__ = ["layers_to_tap", "steps_with_hidden_layers"]


def layers_to_tap(backbone: nn.Module, image_shape: tuple[int, int, int]) -> tuple[str, ...]:
    """The names of a backbone's `hidden_layers` in `named_modules`, in the order they run."""
    names = {module: name for name, module in backbone.named_modules()}
    device = next((one.device for one in backbone.parameters()), torch.device("cpu"))
    images = torch.zeros(2, *image_shape, device=device)
    return tuple(names[module] for module in hidden_layers(backbone, images).values())


def steps_with_hidden_layers(
    drawn: Drawn, backbones: Packed, heads: Heads, recipes: Sequence[Recipe], smoothing: Tensor
) -> Iterator[Taken]:
    """Take steps of which each cell's augmentation mixes a layer, or the images.

    The counterpart of `descent.descent` and `steps_taken`; what came of each step is known at once.
    Such steps are not replayed: which layers are mixed changes from step to step. Raises
    `GuiltyCellsError` as `blocks` does, before anything is updated.
    """
    state = [*heads.parameters(), *backbones.stacked().values()]
    update = Update(state, recipes, drawn.common.steps)
    for step in drawn.steps():
        mixing = _Mixing(drawn, step, backbones)
        log_probabilities = heads(backbones(mixing.inputs()))  # [K, B, classes]
        targets = smoothed(mixing.targets(), smoothing[:, None, None])
        update(summed_losses(loss_weights(targets), log_probabilities))
        yield log_probabilities.detach()[None], targets[None]


class _Mixing:
    """The mixing of one step: of images before the forward pass, of hidden layers within it."""

    def __init__(self, drawn: Drawn, step: Step, backbones: Packed) -> None:
        self._drawn, self._step = drawn, step
        # Layers are offered by the names of children, wherever these are inside the backbone.
        self._taps = {name.rpartition(".")[2]: tap for name, tap in backbones.taps.items()}
        self._mixtures: dict[int, Mixture] = {}
        self._errors: dict[int, Exception] = {}

    def inputs(self) -> Tensor:
        """The images [B, K·C, H, W] of the step; taps are set to mix where a layer is chosen."""
        augmenters, offered = self._drawn.augmenters, ("", *self._taps)
        layers = of_each_cell(lambda k: augmenters[k].choose_layer(offered), len(augmenters))
        for changes in self._taps.values():
            changes.clear()
        for k, layer in enumerate(layers):
            if layer:
                self._taps[layer][k] = partial(self._mix_hidden, k)
        images = of_each_cell(lambda k: self._images(k, layers[k]), len(layers))
        return side_by_side(images, self._drawn.batch)[0]

    def _images(self, k: int, layer: str) -> Tensor:
        sources = self._step.cells[k].sources
        return sources[0] if layer else self._mixed(k, sources)

    def _mix_hidden(self, k: int, hidden: Tensor) -> Tensor:
        try:
            partners = self._step.cells[k].partners
            # Its backward pass adds whole rows; that of hidden[other] adds number by number.
            further = (hidden.index_select(0, other) for other in partners)
            return self._mixed(k, [hidden, *further])
        except torch.cuda.OutOfMemoryError:
            raise  # nobody's fault
        except Exception as error:
            self._errors[k] = error
            return hidden

    def _mixed(self, k: int, sources: Sequence[Tensor]) -> Tensor:
        self._mixtures[k] = self._drawn.augmenters[k].mix(sources, self._step.cells[k].rows)
        return self._mixtures[k].images

    @torch.no_grad()
    def targets(self) -> Tensor:
        """The class probabilities [K, B, classes], once the forward pass is done."""
        if self._errors:
            raise GuiltyCellsError(self._errors)
        mixtures = [self._mixtures[k] for k in range(len(self._step.cells))]
        return self._drawn.targets(mixtures, self._step.labels)
