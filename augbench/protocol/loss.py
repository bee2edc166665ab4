"""The soft-label cross entropy: of one batch, and of the batches of K cells at once."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["loss_weights", "smoothed", "soft_label_cross_entropy", "summed_losses"]


def smoothed(targets: Tensor, smoothing: float | Tensor) -> Tensor:
    """Class probabilities [..., classes] with a share of each spread evenly over all classes.

    `smoothing` is one share, or a tensor of them that broadcasts; 0 changes no bit. Szegedy et al.
    2016, arXiv 1512.00567, section 7, as `torch.nn.CrossEntropyLoss(label_smoothing=…)` does it.
    """
    return targets * (1 - smoothing) + smoothing / targets.shape[-1]


def soft_label_cross_entropy(log_probabilities: Tensor, targets: Tensor) -> Tensor:
    """Mean over the batch of −Σ_c y_c ln p_c.

    `log_probabilities` are the outputs of a log-softmax, `targets` the class probabilities, both
    floating-point tensors of shape [N, classes]. Equal to `torch.nn.functional.cross_entropy`
    with class probabilities, whose own log-softmax leaves log-probabilities as they are.

    Raises `TypeError` for anything but floating-point tensors and `ValueError` for other shapes.
    A target of another shape would broadcast to a wrong loss without an error.
    """
    for name, value in (("log_probabilities", log_probabilities), ("targets", targets)):
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}: expected a torch.Tensor, got {type(value).__name__}")
        if not torch.is_floating_point(value):
            raise TypeError(
                f"{name}: expected a floating-point tensor [N, classes], got {value.dtype} "
                "(class indices go through torch.nn.functional.one_hot(...).float() first)"
            )
        if value.ndim != 2 or 0 in value.shape:
            raise ValueError(
                f"{name}: expected a non-empty [N, classes], got shape {list(value.shape)}"
            )
    if log_probabilities.shape != targets.shape:
        raise ValueError(
            f"expected targets of the shape of log_probabilities {list(log_probabilities.shape)}, "
            f"got {list(targets.shape)}"
        )
    return -(targets * log_probabilities).sum(dim=1).mean()


def loss_weights(targets: Tensor) -> Tensor:
    """The weights −y / B of log-probabilities [..., B, classes] in the sum of their losses.

    `targets` y are class probabilities of the same shape, a batch of B for each of any number of
    cells and steps.
    """
    return targets / -targets.shape[-2]


def summed_losses(weights: Tensor, log_probabilities: Tensor) -> Tensor:
    """The sum of K cells' mean losses, of log-probabilities and `loss_weights` [K, B, classes].

    Its gradient is, for each cell, its own `soft_label_cross_entropy`'s.
    """
    return (weights * log_probabilities).sum()
