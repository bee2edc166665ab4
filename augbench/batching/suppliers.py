"""Suppliers of what an augmentation needs of the network: gradients, or a hidden layer.

Such an augmentation is called step by step, and its supplier does the forward pass of the step.
What the supplier does besides leaves no trace: no dropout mask is drawn for it, no batch
statistics and no gradient of a parameter change, and the mode of every module is restored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from augbench.batching.materials import eval_mode
from augbench.protocol.augmenting import Augmenter, Mixture, Rows

__all__ = ["Supplier", "hidden_layers", "input_gradients", "supplier_for"]


class Supplier(Protocol):
    """Does a step's forward pass for an augmentation that needs the network.

    `extra_passes` counts the forward and backward passes so far that a plain step does not take.
    """

    extra_passes: int

    def forward(
        self, sources: Sequence[Tensor], rows: Rows, partners: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        """Augment one batch and pass it through the model.

        `sources` are K tensors [B, C, H, W]; `partners` [K − 1, B] are the positions in the batch
        at which the further ones stand. Returns the log-probabilities and targets [B, classes].
        """
        ...


def supplier_for(
    augmenter: Augmenter, model: nn.Sequential, image_shape: tuple[int, int, int]
) -> Supplier | None:
    """Make the supplier of what a pipeline needs of the network; None if that is nothing.

    The first module of `model` is the backbone.
    """
    needs = augmenter.arrangement.from_network
    if "gradients" in needs:
        return _Gradients(augmenter, model)
    if "hidden" in needs:
        return _Hidden(augmenter, model, image_shape)
    return None


class _Gradients:
    """Tells the augmentation how each image's own loss depends on its pixels."""

    def __init__(self, augmenter: Augmenter, model: nn.Module) -> None:
        self.extra_passes = 0
        self._augmenter, self._model = augmenter, model

    def forward(
        self, sources: Sequence[Tensor], rows: Rows, partners: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        """See `Supplier`."""
        # Every source is an image of this batch: one pass has the gradients of them all.
        anchor = input_gradients(self._model, sources[0], rows.labels[0])  # [B, C, H, W]
        self.extra_passes += 1
        gradients = (anchor, *(anchor[torch.from_numpy(p)] for p in partners))
        mixture = self._augmenter.mix(sources, replace(rows, gradients=gradients))
        mixture.check(self._augmenter.name)
        return self._model(mixture.images), mixture.targets(rows)


class _Hidden:
    """Lets the augmentation mix the output of a layer that it chooses for each batch."""

    def __init__(
        self, augmenter: Augmenter, model: nn.Sequential, image_shape: tuple[int, int, int]
    ) -> None:
        self.extra_passes = 0
        self._augmenter, self._model = augmenter, model
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        self._layers = hidden_layers(model[0], torch.zeros(2, *image_shape, device=device))

    def forward(
        self, sources: Sequence[Tensor], rows: Rows, partners: NDArray[np.int64]
    ) -> tuple[Tensor, Tensor]:
        """See `Supplier`."""
        layer = self._augmenter.choose_layer(("", *self._layers))
        if not layer:
            mixture = self._mix(sources, rows)
            return self._model(mixture.images), mixture.targets(rows)
        found: list[Mixture] = []

        def mix(module: nn.Module, inputs: Any, hidden: Tensor) -> Tensor:
            parts = [hidden, *(hidden[torch.from_numpy(p)] for p in partners)]  # K × [B, …]
            found.append(self._mix(parts, rows))
            return found[0].images

        handle = self._layers[layer].register_forward_hook(mix)
        try:
            log_probabilities = self._model(sources[0])
        finally:
            handle.remove()
        (mixture,) = found
        return log_probabilities, mixture.targets(rows).detach()

    def _mix(self, sources: Sequence[Tensor], rows: Rows) -> Mixture:
        mixture = self._augmenter.mix(sources, rows)
        mixture.check(self._augmenter.name)
        return mixture


def input_gradients(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """The gradient [N, C, H, W] of each image's own cross entropy with respect to its pixels.

    `model` maps images to log-probabilities; it is asked in eval mode. The losses are summed, so
    that an image's gradient does not depend on how many others there are.
    """
    with eval_mode(model), torch.enable_grad():
        pixels = images.detach().clone().requires_grad_()
        loss = -model(pixels).gather(1, labels[:, None]).sum()
        (gradients,) = torch.autograd.grad(loss, pixels)
    return gradients


def hidden_layers(backbone: nn.Module, images: Tensor) -> dict[str, nn.Module]:
    """The children of a backbone whose outputs can be mixed, in the order in which they run.

    These run exactly once, and put out one tensor [N, …]. A backbone that only wraps another
    module is looked into.
    """
    parent = backbone
    while len(children := list(parent.children())) == 1 and list(children[0].children()):
        parent = children[0]
    runs: list[str] = []
    fit: set[str] = set()

    def watch(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            runs.append(name)
            if isinstance(output, Tensor) and output.ndim >= 2 and len(output) == len(images):
                fit.add(name)

        return hook

    handles = [child.register_forward_hook(watch(name)) for name, child in parent.named_children()]
    try:
        with eval_mode(backbone), torch.no_grad():
            backbone(images)
    finally:
        for handle in handles:
            handle.remove()
    named = dict(parent.named_children())
    return {name: named[name] for name in runs if name in fit and runs.count(name) == 1}
