"""Networks that a packing or a copy may get wrong, for images of 10 by 10."""

import torch
from torch import nn


class Tied(nn.Module):
    """One weight under two names, one that no forward uses, and one that is not trained."""

    feature_dim = 16

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3, stride=3)
        self.one, self.other = nn.Linear(36, 36), nn.Linear(36, 36)
        self.other.weight = self.one.weight
        self.never = nn.Linear(3, 3)
        self.out = nn.Linear(36, 16)
        self.out.bias.requires_grad_(False)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        x = self.conv(x).relu().flatten(1)
        return self.out(self.other(self.one(x).relu())) * self.scale


def normed(channels, size):
    """Statistics of batches of maps and of features, and dropout."""
    net = nn.Sequential(
        nn.Conv2d(channels, 4, 3, stride=3),
        nn.BatchNorm2d(4, momentum=0.3),
        nn.Flatten(),
        nn.Linear(36, 8),
        nn.BatchNorm1d(8),
        nn.Dropout(0.4),
        nn.Tanh(),
    )
    net.feature_dim = 8
    return net


class Drawing(nn.Module):
    """A network that draws from torch's global generator: only the reference trains it."""

    feature_dim = 100

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(100, 100)

    def forward(self, x):
        x = self.layer(x.flatten(1))
        return x + 0.5 * torch.randn_like(x) if self.training else x


NETWORKS = {
    "tied": lambda channels, size: Tied(channels),
    "normed": normed,
    "drawing": lambda channels, size: Drawing(),
}
