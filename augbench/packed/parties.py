"""The parties of a comparison: a packing, its plain modules, and these in float64."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from augbench.packed.frozen import example_images, perturbed

if TYPE_CHECKING:
    from augbench.packed.choice import Packed, Packer

__all__ = ["Parties", "gradients"]

_STEP = 0.02  # of the weights
_TINY = 1e-30


class Parties:
    """A packing of K cells, and the plain modules of those that are compared.

    `plain` are these modules in the type of number that is asked about; `truth` the same in
    float64, empty where that is the type itself or where they cannot be computed in it. All take
    other images at each step, from a generator of their own.
    """

    def __init__(
        self, packer: Packer, backbones: Sequence[nn.Module], like: Tensor, dtype: torch.dtype
    ) -> None:
        self.generator, self.like, self.dtype = torch.Generator().manual_seed(0), like, dtype
        nets = [perturbed(one, self.generator).to(dtype).train() for one in backbones]
        self.cells = len(nets)
        self.compared = sorted({0, self.cells // 2, self.cells - 1})
        self.plain = [copy.deepcopy(nets[k]) for k in self.compared]
        self.truth: list[nn.Module] = []
        if dtype is not torch.float64 and self._knows_truth():
            self.truth = [copy.deepcopy(one).to(torch.float64) for one in self.plain]
        self.packed: Packed = packer(nets)
        self.packed.train()
        self.trained = {n: v for n, v in self.packed.stacked().items() if v.requires_grad}
        self.slopes = {name: torch.zeros_like(value) for name, value in self.trained.items()}
        self._shape: torch.Size | None = None  # [B, D]

    def _knows_truth(self) -> bool:
        if self.like.device.type == "mps":
            return False
        one = copy.deepcopy(self.plain[0]).double()
        try:
            one(self.images()[0].double())
        except RuntimeError:  # it makes values of a type of its own
            return False
        return True

    def train(self, mode: bool = True) -> None:
        """Set the mode of all."""
        self.packed.train(mode)
        for one in (*self.plain, *self.truth):
            one.train(mode)

    def images(self, most: int | None = None) -> list[Tensor]:
        """A batch for each cell, some dark and some bright, other ones each time.

        Of as many images as a step of training has, or of `most`.
        """
        count = len(self.like) if most is None else min(most, len(self.like))
        made = [example_images(self.like, count, self.generator) for _ in range(self.cells)]
        return [images.to(self.dtype) for images in made]

    def direction(self, images: Tensor) -> Tensor:
        """The gradient of the features, of a size that keeps weights near where they are."""
        if self._shape is None:
            with torch.no_grad():
                self._shape = copy.deepcopy(self.plain[0])(images).shape
            if len(self._shape) != 2:
                raise ValueError("its output is not [N, D]")
        shape = (len(images), self._shape[1])
        direction = torch.randn(self.cells, *shape, generator=self.generator)
        size: float = (shape[0] * shape[1]) ** 0.5
        return direction.to(images.device, images.dtype) / size

    def step_together(self, images: Tensor, direction: Tensor) -> Tensor:
        """A step of training of the packing; leaves its gradients in `slopes`."""
        features = self.packed(images)
        values = list(self.trained.values())
        grads = gradients(features, direction, values)
        with torch.no_grad():
            for value, slope, grad in zip(values, self.slopes.values(), grads, strict=True):
                if grad is not None:
                    # In place: a replay writes where the step that was recorded did.
                    slope.copy_(grad)
                    # By a share of the weights: a deep network's gradients may be thousands.
                    size = torch.linalg.vector_norm(value, 1) / max(1, value.numel())
                    steepest = torch.maximum(grad.amax(), -grad.amin()).clamp(min=_TINY)
                    value.addcmul_(grad, size / steepest, value=-_STEP)
        return features.detach()

    def step_alone(
        self,
        nets: Sequence[nn.Module],
        own: Sequence[Tensor],
        direction: Tensor,
        among: Sequence[int],
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Features [compared, B, D] of plain modules, and gradients [among, numbers] of some.

        `among` are places in `compared`. No weight changes.
        """
        dtype = torch.float64 if nets is self.truth else self.dtype
        features, slopes = [], []
        for place, (k, one) in enumerate(zip(self.compared, nets, strict=True)):
            made = one(own[k].to(dtype))  # with gradients: torch may take other operators without
            features.append(made.detach())
            if place not in among:
                continue
            named = dict(one.named_parameters())
            wanted = {name: value for name, value in named.items() if value.requires_grad}
            grads = gradients(made, direction[k].to(dtype), list(wanted.values()))
            slopes.append(
                {
                    name: torch.zeros_like(value).flatten() if grad is None else grad.flatten()
                    for (name, value), grad in zip(wanted.items(), grads, strict=True)
                }
            )
        return torch.stack(features), {
            name: torch.stack([one[name] for one in slopes]) for name in slopes[0]
        }

    def features_alone(self, nets: Sequence[nn.Module], own: Sequence[Tensor]) -> Tensor:
        """The features [compared, B, D] of plain modules, each of its own of K batches."""
        dtype = torch.float64 if nets is self.truth else self.dtype
        pairs = zip(self.compared, nets, strict=True)
        return torch.stack([one(own[k].to(dtype)).detach() for k, one in pairs])

    @torch.no_grad()
    def take_state_of_packing(self) -> None:
        """Give the plain modules the numbers of the packing's cells."""
        stacked = self.packed.stacked()
        for nets in filter(None, (self.plain, self.truth)):
            for k, one in zip(self.compared, nets, strict=True):
                for name, own in (*one.named_parameters(), *one.named_buffers()):
                    if name in stacked:
                        own.copy_(self.of_cells(stacked[name], [k]).view_as(own))

    def of_cells(self, stacked: Tensor, cells: Sequence[int]) -> Tensor:
        """The numbers [cells, …] of a value of all cells, or of a counter that they share."""
        if not stacked.ndim:
            return stacked.expand(len(cells), 1)
        rows = stacked.reshape(self.cells, -1)
        return rows[cells[0] : cells[0] + 1] if len(cells) == 1 else rows[list(cells)]


def gradients(
    features: Tensor, direction: Tensor, values: Sequence[Tensor]
) -> Sequence[Tensor | None]:
    """None for a value on which the features do not depend."""
    if not (values and features.requires_grad):
        return [None] * len(values)
    return torch.autograd.grad((features * direction).sum(), values, allow_unused=True)
