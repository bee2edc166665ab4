"""A layer that is not torch's, and how it is packed."""

import torch
from torch import nn

from augbench.packed.rules import registry as rules


class Scale(nn.Module):
    """One factor per channel: a layer of somebody else's."""

    def __init__(self, channels):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels))

    def forward(self, x):
        return x * self.scale.view(-1, 1, 1)


class WideScale(Scale):
    """Its rule."""

    def __init__(self, layers):
        super().__init__(len(layers) * len(layers[0].scale))
        rules.stack_into(self, layers)
