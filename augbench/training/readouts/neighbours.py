"""Nearest neighbours of K cells: kept features vote on a test image, and nothing is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from augbench.training.features import Predict
from augbench.training.readouts.contract import Fitted, ReadoutFit

__all__ = ["fit_neighbours", "votes"]

_VALUES_AT_ONCE = 2**24  # similarities of test images and neighbours: bounds the memory


def fit_neighbours(fit: ReadoutFit) -> Fitted:
    """Keep the features of the finetuning images, at length 1."""
    settings = fit.cells[0].settings
    bank = _of_length_1(fit.data.features(fit.members)[:, : fit.count])  # [K, N, D]
    labels = fit.data.labels(fit.members)[:, : fit.count]  # [K, N]
    neighbours = min(settings.knn_neighbours, fit.count)
    predict = _predict(bank, labels, fit.classes, neighbours, settings.knn_temperature)
    return Fitted(fit.pretrained.backbones, fit.members, predict)


def _predict(
    bank: Tensor, labels: Tensor, classes: int, neighbours: int, temperature: float
) -> Predict:
    def predict(features: Tensor) -> Tensor:
        queries = _of_length_1(features)
        at_once = max(1, _VALUES_AT_ONCE // (bank.shape[0] * bank.shape[1]))
        parts = [
            votes(part @ bank.transpose(1, 2), labels, classes, neighbours, temperature)
            for part in queries.split(at_once, dim=1)
        ]
        return torch.cat(parts, dim=1)

    return predict


def votes(
    similarity: Tensor, labels: Tensor, classes: int, neighbours: int, temperature: float
) -> Tensor:
    """The share of the votes [K, n, classes] that each class gets, of cosines [K, n, N].

    Each of the nearest neighbours, whose labels are among [K, N], votes for its class with weight
    exp(cosine / temperature). Wu et al. 2018, arXiv 1805.01978, §3.4; 20 neighbours and 0.07 are
    the values of Caron et al. 2021, arXiv 2104.14294, §4.1.
    """
    nearest, which = similarity.topk(neighbours, dim=2)
    weights = torch.softmax(nearest / temperature, dim=2)  # whose sum is 1
    of_class = labels[:, None].expand(-1, similarity.shape[1], -1).gather(2, which)
    shares = similarity.new_zeros(*similarity.shape[:2], classes)
    return shares.scatter_add_(2, of_class, weights)


def _of_length_1(features: Tensor) -> Tensor:
    """Features at length 1; those of length 0 stay 0, and are similar to nothing."""
    return nn.functional.normalize(features, dim=2)
