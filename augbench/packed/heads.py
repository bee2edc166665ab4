"""K linear heads as one batched product, and what is done with them on cached features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Heads"]


class Heads:
    """K heads: features [K, B, D] → log-probabilities [K, B, classes]."""

    def __init__(self, heads: Sequence[nn.Linear]) -> None:
        with torch.no_grad():
            self.weight = torch.stack([head.weight for head in heads])  # [K, classes, D]
            self.bias = torch.stack([head.bias for head in heads])[:, None]  # [K, 1, classes]
        for value in self.parameters():
            value.requires_grad_()

    def __call__(self, features: Tensor) -> Tensor:
        """Log-probabilities of each cell's head."""
        if features.is_contiguous():
            logits = torch.baddbmm(self.bias, features, self.weight.transpose(1, 2))
            return logits.log_softmax(dim=2)
        # The images come last, as in batch-last maps, and stay there: up to three times as fast.
        turned = self.bias.transpose(1, 2), self.weight, features.transpose(1, 2)
        return torch.baddbmm(*turned).log_softmax(dim=1).transpose(1, 2)

    def parameters(self) -> tuple[Tensor, Tensor]:
        """The weights and the biases of all heads."""
        return self.weight, self.bias

    def clone(self) -> Heads:
        """The heads as they are now."""
        twin = object.__new__(Heads)
        twin.weight, twin.bias = self.weight.detach().clone(), self.bias.detach().clone()
        return twin

    @torch.no_grad()
    def descend(self, features: Tensor, targets: Tensor, learning_rate: float | Tensor) -> Tensor:
        """One step of gradient descent on the heads alone; returns the log-probabilities before.

        The learning rate is one for all heads, or a tensor [K].
        """
        log_probabilities = self(features)  # [K, B, classes]
        error = log_probabilities.exp().sub_(targets)
        if isinstance(learning_rate, Tensor):
            error, learning_rate = error.mul_(learning_rate[:, None, None]), 1.0
        rate = -learning_rate / features.shape[1]
        self.weight.baddbmm_(error.transpose(1, 2), features, alpha=rate)
        self.bias.add_(error.sum(dim=1, keepdim=True), alpha=rate)
        return log_probabilities

    @torch.no_grad()
    def gradients(self, features: Tensor, targets: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The log-probabilities, and the gradients of each head's mean cross entropy.

        The gradient with respect to the logits is (p − y) / B; the parameters' are returned in
        the order of `parameters`.
        """
        log_probabilities = self(features)  # [K, B, classes]
        error = log_probabilities.exp().sub_(targets).div_(features.shape[1])
        slopes = torch.bmm(error.transpose(1, 2), features), error.sum(dim=1, keepdim=True)
        return log_probabilities, slopes
