"""Winograd's minimal filtering: convolutions that take fewer products, by transforming tiles.

Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, CVPR 2016. The one entry point
is `WinogradPlan`. This folder can be deleted: `ops/convolution.py` then sums every product.
"""

from augbench.packed.winograd.plan import WinogradPlan

__all__ = ["WinogradPlan"]
