"""Winograd's minimal filtering: convolutions that take fewer products, by transforming tiles.

Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016. The one entry point
is `WinogradPlan`, which `ops/convolution.py` asks before it takes a `Plan` of its own. Nothing else
imports this folder. It can be deleted: every product is summed then, which takes longer where
channels are many.
"""

from augbench.packed.winograd.plan import WinogradPlan

__all__ = ["WinogradPlan"]
