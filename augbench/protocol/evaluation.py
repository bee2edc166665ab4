"""Measurement on a test set: accuracy, likelihood, calibration, and every image's outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from augbench.labels import encode

__all__ = [
    "Evaluation",
    "Measured",
    "evaluate",
    "expected_calibration_error",
    "fit_temperature",
    "measure",
]

_BINS = 15
_TEMPERATURES = (0.05, 20.0)
_VALUES_AT_ONCE = 2**20  # of logits, in double precision: bounds the memory


@dataclass(frozen=True)
class Evaluation:
    """The measures of one classifier on one test set of N images.

    `accuracy` in [0, 1]; `nll`, the mean negative log-likelihood in nats; `ece`, the expected
    calibration error in [0, 1]; `correct`, one bit an image, packed as `numpy.packbits` does;
    `predicted`, the class of the largest output of each image [N].
    """

    accuracy: float
    nll: float
    ece: float
    correct: bytes
    predicted: NDArray[np.int64] = field(compare=False, repr=False)


class Measured(NamedTuple):
    """The measures of one readout: metrics by name, and what `CellResult` keeps of every image."""

    metrics: dict[str, float]
    correct: bytes
    predicted: bytes


@torch.no_grad()
def evaluate(logits: Tensor, labels: Tensor, temperature: Tensor | float = 1.0) -> list[Evaluation]:
    """Measure K classifiers: logits (or log-probabilities) [K, N, classes], labels [N].

    A `temperature` divides the logits: one for all classifiers, or one for each, [K].
    """
    temperatures = torch.as_tensor(temperature, dtype=torch.float64, device=logits.device)
    temperatures = temperatures.expand(len(logits))[:, None, None]
    at_once = max(1, _VALUES_AT_ONCE // max(1, logits[0].numel()))
    measured: list[Evaluation] = []
    for some, divisor in zip(logits.split(at_once), temperatures.split(at_once), strict=True):
        log_probabilities = torch.log_softmax(some.double() / divisor, dim=2)
        confidence, predicted = log_probabilities.max(dim=2)
        correct = predicted == labels
        of_label = log_probabilities.gather(2, labels.expand(len(some), -1)[..., None])[..., 0]
        columns = (
            correct.double().mean(dim=1).tolist(),
            (-of_label.mean(dim=1)).tolist(),
            expected_calibration_error(confidence.exp(), correct).tolist(),
            [row.tobytes() for row in np.packbits(correct.cpu().numpy(), axis=1)],
            list(predicted.cpu().numpy()),
        )
        measured += map(Evaluation, *columns)
    return measured


def measure(
    outputs: Tensor, labels: Tensor, held_out_outputs: Tensor | None, held_out_labels: Tensor | None
) -> list[Measured]:
    """Measure K readouts, before and after temperature scaling.

    Outputs are [K, N, classes], with labels [N] that the heads share; held-out ones
    [K, N', classes], with labels [K, N'].
    """
    measured = evaluate(outputs, labels)
    metrics = [{"accuracy": one.accuracy, "nll": one.nll, "ece": one.ece} for one in measured]
    if held_out_outputs is not None and held_out_labels is not None:
        temperatures = fit_temperature(held_out_outputs, held_out_labels)
        scaled = evaluate(outputs, labels, temperatures)
        for own, temperature, one in zip(metrics, temperatures.tolist(), scaled, strict=True):
            own |= {"temperature": temperature, "nll_scaled": one.nll, "ece_scaled": one.ece}
    classes = outputs.shape[2]
    return [
        Measured(own, one.correct, encode(one.predicted, classes))
        for own, one in zip(metrics, measured, strict=True)
    ]


def expected_calibration_error(confidence: Tensor, correct: Tensor) -> Tensor:
    """Σ_b (n_b/N) |accuracy_b − mean confidence_b| over 15 equal-width bins of confidence.

    Of K classifiers: confidence and correct are [K, N], the result is [K].
    Guo et al. 2017, "On calibration of modern neural networks", arXiv 1706.04599, eq. 3.
    """
    bins = (confidence * _BINS).ceil().long().clamp(1, _BINS) - 1
    gap = torch.zeros(len(confidence), _BINS, dtype=torch.float64, device=confidence.device)
    gap.scatter_add_(1, bins, correct.double() - confidence.double())
    return gap.abs().sum(dim=1) / confidence.shape[1]


@torch.no_grad()
def fit_temperature(logits: Tensor, labels: Tensor) -> Tensor:
    """The temperatures [K] in [0.05, 20] that minimise the likelihood loss on held-out images.

    Logits are [K, N, classes], of K classifiers on images of their own, labels [K, N].
    Temperature scaling, Guo et al. 2017, §4.2. In β = 1/T the loss mean(lse(βz) − βz_y) is
    convex, so its derivative E_p[z] − z_y is monotone and bisection on log β finds the minimum,
    or the bound it lies beyond.
    """
    z = torch.log_softmax(logits.double(), dim=2)
    of_label = z.gather(2, labels[..., None])[..., 0]
    low = z.new_full((len(z),), 1 / _TEMPERATURES[1])
    high = z.new_full((len(z),), 1 / _TEMPERATURES[0])
    for _ in range(40):
        beta = (low * high).sqrt()
        p = torch.softmax(beta[:, None, None] * z, dim=2)
        slope = ((p * z).sum(dim=2) - of_label).mean(dim=1)
        rising = slope < 0
        low, high = torch.where(rising, beta, low), torch.where(rising, high, beta)
    return (low * high).rsqrt()
