"""What is measured on a test set: accuracy, likelihood, calibration, and every image's outcome."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

__all__ = ["Evaluation", "evaluate", "expected_calibration_error", "fit_temperature"]

_BINS = 15
_TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True)
class Evaluation:
    """The measures of one classifier on one test set of N images.

    `accuracy` in [0, 1]; `nll`, the mean negative log-likelihood in nats; `ece`, the expected
    calibration error in [0, 1]; `correct`, one bit an image, packed as `numpy.packbits` does.
    """

    accuracy: float
    nll: float
    ece: float
    correct: bytes


@torch.no_grad()
def evaluate(logits: Tensor, labels: Tensor, temperature: float = 1.0) -> Evaluation:
    """Measure logits (or log-probabilities) [N, classes] against labels [N]."""
    log_probabilities = torch.log_softmax(logits.double() / temperature, dim=1)
    confidence, predicted = log_probabilities.max(dim=1)
    correct = predicted == labels
    return Evaluation(
        accuracy=float(correct.double().mean()),
        nll=float(-log_probabilities.gather(1, labels[:, None]).mean()),
        ece=expected_calibration_error(confidence.exp(), correct),
        correct=np.packbits(correct.cpu().numpy()).tobytes(),
    )


def expected_calibration_error(confidence: Tensor, correct: Tensor) -> float:
    """Σ_b (n_b/N) |accuracy_b − mean confidence_b| over 15 equal-width bins of confidence.

    Guo et al. 2017, "On calibration of modern neural networks", arXiv 1706.04599, eq. 3.
    """
    bins = (confidence * _BINS).ceil().long().clamp(1, _BINS) - 1
    gap = torch.zeros(_BINS, dtype=torch.float64, device=confidence.device)
    gap.index_add_(0, bins, correct.double() - confidence.double())
    return float(gap.abs().sum() / len(confidence))


@torch.no_grad()
def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature in [0.05, 20] that minimises the likelihood loss on held-out images.

    Temperature scaling, Guo et al. 2017, §4.2. In β = 1/T the loss mean(lse(βz) − βz_y) is
    convex, so its derivative E_p[z] − z_y is monotone and bisection on log β finds the minimum,
    or the bound it lies beyond.
    """
    z = torch.log_softmax(logits.double(), dim=1)
    of_label = z.gather(1, labels[:, None])[:, 0]
    low, high = 1 / _TEMPERATURES[1], 1 / _TEMPERATURES[0]
    for _ in range(40):
        beta = (low * high) ** 0.5
        slope = ((torch.softmax(beta * z, dim=1) * z).sum(dim=1) - of_label).mean()
        low, high = (beta, high) if slope < 0 else (low, beta)
    return float((low * high) ** -0.5)
