"""Augmentations that several tests use, and one call of an augmentation with all of its checks."""

import torch.nn.functional as F

from augbench.protocol.mixing import check_weights, mixed, weights_of


def augment(augmentation, sources, rng, **supplied):
    """The images [N, C, H, W], and the weights of the sources [N, K]."""
    image, shares = mixed(augmentation, sources, rng, type(augmentation).__name__, **supplied)
    weights = weights_of(shares, len(sources))
    check_weights(weights, type(augmentation).__name__)
    return image, weights


class Smooth:
    """Label smoothing."""

    sources = 1
    needs = frozenset({"labels"})
    returns_distribution = True

    def __call__(self, x, *, labels, classes, rng):
        return x, 0.9 * F.one_hot(labels[0], classes) + 0.1 / classes
